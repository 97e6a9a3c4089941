"""``sample_ingest.py``: the internal form of good samples; damaged ones end with exit code 3 and leave nothing."""

import json
import shutil

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers import invoke, make_sample, real_data
from semanticst.io.internal import feature_type, internal_faults, read_sample


def ingest(folder, *samples, **columns):
    """Write samples (AnnData or paths) and a manifest, run the command; results go to ``folder/out``."""
    rows = []
    for number, sample in enumerate(samples, 1):
        path = folder / f"input{number}.h5ad"
        if isinstance(sample, ad.AnnData):
            sample.write_h5ad(path)
        else:
            path = sample
        rows.append({"sample": f"s{number}", "patient": "p1", "batch": "", "platform": "", "path": str(path)} | columns)
    (folder / "manifest.json").write_text(json.dumps(rows))
    return invoke("sample_ingest", "--manifest", folder / "manifest.json", "--outdir", folder / "out")


def assert_bad(result, folder, *messages):
    assert result.exit_code == 3, result.stderr
    for message in messages:
        assert message in result.stderr
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ["counts", "binary", "onehot", "continuous"])
@pytest.mark.parametrize("seed", range(3))
def test_values_and_names_come_through_and_the_type_is_detected(tmp_path, kind, seed):
    sample = make_sample(kind=kind, seed=seed, n_cells=60 + 30 * seed, n_features=7 + seed)
    result = ingest(tmp_path, sample)
    assert result.exit_code == 0, result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert internal_faults(adata) == []
    assert feature_type(adata) == kind
    assert (adata.X != sample.X).nnz == 0
    assert adata.obs_names.equals(sample.obs_names)
    assert adata.var_names.equals(sample.var_names)
    assert np.array_equal(adata.obsm["spatial"], sample.obsm["spatial"])
    assert adata.obs["cell_type"].tolist() == sample.obs["cell_type"].tolist()


