"""Names that users bring are words wherever they are shown: no dialog in a browser, no formula in a spreadsheet."""

import csv
import json
import re
from itertools import cycle

import anndata as ad
import pandas as pd
import pytest
from matplotlib.figure import Figure

from browser_helpers import browser  # noqa: F401  (a fixture)
from clinical_helpers import Cohort, make_cohort
from helpers import ASSETS, invoke
from report_helpers import make_cohort_object, write_cohort
from semanticst.association.design.tables import read_text_table
from semanticst.mqc import blocks, multiqc
from semanticst.mqc.multiqc import NICHES, SUMMARY, Column, Section
from semanticst.plotting.style import new_figure
from semanticst.report.render import render_report
from semanticst.spreadsheet import guarded, guarded_table, unguarded
from semanticst.tables.delimited import read_table
from semanticst.writing import write_table

SCRIPT, IMAGE, FORMULA = "<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "=1+1"
EVIL = (SCRIPT, IMAGE, FORMULA, "<svg onload=alert(3)>", "a$b_$c", "{7*7}".join("{}"), "javascript:alert(4)")
FORMULAS = ("=1+1", "-1,5+A1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", '=HYPERLINK("http://x")', "\t=1+1")
DATA = ("-1.5", "-1,5", "+1.234,5", "+3", "-", "+", "1e-3", "-4E+2", "GENE-1", "", "a=b", "'quoted'")


def named(folder, evil: str) -> None:
    """Every kind of section, called so in every place that takes words."""
    number = EVIL.index(evil)

    def section(kind: str) -> Section:
        return Section(f"{kind}_{number}", NICHES, evil, evil, evil)

    frame = pd.DataFrame({"a": [evil, evil], evil: [1.0, 2.0]}, index=[evil, f"{evil}2"])
    multiqc.table(folder, section("table"), frame, {"a": Column(evil, evil), evil: Column(evil, evil)}, evil)
    multiqc.bars(folder, section("bars"), {evil: {evil: 1, "b": 2}}, evil, {evil: "#0072B2"})
    multiqc.lines(folder, section("lines"), {evil: {0: 1, 1: 2}}, evil, evil, {evil: "#0072B2"})
    box = {"min": 0, "q1": 1, "median": 2, "q3": 3, "max": 4}
    multiqc.boxes(folder, section("boxes"), {evil: {evil: box}, "b": {evil: box}}, {evil: evil, "b": evil})
    numbers = pd.DataFrame([[1.0, 2.0]], index=[evil], columns=[evil, "b"])
    multiqc.heatmap(folder, section("heat"), numbers, evil, evil, evil)
    png = folder.parent / "one.png"
    Figure((1, 1)).savefig(png)
    multiqc.image(folder, section("image"), png, evil)
    multiqc.gallery(folder, section("gallery"), [(evil, png)])
    multiqc.text(folder, section("text"), [evil])
    page = [
        blocks.sentences(evil, evil),
        blocks.bullets([evil]),
        blocks.link(evil, evil),
        blocks.pictures([(evil, png)]),
    ]
    page.append(blocks.small_table([(evil, "b")], (evil, "c")))
    multiqc.page(folder, Section(f"page_{number}", SUMMARY, evil, evil, evil), page)
    multiqc.general_stats(folder, f"stats_{number}", frame[["a"]], {"a": Column(evil, evil)}, evil, 1)


def real(folder) -> None:
    """The sections of the steps, for a cohort whose groups, batches, cell types and genes are called so."""
    cohort = make_cohort((9, 9, 9), effect=1.2)
    cohort.sections["group"] = cohort.sections["group"].map({"g0": SCRIPT, "g1": IMAGE, "g2": FORMULA})
    asked = Cohort(cohort.sections, cohort.counts, cohort.clinical)
    paths = asked.write(folder / "in", "contrast,type,column,reference\nevil,groups,group,=1+1\n")
    arguments = [word for name, path in paths.items() for word in (f"--{name}", path)]
    markers = [(k, e, 1.0, 1) for k, e in zip(range(1, 6), cycle(EVIL))]
    pd.DataFrame(markers, columns=["niche", "symbol", "difference", "rank"]).to_csv(folder / "m.csv", index=False)
    asked_for = ("--contrast", "evil", *arguments, "--markers", folder / "m.csv", "--clinical-permutations", 99)
    steps = [("niche_associate", *asked_for, "--outdir", folder / "out")]
    adata = make_cohort_object()
    adata.var_names = list(EVIL[:5])
    adata.obs["cell_type"] = adata.obs["cell_type"].astype(str).map(dict(zip(adata.obs["cell_type"].unique(), EVIL)))
    steps.append(("niche_describe", write_cohort(folder, ad.AnnData(adata)), "--outdir", folder / "out"))
    record = {
        "sample": "s1", "patient": IMAGE, "batch": SCRIPT, "platform": "xenium", "feature_type": "counts",
        "status": "fail", "reason": SCRIPT, "n_cells_input": 10, "n_cells_kept": 5, "removed": {"total": 5},
        "thresholds": {}, "understood": {"format": SCRIPT, "notes": IMAGE},
    }  # fmt: skip
    (folder / "a.qc.json").write_text(json.dumps([record, record | {"sample": "s2", "status": "pass"}]))
    steps.append(("report_qc", folder / "a.qc.json", "--outdir", folder / "out"))
    used = {"samplesheet": paths["samplesheet"], "used": paths["samplesheet"], "clinical": paths["clinical"]}
    collected = [word for name, path in (used | {"counts": paths["counts"]}).items() for word in (f"--{name}", path)]
    steps.append(("niche_collect", folder / "out/evil.association.json", *collected, "--outdir", folder / "out"))
    told = ("--described", folder / "out", "--associations", folder / "out")
    steps.append(("report_summary", "--qc", folder / "out/qc.csv", *told, "--outdir", folder / "out"))
    for step in steps:
        result = invoke(*step)
        assert result.exit_code == 0, result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("evil")
    (made / "out").mkdir()
    real(made)
    return made


