"""The summary of a run: its facts, its page, and that it leads the report."""

import json
import re
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from clinical_helpers import make_cohort
from figure_helpers import NAMES, drawn
from helpers import ASSETS, ROOT, invoke
from report_helpers import write_cohort
from semanticst.association.checks.arbitrary_cuts import ARBITRARY, of_arbitrary_cuts
from semanticst.association.output.write import record
from semanticst.association.stats.results import FEW_EVENTS, FEW_PERMUTATIONS
from semanticst.describe.readings import NO_PART, UNSURE
from semanticst.errors import BadInput
from semanticst.plotting.palette import named_niches
from semanticst.plotting.section_axes import save
from semanticst.report.batches import batch_section, batch_table, own_batches, several_batches
from semanticst.report.overview_maps import groups_of, overview_section, sections_to_show
from semanticst.report.render import summary_first
from semanticst.report.same_split import same_splits
from semanticst.report.summary_facts import Inputs, leading, read_inputs, summarise
from semanticst.report.summary_figures import _effects, _patients, _sizes, draw_summary
from semanticst.report.summary_page import nothing, write_page
from semanticst.report.summary_sentences import findings_sentence
from semanticst.report.write_summary import write_summary
from semanticst.writing import write_json

QC = "sample,patient,batch,platform,status,reason,n_cells_kept\n"


JUDGED = {"judged": True, "supported": True, "mapped": False, "one_patient": False}


def qc_of(n: int, failed: int = 0) -> pd.DataFrame:
    rows = [(f"s{i}", f"p{i}", "b", "xenium", "fail" if i < failed else "pass", "few", 100) for i in range(n)]
    return pd.DataFrame(rows, columns=QC.strip().split(","))


def asked(effect: float, sizes=(10, 10), **contrast) -> dict:
    return record(make_cohort(sizes, effect=effect).ask("groups", column="group", **contrast), [])


def test_a_finding_has_the_numbers_of_its_row():
    told = asked(2.5)
    [contrast] = summarise(Inputs(qc_of(20), records=[told]))["contrasts"]
    row = next(r for r in told["rows"] if r["niche"] == "2" and r["family"] == "primary")
    found = contrast["findings"][0]
    assert found["niche"] == "2"
    assert {k: found[k] for k in ("effect", "ci_low", "ci_high", "p", "q")} == {
        k: row[k] for k in ("effect", "ci_low", "ci_high", "p", "q")
    }
    assert f"log-ratio {row['effect']:+.2f} (95 % CI {row['ci_low']:.2f} to {row['ci_high']:.2f}" in found["sentence"]
    assert contrast["n_found"] == len(contrast["findings"]) > 0


def test_without_a_finding_it_says_what_would_have_been_found():
    summary = summarise(Inputs(qc_of(20), records=[asked(0.0)]))
    [contrast] = summary["contrasts"]
    assert contrast["findings"] == []
    assert "would have been found with 80 % power" in contrast["detectable"]
    assert contrast["nearest"]["p"] == contrast["smallest_p"]


def test_niches_that_do_not_come_back_are_not_to_be_interpreted():
    niches = pd.DataFrame({"niche": [1, 2, 3], "share": 0.3, "markers": "", "jaccard": [0.9, 0.55, 0.2]})
    niches["reading"] = ["very high", "low", "not reproducible"]
    summary = summarise(Inputs(qc_of(20), niches, [asked(2.5)]))
    assert summary["niches"]["unsure"] == [2, 3]
    assert "Do not interpret niches 2 and 3; try fewer niches (--niche_k)." in summary["text"]["niches"]
    # the planted niche 2 is found, and is one of these
    [found] = [f for f in summary["contrasts"][0]["findings"] if f["niche"] == "2"]
    assert found["caveat"] == "Not to be interpreted: niche 2 is of low reproducibility with other patients."
    assert "; none of them can be interpreted, see there." in summary["text"]["findings"]
    assert any(c["section"] == "niche_overview" and "niche" in c["text"] for c in summary["cautions"])
    mapped = summarise(Inputs(qc_of(20), niches, mapped=True))["text"]["niches"]
    assert "1 of them was reproducible when the patients of the model were resampled" in mapped
    assert "their number is that of the model" in mapped
    assert "--niche_k" not in mapped
    unjudged = summarise(Inputs(qc_of(20), niches.drop(columns=["jaccard", "reading"])))
    assert "was not judged" in unjudged["text"]["niches"]