def test_what_is_recorded(tmp_path):
    result = ingest(
        tmp_path, make_sample(), batch="b7", platform="xenium", part="tail", qc_min_counts="12", qc_mads="",
        spatial_unit="um",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    recorded = dict(adata.uns["semanticst"])
    assert [list(recorded.pop(kind)) for kind in ("notes", "warnings")] == [[], []]
    assert [recorded.pop(f"n_{what}_left_out") for what in ("cells", "features")] == [0, 0]
    assert list(recorded.pop("feature_types")) == ["counts"]
    assert recorded == {
        "sample": "s1", "patient": "p1", "batch": "b7", "platform": "xenium", "format": "h5ad", "matrix": "X",
        "feature_type": "counts", "feature_type_source": "values", "spatial_unit": "um", "um_per_unit": 1.0,
        "um_per_unit_source": "stated in the samplesheet", "n_cells_input": 120, "source": "input1.h5ad",
        "overrides": {"qc_min_counts": 12.0},
    }  # fmt: skip
    assert adata.obs[["sample", "patient", "batch"]].drop_duplicates().to_numpy().tolist() == [["s1", "p1", "b7"]]


def test_batch_defaults_to_the_sample_and_unit_comes_from_the_file(tmp_path):
    sample = make_sample()
    sample.uns["spatial_unit"] = "Micrometer"
    assert ingest(tmp_path, sample).exit_code == 0
    recorded = read_sample(tmp_path / "out" / "s1.ingest.h5ad").uns["semanticst"]
    assert recorded["batch"] == "s1"
    assert recorded["spatial_unit"] == "um"


def test_raw_counts_go_before_x(tmp_path):
    sample = make_sample()
    sample.layers["counts"] = sample.X.copy()
    sample.X = sample.X.copy()
    sample.X.data = np.log1p(sample.X.data)
    result = ingest(tmp_path, sample)
    assert result.exit_code == 0, result.stderr
    assert "layers/counts is taken" in result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert feature_type(adata) == "counts"
    assert (sample.layers["counts"] != adata.X).nnz == 0


@pytest.mark.parametrize("form", ["dense", "csc", "int64", "float64", "bool", "stored zeros", "coo order"])
def test_any_storage_becomes_csr_float32(tmp_path, form):
    sample = make_sample(kind="binary" if form == "bool" else "counts")
    expected = sample.X.toarray()
    if form == "dense":
        sample.X = expected
    elif form == "csc":
        sample.X = sp.csc_matrix(expected)
    elif form == "stored zeros":
        sample.X.data[::5] = 0
        expected = sample.X.toarray()
    elif form == "coo order":
        sample.X.indices = np.concatenate([np.flip(row) for row in np.split(sample.X.indices, sample.X.indptr[1:-1])])
        sample.X.has_sorted_indices = False
        expected = sample.X.toarray()
    else:
        sample.X = sample.X.astype(form)
    result = ingest(tmp_path, sample)
    assert result.exit_code == 0, result.stderr
    X = read_sample(tmp_path / "out" / "s1.ingest.h5ad").X
    assert X.dtype == np.float32
    assert X.nnz == (expected != 0).sum()
    assert np.array_equal(X.toarray(), expected)


def test_colliding_columns_are_renamed(tmp_path):
    sample = make_sample()
    sample.obs["sample"] = "theirs"
    sample.obs["niche"] = 3
    sample.obs["total_counts"] = 1.5
    sample.obs["input_niche"] = 4
    sample.obs["domain"] = "d"
    result = ingest(tmp_path, sample)
    assert result.exit_code == 0, result.stderr
    obs = read_sample(tmp_path / "out" / "s1.ingest.h5ad").obs
    assert set(obs["sample"]) == {"s1"}
    assert set(obs["input_sample"]) == {"theirs"}
    assert set(obs["input_niche"]) == {4}
    assert set(obs["input_input_niche"]) == {3}
    assert "niche" not in obs
    assert "total_counts" not in obs
    assert set(obs["domain"]) == {"d"}
    assert "sample -> input_sample" in result.stderr


def test_index_name_and_number_ids(tmp_path):
    sample = make_sample()
    sample.obs_names = pd.Index([str(i) for i in range(sample.n_obs)], name="cell_type")
    sample.obs = sample.obs.drop(columns="cell_type")
    assert ingest(tmp_path, sample).exit_code == 0
    assert read_sample(tmp_path / "out" / "s1.ingest.h5ad").obs_names[:2].tolist() == ["0", "1"]


def test_counts_of_one_gene_name_are_added_and_symbols_stay(tmp_path):
    sample = make_sample(n_features=4)
    sample.var["symbol"] = ["A", "B", "C", "D"]
    sample.var_names = ["g", "h", "g", "i"]
    dense = sample.X.toarray()
    result = ingest(tmp_path, sample)
    assert result.exit_code == 0, result.stderr
    assert "1 gene names stand for more than one feature (g); their counts are added" in result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert adata.var_names.tolist() == ["g", "h", "i"]
    assert np.array_equal(adata.X.toarray(), np.column_stack([dense[:, 0] + dense[:, 2], dense[:, 1], dense[:, 3]]))
    assert adata.var["symbol"].tolist() == ["A", "B", "D"]


def test_repeated_markers_of_intensities_get_numbers(tmp_path):
    sample = make_sample(n_features=3, kind="continuous")
    sample.var_names = ["CD3", "CD8", "CD3"]
    result = ingest(tmp_path, sample)
    assert result.exit_code == 0, result.stderr
    assert read_sample(tmp_path / "out" / "s1.ingest.h5ad").var_names.tolist() == ["CD3", "CD8", "CD3-1"]


def test_controls_are_set_apart(tmp_path):
    sample = make_sample(n_features=5)
    sample.var["control"] = [False, True, False, True, False]
    dense = sample.X.toarray()
    result = ingest(tmp_path, sample)
    assert result.exit_code == 0, result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert adata.var_names.tolist() == ["gene_0", "gene_2", "gene_4"]
    assert np.array_equal(adata.X.toarray(), dense[:, [0, 2, 4]])
    assert np.array_equal(adata.obs["control_counts"], dense[:, [1, 3]].sum(axis=1))
    assert "2 control features set apart" in list(adata.uns["semanticst"]["notes"])


@pytest.mark.parametrize(
    ("unit", "columns", "recorded", "factor"),
    [
        ("px", {"um_per_px": "0.25"}, "um", 0.25),
        ("px", {}, "px", 1.0),
        ("mm", {}, "um", 1000.0),
        ("", {"um_per_px": "0.5"}, "um", 0.5),
        ("nm", {}, "um", 0.001),
        ("", {"spatial_unit": "nm"}, "um", 0.001),
        ("", {}, "unknown", 1.0),
    ],
)
def test_coordinates_become_micrometres_where_the_scale_is_known(tmp_path, unit, columns, recorded, factor):
    sample = make_sample()
    if unit:
        sample.uns["spatial_unit"] = unit
    result = ingest(tmp_path, sample, **columns)
    assert result.exit_code == 0, result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert adata.uns["semanticst"]["spatial_unit"] == recorded
    np.testing.assert_allclose(adata.obsm["spatial"], sample.obsm["spatial"] * factor)


@pytest.mark.parametrize(
    ("unit", "columns", "message"),
    [
        ("um", {"um_per_px": "0.5"}, "um_per_px 0.5 is given, but the coordinates are micrometres, as the file says"),
        ("", {"um_per_px": "0.5", "spatial_unit": "mm"}, "but the coordinates are millimetres, stated in the sample"),
        ("px", {"spatial_unit": "um"}, "spatial_unit um is stated, but the coordinates are pixels, as the file says"),
        ("um", {"spatial_unit": "px"}, "spatial_unit px is stated, but the coordinates are micrometres"),
        ("nm", {"spatial_unit": "um"}, "spatial_unit um is stated, but the coordinates are nanometres"),
    ],
)
def test_units_that_contradict_one_another_are_one_problem(tmp_path, unit, columns, message):
    sample = make_sample()
    if unit:
        sample.uns["spatial_unit"] = unit
    result = ingest(tmp_path, sample, **columns)
    assert result.exit_code == 3
    assert result.stderr.count(message) == 1, result.stderr


def test_a_unit_that_nobody_knows_is_told(tmp_path):
    sample = make_sample()
    sample.uns["spatial_unit"] = "furlong"
    assert ingest(tmp_path, sample).exit_code == 0
    own = read_sample(tmp_path / "out" / "s1.ingest.h5ad").uns["semanticst"]
    assert (own["spatial_unit"], own["um_per_unit_source"]) == ("unknown", "the file says 'furlong': no known unit")


def test_genes_named_by_ensembl_id_get_their_symbols(tmp_path):
    sample = make_sample(n_features=3)
    sample.var_names = ["ENSG00000010610.5", "ENSG00000153563.2", "ENSG00000000001.1"]
    sample.var["gene_name"] = ["CD4", "CD8A", ""]
    assert ingest(tmp_path, sample).exit_code == 0
    var = read_sample(tmp_path / "out" / "s1.ingest.h5ad").var
    assert var.index.tolist() == ["CD4", "CD8A", "ENSG00000000001"]
    assert var["gene_id"].tolist() == ["ENSG00000010610", "ENSG00000153563", "ENSG00000000001"]


@pytest.mark.parametrize("damage", ["indices", "indptr", "shape"])
def test_a_matrix_that_contradicts_itself_is_bad_input(tmp_path, damage):
    path = tmp_path / "input1.h5ad"
    make_sample().write_h5ad(path)
    with h5py.File(path, "r+") as file:
        if damage == "indices":
            file["X/indices"][3] = 10_000
        elif damage == "indptr":
            file["X/indptr"][4] = file["X/indptr"][-1] + 7
        else:
            file["X"].attrs["shape"] = [7, 20]
    assert_bad(ingest(tmp_path, path), tmp_path, "input1.h5ad (sample s1)", "the matrix is damaged")


def test_third_coordinate_is_dropped_only_within_a_section(tmp_path):
    sample = make_sample()
    plane = sample.obsm["spatial"]
    sample.obsm["spatial"] = np.column_stack([plane, np.full(len(plane), 3.0)])
    assert ingest(tmp_path, sample).exit_code == 0
    assert np.array_equal(read_sample(tmp_path / "out" / "s1.ingest.h5ad").obsm["spatial"], plane)
    shutil.rmtree(tmp_path / "out")
    sample.obsm["spatial"][:, 2] = np.arange(len(plane)) % 7 * np.ptp(plane) / 20
    assert_bad(ingest(tmp_path, sample), tmp_path, "has 3 columns, and the third spans", "one file per section")


def test_the_thickness_of_a_section_is_dropped_with_a_warning(tmp_path):
    sample = make_sample()
    plane = sample.obsm["spatial"]
    sample.obsm["spatial"] = np.column_stack([plane, np.arange(len(plane)) % 7 * np.ptp(plane) / 200])
    assert ingest(tmp_path, sample).exit_code == 0
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert np.array_equal(adata.obsm["spatial"], plane)
    assert "z is left out: it spans" in adata.uns["semanticst"]["warnings"][0]


def test_negative_coordinates_are_fine(tmp_path):
    sample = make_sample()
    sample.obsm["spatial"] = (-sample.obsm["spatial"]).astype(np.int32)
    assert ingest(tmp_path, sample).exit_code == 0


def test_a_typing_may_leave_a_few_cells_without_type(tmp_path):
    sample = make_sample(kind="onehot", n_cells=100)
    sample.X = sp.csr_matrix(sample.X.toarray() * (np.arange(100) >= 5)[:, None])
    assert ingest(tmp_path, sample).exit_code == 0
    assert feature_type(read_sample(tmp_path / "out" / "s1.ingest.h5ad")) == "onehot"


@pytest.mark.parametrize(
    ("kind", "stated", "message"),
    [
        ("binary", "counts", None),
        ("onehot", "binary", None),
        ("counts", "continuous", None),
        ("continuous", "counts", "feature_type counts is stated, but there are fractions"),
        ("counts", "binary", "values other than 0 and 1"),
        ("binary", "onehot", "has more than one feature"),
    ],
)
def test_stated_feature_type_goes_before_the_detected_one(tmp_path, kind, stated, message):
    result = ingest(tmp_path, make_sample(kind=kind), feature_type=stated)
    if message:
        assert_bad(result, tmp_path, message, "input1.h5ad (sample s1)")
    else:
        assert result.exit_code == 0, result.stderr
        assert feature_type(read_sample(tmp_path / "out" / "s1.ingest.h5ad")) == stated


def test_scaled_values_need_to_be_stated(tmp_path):
    sample = make_sample(kind="continuous")
    sample.X = sample.X.toarray() - 1
    assert_bad(ingest(tmp_path, sample), tmp_path, "negative values", "feature_type")
    result = ingest(tmp_path, sample, feature_type="continuous")
    assert result.exit_code == 0, result.stderr


def spoil(sample, how):
    """Break one thing of a sample."""
    if how == "nan":
        sample.X.data[7] = np.nan
    elif how == "inf":
        sample.X.data[7] = np.inf
    elif how == "negative":
        sample.X.data[7] = -1
    elif how == "text":
        sample.X = np.full(sample.shape, "a", dtype=object)
    elif how == "no spatial":
        sample.obsm["X_umap"] = sample.obsm["spatial"]
        del sample.obsm["spatial"]
    elif how == "nan spatial":
        sample.obsm["spatial"][:61] = np.nan
    elif how == "same spatial":
        sample.obsm["spatial"][:] = 4
    elif how == "one column":
        sample.obsm["spatial"] = sample.obsm["spatial"][:, :1]
    elif how == "duplicate ids":
        sample.obs_names = ["same", "same", *sample.obs_names[2:]]
    elif how == "no cells":
        sample = sample[:0].copy()
    elif how == "one cell":
        sample = sample[:1].copy()
    elif how == "no features":
        sample = sample[:, :0].copy()
    elif how == "one feature":
        sample = sample[:, :1].copy()
    return sample


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("nan", "not finite; remove or impute them (first: cell cell_"),
        ("inf", "not finite"),
        ("negative", "negative values"),
        ("no spatial", "obsm['spatial'] (cells x 2) is expected, obsm holds X_umap"),
        ("nan spatial", "61 of 120 cells have no finite coordinates"),
        ("same spatial", "all cells have the same coordinates"),
        ("one column", "1 columns; two are expected"),
        ("duplicate ids", "1 cell ids occur more than once (first: same)"),
        ("no cells", "0 cells and 20 features"),
        ("one cell", "1 cells and 20 features"),
        ("no features", "120 cells and 0 features"),
        ("one feature", "120 cells and 1 features"),
    ],
)
def test_bad_samples(tmp_path, how, message):
    result = ingest(tmp_path, spoil(make_sample(), how))
    assert_bad(result, tmp_path, message, "input1.h5ad (sample s1)")


