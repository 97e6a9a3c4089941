"""Sign-off: a run that ends with quality control, a sample that is left out, and the run that goes on from there."""

from pathlib import Path

import pandas as pd
import pytest

from engine_helpers import pipeline, write_sheet

pytestmark = pytest.mark.engine

STUB = ("-stub-run", "--sample_bundle_size", "1")
UNTIL_QC = {"SAMPLESHEET_CHECK": 1, "REPORT_QC": 1, "REPORT_SUMMARY": 1, "REPORT_METHODS": 1, "REPORT_MULTIQC": 1}
USED = "pipeline_info/samplesheet.used.csv"


def read(sheet: Path) -> pd.DataFrame:
    return pd.read_csv(sheet, dtype=str, keep_default_na=False).set_index("sample")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run up to quality control; the sheet leaves out a sample whose file is not there."""
    folder = tmp_path_factory.mktemp("signoff")
    (folder / "data").mkdir()
    rows = []
    for name, reason in {"a": "", "b": "no RNA, it's <old>", "c": "", "d": ""}.items():
        rows.append({"sample": name, "patient": f"p{name}", "path": f"data/{name}.h5ad", "note": '"two", x\nlines'})
        rows[-1]["exclude"] = reason
        if not reason:
            (folder / rows[-1]["path"]).write_bytes(b"0" * 100)
    sheet = write_sheet(folder / "sheet.csv", rows)
    return folder, pipeline(folder, *STUB, "--input", sheet, "--stop_after", "qc").ok()


def test_nothing_after_quality_control_is_run(stopped):
    _, run = stopped
    assert run.executed == UNTIL_QC | {"SAMPLE_INGEST": 3, "SAMPLE_QC": 3}


def test_the_terminal_says_what_was_done_and_how_to_go_on(stopped):
    _, run = stopped
    assert "Left out, as the samplesheet says: b (no RNA, it's <old>)" in run.output
    assert "Quality control is done in" in run.output
    assert "the same command without --stop_after qc and with -resume" in run.output
    for file in ("multiqc/multiqc_report.html", "qc/qc.csv", USED):
        assert f"results/{file}" in run.output
    assert "WARN" not in run.output


def test_the_run_goes_on_with_the_sheet_that_it_wrote(stopped):
    """One more sample is left out there: no other is read again."""
    folder, run = stopped
    used = read(run.outdir / USED)
    assert used["path"].tolist() == [f"{folder}/data/{name}.h5ad" for name in "abcd"]
    assert used["exclude"].tolist() == ["", "no RNA, it's <old>", "", ""]
    used.loc["d", "exclude"] = "tissue folded"
    used.to_csv(folder / "signed.csv")
    (folder / "data/d.h5ad").unlink()
    again = pipeline(folder, *STUB, "--input", "signed.csv", "-resume").ok()
    assert again.executed["SAMPLE_INGEST"] == again.executed["SAMPLE_QC"] == 0
    assert again.tasks("CACHED")["SAMPLE_INGEST"] == again.tasks("CACHED")["SAMPLE_QC"] == 2
    assert again.executed["MODEL_TRAIN"] == again.executed["NICHE_DESCRIBE"] == 1
    assert "Done in" in again.output
    assert read(again.outdir / USED).equals(used)