def test_niches_without_support_are_arbitrary_cuts():
    niches = pd.DataFrame({"niche": [1, 2], "share": 0.5, "markers": "", "jaccard": 0.4})
    niches["reading"] = NO_PART
    batches = {"text": "Each batch holds one patient.", "section": "batches"}
    told = summarise(Inputs(qc_of(20), niches, [asked(2.5)], [batches], supported=False))
    assert told["cautions"][1] == batches  # which is about these niches
    assert told["niches"]["unsure"] == []
    assert all("arbitrary cuts" in f["caveat"] for f in told["contrasts"][0]["findings"])
    assert told["text"]["findings"].endswith("none of them can be interpreted, see there.")
    assert told["niches"]["supported"] is False
    assert told["text"]["niches"] == (
        "The tissue does not support 2 niches: they are not clearly more reproducible than niches of shuffled cells. "
        "They are arbitrary cuts, not to be interpreted."
    )
    assert told["cautions"][0] == {
        "text": "The tissue does not support 2 niches: they are arbitrary cuts.",
        "section": "niche_overview",
    }
    at_random = summarise(Inputs(qc_of(20), niches, supported=False, arranged=False))
    assert at_random["niches"]["arranged"] is False
    assert at_random["text"]["niches"] == (
        "The tissue does not support 2 niches: the cells lie in their samples as at random. The niches found are "
        "arbitrary cuts, not to be interpreted."
    )
    mapped = summarise(Inputs(qc_of(20), niches, supported=False, mapped=True))
    assert mapped["text"]["niches"].startswith("The tissue of the model does not support 2 niches: ")
    assert summarise(Inputs(qc_of(20), niches))["niches"]["supported"] is True


@pytest.mark.parametrize(
    ("rows", "said", "caution"),
    [
        ([(k, k == 8, False) for k in range(2, 16)], "No number of niches is supported by the tissue: the 2 found are "
         "not clearly more", "No number of niches is supported by the tissue: the 2 found are arbitrary cuts."),
        ([(k, k == 8, k == 2) for k in range(2, 16)], "No number of niches from 3 up is supported by the tissue, but 2 "
         "are (--niche_k 2): the 2 found", "No number of niches from 3 up is supported by the tissue, but 2 are "
         "(--niche_k 2): the 2 found are arbitrary cuts."),
        ([(2, True, False)], "The tissue does not support 2 niches: they", "The tissue does not support 2 niches: they "
         "are arbitrary cuts."),
    ],
)  # fmt: skip
def test_where_the_number_was_auto_no_number_is_supported(tmp_path, rows, said, caution):
    """It read as if 8 niches alone were not."""
    pd.DataFrame(rows, columns=["k", "chosen", "supported"]).to_csv(tmp_path / "niche_k.csv", index=False)
    niches = pd.DataFrame({"niche": [1, 2], "share": 0.5, "markers": ""})
    niches.to_csv(tmp_path / "niche_overview.csv", index=False)
    qc_of(20).to_csv(tmp_path / "qc.csv", index=False)
    told = summarise(read_inputs(tmp_path / "qc.csv", tmp_path, None))
    assert told["text"]["niches"].startswith(said)
    assert told["cautions"][0]["text"] == caution
    assert told["niches"]["no_number"] in caution


def test_an_unsupported_number_is_not_why_nothing_is_tested():
    niches = pd.DataFrame({"niche": [1, 2], "share": 0.5, "markers": ""})
    few = make_cohort((2, 2)).ask("groups", column="group")
    told = record(replace(few, table=of_arbitrary_cuts(few.table)), [])
    [contrast] = summarise(Inputs(qc_of(4), niches, [told], supported=False))["contrasts"]
    assert contrast["not_testable"] == "not testable: fewer than 3 patients in a group"
    assert nothing(contrast) == "Nothing could be tested: fewer than 3 patients in a group."
    assert ARBITRARY in contrast["warnings"]


@pytest.mark.parametrize(("numbers", "told"), [((4, 5, 6, 7, 8, 9), True), ((4, 5, 6), False), ((), False)])
def test_a_number_that_the_tissue_does_not_single_out_is_told(tmp_path, numbers, told):
    niches = pd.DataFrame({"niche": [1, 2], "share": 0.5, "markers": ""})
    said = summarise(Inputs(qc_of(20), niches, about_as_stable=numbers))["text"]["niches"]
    assert ("The tissue does not single out their number: 4 to 9 are about as stable." in said) is told
    mapped = summarise(Inputs(qc_of(20), niches, about_as_stable=numbers, mapped=True))["text"]["niches"]
    assert "single out" not in mapped  # the number is the model's


