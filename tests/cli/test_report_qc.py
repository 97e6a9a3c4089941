"""``report_qc.py`` on what ``sample_qc.py`` writes."""

import json

import pandas as pd

from helpers import invoke, make_internal
from semanticst.writing import write_h5ad


def test_from_samples_to_the_table(tmp_path):
    files = []
    for sample, n_cells in (("s1", 120), ("s2", 60), ("s3", 10)):
        files.append(tmp_path / f"{sample}.ingest.h5ad")
        write_h5ad(files[-1], make_internal(sample, f"p{sample[1]}", n_cells=n_cells))
    bundles = {"one": files[2:], "two": files[:2]}
    for prefix, bundle in bundles.items():
        assert invoke("sample_qc", *bundle, "--prefix", prefix, "--outdir", tmp_path).exit_code == 0
    records = (tmp_path / "two.qc.json", tmp_path / "one.qc.json")
    result = invoke("report_qc", *records, "--maps", tmp_path, "--qc-maps", 2, "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(tmp_path / "out" / "qc.csv").set_index("sample")
    assert table["n_cells_input"].to_dict() == {"s1": 120, "s2": 60, "s3": 10}
    assert table.loc["s3", "status"] == "fail"
    made = {path.name for path in (tmp_path / "out").glob("*_mqc.json")}
    assert made == {
        f"qc_{name}_mqc.json"
        for name in ("general", "failed", "status", "limits", "removed", "maps", "metrics", "counts", "features")
    }
    assert json.loads((tmp_path / "out" / "qc_maps_mqc.json").read_text())["data"].count("<img") == 2
    limits = pd.read_csv(tmp_path / "out" / "qc_thresholds.csv")
    assert set(limits["limit"]) == {"empty", "min_counts", "min_features"}
    assert limits.groupby("sample")["n_cells_kept"].first().to_dict() == table["n_cells_kept"].to_dict()
    data = json.loads((tmp_path / "out" / "qc_status_mqc.json").read_text())["data"]
    assert next(iter(data)) == "s3"


def test_a_damaged_record_is_bad_input(tmp_path):
    (tmp_path / "b.qc.json").write_text("{")
    result = invoke("report_qc", tmp_path / "b.qc.json", "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "b.qc.json" in result.stderr
    assert not (tmp_path / "out" / "qc.csv").exists()


def test_usage_errors(tmp_path):
    assert invoke("report_qc").exit_code == 2
    assert invoke("report_qc", tmp_path / "absent.qc.json").exit_code == 2
