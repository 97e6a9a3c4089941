"""The summary as it is printed: one sheet, also where there is much to say."""

import base64
import re

import pandas as pd
import pytest
from PIL import Image

from browser_helpers import browser  # noqa: F401  (a fixture)
from clinical_helpers import make_cohort
from helpers import ASSETS
from semanticst.association.output.write import record
from semanticst.report.render import render_report
from semanticst.report.summary_facts import Inputs, summarise
from semanticst.report.summary_page import MOST_CAUTIONS, MOST_FINDINGS, write_page

A4 = {
    "paperWidth": 8.27,
    "paperHeight": 11.69,
    "marginTop": 0.4,
    "marginBottom": 0.4,
    "marginLeft": 0.4,
    "marginRight": 0.4,
}
ONLY_THE_SUMMARY = """(() => {
  const summary = document.getElementById('mqc-module-section-summary');
  summary.style.breakAfter = 'auto';
  for (let e = summary; e !== document.body; e = e.parentElement)
    for (let next = e.nextElementSibling; next; next = next.nextElementSibling) next.style.display = 'none';
})()"""


@pytest.mark.parametrize("n_contrasts", [2, 8])
def test_the_summary_is_one_sheet(browser, tmp_path, n_contrasts):  # noqa: F811
    qc = pd.DataFrame({"sample": [f"a rather long name of a sample {i}" for i in range(40)]})
    qc = qc.assign(patient=qc["sample"], batch="b", platform="xenium", status="pass", reason="", n_cells_kept=10_000)
    qc.loc[:8, ["status", "reason"]] = "fail", "too few cells"
    told = record(make_cohort((16, 16), effect=2.5).ask("groups", column="group"), [])
    summary = summarise(Inputs(qc, records=[told]))
    [contrast] = summary["contrasts"]
    contrast["findings"] = contrast["findings"][:1] * (MOST_FINDINGS + 3)
    contrast["n_found"] = len(contrast["findings"])
    contrast["findings"][0]["caveat"] = "Not to be interpreted: niche 2 is of low reproducibility with other patients."
    without = contrast | {"findings": [], "n_found": 0}
    assert contrast["nearest"]["sentence"]
    without["detectable"] = "proportions that differ by 2.0 times and more would have been found with 80 % power (n)"
    summary["contrasts"] = [
        (contrast if i % 2 else without) | {"contrast": f"response_to_treatment_{i}"} for i in range(n_contrasts)
    ]
    summary["cautions"] = [{"text": "What limits a result is said in words. " * 4, "section": "qc"}] * (
        MOST_CAUTIONS + 3
    )
    Image.new("RGB", (900, 800), "grey").save(tmp_path / "figure.png")
    write_page(tmp_path, summary, [("What the figure shows, in a sentence or two.", tmp_path / "figure.png")] * 3, True)
    render_report(tmp_path, [ASSETS / "multiqc_config.yml"], tmp_path / "out", "A cohort with a title of some length")

    page = browser.open((tmp_path / "out/multiqc_report.html").as_uri())
    page.evaluate(ONLY_THE_SUMMARY)
    pdf = base64.b64decode(page.call("Page.printToPDF", **A4)["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    # figures are as large as a third of the sheet is wide, unless a table of contrasts needs the room
    page.call("Emulation.setEmulatedMedia", media="print")
    highest = page.evaluate("getComputedStyle(document.querySelector('.summary-figures img')).maxHeight")
    assert round(float(highest.removesuffix("px")) * 25.4 / 96) == (55 if n_contrasts == 2 else 40)