@pytest.mark.parametrize(
    ("added", "supported", "said"),
    [
        (0, True, "(kinds of tissue neighbourhood that recur in the cohort). They are those of the model. 4 of"),
        (1, True, "(kinds of tissue neighbourhood that recur in the cohort). The last one was added for cells that fit "
                  "none of the model's. The others are those of the model. 3 of them were reproducible"),
        (2, False, "The tissue of the model does not support 3 niches: they are not clearly more reproducible than "
                   "niches of shuffled cells. They are arbitrary cuts, not to be interpreted. The last 2 were added "
                   "for cells that fit none of the model's."),
    ],
)  # fmt: skip
def test_niches_that_were_added_to_those_of_a_model(tmp_path, added, supported, said):
    qc_of(20).to_csv(tmp_path / "qc.csv", index=False)
    readings = ["reproducible"] * 4
    of_model = pd.DataFrame({"k": [5 - added], "chosen": True, "zero": 0.1, "supported": supported})
    of_model.to_csv(tmp_path / "niche_k.csv", index=False)
    niches = pd.DataFrame({"niche": range(1, 6), "share": 0.2, "markers": "", "jaccard": [0.3, *[0.9] * 4],
                           "reading": [UNSURE[0], *readings]})  # fmt: skip
    niches.loc[5 - added :, ["jaccard", "reading"]] = [np.nan, ""]
    niches.to_csv(tmp_path / "niche_overview.csv", index=False)
    summary = summarise(read_inputs(tmp_path / "qc.csv", tmp_path, None, mapped=True))
    assert said in summary["text"]["niches"]
    assert summary["niches"]["added"] == added


@pytest.mark.parametrize(
    ("n", "failed", "excluded", "told"),
    [
        (1, 0, 0, "The only sample passed quality control."),
        (5, 0, 0, "All 5 samples passed quality control."),
        (5, 2, 0, "2 of 5 samples failed quality control: s0 and s1."),
        (5, 1, 1, "The samplesheet has 5 samples and excludes 1 of them: s4. "
         "1 of the other 4 failed quality control: s0."),
        (5, 0, 2, "The samplesheet has 5 samples and excludes 2 of them: s3 and s4. "
         "The other 3 passed quality control."),
        (2, 0, 1, "The samplesheet has 2 samples and excludes 1 of them: s1. The other one passed quality control."),
        (2, 0, 2, "The samplesheet excludes all 2 samples."),
    ],
)  # fmt: skip
def test_each_number_of_samples_says_of_how_many(n, failed, excluded, told):
    qc = qc_of(n, failed)
    qc.loc[qc.index[n - excluded :], "status"] = "excluded"
    assert summarise(Inputs(qc))["text"]["samples"] == told


@pytest.mark.parametrize(
    ("n", "failed", "excluded", "told"),
    [
        (1, 0, 0, "The only sample passed quality control, with a warning."),
        (5, 0, 0, "All 5 samples passed quality control, 1 of them with a warning: s0."),
        (5, 2, 0, "2 of 5 samples failed quality control: s0 and s1. 1 other has a warning: s2."),
        (5, 0, 2, "The samplesheet has 5 samples and excludes 2 of them: s3 and s4. "
         "The other 3 passed quality control, 1 of them with a warning: s0."),
        (2, 0, 1, "The samplesheet has 2 samples and excludes 1 of them: s1. The other one passed quality control, "
         "with a warning."),
    ],
)  # fmt: skip
def test_a_warning_of_quality_control_is_told(n, failed, excluded, told):
    qc = qc_of(n, failed)
    qc.loc[qc.index[n - excluded :], "status"] = "excluded"
    qc.loc[qc.index[failed], "status"] = "warn"
    summary = summarise(Inputs(qc))
    assert summary["text"]["samples"] == told
    assert summary["cohort"]["warned"] == [f"s{failed}"]


def test_contrasts_in_a_table_say_what_would_have_been_found(tmp_path):
    records = [asked(0.0) for _ in range(3)]
    for name, told in zip("abc", records):
        told["contrast"]["name"] = name
    write_page(tmp_path, summarise(Inputs(qc_of(20), records=records)), [])
    page = json.loads((tmp_path / "summary_page_mqc.json").read_text())["data"]
    assert page.count("would have been found with 80 % power") == 3


