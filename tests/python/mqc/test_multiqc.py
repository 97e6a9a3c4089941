"""Custom content: what MultiQC is given, and what it makes of it."""

import base64
import html
import io
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from helpers import ASSETS
from report_helpers import make_cohort_object, write_cohort
from semanticst.constants import FeatureType
from semanticst.describe.describe_niches import describe_niches
from semanticst.describe.overview import top_markers
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, PARTS, QC, Column, Html, Section
from semanticst.report.render import render_report

SECTION = Section("thing", NICHES, "A thing", "What it shows.", "More.")


def read(path):
    return json.loads(path.read_text())


def test_a_section_names_its_part_and_file(tmp_path):
    path = multiqc.text(tmp_path, SECTION, ["one", "two"])
    content = read(path)
    assert path == tmp_path / "thing_mqc.json"
    assert content["id"] == "thing"
    assert content["parent_id"] == "niches"
    assert content["parent_name"] == NICHES.title
    assert (content["section_name"], content["description"], content["helptext"]) == (
        "A thing",
        "What it shows.",
        "More.",
    )
    assert content["data"] == "<p>one</p>\n<p>two</p>"


def test_names_of_contrasts_become_distinct_anchors(tmp_path):
    names = ["a.b", "a_b", "a-b", "ab"]
    anchors = [read(multiqc.text(tmp_path, Section(name, QC, name), "x"))["id"] for name in names]
    assert len(set(anchors)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", anchor) for anchor in anchors)
    assert (tmp_path / "a.b_mqc.json").exists()


def test_table_escapes_user_text_keeps_commas_and_leaves_out_gaps(tmp_path):
    frame = pd.DataFrame(
        {"word": ["<script>, x", "fine"], "number": [1.5, np.nan], "raw": [Html("<b>ok</b>")] * 2, "unused": [1, 2]},
        index=["row <1>", "row 2"],
    )
    columns = {
        "word": Column("Word"),
        "number": Column("Number", format="{:.2f}", scale="Blues", low=0),
        "raw": Column("R"),
    }
    content = read(multiqc.table(tmp_path, SECTION, frame, columns, row_title="Row"))
    first = content["data"]["row &lt;1&gt;"]
    # MultiQC would swallow a comma as a thousands separator
    assert first == {"word": "&lt;script&gt;&#44; x", "number": 1.5, "raw": "<b>ok</b>"}
    assert content["data"]["row 2"] == {"word": "fine", "raw": "<b>ok</b>"}
    assert content["headers"]["number"] == {
        "title": "Number", "description": "Number", "format": "{:.2f}", "scale": "Blues", "min": 0, "hidden": False,
    }  # fmt: skip
    assert content["pconfig"]["col1_header"] == "Row"


def test_proportions_are_written_as_in_the_texts(tmp_path):
    frame = pd.DataFrame({"share": [0.184, np.nan]}, index=["a", "b"])
    content = read(multiqc.table(tmp_path, SECTION, frame, {"share": Column("S", format="{:.1%}", low=0, high=1)}))
    header = {key: content["headers"]["share"][key] for key in ("format", "suffix", "min", "max")}
    assert header == {"format": "{:.1f}", "suffix": " %", "min": 0, "max": 100}
    assert content["data"]["a"]["share"] == pytest.approx(18.4)


def test_a_percent_sign_on_the_axis_would_stand_at_numbers_too(tmp_path):
    content = read(multiqc.bars(tmp_path, SECTION, {"s1": {"used": 3.0}}, y="Cells"))
    assert "%" not in content["pconfig"]["ylab"]


def test_general_stats_have_no_section_of_their_own(tmp_path):
    content = read(
        multiqc.general_stats(tmp_path, "x", pd.DataFrame({"n": [3]}, index=["s"]), {"n": Column("N")}, "src", 7)
    )
    assert content["plot_type"] == "generalstats"
    assert (content["headers"]["n"]["namespace"], content["headers"]["n"]["placement"]) == ("src", 7)
    assert content["data"] == {"s": {"n": 3}}
    assert "parent_id" not in content


def test_bars_keep_their_colours_and_order(tmp_path):
    data = {"s2": {"b": 1, "a": 2}, "s1": {"b": 3, "c": 4}}
    content = read(multiqc.bars(tmp_path, SECTION, data, "Cells", {"a": "#111111", "b": "#222222"}))
    assert list(content["data"]) == ["s2", "s1"]
    assert content["categories"] == {
        "b": {"name": "b", "color": "#222222"}, "a": {"name": "a", "color": "#111111"}, "c": {"name": "c"},
    }  # fmt: skip
    assert content["pconfig"]["cpswitch_c_active"] is False


def test_lines(tmp_path):
    content = read(multiqc.lines(tmp_path, SECTION, {"loss": {1: 3.0, 2: 2.5}}, "Epoch", "Loss", log_y=True))
    assert content["data"] == {"loss": [[1, 3.0], [2, 2.5]]}
    assert (content["pconfig"]["xlab"], content["pconfig"]["ylog"]) == ("Epoch", True)
    assert content["pconfig"]["title"] == "Loss by epoch"
    assert content["pconfig"]["showlegend"] is True
    many = read(multiqc.lines(tmp_path, SECTION, {f"s{i}": {0: 1} for i in range(13)}, "x", "y"))
    assert many["pconfig"]["showlegend"] is False


def test_names_with_a_slash_are_not_cut_in_the_report(tmp_path):
    """MultiQC took them for paths, kept what follows the last slash, and of rows that ended alike one was left."""
    names = ["Niche 1 (Tumour/stroma)", "Niche 2 (T cell/stroma)"]
    frame = pd.DataFrame({"n": [3, 4]}, index=names)
    of_kinds = {kind: Section(kind, NICHES, kind) for kind in ("table", "bars", "lines", "boxes", "heatmap")}
    multiqc.table(tmp_path, of_kinds["table"], frame, {"n": Column("N")})
    multiqc.general_stats(tmp_path, "stats", frame, {"n": Column("N")}, "src", 1)
    multiqc.bars(tmp_path, of_kinds["bars"], {name: {"IgA/IgG": 1.0} for name in names}, "y")
    multiqc.lines(tmp_path, of_kinds["lines"], {name: {0: 1, 1: 2} for name in names}, "x", "y")
    box = {"min": 0, "q1": 1, "median": 2, "q3": 3, "max": 4}
    multiqc.boxes(tmp_path, of_kinds["boxes"], {"b": dict.fromkeys(names, box)}, {"b": "b"})
    multiqc.heatmap(tmp_path, of_kinds["heatmap"], frame, "x", "y", "z")
    render_report(tmp_path, [ASSETS / "multiqc_config.yml"], tmp_path / "out")
    rows = re.findall(r'<th class="rowheader"[^>]*>.*?</th>', (tmp_path / "out/multiqc_report.html").read_text(), re.S)
    shown = [html.unescape(re.sub("<[^>]*>", "", row)).strip() for row in rows]
    assert sorted(name for name in shown if not name.startswith("Sample")) == sorted(2 * names)
    plots = json.loads((tmp_path / "out/multiqc_report_data/multiqc_data.json").read_text())["report_plot_data"]
    for kind in ("bars", "lines", "boxes", "heatmap"):
        held = html.unescape(json.dumps(plots[f"{kind}_plot"], ensure_ascii=False))
        assert all(name in held for name in names), kind


def test_names_that_differ_in_spaces_have_rows_of_their_own(tmp_path):
    """MultiQC takes spaces off: of such rows one was left, and of such lines no report was made at all."""
    names = ["T cell", "T cell ", " T cell", "T  cell", "T cell\N{NO-BREAK SPACE}"]
    frame = pd.DataFrame({"n": range(5)}, index=names)
    multiqc.table(tmp_path, Section("table", NICHES, "a"), frame, {"n": Column("N")})
    multiqc.lines(tmp_path, Section("lines", NICHES, "b"), {name: {0: 1, 1: 2} for name in names}, "x", "y")
    render_report(tmp_path, [ASSETS / "multiqc_config.yml"], tmp_path / "out")
    for kind in ("table", "lines"):
        table = (tmp_path / f"out/multiqc_report_data/multiqc_{kind}_plot.txt").read_text().splitlines()
        assert sorted(line.split("\t")[0] for line in table[kind == "table" :]) == sorted(names)


def test_a_long_name_of_a_piece_is_not_broken_within_an_entity(tmp_path):
    name = "<" * 70
    content = read(multiqc.bars(tmp_path, SECTION, {"s": {name: 1.0}}, "y"))
    [piece] = content["categories"].values()
    assert html.unescape(piece["name"]) == "<" * 19 + "\N{HORIZONTAL ELLIPSIS}"
    assert len(piece["name"]) <= 80


def test_diverging_heatmap_is_symmetric_about_zero(tmp_path):
    frame = pd.DataFrame([[1.0, -3.0], [np.nan, 2.0]], index=["r1", "r2"], columns=["c1", "c2"])
    content = read(multiqc.heatmap(tmp_path, SECTION, frame, "x", "y", "z", diverging=True))
    assert (content["pconfig"]["min"], content["pconfig"]["max"]) == (-3, 3)
    assert content["data"] == [[1.0, -3.0], [None, 2.0]]
    assert (content["xcats"], content["ycats"]) == (["c1", "c2"], ["r1", "r2"])


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("high", [None, 0.0, np.nan])
def test_a_heatmap_of_one_value_has_a_range_of_colours(tmp_path, value, high):
    frame = pd.DataFrame([[value, value]], index=["r"], columns=["c1", "c2"])
    content = read(multiqc.heatmap(tmp_path, SECTION, frame, "x", "y", "z", high=high, diverging=True))
    assert (content["pconfig"]["min"], content["pconfig"]["max"]) == (-1, 1)


def test_image_is_packed_into_the_section_without_a_loss(tmp_path):
    png = tmp_path / "figure.png"
    dots = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8).repeat(9, axis=0).repeat(9, axis=1)
    Image.fromarray(dots).convert("RGBA").save(png)
    content = read(multiqc.image(tmp_path, SECTION, png, alt='a "map"'))
    packed = base64.b64decode(re.search(r"data:image/webp;base64,([^\"]+)\"", content["data"])[1])
    assert (np.asarray(Image.open(io.BytesIO(packed)).convert("RGB")) == dots).all()
    assert len(packed) < png.stat().st_size
    assert 'alt="a &quot;map&quot;"' in content["data"]


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described")
    describe_niches(write_cohort(folder), folder)
    return folder