@pytest.mark.parametrize("feature", [0, 4, 19])
def test_first_bad_value_is_named(tmp_path, feature):
    sample = make_sample()
    dense = sample.X.toarray() + 1
    dense[33, feature] = -2
    sample.X = sp.csr_matrix(dense)
    assert_bad(ingest(tmp_path, sample), tmp_path, f"(first: cell cell_33, feature gene_{feature}, value -2)")


def test_all_problems_together_and_good_samples_are_not_written(tmp_path):
    samples = [spoil(make_sample(), "nan"), make_sample(), spoil(make_sample(), "duplicate ids")]
    result = ingest(tmp_path, *samples)
    assert_bad(result, tmp_path, "2 problems", "(sample s1)", "(sample s3)")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_truncated_files(tmp_path, share):
    make_sample(n_cells=400).write_h5ad(tmp_path / "whole.h5ad")
    raw = (tmp_path / "whole.h5ad").read_bytes()
    (tmp_path / "cut.h5ad").write_bytes(raw[: int(len(raw) * share)])
    assert_bad(ingest(tmp_path, tmp_path / "cut.h5ad"), tmp_path, "cut.h5ad (sample s1)", "damaged or incomplete")


@pytest.mark.parametrize("seed", range(6))
def test_bytes_broken_at_random_never_end_as_a_bug(tmp_path, seed):
    rng = np.random.default_rng(seed)
    make_sample(n_cells=50).write_h5ad(tmp_path / "whole.h5ad")
    raw = np.frombuffer((tmp_path / "whole.h5ad").read_bytes(), np.uint8).copy()
    at = rng.integers(len(raw), size=400)
    raw[at] = rng.integers(256, size=400)
    (tmp_path / "broken.h5ad").write_bytes(raw.tobytes())
    result = ingest(tmp_path, tmp_path / "broken.h5ad")
    assert result.exit_code in (0, 3)
    assert len(list((tmp_path / "out").iterdir())) == (result.exit_code == 0)