def test_a_group_called_like_emphasis_stays_a_word(tmp_path):
    told = asked(2.5)
    for part in (told["found"], [told["nearest"]]):
        for entry in part:
            entry["sentence"] = entry["sentence"].replace("g1", "<b>")
    write_page(tmp_path, summarise(Inputs(qc_of(20), records=[told])), [])
    page = json.loads((tmp_path / "summary_page_mqc.json").read_text())["data"]
    assert "more in &lt;b&gt; than in g0" in page


def test_the_figure_marks_niches_that_are_not_to_be_interpreted(tmp_path):
    told = asked(2.5)
    niches = {"supported": True, "mapped": False, "unsure": [2], "judged": True, "table": []}
    captions = [caption for caption, _ in draw_summary(tmp_path, {"niches": niches}, told, None, None)]
    assert captions[0].endswith("* where q < 0.05; to the right: more in g1; \N{DAGGER} not to be interpreted.")
    captions = [caption for caption, _ in draw_summary(tmp_path, {"niches": None}, told, None, None)]
    assert captions[0].endswith("* where q < 0.05; to the right: more in g1.")


@pytest.mark.parametrize("type", ["groups", "continuous"])
def test_names_as_long_as_they_may_be_fit_into_the_figures(type):
    cohort = make_cohort((8, 8), effect=2.5)
    column = {"groups": "group", "continuous": "age"}[type]
    told = record(cohort.ask(type, column=column), [])
    told["contrast"]["column"] = "age_at_the_first_diagnosis_of_any_cancer_of_the_patient"
    for draw in (lambda told: _effects(told, {"2"})[1], lambda told: _patients(told)[1]):
        drawn(draw, told)
    with named_niches(NAMES):
        caption, figure = _effects(told, {"2"})
    assert "not to be interpreted" in caption
    [marked] = [t.get_text() for t in figure.axes[0].get_yticklabels() if t.get_text().startswith("Niche 2")]
    assert marked.endswith("\N{DAGGER}")
    table = [{"niche": k, "jaccard": 0.9, "share": 0.2} for k in (1, 2, 3)]
    drawn(lambda niches: _sizes(niches)[1], JUDGED | {"table": table})


@pytest.mark.parametrize(
    ("asks", "axis", "caption"),
    [
        ({"type": "groups", "column": "group"}, "difference of log proportion (CLR; +0.69 = twice the proportion)", "; "
         "the line is the median ("),
        ({"type": "continuous", "column": "age"}, "change of log proportion (CLR; +0.69 = twice the proportion) per SD "
         "of age", " ("),
        ({"type": "groups", "column": "group", "kinds": ("proportion", "entropy")}, "difference of the feature on its "
         "own scale", "; the line is the median ("),
    ],
)  # fmt: skip
def test_axes_and_captions_say_what_is_drawn(asks, axis, caption):
    told = record(make_cohort((8, 8), effect=2.5).ask(**asks, permutations=99), [])
    effects, figure = _effects(told, set())
    assert figure.axes[0].get_xlabel().replace("\n", " ") == axis
    assert ("effect of each niche" in effects) is ("own scale" not in axis)
    assert f": every point is a patient{caption}q" in _patients(told)[0]


def test_of_many_effects_those_of_the_smallest_p_are_drawn_and_the_caption_says_so():
    told = record(make_cohort((5, 5, 5), n_niches=9, effect=0.5).ask("groups", column="group", permutations=99), [])
    caption, figure = _effects(told, set())
    assert "of 27 effects the 8 of the smallest p, each with its 95 % interval" in caption
    primary = sorted((r["p"], r["niche"]) for r in told["rows"] if r["family"] == "primary" and r["p"] is not None)
    labels = [label.get_text().split("\n")[0].strip("*") for label in figure.axes[0].get_yticklabels()]
    # no pair has a p of its own
    assert labels == [f"Niche {niche}" for _, niche in primary[:3] for _ in range(3)][:8]


def test_of_one_patient_nothing_is_said_of_other_patients():
    niches = pd.DataFrame({"niche": [1, 2], "share": 0.5, "markers": "", "jaccard": 0.9, "reading": "very high"})
    for n, mapped, words in (
        (2, False, "with other patients"),
        (1, False, "when cells of the one patient are resampled"),
        (1, True, "where the model was trained"),
    ):
        summary = summarise(Inputs(qc_of(n), niches, mapped=mapped))
        assert summary["niches"]["one_patient"] is (n == 1 and not mapped)
        told = summary["text"]["niches"]
        assert ("when patients are resampled" in told) is (n == 2)
        assert ("cells of the one patient are resampled (bootstrap), which says nothing of other patients" in told) is (
            n == 1 and not mapped
        )
        for supported in (True, False):
            caption, _ = _sizes(summary["niches"] | {"supported": supported})
            assert words in caption
            assert ("other patients" in caption) is (n == 2)
    # of two patients one is used
    assert summarise(Inputs(qc_of(2, failed=1), niches))["niches"]["one_patient"]