def opened(browser, path):  # noqa: F811
    page = browser.open(path.as_uri(), 1300, 2000)
    page.wait("document.readyState == 'complete'")
    # figures are drawn when they come into sight
    page.evaluate("(async () => {for (let y = 0; y < document.body.scrollHeight; y += 1500)"
                  " {scrollTo(0, y); await new Promise(r => setTimeout(r, 20))}})()")  # fmt: skip
    # every help, tab and tooltip is opened
    page.evaluate("document.querySelectorAll('.btn-help, [data-bs-toggle=tab]').forEach(e => e.click())")
    page.evaluate("document.querySelectorAll('th, td, .nav-l2, span').forEach("
                  "e => e.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})))")  # fmt: skip
    page.evaluate("new Promise(r => setTimeout(r, 500))")
    return page


def test_no_dialog_opens_in_sections_of_any_kind(browser, tmp_path):  # noqa: F811
    (tmp_path / "sections").mkdir()
    for evil in EVIL:
        named(tmp_path / "sections", evil)
    render_report(tmp_path / "sections", [ASSETS / "multiqc_config.yml"], tmp_path / "out", title=IMAGE)
    page = opened(browser, tmp_path / "out/multiqc_report.html")
    assert page.dialogs == []
    assert page.evaluate("document.querySelectorAll('script[src=x], img[src=x], svg[onload]').length") == 0
    shown = page.evaluate("document.body.innerText")
    for evil in EVIL:
        assert evil in shown
    # plotly, which draws the figures, has a short list of names such as &lt; and shows the others as they stand
    drawn = page.evaluate("[...document.querySelectorAll('svg text')].map(text => text.textContent)")
    assert [text for text in drawn if re.search("&[#a-z0-9]+;", text)] == []
    for evil in EVIL:
        assert drawn.count(evil) >= 5, evil


def test_no_dialog_opens_in_the_report_of_a_cohort(browser, folder, tmp_path):  # noqa: F811
    sections = tmp_path / "sections"
    sections.mkdir()
    for path in (folder / "out").glob("*_mqc.json"):
        (sections / path.name).write_bytes(path.read_bytes())
    render_report(sections, [ASSETS / "multiqc_config.yml"], tmp_path / "out")
    page = opened(browser, tmp_path / "out/multiqc_report.html")
    assert page.dialogs == []
    shown = page.evaluate("document.body.innerText")
    assert SCRIPT in shown
    assert IMAGE in shown


def test_no_cell_of_a_table_runs(folder):
    checked = 0
    for path in (folder / "out").glob("*.csv"):
        with open(path, newline="") as handle:
            for row in csv.DictReader(handle):
                for column, value in row.items():
                    if column not in ("sample", "patient"):
                        assert guarded(value) == value, f"{path.name}, {column}: {value}"
                        checked += value.startswith("'=")
    assert checked


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text_and_comes_back(text):
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", DATA)
def test_numbers_and_signs_stay(text):
    assert guarded(text) == text
    assert unguarded(text) == text


def test_ids_and_numbers_stay_and_readers_give_the_text_back(tmp_path):
    table = pd.DataFrame({"sample": ["s1"], "cell_id": ["-AAAC=1"], "effect": [-1.5], "=group": ["=1+1"], "n": ["-2"]})
    table["type"] = pd.Categorical(["@T cell"])
    write_table(tmp_path / "a.csv", table)
    header, row = (tmp_path / "a.csv").read_text().splitlines()
    assert header == "sample,cell_id,effect,'=group,n,type"
    assert row == "s1,-AAAC=1,-1.5,'=1+1,-2,'@T cell"
    for read in (read_text_table(tmp_path / "a.csv", ()), read_table(tmp_path / "a.csv").frame()):
        assert read["=group"].tolist() == ["=1+1"]
        assert read["type"].tolist() == ["@T cell"]
    plain = pd.DataFrame({"sample": ["=x"], "n": [1]})
    assert guarded_table(plain) is plain


@pytest.mark.parametrize("name", ["=1+1", "+x", "@x", "-x"])
def test_an_id_that_would_run_is_refused(tmp_path, name):
    (tmp_path / "sheet.csv").write_text(f"sample,patient,path\ns1,{name},a.h5ad\n")
    result = invoke("samplesheet_check", tmp_path / "sheet.csv", "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "a spreadsheet would run it" in result.stderr


def test_a_dollar_is_no_formula_in_figures(tmp_path):
    figure = new_figure(2, 2)
    # "$\frac$" as mathtext ends the drawing
    figure.text(0.1, 0.5, r"HER2$\frac$low")
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0