def test_the_report_configuration_knows_all_parts_and_sections(described):
    config = yaml.safe_load((ASSETS / "multiqc_config.yml").read_text())
    # what the workflow writes itself stands before and behind the steps' chapters
    assert config["custom_content"]["order"] == ["summary", "left_over", *(part.id for part in PARTS[1:]), "parameters"]
    for file in described.glob("*_mqc.json"):
        content = read(file)
        if content["plot_type"] != "generalstats":
            assert content["id"] in config["report_section_order"], f"{file.name} has no place in the order"
    assert (ASSETS / config["custom_logo"]).is_file()
    assert all((ASSETS / name).is_file() for name in config["custom_css_files"])
    assert config["no_ai"] is True
    assert config["no_version_check"] is True


def test_multiqc_makes_one_offline_page_in_the_right_order(described, tmp_path):
    (described / "planted_mqc.json").unlink(missing_ok=True)
    multiqc.text(described, Section("planted", multiqc.PLANTED, "The answer"), "forty-two")
    multiqc.text(described, Section("qc_status", QC, "Status of the samples"), "all fine")
    command = [sys.executable, "-m", "multiqc", "--strict", "--quiet", "--config", ASSETS / "multiqc_config.yml"]
    done = subprocess.run(
        [*command, "--outdir", tmp_path, "--filename", "report.html", described], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text()

    headings = re.findall(r"<h[23][^>]*id=\"[^\"]*\"[^>]*>\s*([^<]*?)\s*(?:<|$)", page)
    expected = [
        "Quality control",
        "Tissue niches",
        "Niches",
        "Marker genes",
        "Ground truth and result",
    ]
    places = [headings.index(title) for title in expected]
    assert places == sorted(places)
    assert "forty-two" in page
    assert "Tumour&#44; &lt;b&gt;bold&lt;/b&gt;" in page
    assert "data:image/webp;base64," in page

    # what a browser fetches by itself when it opens the page; links that a reader may click are allowed
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"<(?:img|script|iframe|source|embed)[^>]*src=[\"']?(?:https?:)?//", markup) == []
    assert re.findall(r"<link[^>]*href=[\"']?(?:https?:)?//", markup) == []
    assert re.findall(r"@import|url\(\s*[\"']?(?:https?:)?//", markup) == []