def test_bars_of_more_niches_than_colours_are_hatched():
    niches = JUDGED | {"table": [{"niche": k, "jaccard": 0.5} for k in (1, 21)]}
    assert "How sure the niches are" in _sizes(niches)[0]
    assert "though they are arbitrary" in _sizes(niches | {"supported": False})[0]
    assert [bool(bar.get_hatch()) for bar in _sizes(niches)[1].axes[0].patches] == [False, True]


def test_failed_samples_and_few_patients_are_cautions():
    summary = summarise(Inputs(qc_of(6, failed=2)))
    assert [row["sample"] for row in summary["samples_left_out"]] == ["s0", "s1"]
    assert summary["cohort"]["samples"] == 4
    assert [c["section"] for c in summary["cautions"]] == ["qc_failed", "qc_status"]
    assert summarise(Inputs(qc_of(30)))["cautions"] == []


def test_q_over_all_contrasts_where_there_are_several():
    records = [asked(2.5), asked(0.0)]
    for name, told in zip("ab", records):
        told["contrast"]["name"] = name
    summary = summarise(Inputs(qc_of(20), records=records))
    assert "over all contrasts together" in summary["text"]["findings"]
    assert leading(summary["contrasts"])["contrast"] == "a"
    assert summary["contrasts"][0]["findings"][0]["q_run"] is not None


@pytest.mark.parametrize(("q", "said"), [(0.9, "1 of 2 tests passes"), (0.01, "2 of 2 tests pass ")])
def test_one_test_passes_within_its_contrast(q, said):
    tests = pd.DataFrame({"p": [0.01, q], "q": [0.01, q], "q_run": [0.02, q]})
    text = findings_sentence([{"findings": [], "validation": None}] * 2, tests)
    assert text.startswith(said)
    assert f"within {'its' if q > 0.5 else 'their'} contrast (2 contrasts)" in text


def test_maps_are_shown_by_group_of_each_kind_of_contrast():
    base = {
        "section_values": {"s1": "12, event", "s2": "30, censored"},
        "contrast": {"type": "survival", "time": "os_months"},
    }
    assert groups_of(base) == {"s1": ("event", "event at 12 months"), "s2": ("censored", "censored at 30 months")}
    age = {"section_values": {"s1": "40", "s2": "70"}, "contrast": {"type": "continuous", "column": "age"}}
    assert groups_of(age) == {"s1": ("low", "age 40"), "s2": ("high", "age 70")}
    assert groups_of(None) == {}


def test_the_overview_shows_groups_in_turn_with_patient_and_group(written):
    counts = pd.read_csv(written / "d/niche_counts.csv", dtype=str)
    told = json.loads((written / "a/c.association.json").read_text())
    chosen = sections_to_show(counts, groups_of(told), 6)
    assert [section.group for section in chosen] == ["g0", "g1"] * 3
    assert chosen[0].title == "p00_0, p00, g0"
    assert [s.sample for s in sections_to_show(counts, {}, 2)] == ["p00_0", "p01_0"]
    shown = json.loads((written / "niche_maps_mqc.json").read_text())
    assert "12 of 16 samples are shown, groups of contrast c in turn" in shown["description"]
    assert (written / "niche_maps.png").stat().st_size > 1000


