"""Quality control of the cohort: one table and a report, from the records of the bundles."""

import json

import numpy as np
import pandas as pd
import pytest

from semanticst.errors import BadInput
from semanticst.report.qc import density, qc_table, read_records, report_qc


def record(sample, status="pass", kept=8, **more):
    """Record of a sample with 10 cells, as ``sample_qc.py`` writes it."""
    return {
        "sample": sample,
        "patient": sample[0],
        "batch": "b",
        "platform": "",
        "feature_type": "counts",
        "status": status,
        "reason": "" if status == "pass" else "why, <so>",
        "n_cells_input": 10,
        "n_cells_kept": kept,
        "n_features": 5,
        "removed": {"empty": 0, "min_counts": 10 - kept, "max_mito": 0, "total": 10 - kept},
        "thresholds": {"min_counts": 12.5},
        "quantiles": {"input": {}, "kept": {"total_counts": {"q50": 100.0}} if kept else {}},
        "histograms": {
            "log10_total_counts": {"edges": [0, 1, 3], "input": [2, 8], "kept": [0, 8]},
            "n_features": {"edges": [0, 2, 4], "input": [5, 5], "kept": [5, 3]},
        },
    } | more


def write(folder, *bundles):
    files = []
    for number, records in enumerate(bundles):
        files.append(folder / f"b{number}.qc.json")
        files[-1].write_text(json.dumps(records))
    return files


def section(folder, name):
    return json.loads((folder / f"{name}_mqc.json").read_text())


@pytest.fixture
def reported(tmp_path):
    files = write(tmp_path, [record("b2"), record("a1", "warn", 4)], [record("b1", "fail", 0)])
    report_qc(files[::-1], tmp_path)
    return tmp_path


def test_table_has_one_row_per_sample_in_order(reported):
    table = pd.read_csv(reported / "qc.csv")
    assert table["sample"].tolist() == ["a1", "b1", "b2"]
    assert table["patient"].tolist() == ["a", "b", "b"]
    assert table["status"].tolist() == ["warn", "fail", "pass"]
    assert table["n_cells_kept"].tolist() == [4, 0, 8]
    assert table["removed_min_counts"].tolist() == [6, 10, 2]
    assert table["threshold_min_counts"].tolist() == [12.5] * 3
    assert table["median_total_counts"].tolist()[::2] == [100, 100]
    assert np.isnan(table["median_total_counts"][1])
    assert "removed_total" not in table


def test_samples_that_need_a_look_come_first(reported):
    content = section(reported, "qc_status")
    assert list(content["data"]) == ["b1", "a1", "b2"]
    assert content["data"]["b1"]["reason"] == "why&#44; &lt;so&gt;"
    assert "3 samples of 2 patients: 1 passed, 1 used with a warning, 1 failed and left out." in content["description"]
    assert "12 of 30 cells are used." in content["description"]
    # nothing was removed for this: no column
    assert "removed_max_mito" not in content["headers"]
    assert "removed_min_counts" in content["headers"]


def test_general_statistics(reported):
    content = section(reported, "qc_general")
    assert content["data"]["a1"] == {"status": "warn", "n_cells_input": 10, "kept": 0.4}
    assert content["data"]["b1"]["kept"] == 0


def test_cells_of_a_failed_sample_are_not_used(tmp_path):
    report_qc(write(tmp_path, [record("a1", "fail", 7), record("a2")]), tmp_path)
    bars = section(tmp_path, "qc_removed")["data"]
    assert bars["a1"] == {"used": 0, "removed": 3, "in a sample that failed": 7}
    assert bars["a2"] == {"used": 8, "removed": 2, "in a sample that failed": 0}


def test_curves_are_densities(reported):
    curves = section(reported, "qc_counts")["data"]
    # bins of width 1 and 2 with 2 and 8 of 10 cells
    assert curves["a1"] == [[0.5, 0.2], [2.0, 0.4]]
    assert set(curves) == {"a1", "b1", "b2"}


def test_whole_numbers_in_narrow_and_uneven_bins_make_no_comb():
    # each of 0 to 4 features in 2 of 10 cells; 10 bins, every other one can hold no whole number
    values = np.repeat(np.arange(5), 2)
    for n_bins in (10, 3):
        cells, edges = np.histogram(values, n_bins)
        curve = density({"edges": edges, "input": cells}, whole=True)
        assert list(curve.values()) == pytest.approx([0.2] * len(curve))
    assert list(curve) == [0.5, 2.0, 3.5]


def test_one_hot_samples_have_no_curves(tmp_path):
    files = write(tmp_path, [record("a1", feature_type="onehot"), record("a2", feature_type="binary")])
    report_qc(files, tmp_path)
    assert not (tmp_path / "qc_counts_mqc.json").exists()
    assert list(section(tmp_path, "qc_features")["data"]) == ["a2"]


def test_columns_differ_between_kinds_of_samples():
    binary = record("a2", feature_type="binary", removed={"empty": 3, "total": 3}, thresholds={})
    table = qc_table([record("a1"), binary]).set_index("sample")
    assert np.isnan(table.loc["a2", "removed_min_counts"])
    assert table.loc["a2", "removed_empty"] == 3


def test_all_problems_are_named_at_once(tmp_path):
    lacking = record("a3")
    del lacking["status"], lacking["removed"]
    files = write(tmp_path, [record("a1"), lacking], [record("a1")], {"sample": "a4"})
    (tmp_path / "broken.qc.json").write_text("[{")
    with pytest.raises(BadInput) as bad:
        read_records([*files, tmp_path / "broken.qc.json"])
    text = str(bad.value)
    assert len(bad.value.problems) == 4
    assert "lacks status, removed" in text
    assert "b1.qc.json: found 'a1': this sample has more than one record" in text
    assert "b2.qc.json: expected a list" in text
    assert "broken.qc.json: cannot be read" in text


def test_no_sample_at_all_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no sample"):
        report_qc(write(tmp_path, []), tmp_path)
