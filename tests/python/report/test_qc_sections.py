"""Quality control of the cohort: one table and a report, from the records of the bundles."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from semanticst.errors import BadInput
from semanticst.report.qc import qc_table, read_records, report_qc, threshold_table
from semanticst.report.qc_sections import MOST_PASSED, density


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
    assert content["data"]["a1"] == {"status": "warn", "n_cells_input": 10, "kept": 40.0}
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


def test_each_limit_has_a_row_with_its_source_and_cost():
    one = record(
        "a1", removed_only={"empty": 0, "min_counts": 1, "max_mito": 0}, threshold_sources={"min_counts": "given"}
    )
    table = threshold_table([one, record("a2")])
    assert len(table) == 6
    row = table[(table["sample"] == "a1") & (table["limit"] == "min_counts")].iloc[0]
    assert row.to_dict() == {
        "sample": "a1", "limit": "min_counts", "value": 12.5, "source": "given", "n_cells_input": 10, "n_beyond": 2,
        "n_beyond_only": 1, "n_cells_kept": 8,
    }  # fmt: skip


def test_thresholds_are_shown_with_their_source(tmp_path):
    shown = record("a1", threshold_sources={"min_counts": "median - 5 MADs"}, removed_only={"min_counts": 1})
    report_qc(write(tmp_path, [shown, record("a2", "fail", 0)]), tmp_path)
    data = section(tmp_path, "qc_limits")["data"]
    assert list(data) == ["a2&#44; Minimum counts", "a1&#44; Minimum counts"]
    expected = {"value": "12.5", "source": "median - 5 MADs", "n_beyond": 2, "n_beyond_only": 1}
    assert data["a1&#44; Minimum counts"] == expected


def test_failed_samples_are_named_with_what_to_do(tmp_path):
    report_qc(write(tmp_path, [record("a1"), record("a2", "fail", 0)]), tmp_path)
    text = section(tmp_path, "qc_failed")["data"]
    assert "<b>a2</b>: why, &lt;so&gt;" in text
    assert "qc_min_cells" in text
    assert "a1" not in text


def test_boxes_are_drawn_from_quantiles(tmp_path):
    values = {"q01": 0, "q05": 5, "q25": 10, "q50": 100, "q75": 1000, "q95": 5000, "q99": 10000}
    given = {"input": {"total_counts": values, "mito_share": {}, "cell_area": values}, "kept": {}}
    files = write(tmp_path, [record("a1", quantiles=given), record("a2", feature_type="onehot", quantiles=given)])
    report_qc(files, tmp_path)
    content = section(tmp_path, "qc_metrics")
    assert [label["name"] for label in content["pconfig"]["data_labels"]] == ["Counts", "Area"]
    assert content["data"][0] == {"a1": {"min": 0, "q1": 1, "median": 2, "q3": 3, "max": 4}}
    assert content["data"][1]["a2"]["median"] == 100


def test_maps_of_samples_that_need_a_look_first_are_shown(tmp_path):
    files = write(tmp_path, [record("a1"), record("b1", "fail", 0), record("c1", "warn", 6), record("d1", kept=5)])
    maps = [tmp_path / f"{name}.qc_map.png" for name in ("a1", "b1", "c1", "d1")]
    for path in maps:
        Image.new("P", (3, 2)).save(path)
    report_qc(files, tmp_path, maps, 3)
    content = section(tmp_path, "qc_maps")
    assert [content["data"].find(f'alt="{name}') for name in "abcd"][0] == -1
    places = [content["data"].index(f'alt="{name}1: ') for name in "bcd"]
    assert places == sorted(places)
    assert "The 3 of 4 with warnings or the largest losses." in content["description"]
    (tmp_path / "qc_maps_mqc.json").unlink()
    report_qc(files, tmp_path, maps, 0)
    assert not (tmp_path / "qc_maps_mqc.json").exists()


def test_a_map_without_anything_on_it_is_not_shown(tmp_path):
    whole = record("a1") | {"n_cells_kept": record("a1")["n_cells_input"]}
    files = write(tmp_path, [whole, record("b1", "warn", 1)])
    maps = [tmp_path / f"{name}.qc_map.png" for name in ("a1", "b1")]
    for path in maps:
        Image.new("P", (3, 2)).save(path)
    report_qc(files, tmp_path, maps, 12)
    shown = section(tmp_path, "qc_maps")
    assert "a1" not in shown["data"]
    assert "The 1 of 2 with warnings or the largest losses." in shown["description"]


def test_of_samples_that_passed_a_few_maps_are_shown(tmp_path):
    files = write(tmp_path, [record(f"a{i}", kept=5) for i in range(9)] + [record("b1", "warn", 6)])
    maps = [tmp_path / f"{name}.qc_map.png" for name in (*(f"a{i}" for i in range(9)), "b1")]
    for path in maps:
        Image.new("P", (3, 2)).save(path)
    report_qc(files, tmp_path, maps, 12)
    shown = section(tmp_path, "qc_maps")
    assert shown["data"].count("<img") == 1 + MOST_PASSED
    assert 'alt="b1: warn' in shown["data"]


def test_shares_of_flags_and_notes(tmp_path):
    found = {
        "local": {"cells": 1, "share": 0.1},
        "dead": {"cells": 0, "share": 0.0},
        "edge": {"cells": 2, "share": 0.2},
    }
    report_qc(
        write(tmp_path, [record("a1", spatial=found, understood={"notes": "scale, guessed"}), record("a2")]), tmp_path
    )
    table = pd.read_csv(tmp_path / "qc.csv").set_index("sample")
    assert table.loc["a1", ["local_share", "dead_share", "edge_share"]].tolist() == [0.1, 0, 0.2]
    assert section(tmp_path, "qc_status")["data"]["a1"]["edge_share"] == 20.0
    assert section(tmp_path, "qc_notes")["data"]["a1"]["notes"] == "scale&#44; guessed"


def leave_out(folder, *samples):
    """The list of what the samplesheet leaves out; names of patients are the first letter of their samples."""
    rows = [
        {"sample": name, "patient": name[0], "batch": "b", "platform": "", "exclude": "torn, <b>"} for name in samples
    ]
    (folder / "excluded.json").write_text(json.dumps(rows))
    return folder / "excluded.json"


def test_excluded_samples_have_a_row_with_their_reason_and_no_numbers(tmp_path):
    files = write(tmp_path, [record("a1"), record("b1", "fail", 0)])
    report_qc(files, tmp_path, excluded=leave_out(tmp_path, "c1", "a0"))
    text = (tmp_path / "qc.csv").read_text()
    assert "1.0" not in text, "whole numbers stay whole beside empty cells"
    table = pd.read_csv(tmp_path / "qc.csv").set_index("sample")
    assert table["status"].tolist() == ["excluded", "pass", "fail", "excluded"]
    assert table.loc["a0", ["patient", "reason"]].tolist() == ["a", "torn, <b>"]
    assert table.loc["a0"].drop(["patient", "batch", "status", "reason"]).isna().all()
    content = section(tmp_path, "qc_excluded")
    assert content["data"]["c1"] == {"patient": "c", "batch": "b", "reason": "torn&#44; &lt;b&gt;"}
    assert set(section(tmp_path, "qc_status")["data"]) == {"a1", "b1"}
    assert set(section(tmp_path, "qc_general")["data"]) == {"a1", "b1"}
    assert "2 further samples excluded in the samplesheet." in section(tmp_path, "qc_status")["description"]


def test_patients_without_any_sample_are_named(tmp_path):
    files = write(tmp_path, [record("a1"), record("<1", "fail", 0)])
    report_qc(files, tmp_path, excluded=leave_out(tmp_path, "c1", "a2"))
    assert "Without any sample: 2 patients (&lt;, c)." in section(tmp_path, "qc_status")["description"]


def test_nothing_is_said_of_exclusion_where_there_is_none(reported):
    assert not (reported / "qc_excluded_mqc.json").exists()
    assert "further" not in section(reported, "qc_status")["description"]


@pytest.mark.parametrize("content", ["{", "3", '[{"sample": "a"}]', "[1]"])
def test_a_list_of_exclusions_that_is_none_is_bad_input(tmp_path, content):
    (tmp_path / "excluded.json").write_text(content)
    with pytest.raises(BadInput, match="expected a list with sample, patient, batch, platform, exclude"):
        report_qc(write(tmp_path, [record("a1")]), tmp_path, excluded=tmp_path / "excluded.json")


def test_no_sample_at_all_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no sample"):
        report_qc(write(tmp_path, []), tmp_path)