def test_only_differences_worth_naming_are_markers():
    markers = pd.DataFrame({"niche": [1, 1, 1, 2], "symbol": list("abcd"), "rank": [1, 2, 3, 1]})
    counts = markers.assign(log2_fold_change=[0.2, 0.3, 2.0, 9.0])
    assert top_markers(counts, 1, 5, FeatureType.COUNTS) == ["b", "c"]
    assert top_markers(counts, 1, 1, FeatureType.COUNTS) == ["b"]
    shares = markers.assign(difference=[0.06, 0.04, -0.5, 1.0])
    assert top_markers(shares, 1, 5, FeatureType.BINARY) == ["a"]
    assert top_markers(shares, 1, 5, FeatureType.CONTINUOUS) == ["a"]


def test_a_cohort_without_types_scores_and_stability_has_no_such_sections(tmp_path):
    adata = make_cohort_object(cell_types=False)
    del adata.obs["stability"], adata.obsm["semantic_scores"]
    describe_niches(write_cohort(tmp_path, adata), tmp_path)
    made = {path.name for path in tmp_path.glob("niche_*")}
    assert made.isdisjoint({"niche_cell_types.csv", "niche_scores.csv", "niche_stability_mqc.json"})
    assert {"niche_counts.csv", "niche_markers.csv", "niche_contacts.csv", "niche_overview_mqc.json"} <= made
    assert len(list((tmp_path / "maps").glob("*.niches.png"))) == 3