def test_the_overview_of_niches_without_support_calls_them_cuts(written, tmp_path, monkeypatch):
    sheets = []

    def kept(figure, path, dpi):
        sheets.append(figure)
        save(figure, path, dpi)

    monkeypatch.setattr("semanticst.plotting.niche_maps.save", kept)
    counts = pd.read_csv(written / "d/niche_counts.csv", dtype=str)
    for supported in (True, False):
        overview_section(tmp_path, written / "d/niches.csv.gz", counts, None, 2, supported)
        said = json.loads((tmp_path / "niche_maps_mqc.json").read_text())["description"]
        assert "in the folder <code>niches/maps</code> of the results" in said
        assert ("These niches are arbitrary cuts, not to be interpreted: see the table" in said) is not supported
        words = [text.get_text() for text in sheets.pop().texts]
        assert ("Niches: arbitrary cuts, not to be interpreted" in words) is not supported


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a summary with niches and a contrast."""
    folder = tmp_path_factory.mktemp("summary")
    samples = {f"p{i:02d}_0": f"p{i:02d}" for i in range(16)}
    found = invoke("niche_describe", write_cohort(folder, samples=samples), "--outdir", folder / "d")
    assert found.exit_code == 0, found.stderr
    cells = [(s, p, i, float(i % 9), float(i // 9), 1 + i % 3, "um") for s, p in samples.items() for i in range(90)]
    columns = ["sample", "patient", "cell_id", "x", "y", "niche", "coordinate_unit"]
    pd.DataFrame(cells, columns=columns).to_csv(folder / "d/niches.csv.gz", index=False)
    (folder / "a").mkdir()
    told = record(make_cohort((8, 8), effect=2.5).ask("groups", column="group"), [])
    write_json(folder / "a/c.association.json", told)
    (folder / "qc.csv").write_text(QC + "".join(f"{s},{p},b,xenium,pass,,144\n" for s, p in samples.items()))
    write_summary(folder / "qc.csv", folder, folder / "d", folder / "a")
    return folder


def test_the_page_has_three_figures_and_links_to_sections_that_exist(written):
    page = json.loads((written / "summary_page_mqc.json").read_text())["data"]
    assert len(re.findall(r"<img alt=\"[^\"]+\" src=\"data:image/webp;base64,", page)) == 3
    order = (ASSETS / "multiqc_config.yml").read_text()
    for anchor in set(re.findall(r'href="#(\w+)"', page)) - {"association_c"}:
        assert re.search(rf"\b{anchor}\b", order), anchor


def test_every_key_is_explained(written):
    summary = json.loads((written / "summary.json").read_text())
    text = (ROOT / "docs/output.md").read_text()
    keys = {*summary, *summary["cohort"], *summary["niches"], *summary["contrasts"][0], *summary["text"]}
    keys |= set(summary["contrasts"][0]["findings"][0])
    described = text[text.index("### `summary.json`") : text.index("### Maps in the report")]
    absent = {key for key in keys if f"`{key}`" not in described}
    assert absent <= {f"{name}_{end}" for name in ("hazard_ratio", "percentage_points") for end in ("low", "high")}


def test_a_folder_without_a_whole_record_is_bad_input(tmp_path):
    (tmp_path / "qc.csv").write_text(QC)
    (tmp_path / "c.association.json").write_text('{"contrast": {}}')
    with pytest.raises(BadInput, match="lacks rows, found"):
        read_inputs(tmp_path / "qc.csv", None, tmp_path)
    (tmp_path / "qc.csv").write_text("sample\n")
    with pytest.raises(BadInput, match=r"qc.csv: lacks patient"):
        read_inputs(tmp_path / "qc.csv", None, None)


def test_the_summary_changes_places_with_the_table_of_samples():
    entry = '<li>\n<a href="#summary">S</a><ul>\n</ul>\n</li>\n'
    menu = f'<ul><li>\n<a href="#general_stats">G</a>\n</li>\n{entry}<li>x</li></ul>'
    chapters = '<div id="general_stats">g</div>\n<div id="mqc-module-section-summary">s</div>\n'
    page = f'{menu}<h1/>{chapters}<div id="mqc-module-section-qc">q</div>'
    moved = summary_first(page)
    assert moved.index("#summary") < moved.index("#general_stats") < moved.index("<li>x")
    places = [
        moved.index(f'id="{name}"') for name in ("mqc-module-section-summary", "general_stats", "mqc-module-section-qc")
    ]
    assert places == sorted(places)
    assert sorted(moved) == sorted(page)
    assert summary_first(chapters[:30]) == chapters[:30]


def test_a_finding_leads_to_its_sections_in_the_explorer(tmp_path):
    summary = summarise(Inputs(qc_of(20), records=[asked(2.5)]))
    [contrast] = summary["contrasts"]
    contrast["contrast"] = 'a/b "c"'
    write_page(tmp_path, summary, [], explorer=True)
    page = json.loads((tmp_path / "summary_page_mqc.json").read_text())["data"]
    address = "../explorer/index.html#finding=a%2Fb%20%22c%22%2F2%2Fproportion%2F" + quote(
        contrast["findings"][0]["comparison"], safe=""
    )
    assert f'<a href="{address}">see the sections</a>' in page
    write_page(tmp_path, summary, [])
    assert "explorer" not in (tmp_path / "summary_page_mqc.json").read_text()


def test_batches_against_patients_and_groups():
    told = asked(0.0, sizes=(4, 4))
    qc = pd.DataFrame({"sample": [f"p{i:02d}_0" for i in range(8)], "patient": [f"p{i:02d}" for i in range(8)]})
    qc = qc.assign(batch=["b1"] * 4 + ["b2"] * 4, status="pass")
    table = batch_table(qc, [told])
    assert table["patients"].to_dict() == {"b1": 4, "b2": 4}
    # batch and group are the same here
    assert table[["c: g0", "c: g1"]].to_numpy().tolist() == [[4, 0], [0, 4]]
    assert own_batches(qc) == ""
    assert batch_table(qc.assign(batch="b1"), [told]).empty
    of_validation = {name: told["section_values"].pop(name) for name in ("p06_0", "p07_0")}
    assert batch_table(qc, [told])["c: g1"].tolist() == [0, 2]
    in_both = batch_table(qc, [told | {"validation": {"section_values": of_validation}}])
    pd.testing.assert_frame_equal(in_both, table)
    assert several_batches(qc) == ""


def test_a_number_against_batches_is_its_median_and_range(tmp_path):
    qc = batches_of("b1", "b1", "b1", "b2").assign(patient=["p0", "p0", "p1", "p2"])
    contrast = {"name": "age_c", "type": "continuous", "column": "age"}
    told = {"contrast": contrast, "section_values": {"s0": "40", "s1": "50", "s2": "61", "s3": "71.5"}}
    table = batch_table(qc, [told])
    # the sections of a patient count once
    batch_section(tmp_path, table, "")
    assert (
        "(of a number their median and range)" in json.loads((tmp_path / "batches_mqc.json").read_text())["description"]
    )
    assert table["age_c: age, median (range)"].to_dict() == {"b1": "53 (45 to 61)", "b2": "71.5 (71.5 to 71.5)"}


def test_patients_in_several_batches_are_said_to_count_in_each(tmp_path):
    qc = batches_of("b1", "b2", "b1", "b2").assign(patient=["p0", "p0", "p1", "p2"])
    assert batch_table(qc, [])["patients"].sum() == 4
    said = several_batches(qc)
    assert said == (
        "1 of the 3 patients has samples in several batches and counts in each of them, so that these numbers add up "
        "to more than 3."
    )
    qc.assign(platform="x", reason="", n_cells_kept=9).to_csv(tmp_path / "qc.csv", index=False)
    write_summary(tmp_path / "qc.csv", tmp_path, tmp_path)
    assert said in json.loads((tmp_path / "batches_mqc.json").read_text())["description"]


def named(told: dict, name: str, **changed) -> dict:
    return told | {"contrast": told["contrast"] | {"name": name, **changed}}


def test_contrasts_that_split_patients_in_the_same_way_are_one_piece_of_evidence():
    told = asked(2.5, sizes=(4, 4))
    events = [unit | {"event": float(unit["value"] == "g0"), "time": 1.0} for unit in told["units"]]
    survival = named(told, "survival", type="survival", column="", event="died") | {"units": events}
    texts = [c["text"] for c in summarise(Inputs(qc_of(20), records=[named(told, "arm"), survival]))["cautions"]]
    assert (
        "arm and survival split the 8 patients in the same way (g0 = event, g1 = censored): what they find is one "
        "piece of evidence told several times, not several."
    ) in texts
    # one patient is in another group, one is missing, patients are in several groups, or there are no groups
    other = [unit | {"event": 1.0} if i == 7 else unit for i, unit in enumerate(events)]
    for units in (other, events[1:], [*events, events[0]]):
        assert same_splits([told, survival | {"units": units}]) == []
    assert same_splits([told, named(told, "age", type="continuous", column="age")]) == []
    # the same column, once adjusted and once not
    assert same_splits([told, named(told, "adjusted", covariates=["age"])]) == []


def test_each_patient_a_batch_of_its_own_is_a_caution(tmp_path):
    (tmp_path / "qc.csv").write_text(QC + "".join(f"s{i},p{i},b{i},xenium,pass,,144\n" for i in range(12)))
    write_summary(tmp_path / "qc.csv", tmp_path, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    [caution] = summary["cautions"]
    assert "Each of the 12 batches holds one patient" in caution["text"]
    section = json.loads((tmp_path / "batches_mqc.json").read_text())
    assert "takes the patient&#x27;s own biology" in section["description"]


def batches_of(*names: str) -> pd.DataFrame:
    qc = pd.DataFrame({"sample": [f"s{i}" for i in range(len(names))], "batch": names, "status": "pass"})
    return qc.assign(patient=qc["sample"].str.replace("s", "p"))


def test_nearly_all_patients_a_batch_of_their_own_is_a_caution_too():
    said = own_batches(batches_of(*map(str, range(10)), "x", "x"))
    assert said.startswith("10 of 11 batches hold only one patient: a batch correction takes")
    assert own_batches(batches_of("a", "b", "x", "x", "x", "x")) == ""
    one = batches_of("a", "b").assign(patient="p0")
    assert own_batches(one) == ""


def test_harmony_is_advised_against_only_where_it_ran_and_can_be_left_out():
    qc = batches_of("a", "b", "c")
    assert "--features_harmony false" in own_batches(qc)
    assert "--features_harmony" not in own_batches(qc, mapped=True)
    off = own_batches(qc, corrected=False)
    assert "--features_harmony" not in off
    assert "cannot be told from what differs between patients" in off


@pytest.mark.parametrize(("more", "advised"), [((), True), (("--uncorrected",), False), (("--mapped",), False)])
def test_after_quality_control_the_caution_leads_to_the_samples(tmp_path, more, advised):
    (tmp_path / "qc.csv").write_text(QC + "".join(f"s{i},p{i},b{i},xenium,pass,,144\n" for i in range(12)))
    result = invoke("report_summary", "--qc", tmp_path / "qc.csv", *more, "--outdir", tmp_path)
    assert result.exit_code == 0, result.stderr
    [caution] = json.loads((tmp_path / "summary.json").read_text())["cautions"]
    assert caution["section"] == "qc_status"
    assert ("--features_harmony" in caution["text"]) is advised


def test_what_is_wrong_with_mapped_samples_is_a_caution(tmp_path):
    (tmp_path / "qc.csv").write_text(QC + "".join(f"s{i},p{i},b,xenium,pass,,144\n" for i in range(12)))
    caution = {"text": "1 of 12 samples does not fit the model: s<b>1.", "section": "mapped_fit"}
    (tmp_path / "niche_cautions.json").write_text(json.dumps([caution]))
    write_summary(tmp_path / "qc.csv", tmp_path, tmp_path, mapped=True)
    assert json.loads((tmp_path / "summary.json").read_text())["cautions"] == [caution]
    page = json.loads((tmp_path / "summary_page_mqc.json").read_text())["data"]
    assert "1 of 12 samples does not fit the model: s&lt;b&gt;1." in page
    assert re.search(r"\bmapped_fit\b", (ASSETS / "multiqc_config.yml").read_text())
    (tmp_path / "niche_cautions.json").write_text("[1]")
    with pytest.raises(BadInput, match="expected the cautions of a run"):
        read_inputs(tmp_path / "qc.csv", tmp_path, None)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("warnings", f"only 4.0 {FEW_EVENTS}: penalised", "so few events that the estimate is pulled"),
        ("warnings", f"so few patients (70 permutations) that {FEW_PERMUTATIONS}", "p rests on the t distribution"),
        ("p_given_types", 0.2, "not seen any more given the proportions of cell types (p > 0.05)"),
        ("p_given_types", 0.01, ""),
        ("warnings", "another one", ""),
    ],
)
def test_what_weakens_a_finding_is_a_caution_of_the_run(column, value, said):
    told = asked(2.5)
    found = next(entry for entry in told["found"] if entry["niche"] == "2")
    row = next(r for r in told["rows"] if all(r[k] == found[k] for k in ("niche", "feature", "comparison")))
    cautions = summarise(Inputs(qc_of(20), records=[told]))["cautions"]
    row[column] = value
    more = [c for c in summarise(Inputs(qc_of(20), records=[told]))["cautions"] if c not in cautions]
    if not said:
        assert more == []
        return
    assert more == [{"text": more[0]["text"], "section": "association_c"}]
    assert more[0]["text"].startswith("c: 1 finding ")
    assert said in more[0]["text"]
    told["warnings"] = [str(value)]
    if column == "warnings":
        # it holds for all rows, and stands there as one of the contrast
        assert not any(
            said in c["text"] and "1 finding" in c["text"]
            for c in summarise(Inputs(qc_of(20), records=[told]))["cautions"]
        )