def test_other_files_and_folders(tmp_path):
    (tmp_path / "table.xlsx").write_text("a,b\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.h5ad").write_text("not hdf5")
    with h5py.File(tmp_path / "bare.h5ad", "w") as file:
        file["X"] = np.ones((3, 3))
    names = ("table.xlsx", "folder", "text.h5ad", "bare.h5ad", "absent.h5ad")
    result = ingest(tmp_path, *(tmp_path / name for name in names))
    assert_bad(
        result, tmp_path, "5 problems", "file ending '.xlsx'", "(folder)", "text.h5ad (sample s3)", "it has no 'obs'",
        "absent.h5ad (sample s5): no such file",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "not JSON"),
        ("[]", "a list of one object per sample"),
        ('{"sample": "a"}', "a list of one object per sample"),
        ('[{"sample": "a", "path": "x"}]', "entry 1 has no 'patient'"),
        (
            '[{"sample": "a", "path": "x", "patient": "p"}, {"sample": "a", "path": "y", "patient": "p"}]',
            "listed twice",
        ),
    ],
)
def test_bad_manifests(tmp_path, manifest, message):
    (tmp_path / "manifest.json").write_text(manifest)
    result = invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "out")
    assert_bad(result, tmp_path, message)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("cohort", "kind"),
    [
        ("starmap_mpfc", "counts"),
        ("dlpfc_br8100", "counts"),
        ("her2st_4", "counts"),
        ("tnbc_mibi", "binary"),
        ("diabetes_imc", "onehot"),
        ("codex_spleen_1", "onehot"),
    ],
)
def test_real_cohorts_have_the_right_feature_type_and_keep_their_cells(tmp_path, cohort, kind):
    folder = real_data(cohort)
    sheet = pd.read_csv(folder / "samplesheet.csv", dtype=str)
    sheet["path"] = [str(folder / path) for path in sheet["path"]]
    (tmp_path / "manifest.json").write_text(sheet.to_json(orient="records"))
    result = invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "ingest")
    assert result.exit_code == 0, result.stderr
    files = sorted((tmp_path / "ingest").glob("*.h5ad"))
    assert [f.name for f in files] == sorted(f"{s}.ingest.h5ad" for s in sheet["sample"])

    result = invoke("sample_qc", *files, "--prefix", cohort, "--outdir", tmp_path / "qc")
    assert result.exit_code == 0, result.stderr
    records = json.loads((tmp_path / "qc" / f"{cohort}.qc.json").read_text())
    assert {r["feature_type"] for r in records} == {kind}
    assert not [r for r in records if r["status"] == "fail"]
    for record in records:
        assert record["n_cells_kept"] >= 0.985 * record["n_cells_input"], record["sample"]
    before = {f.name.removesuffix(".ingest.h5ad"): f for f in files}
    for file in sorted((tmp_path / "qc").glob("*.h5ad")):
        obs, all_obs = read_sample(file).obs, read_sample(before[file.name.removesuffix(".qc.h5ad")]).obs
        if "domain" in obs:
            labelled = all_obs.index[~all_obs["domain"].isin(["NA", "NoAnnotation", "undetermined"])]
            assert labelled.isin(obs.index).mean() > 0.985