NASTY = '<b>1</b> "><img src=x onerror=alert(1)> <script>alert(2)</script> <b onclick=alert(3)>'
SHOWN = {
    "table": lambda out, part, name: multiqc.table(
        out, part, pd.DataFrame({"a": [name]}, index=[name]), {"a": multiqc.Column(name, f"What {name} is")}
    ),
    "bars": lambda out, part, name: multiqc.bars(out, part, {"s1": {name: 1.0}}, y="y", colours={name: "#000000"}),
    "lines": lambda out, part, name: multiqc.lines(
        out, part, {name: {1: 2.0}}, x="x", y="y", colours={name: "#000000"}
    ),
    "heatmap": lambda out, part, name: multiqc.heatmap(
        out, part, pd.DataFrame([[1.0]], index=[name], columns=[name]), x="x", y="y", z="z"
    ),
    "text": lambda out, part, name: multiqc.text(out, part, [multiqc.emphasised("<b>{x}</b>", x=name)]),
    "gallery": lambda out, part, name: multiqc.gallery(out, part, [(name, out / "p.png")]),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_what_users_call_things_is_no_markup_wherever_it_stands(tmp_path, kind):
    Image.new("P", (2, 2)).save(tmp_path / "p.png")
    part = Section("s", QC, NASTY, multiqc.emphasised("About {x} in <code>x.csv</code>.", x=NASTY), help=NASTY)
    content = json.dumps(read(SHOWN[kind](tmp_path, part, NASTY)))
    assert content.count("&lt;script&gt;") >= 4
    # a group may be called like the emphasis of the pipeline
    assert "<b>1" not in content
    tags = {re.match(r"</?\w+", tag).group() for tag in re.findall(r"<[^>]*>", content)}
    assert tags <= {"<code", "</code", "<b", "</b", "<p", "</p", "<div", "</div", "<figure", "</figure", "<figcaption",
                    "</figcaption", "<img"}  # fmt: skip
    assert not re.search(r"<[^>]*\son\w+=alert", re.sub(r'alt=\\"[^"]*"', "", content))
    assert "<code>x.csv</code>" in content


def test_emphasis_of_the_pipeline_stays():
    said = multiqc.emphasised("<b>x</b> in <code>y.csv</code> & {name}", name="<b>z</b>")
    assert said == "<b>x</b> in <code>y.csv</code> &amp; &lt;b&gt;z&lt;/b&gt;"
    assert multiqc.markup("<b>x</b>") == "&lt;b&gt;x&lt;/b&gt;"
    assert multiqc.markup(Html("<span>x</span>")) == "<span>x</span>"


def test_what_is_added_to_markup_leaves_it_markup():
    """A sentence more, and the tags of the whole text were shown."""
    for said in (Html("<b>x</b>") + " < y", " < y" + Html("<b>x</b>"), Html("<b>x</b>") + Html("<i>y</i>")):
        assert multiqc.markup(said) is said
    assert Html("<b>x</b>") + "<i>" == "<b>x</b>&lt;i&gt;"
    assert "<i>" + Html("<b>x</b>") == "&lt;i&gt;<b>x</b>"
