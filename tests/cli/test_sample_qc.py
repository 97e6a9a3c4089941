"""``sample_qc.py``: what is removed, what is recorded, and what becomes of samples that fail."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from helpers import invoke, make_internal
from semanticst.io.internal import read_sample


def qc(folder, *samples, options=()):
    """Write samples in the internal form and run the command; results go to ``folder/out``."""
    files = []
    for adata in samples:
        files.append(folder / f"{adata.uns['semanticst']['sample']}.ingest.h5ad")
        adata.write_h5ad(files[-1])
    return invoke("sample_qc", *files, *options, "--prefix", "bundle", "--outdir", folder / "out")


def records(folder) -> dict[str, dict]:
    return {r["sample"]: r for r in json.loads((folder / "out" / "bundle.qc.json").read_text())}


def written(folder) -> list[str]:
    return sorted(f.name for f in (folder / "out").iterdir())


def of_all(*names) -> set[str]:
    """What is written for every sample, failed or not."""
    return {f"{name}{ending}" for name in names for ending in (".qc_cells.csv.gz", ".qc_map.png")}


def with_rows(adata, rows: dict[int, float]):
    """Multiply the counts of some cells; 0 empties them."""
    dense = adata.X.toarray()
    for row, factor in rows.items():
        dense[row] = np.floor(dense[row] * factor)
    adata.X = sp.csr_matrix(dense)
    return adata


def test_what_ingest_warns_of_is_a_reason_to_look(tmp_path):
    adata = make_internal(kind="continuous")
    adata.uns["semanticst"] |= {"platform": "visium", "warnings": ["z is left out"]}
    assert qc(tmp_path, adata).exit_code == 0
    record = records(tmp_path)["s1"]
    assert record["status"] == "warn"
    assert record["reasons"] == [
        "z is left out",
        "values are no whole numbers, though visium counts molecules: logarithms? Bring counts",
    ]


def test_zeros_and_ones_of_an_instrument_that_counts(tmp_path):
    adata = make_internal(kind="binary")
    adata.uns["semanticst"] |= {"platform": "xenium"}
    assert qc(tmp_path, adata).exit_code == 0
    assert (
        "values are all 0 or 1, though xenium counts molecules: a mask? Bring counts"
        in records(tmp_path)["s1"]["reasons"]
    )


def test_kind_of_the_cohort_decides_which_cells_are_empty(tmp_path):
    """No cell of this image has two markers: alone it is a typing, in a cohort of binary markers it is not."""
    typed = with_rows(make_internal(kind="onehot"), {3: 0, 4: 0})
    typed.uns["semanticst"]["feature_types"] = ["onehot", "binary", "counts"]
    assert qc(tmp_path, typed, options=("--sample-kinds", "binary,counts:onehot,binary,counts")).exit_code == 0
    record = records(tmp_path)["s1"]
    assert (record["feature_type"], record["n_cells_kept"]) == ("binary", 120)
    assert "values are taken for binary" in record["notes"][-1]
    own = read_sample(tmp_path / "out" / "s1.qc.h5ad").uns["semanticst"]
    assert (own["feature_type"], own["feature_type_source"]) == ("binary", "cohort")

    assert qc(tmp_path, typed, options=("--sample-kinds", "counts:onehot,binary,counts")).exit_code == 0
    assert records(tmp_path)["s1"]["removed"]["empty"] == 2
    assert qc(tmp_path, typed, options=("--sample-kinds", "onehot,binary,counts")).exit_code == 0
    assert records(tmp_path)["s1"]["feature_type"] == "onehot"
    assert qc(tmp_path, typed, options=("--sample-kinds", "types")).exit_code == 2


@pytest.mark.parametrize("earlier", [{}, {"mode": "binary", "note": "feature_typ"}])
def test_values_are_what_the_model_was_trained_on(tmp_path, earlier):
    """Also where the file has the text before, and refers to it."""
    typed = with_rows(make_internal(kind="onehot"), {3: 0, 4: 0})
    typed.uns["semanticst"]["feature_types"] = ["onehot", "binary", "counts"]
    basis = {"features": ["a"], "feature_type": "binary", "loadings": torch.ones(2)}
    torch.save({"network": earlier, "basis": basis}, tmp_path / "model.pt")
    options = ("--sample-kinds", "onehot,binary,counts", "--model", tmp_path / "model.pt")
    assert qc(tmp_path, typed, options=options).exit_code == 0
    assert records(tmp_path)["s1"]["feature_type"] == "binary"
    assert records(tmp_path)["s1"]["n_cells_kept"] == 120
    # what the values cannot be is for the mapping to refuse
    torch.save({"basis": basis | {"feature_type": "continuous"}}, tmp_path / "model.pt")
    assert qc(tmp_path, typed, options=options).exit_code == 0
    assert records(tmp_path)["s1"]["feature_type"] == "onehot"
    (tmp_path / "model.pt").write_text("no model")
    result = qc(tmp_path, typed, options=options)
    assert result.exit_code == 3
    assert "this is no model.pt of a finished run" in result.output


def test_poor_cells_go_and_the_others_are_untouched(tmp_path):
    adata = with_rows(make_internal(n_features=60), {3: 0, 10: 0.4, 11: 0.4})
    result = qc(tmp_path, adata)
    assert result.exit_code == 0, result.stderr
    clean = read_sample(tmp_path / "out" / "s1.qc.h5ad")
    assert sorted(set(adata.obs_names) - set(clean.obs_names)) == ["cell_10", "cell_11", "cell_3"]
    same = adata[clean.obs_names]
    assert (clean.X != same.X).nnz == 0
    assert np.array_equal(clean.obsm["spatial"], same.obsm["spatial"])
    assert np.array_equal(clean.obs["total_counts"], np.asarray(same.X.sum(axis=1)).ravel())
    assert np.array_equal(clean.obs["n_features"], np.diff(same.X.indptr))
    assert clean.obs["mito_share"].isna().all()
    assert clean.uns["semanticst"]["qc"]["status"] == "pass"
    record = records(tmp_path)["s1"]
    assert record["removed"]["empty"] == 1
    assert record["removed"]["min_counts"] == 2
    assert record["removed"]["total"] == 3
    assert (record["n_cells_input"], record["n_cells_kept"]) == (120, 117)


def test_record_has_what_a_report_needs(tmp_path):
    qc(tmp_path, make_internal(n_features=60))
    record = records(tmp_path)["s1"]
    assert {"sample", "patient", "batch", "platform", "feature_type", "status", "reason", "n_features"} <= set(record)
    assert record["status"] == "pass"
    for name in ("log10_total_counts", "n_features"):
        histogram = record["histograms"][name]
        assert len(histogram["edges"]) == 31
        assert len(histogram["input"]) == len(histogram["kept"]) == 30
        assert sum(histogram["input"]) == 120
    assert record["quantiles"]["input"]["total_counts"]["q50"] > 0
    assert set(record["thresholds"]) == set(record["threshold_sources"]) == {"min_counts", "min_features"}
    assert record["threshold_sources"]["min_counts"] == "median - 5 MADs"


def test_mitochondrial_share_by_name_or_symbol(tmp_path):
    adata = make_internal(n_features=30)
    adata.var_names = ["mt-Nd1", *adata.var_names[1:]]
    adata.var["symbol"] = ["x", "MT-CO1", *["y"] * 28]
    dense = adata.X.toarray()
    dense[:, :2] = 1
    dense[7, :2] = 400
    adata.X = sp.csr_matrix(dense)
    qc(tmp_path, adata)
    clean = read_sample(tmp_path / "out" / "s1.qc.h5ad")
    assert "cell_7" not in clean.obs_names
    assert np.allclose(clean.obs["mito_share"], 2 / clean.obs["total_counts"])
    record = records(tmp_path)["s1"]
    assert record["removed"]["max_mito"] == 1
    assert record["thresholds"]["max_mito"] == pytest.approx(0.3)

    result = qc(tmp_path, adata, options=("--qc-max-mito", 0.9999))
    assert result.exit_code == 0
    assert records(tmp_path)["s1"]["removed"]["max_mito"] == 0


def test_given_thresholds_replace_those_of_the_data(tmp_path):
    adata = make_internal(n_features=30)
    total = np.asarray(adata.X.sum(axis=1)).ravel()
    limit = int(np.quantile(total, 0.3))
    qc(tmp_path, adata, options=("--qc-min-counts", limit, "--qc-min-features", 0))
    record = records(tmp_path)["s1"]
    assert record["removed"]["min_counts"] == (total < limit).sum() > 0
    assert record["threshold_sources"] == {"min_counts": "given", "min_features": "given"}
    assert record["status"] == "warn"
    assert "of the cells removed" in record["reason"]


def test_settings_of_a_sample_go_before_the_options(tmp_path):
    own, other = make_internal("s1", n_features=30), make_internal("s2", n_features=30)
    own.uns["semanticst"]["overrides"] = {"qc_min_counts": 0.0, "qc_min_cells": 5.0}
    result = qc(tmp_path, own, other, options=("--qc-min-counts", 10_000))
    assert result.exit_code == 0, result.stderr
    assert set(written(tmp_path)) == {"bundle.qc.json", "s1.qc.h5ad"} | of_all("s1", "s2")
    assert records(tmp_path)["s1"]["n_cells_kept"] == 120
    assert records(tmp_path)["s1"]["settings"]["min_cells"] == 5
    assert records(tmp_path)["s2"]["status"] == "fail"


def test_samples_that_fail_are_left_out_with_a_reason_or_stop_the_run(tmp_path):
    samples = [make_internal("big", n_cells=100), make_internal("small", n_cells=12)]
    result = qc(tmp_path, *samples)
    assert result.exit_code == 0
    assert set(written(tmp_path)) == {"big.qc.h5ad", "bundle.qc.json"} | of_all("big", "small")
    assert records(tmp_path)["small"]["reason"] == "12 of 12 cells kept, at least 20 are needed"
    assert "small: fail" in result.stderr

    (tmp_path / "stop").mkdir()
    result = qc(tmp_path / "stop", *samples, options=("--qc-fail", "stop"))
    assert result.exit_code == 3
    assert "small.ingest.h5ad: fails quality control" in result.stderr
    assert written(tmp_path / "stop") == []


def test_all_samples_fail(tmp_path):
    result = qc(tmp_path, make_internal(n_cells=10))
    assert result.exit_code == 0
    assert set(written(tmp_path)) == {"bundle.qc.json"} | of_all("s1")


def test_a_cell_unlike_its_neighbours_is_marked_and_stays(tmp_path):
    adata = with_rows(make_internal(n_features=60, n_cells=300), {5: 0.7})
    qc(tmp_path, adata, options=("--qc-min-counts", 0, "--qc-min-features", 0))
    clean = read_sample(tmp_path / "out" / "s1.qc.h5ad")
    assert clean.n_obs == 300
    assert clean.obs["local_outlier"].dtype == bool
    assert clean.obs.loc["cell_5", "local_outlier"]
    assert records(tmp_path)["s1"]["spatial"]["local"]["cells"] == clean.obs["local_outlier"].sum() < 20


@pytest.mark.parametrize("kind", ["onehot", "continuous"])
def test_without_library_size_only_empty_cells_go(tmp_path, kind):
    adata = with_rows(make_internal(kind=kind), {3: 0, 4: 0})
    qc(tmp_path, adata, options=("--qc-min-counts", 1000, "--qc-min-features", 15))
    record = records(tmp_path)["s1"]
    assert record["removed"] == {"empty": 2, "total": 2}
    assert record["thresholds"] == {}


def test_negative_cells_of_a_binary_panel_are_cells(tmp_path):
    adata = with_rows(make_internal(kind="binary"), dict.fromkeys(range(60), 0))
    result = qc(tmp_path, adata)
    assert result.exit_code == 0, result.stderr
    record = records(tmp_path)["s1"]
    assert record["n_cells_kept"] == 120
    assert record["status"] == "warn"
    assert record["reason"] == "50 % of the cells have no positive marker"
    qc(tmp_path, adata, options=("--qc-min-features", 1))
    assert records(tmp_path)["s1"]["n_cells_kept"] == 60


def test_doubts_about_a_sample(tmp_path):
    few = make_internal("few", n_cells=30, n_features=60)
    poor = make_internal("poor", n_features=6)
    stacked = make_internal("stacked", n_features=60)
    stacked.obsm["spatial"][:20] = stacked.obsm["spatial"][20:40]
    single = make_internal("single", n_features=60)
    single.X = sp.csr_matrix(single.X.toarray() * np.where(np.arange(60) == 0, 300, 1).astype(np.float32))
    assert qc(tmp_path, few, poor, stacked, single).exit_code == 0
    reasons = {name: record["reason"] for name, record in records(tmp_path).items()}
    assert reasons["few"] == "only 30 cells"
    assert "counts per cell" in reasons["poor"]
    assert reasons["stacked"] == "33 % of the cells share their coordinates with another"
    assert "gene_0 takes" in reasons["single"]
    assert {record["status"] for record in records(tmp_path).values()} == {"warn"}


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_sample_loses_hardly_a_cell_and_debris_goes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    adata = make_internal(n_cells=400, n_features=80, seed=seed)
    depth = rng.lognormal(np.log(4), 0.4, (400, 1))
    debris = rng.choice(400, 12, replace=False)
    depth[debris] *= 0.02
    adata.X = sp.csr_matrix(rng.poisson(depth * rng.gamma(2, 1, 80)).astype(np.float32))
    qc(tmp_path, adata)
    kept = set(read_sample(tmp_path / "out" / "s1.qc.h5ad").obs_names)
    assert not kept & set(adata.obs_names[debris])
    assert len(kept) >= 380


def test_order_of_files_does_not_matter(tmp_path):
    for name, order in (("a", (1, 2, 3)), ("b", (3, 1, 2))):
        (tmp_path / name).mkdir()
        qc(tmp_path / name, *(make_internal(f"s{i}", seed=i) for i in order))
    assert (tmp_path / "a" / "out" / "bundle.qc.json").read_bytes() == (
        tmp_path / "b" / "out" / "bundle.qc.json"
    ).read_bytes()


def test_files_that_are_not_in_the_internal_form(tmp_path):
    adata = make_internal()
    adata.X = adata.X.tocsc()
    del adata.uns["semanticst"]["feature_type"]
    result = qc(tmp_path, adata)
    assert result.exit_code == 3
    assert "s1.ingest.h5ad: not a sample in the internal form" in result.stderr
    assert "X is not CSR float32; uns['semanticst'] has no 'feature_type'" in result.stderr
    assert written(tmp_path) == []


def test_the_same_sample_twice(tmp_path):
    make_internal().write_h5ad(tmp_path / "again.ingest.h5ad")
    make_internal().write_h5ad(tmp_path / "s1.ingest.h5ad")
    result = invoke(
        "sample_qc", tmp_path / "again.ingest.h5ad", tmp_path / "s1.ingest.h5ad", "--outdir", tmp_path / "out"
    )
    assert result.exit_code == 3
    assert "again.ingest.h5ad is the same sample" in result.stderr


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_file_twice(tmp_path, threads):
    make_internal().write_h5ad(tmp_path / "s1.ingest.h5ad")
    files = [tmp_path / "s1.ingest.h5ad"] * 2
    result = invoke("sample_qc", *files, "--threads", threads, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "s1.ingest.h5ad is the same sample" in result.stderr
    assert written(tmp_path) == []


def test_two_samples_at_a_time_give_the_same_files(tmp_path):
    samples = [make_internal("big", n_cells=100), make_internal("small", n_cells=12), make_internal("third")]
    folders = {number: tmp_path / str(number) for number in (1, 2)}
    for number, folder in folders.items():
        folder.mkdir()
        result = qc(folder, *samples, options=("--threads", number))
        assert result.exit_code == 0
    assert written(folders[1]) == written(folders[2])
    assert records(folders[1]) == records(folders[2])
    for name in written(folders[1]):
        one, two = (folder / "out" / name for folder in folders.values())
        if name.endswith(".h5ad"):
            first, second = read_sample(one), read_sample(two)
            assert (first.X != second.X).nnz == 0
            pd.testing.assert_frame_equal(first.obs, second.obs)
        else:
            assert one.read_bytes() == two.read_bytes()


def test_of_two_at_a_time_all_problems_are_told_and_nothing_is_written(tmp_path):
    samples = [make_internal("few", n_cells=8), make_internal("fewer", n_cells=7), make_internal("third")]
    result = qc(tmp_path, *samples, options=("--threads", 2, "--qc-fail", "stop"))
    assert result.exit_code == 3
    assert "few.ingest.h5ad: fails quality control" in result.stderr
    assert "fewer.ingest.h5ad: fails quality control" in result.stderr
    assert written(tmp_path) == []


@pytest.mark.parametrize(
    "options", [("--qc-max-mito", 3), ("--qc-mads", 0), ("--qc-fail", "maybe"), ("--qc-min-cells", 0)]
)
def test_impossible_options(tmp_path, options):
    assert qc(tmp_path, make_internal(), options=options).exit_code == 2


def damaged(**settings):
    """A sample whose cells within 60 of a point have lost 95 % of their counts; and which cells these are."""
    adata = make_internal(n_features=60, n_cells=900, **settings)
    rng = np.random.default_rng(0)
    counts = rng.poisson(6 * rng.lognormal(0, 0.3, (900, 1)), (900, 60))
    disc = np.linalg.norm(adata.obsm["spatial"] - [150, 150], axis=1) < 60
    counts[disc] = rng.binomial(counts[disc], 0.05)
    adata.X = sp.csr_matrix(counts.astype(np.float32))
    return adata, disc


def test_a_dead_region_is_named_even_where_thresholds_remove_it(tmp_path):
    adata, disc = damaged()
    assert qc(tmp_path, adata, options=("--qc-min-counts", 100)).exit_code == 0
    record = records(tmp_path)["s1"]
    assert record["n_cells_kept"] == pytest.approx((~disc).sum(), abs=2)
    assert record["spatial"]["dead"]["cells"] == pytest.approx(disc.sum(), abs=0.2 * disc.sum())
    region = record["dead_regions"][0]
    assert (region["x"], region["y"]) == pytest.approx((150, 150), abs=10)
    assert region["counts"] < 0.1
    assert record["status"] == "warn"
    assert "dead regions hold" in record["reason"]


@pytest.mark.parametrize(("remove", "gone"), [(None, False), ("dead", True), ("local,dead,edge", True)])
def test_cells_are_removed_for_their_place_on_request_only(tmp_path, remove, gone):
    adata, disc = damaged()
    options = ("--qc-min-counts", 0, "--qc-min-features", 0, *(("--qc-remove", remove) if remove else ()))
    assert qc(tmp_path, adata, options=options).exit_code == 0
    clean = read_sample(tmp_path / "out" / "s1.qc.h5ad")
    record = records(tmp_path)["s1"]
    assert ("dead" in record["removed"]) == gone
    assert clean.obs["dead_region"].any() != gone
    assert clean.n_obs == record["n_cells_kept"]
    if not gone:
        assert clean.n_obs == 900
        return
    assert record["removed"]["dead"] == record["spatial"]["dead"]["cells"] > 0.8 * disc.sum()
    cells = pd.read_csv(tmp_path / "out" / "s1.qc_cells.csv.gz", keep_default_na=False).set_index("cell_id")
    assert set(cells.index[cells["kept"]]) == set(clean.obs_names)
    assert cells.loc[cells["dead_region"], "reasons"].str.contains("dead").all()


def test_every_limit_says_what_it_costs(tmp_path):
    adata = with_rows(make_internal(n_features=60), {3: 0, 10: 0.4, 11: 0.4})
    adata.obs["cell_area"] = 50.0
    adata.obs.loc["cell_20", "cell_area"] = 900.0
    adata.obs["control_counts"] = np.where(np.isin(np.arange(120), [10, 30]), 1000, 0).astype(np.float32)
    adata.uns["semanticst"]["notes"] = ["2 control features set apart"]
    qc(tmp_path, adata, options=("--qc-max-area", 500, "--qc-max-control", 0.5, "--qc-min-features", 0))
    record = records(tmp_path)["s1"]
    assert record["removed"] == {
        "empty": 1,
        "max_area": 1,
        "max_control": 2,
        "min_counts": 2,
        "min_features": 0,
        "total": 5,
    }
    assert record["removed_only"] == {"empty": 1, "max_area": 1, "max_control": 1, "min_counts": 1, "min_features": 0}
    assert record["notes"] == ["2 control features set apart"]
    clean = read_sample(tmp_path / "out" / "s1.qc.h5ad")
    assert {"cell_area", "control_counts", "control_share", "ribo_share", "cell_density"} <= set(clean.obs)
    assert clean.obs["control_share"].max() == 0


def test_the_samplesheet_is_named_as_the_source(tmp_path):
    adata = make_internal(n_features=30)
    adata.uns["semanticst"]["overrides"] = {"qc_min_counts": 3.0}
    qc(tmp_path, adata, options=("--qc-min-features", 1))
    assert records(tmp_path)["s1"]["threshold_sources"] == {"min_counts": "samplesheet", "min_features": "given"}


def test_platforms_have_floors_of_their_own(tmp_path):
    bins, imaged = make_internal("bins", n_features=6), make_internal("imaged", n_features=6)
    bins.uns["semanticst"]["platform"], imaged.uns["semanticst"]["platform"] = "visium_hd", "xenium"
    qc(tmp_path, bins, imaged)
    assert records(tmp_path)["bins"]["thresholds"]["min_features"] == 1
    assert records(tmp_path)["imaged"]["threshold_sources"]["min_counts"] == "floor (imaged cells)"


def test_samples_of_next_to_nothing_fail_with_a_reason(tmp_path):
    two, none = make_internal("two", n_cells=2, n_features=30), make_internal("none", n_features=30)
    none.X = sp.csr_matrix(none.X.shape, dtype=np.float32)
    stacked, here = make_internal("stacked", n_features=60), make_internal("here", n_features=60)
    stacked.obsm["spatial"][:] = 7.0
    here.obsm["spatial"][:100] = 7.0
    result = qc(tmp_path, two, none, stacked, here)
    assert result.exit_code == 0, result.stderr
    found = records(tmp_path)
    assert found["two"]["reason"] == "2 of 2 cells kept, at least 20 are needed"
    assert found["none"]["reason"] == "0 of 120 cells kept, at least 20 are needed (120 cells: zero counts)"
    assert {name: found[name]["status"] for name in ("stacked", "here")} == {"stacked": "warn", "here": "warn"}
    assert "share their coordinates" in found["stacked"]["reason"]
    assert set(written(tmp_path)) >= of_all("two", "none", "stacked", "here")


def test_no_such_check(tmp_path):
    result = qc(tmp_path, make_internal(), options=("--qc-remove", "dead,dark"))
    assert result.exit_code == 2
    assert "no such check: dark" in result.stderr


def test_cells_of_excluded_regions_are_removed_whatever_the_case(tmp_path):
    adata = make_internal()
    fold = np.arange(adata.n_obs) % 3 == 0
    adata.obs["annotated_region"] = pd.Categorical(np.where(fold, "Fold", ""), categories=["", "Fold", "Tumour"])
    assert qc(tmp_path, adata, options=("--qc-exclude-regions", "necrosis, fold")).exit_code == 0
    clean = read_sample(tmp_path / "out" / "s1.qc.h5ad")
    assert set(clean.obs["annotated_region"]) == {""}
    assert records(tmp_path)["s1"]["removed"]["region"] == fold.sum()
