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
        for name in (
            "general",
            "failed",
            "status",
            "limits",
            "removed",
            "maps",
            "metrics",
            "counts",
            "features",
            "notes",
        )
    }
    assert json.loads((tmp_path / "out" / "qc_maps_mqc.json").read_text())["data"].count("<img") == 2
    limits = pd.read_csv(tmp_path / "out" / "qc_thresholds.csv")
    assert set(limits["limit"]) == {"empty", "min_counts", "min_features"}
    assert limits.groupby("sample")["n_cells_kept"].first().to_dict() == table["n_cells_kept"].to_dict()
    data = json.loads((tmp_path / "out" / "qc_status_mqc.json").read_text())["data"]
    assert next(iter(data)) == "s3"


def test_samples_that_may_be_mixed_up_have_a_warning(tmp_path):
    for sample in ("s1", "s2"):
        write_h5ad(tmp_path / f"{sample}.ingest.h5ad", make_internal(sample, f"p{sample[1]}", n_features=60))
    assert invoke("sample_qc", *tmp_path.glob("*.ingest.h5ad"), "--prefix", "b", "--outdir", tmp_path).exit_code == 0
    result = invoke("report_qc", tmp_path / "b.qc.json", "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(tmp_path / "out" / "qc.csv").set_index("sample")
    assert set(table["status"]) == {"warn"}
    assert "with s1 (about 100 % of both): one section under two names?" in table.loc["s2", "reason"]


def test_what_was_read_is_told_and_checks_that_did_not_run_are_not(tmp_path):
    adata = make_internal("s1", kind="continuous")
    adata.uns["semanticst"] |= {
        "platform": "imc", "format": "pair of tables", "matrix": "counts.csv", "feature_type_source": "values",
        "spatial_unit": "um", "um_per_unit": 0.5, "um_per_unit_source": "stated in the samplesheet",
        "notes": ["2 control features set apart", "columns renamed: a -> input_a"],
    }  # fmt: skip
    write_h5ad(tmp_path / "s1.ingest.h5ad", adata)
    result = invoke(
        "sample_qc", tmp_path / "s1.ingest.h5ad", "--qc-remove", "dead", "--prefix", "b", "--outdir", tmp_path
    )
    assert result.exit_code == 0, result.stderr
    assert invoke("report_qc", tmp_path / "b.qc.json", "--outdir", tmp_path / "out").exit_code == 0
    told = json.loads((tmp_path / "out" / "qc_notes_mqc.json").read_text())["data"]["s1"]
    assert told == {
        "format": "pair of tables", "matrix": "counts.csv", "values": "continuous (from the values)",
        "unit": "um (1 unit of the file = 0.5 um&#44; stated in the samplesheet)", "n_cells_input": 120,
        "n_features": adata.n_vars, "left_out": "2 control features set apart",
        "notes": "columns renamed: a -&gt; input_a",
    }  # fmt: skip
    assert not {"local_share", "dead_share", "edge_share"} & set(pd.read_csv(tmp_path / "out" / "qc.csv"))
    assert "local_outlier" not in pd.read_csv(tmp_path / "s1.qc_cells.csv.gz")


def test_a_damaged_record_is_bad_input(tmp_path):
    (tmp_path / "b.qc.json").write_text("{")
    result = invoke("report_qc", tmp_path / "b.qc.json", "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "b.qc.json" in result.stderr
    assert not (tmp_path / "out" / "qc.csv").exists()


def test_usage_errors(tmp_path):
    assert invoke("report_qc").exit_code == 2
    assert invoke("report_qc", tmp_path / "absent.qc.json").exit_code == 2
