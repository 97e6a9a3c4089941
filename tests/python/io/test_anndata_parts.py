"""AnnData objects as other programs write them: which values, coordinates, cells and features are taken."""

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers import make_sample
from semanticst.constants import UNS
from semanticst.io.ingest import ingest_sample
from semanticst.io.readers import ReadError
from tenx_helpers import UM_PER_PX, visium_positions


def ingest(folder, sample, **columns):
    """Write the sample, and read it as the pipeline does."""
    sample.write_h5ad(folder / "s.h5ad")
    return ingest_sample({"sample": "s1", "patient": "p1", "path": str(folder / "s.h5ad")} | columns)


def notes(adata, kind="notes"):
    return "; ".join(map(str, adata.uns[UNS][kind]))


def logs(sample):
    """The sample with logarithms in X; and its counts."""
    counts = sample.X.copy()
    sample.X = sp.csr_matrix(np.log1p(counts.toarray()))
    return counts


@pytest.mark.parametrize("place", ["raw", "layers/counts", "layers/raw_counts", "layers/UMI", "layers/spliced_counts"])
def test_counts_are_found_where_x_holds_logarithms(tmp_path, place):
    sample = make_sample()
    if place == "raw":
        sample.raw = sample.copy()
    else:
        sample.layers[place.partition("/")[2]] = sample.X.copy()
    counts = logs(sample)
    adata = ingest(tmp_path, sample)
    assert (counts != adata.X).nnz == 0
    assert adata.uns[UNS]["feature_type"] == "counts"
    assert place.replace("raw", "raw/X", place == "raw") in notes(adata)


@pytest.mark.parametrize(("layer", "told"), [("original_X", True), ("original_X", False), ("mask", False)])
def test_whole_numbers_in_a_layer_whose_name_tells_nothing(tmp_path, layer, told):
    """They may be the counts; a mask of zeros and ones is none."""
    sample = make_sample()
    counts = sample.X.copy()
    sample.layers[layer] = counts if layer == "original_X" else (counts > 0).astype(np.float32)
    if told or layer == "mask":
        logs(sample)
    warned = [text for text in ingest(tmp_path, sample).uns[UNS]["warnings"] if layer in text]
    assert [f"layers/{layer} holds whole numbers, X none" in text for text in warned] == [True] * told


def test_x_is_taken_where_it_holds_counts_and_the_layer_does_not(tmp_path):
    sample = make_sample()
    sample.layers["counts"] = sp.csr_matrix(np.log1p(sample.X.toarray()))
    sample.raw = sample.copy()
    adata = ingest(tmp_path, sample)
    assert (adata.X != sample.X).nnz == 0
    assert notes(adata) == ""


def test_intensities_that_are_stated_stay_where_they_are(tmp_path):
    sample = make_sample()
    sample.raw = sample.copy()
    logs(sample)
    adata = ingest(tmp_path, sample, feature_type="continuous")
    assert (adata.X != sample.X).nnz == 0


def test_raw_brings_its_own_genes_and_the_symbols_of_var(tmp_path):
    """As CELLxGENE: Ensembl ids, more genes in raw than in X, symbols in feature_name of var."""
    whole = make_sample(n_features=20)
    whole.var_names = [f"ENSG{j:011d}" for j in range(20)]
    sample = whole[:, :15].copy()
    sample.var["feature_name"] = [f"GENE{j}" for j in range(15)]
    sample.raw = whole
    logs(sample)
    adata = ingest(tmp_path, sample)
    assert adata.var_names.tolist() == [f"GENE{j}" for j in range(15)] + [f"ENSG{j:011d}" for j in range(15, 20)]
    assert (adata.X != whole.X).nnz == 0


@pytest.mark.parametrize("form", [int, bool, str, float, "category"])
@pytest.mark.parametrize("name", ["in_tissue", "In.Tissue"])
def test_spots_beside_the_tissue_are_left_out(tmp_path, form, name):
    sample = make_sample()
    inside = np.arange(sample.n_obs) % 3 != 0
    column = pd.Series(inside, index=sample.obs_names)
    sample.obs[name] = column.astype(str).str.upper().astype(form) if form in (str, "category") else column.astype(form)
    adata = ingest(tmp_path, sample)
    assert adata.obs_names.tolist() == sample.obs_names[inside].tolist()
    assert (sample.X[inside] != adata.X).nnz == 0
    assert f"40 of 120 cells are not in the tissue (obs['{name}']) and left out" in notes(adata)


@pytest.mark.parametrize(("value", "message"), [(0, "0 of 120 cells are in the tissue"), (7, "in_tissue.* holds 7;")])
def test_in_tissue_that_tells_nothing(tmp_path, value, message):
    sample = make_sample()
    sample.obs["in_tissue"] = value
    with pytest.raises(ReadError, match=message):
        ingest(tmp_path, sample)


@pytest.mark.parametrize(("missing", "form"), [(np.nan, float), ("", str), ("NA", "category")])
def test_spots_of_which_nothing_tells_whether_they_are_in_the_tissue_stay(tmp_path, missing, form):
    """As where objects with and without the column were joined."""
    sample = make_sample()
    column = pd.Series([1, 0, missing] * 40, index=sample.obs_names, dtype=object)
    sample.obs["in_tissue"] = column.astype(str if form == "category" else form).astype(form)
    adata = ingest(tmp_path, sample)
    assert adata.n_obs == 80
    assert "40 of 120 cells have no value in obs['in_tissue'] and are kept" in adata.uns[UNS]["warnings"]
    assert "40 of 120 cells are not in the tissue (obs['in_tissue']) and left out" in notes(adata)


@pytest.mark.parametrize(
    "columns", [("y", "x"), ("pxl_row_in_fullres", "pxl_col_in_fullres"), ("imagerow", "imagecol"), ("Y_um", "X_um"),
                ("centroid-0", "centroid-1"), ("row", "col"), ("array_row", "array_col")],
)  # fmt: skip
def test_names_tell_which_coordinate_is_x(tmp_path, columns):
    sample = make_sample()
    plane = sample.obsm["spatial"]
    sample.obsm["spatial"] = pd.DataFrame(plane[:, ::-1], index=sample.obs_names, columns=columns)
    assert np.array_equal(ingest(tmp_path, sample).obsm["spatial"], plane)


def test_names_that_tell_nothing_leave_the_order(tmp_path):
    sample = make_sample()
    plane = sample.obsm["spatial"]
    sample.obsm["spatial"] = pd.DataFrame(plane, index=sample.obs_names, columns=["first", "second"])
    assert np.array_equal(ingest(tmp_path, sample).obsm["spatial"], plane)


@pytest.mark.parametrize("key", ["X_spatial", "obs"])
def test_coordinates_as_converters_of_seurat_objects_and_curio_write_them(tmp_path, key):
    sample = make_sample()
    plane = sample.obsm.pop("spatial")
    if key == "obs":
        sample.obs["imagerow"], sample.obs["imagecol"] = plane[:, 1], plane[:, 0]
    else:
        sample.obsm[key] = plane
    adata = ingest(tmp_path, sample)
    assert np.array_equal(adata.obsm["spatial"], plane)
    assert "coordinates: " in notes(adata)


@pytest.mark.parametrize("names", [("x_global", "y_global"), ("CenterX_global_px", "CenterY_global_px")])
def test_columns_of_the_slide_go_before_those_inside_fields_of_view(tmp_path, names):
    sample = make_sample()
    plane = sample.obsm.pop("spatial")
    sample.obs["x"], sample.obs["y"] = plane[:, 0] % 7, plane[:, 1] % 7
    sample.obs[names[0]], sample.obs[names[1]] = plane[:, 0], plane[:, 1]
    adata = ingest(tmp_path, sample)
    assert np.array_equal(adata.obsm["spatial"], plane)
    assert f"{names[0]} and {names[1]} are taken, not x and y" in notes(adata, "warnings")


def test_coordinates_in_two_units_are_the_same_places(tmp_path):
    sample = make_sample()
    plane = sample.obsm.pop("spatial")
    sample.obs["x_um"], sample.obs["y_um"] = plane[:, 0], plane[:, 1]
    sample.obs["x_px"], sample.obs["y_px"] = 2 * plane[:, 0] + 5, -2 * plane[:, 1]
    assert "several coordinates" not in notes(ingest(tmp_path, sample), "warnings")


def test_without_coordinates_the_columns_of_obs_are_listed(tmp_path):
    sample = make_sample()
    del sample.obsm["spatial"]
    sample.obs["h_place"] = 1.0
    with pytest.raises(ReadError, match="obs holds.* h_place"):
        ingest(tmp_path, sample)


@pytest.mark.parametrize("raw", ["counts_Spatial", "umi", "counts"])
def test_counted_molecules_go_before_corrected_ones(tmp_path, raw):
    """As sctransform leaves them in converted Seurat objects."""
    sample = make_sample()
    sample.layers["SCT_counts"] = sp.csr_matrix(np.ceil(sample.X.toarray() / 2))
    sample.layers[raw] = sample.X.copy()
    counts = logs(sample)
    adata = ingest(tmp_path, sample)
    assert (counts != adata.X).nnz == 0
    assert f"layers/{raw} is taken, not layers/SCT_counts" in notes(adata, "warnings")


@pytest.mark.parametrize("told", ["totals", "var", "uns", "none", "measured totals"])
@pytest.mark.parametrize("place", ["X", "raw"])
def test_corrected_counts_of_seurat_are_a_warning(tmp_path, told, place):
    """Those of the SCT assay are whole numbers, too; without measured ones they are read, and told."""
    sample = make_sample()
    measured = sample.X.copy()
    sample.X = counts = sp.csr_matrix(np.ceil(measured.toarray() / 2))
    if place == "raw":
        sample.raw = sample.copy()
        logs(sample)
    if told in ("totals", "measured totals"):
        sample.obs["nCount_SCT" if told == "totals" else "nCount_Spatial"] = np.asarray(counts.sum(axis=1)).ravel()
    if told in ("var", "measured totals"):
        sample.var["sct.residual_variance"] = 1.0
    if told == "uns":
        sample.uns["SCT_snn"] = {"params": "none"}
    adata = ingest(tmp_path, sample)
    assert (counts != adata.X).nnz == 0
    corrected = told in ("totals", "var", "uns")
    assert ("counts that sctransform corrected" in notes(adata, "warnings")) == corrected
    sample.layers["RNA_counts"] = measured
    adata = ingest(tmp_path, sample)
    assert ((measured if corrected else counts) != adata.X).nnz == 0
    assert "sctransform" not in notes(adata, "warnings")


def test_two_layers_of_the_same_counts_are_no_question(tmp_path):
    sample = make_sample()
    sample.layers["raw_counts"], sample.layers["counts"] = sample.X.copy(), sample.X.copy()
    logs(sample)
    assert "several layers" not in notes(ingest(tmp_path, sample), "warnings")


def test_coordinates_inside_fields_of_view_are_refused(tmp_path):
    """As squidpy's reader of CosMx writes them, with those on the slide beside them."""
    sample = make_sample()
    sample.obs["fov"] = pd.Categorical(np.arange(120) % 3)
    origins = np.column_stack([1000.0 * (np.arange(120) % 3), np.zeros(120)])
    sample.obsm["spatial_fov"] = sample.obsm["spatial"] + origins
    with pytest.raises(ReadError, match=r"adata.obsm\['spatial'\] = adata.obsm\['spatial_fov'\]"):
        ingest(tmp_path, sample)


def spots(**scalefactors):
    """A Visium sample as scanpy reads it."""
    positions = visium_positions()
    sample = make_sample(n_cells=len(positions))
    sample.obs = positions.set_index("barcode")[["array_row", "array_col"]].rename_axis(None)
    pixels = positions[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()
    sample.obsm["spatial"] = pixels
    if scalefactors:
        sample.uns["spatial"] = {"is_single": True, "lib": {"scalefactors": scalefactors, "metadata": {}}}
    return sample, pixels


def test_the_lattice_of_spots_gives_the_scale(tmp_path):
    sample, pixels = spots()
    adata = ingest(tmp_path, sample)
    assert adata.uns[UNS]["spatial_unit"] == "um"
    assert np.allclose(adata.obsm["spatial"], pixels * UM_PER_PX, rtol=0.01)
    # what the file or the sheet says goes before
    assert ingest(tmp_path, sample, spatial_unit="px").uns[UNS]["spatial_unit"] == "px"
    sample.uns["spatial_unit"] = "um"
    assert np.array_equal(ingest(tmp_path, sample).obsm["spatial"], pixels)


def test_the_diameter_of_a_spot_gives_the_scale_where_the_lattice_does_not(tmp_path):
    sample, pixels = spots(spot_diameter_fullres=130.0)
    sample.obs["array_row"] = np.arange(len(sample))
    adata = ingest(tmp_path, sample)
    assert np.allclose(adata.obsm["spatial"], pixels / 2)
    assert "spot_diameter_fullres" in adata.uns[UNS]["um_per_unit_source"]


HD_PX = 0.2738


def bins(side=8, names="s_{side:03d}um_{row:05d}_{col:05d}-1", scale=HD_PX, **scalefactors):
    """Bins of Visium HD as scanpy and spatialdata-io read them, and their micrometres."""
    row, col = (part.ravel() for part in np.mgrid[100:112, 200:210])
    sample = make_sample(n_cells=120)
    sample.obs = pd.DataFrame({"array_row": row, "array_col": col})
    sample.obs.index = [names.format(side=side, row=r, col=c) for r, c in zip(row, col)]
    um = np.column_stack([col, row]) * float(side)
    sample.obsm["spatial"] = um / scale
    if scalefactors:
        sample.uns["spatial"] = {"lib": {"scalefactors": {"spot_diameter_fullres": side / HD_PX} | scalefactors}}
    return sample, um


@pytest.mark.parametrize("platform", ["", "visium_hd"])
@pytest.mark.parametrize("side", [2, 8, 16])
@pytest.mark.parametrize(
    ("names", "scalefactors", "source"),
    [
        ("{row}x{col}", {"microns_per_pixel": HD_PX, "bin_size_um": 1}, "microns_per_pixel"),
        ("s_{side:03d}um_{row:05d}_{col:05d}-1", {"microns_per_pixel": HD_PX}, "microns_per_pixel"),
        ("P1_s_{side:03d}um_{row:05d}_{col:05d}-1", {"tissue_hires_scalef": 0.1}, "spacing of bins of"),
        ("s_{side:03d}um_{row:05d}_{col:05d}-1", {}, "spacing of bins of"),
    ],
)
def test_bins_are_no_spots(tmp_path, platform, side, names, scalefactors, source):
    """What Space Ranger calls the diameter of a spot is the side of a bin there, and no 65 um."""
    sample, um = bins(side, names, **scalefactors)
    adata = ingest(tmp_path, sample, platform=platform)
    assert np.allclose(adata.obsm["spatial"], um, rtol=1e-4)
    assert source in adata.uns[UNS]["um_per_unit_source"]


def test_the_side_of_a_bin_gives_the_scale(tmp_path):
    sample, um = bins(8, "b{row}x{col}", bin_size_um=8.0)
    adata = ingest(tmp_path, sample)
    assert np.allclose(adata.obsm["spatial"], um, rtol=1e-4)
    assert "side of a bin" in adata.uns[UNS]["um_per_unit_source"]


def test_bins_whose_coordinates_were_converted_beside_their_scale_factors(tmp_path):
    sample, um = bins(8, scale=1.0, microns_per_pixel=HD_PX)
    assert np.allclose(ingest(tmp_path, sample).obsm["spatial"], um)


def test_cells_made_of_bins_have_the_scale_of_the_pixels(tmp_path):
    """bin2cell: places on the array are means over bins, and the diameter is that of a cell."""
    sample, um = bins(2, "{row}{col}", microns_per_pixel=HD_PX, spot_diameter_fullres=31.0, bin_size_um=2.0)
    sample.obs["array_row"] += 0.25
    assert np.allclose(ingest(tmp_path, sample).obsm["spatial"], um, rtol=1e-4)
    del sample.obs["array_row"]
    assert np.allclose(ingest(tmp_path, sample).obsm["spatial"], um, rtol=1e-4)


@pytest.mark.parametrize("platform", ["", "visium", "st", "visium_hd"])
@pytest.mark.parametrize("shift", [0, 0.25])
def test_the_scale_of_spots_on_a_square_array_is_not_guessed(tmp_path, platform, shift):
    """The first arrays: spots of 100 um, 200 um apart."""
    sample, um = bins(200, "{row}x{col}", scale=0.6, spot_diameter_fullres=100 / 0.6)
    sample.obs["array_row"] += shift
    adata = ingest(tmp_path, sample, platform=platform)
    assert adata.uns[UNS]["spatial_unit"] == "unknown"
    assert np.array_equal(adata.obsm["spatial"], sample.obsm["spatial"])
    assert "um_per_px in the samplesheet states the scale" in notes(adata)
    stated = ingest(tmp_path, sample, platform=platform, um_per_px="0.6")
    assert np.allclose(stated.obsm["spatial"], um)
    assert "um_per_px in the samplesheet" not in notes(stated)


def test_stereopy_counts_in_spots_of_the_chip(tmp_path):
    sample = make_sample()
    sample.uns |= {"bin_type": "bins", "bin_size": 50, "resolution": 500}
    sample.var["real_gene_name"] = [f"GENE{j}" for j in range(20)]
    sample.var_names = [f"ENSMUSG{j:011d}" for j in range(20)]
    adata = ingest(tmp_path, sample)
    assert np.allclose(adata.obsm["spatial"], sample.obsm["spatial"] / 2)
    assert adata.var_names[0] == "GENE0"


@pytest.mark.parametrize("column", ["feature_types", "Feature_Type", "Type"])
def test_types_tell_controls_and_proteins(tmp_path, column):
    sample = make_sample(n_features=6)
    types = ["Gene Expression", "Negative Control Probe", "Gene Expression", "Antibody Capture", "Unassigned Codeword",
             "Gene Expression"]  # fmt: skip
    sample.var[column] = types
    dense = sample.X.toarray()
    adata = ingest(tmp_path, sample)
    assert np.array_equal(adata.X.toarray(), dense[:, [0, 2, 5]])
    assert np.array_equal(adata.obs["control_counts"], dense[:, [1, 4]].sum(axis=1))
    assert np.array_equal(adata.obsm["protein"], dense[:, [3]])
    assert adata.uns["semanticst"]["protein_names"] == ["gene_3"]
    assert "1 proteins are kept beside the genes (counts; by their type)" in notes(adata)


def test_kinds_of_genes_are_no_types(tmp_path):
    sample = make_sample(n_features=4)
    sample.var["type"] = ["gene", "pseudogene", "gene", "lncRNA"]
    sample.var["feature_type"] = ["protein_coding", "lncRNA", "protein_coding", "protein_coding"]
    assert ingest(tmp_path, sample).n_vars == 4


CONTROLS = [
    "NegPrb1", "Negative01", "SystemControl7", "FalseCode12", "NegControlProbe_00042", "NegControlCodeword_0500",
    "UnassignedCodeword_0001", "BLANK_0006", "Blank-12", "blank 3", "DeprecatedCodeword_1", "Ms IgG1", "Rb_IgG",
    "Negative Control 2",
]  # fmt: skip
GENES = ["NEGR1", "BLNK", "IGHG1", "NELFA", "NegriGene", "CONTROL1", "SYS1", "DEPDC1", "Negative regulator", "UNC5A"]


def test_names_tell_controls(tmp_path):
    sample = make_sample(n_features=len(CONTROLS + GENES))
    sample.var_names = CONTROLS + GENES
    adata = ingest(tmp_path, sample)
    assert adata.var_names.tolist() == GENES
    assert f"{len(CONTROLS)} control features set apart" in notes(adata)
    assert "told to be controls by their names: NegPrb1, Negative01, SystemControl7, ..." in notes(adata)


@pytest.mark.parametrize(
    "form", [["FALSE", "TRUE"], ["false", "true"], ["F", "T"], ["0", "1"], [0.0, 1.0], ["no", "yes"]]
)
@pytest.mark.parametrize("category", [False, True])
def test_controls_marked_in_any_spelling(tmp_path, form, category):
    sample = make_sample(n_features=5)
    sample.var["control"] = [form[j % 2] for j in range(5)]
    if category:
        sample.var["control"] = sample.var["control"].astype("category")
    assert ingest(tmp_path, sample).var_names.tolist() == ["gene_0", "gene_2", "gene_4"]


def test_controls_marked_with_other_words_are_refused(tmp_path):
    sample = make_sample(n_features=3)
    sample.var["control"] = ["gene", "gene", "blank"]
    with pytest.raises(ReadError, match=r"var\['control'\] holds 'gene'; true and false"):
        ingest(tmp_path, sample)


@pytest.mark.parametrize("column", ["Symbol", "SYMBOL", "real_gene_name", "feature_name", "gene.name", "GeneSymbol"])
def test_symbols_under_the_names_that_programs_give_them(tmp_path, column):
    sample = make_sample(n_features=4)
    sample.var = pd.DataFrame(
        {"ID": [f"ENSG{j:011d}" for j in range(4)], column: ["MT-CO1", None, "CD3E", "nan"]},
        index=[f"ENSG{j:011d}" for j in range(4)],
    )
    adata = ingest(tmp_path, sample)
    assert adata.var_names.tolist() == ["MT-CO1", "ENSG00000000001", "CD3E", "ENSG00000000003"]


@pytest.mark.parametrize("joint", ["_", "|", "-"])
def test_ids_and_symbols_in_one_name_are_taken_apart(tmp_path, joint):
    sample = make_sample(n_features=3)
    sample.var_names = [f"ENSG00000000001.2{joint}MT-CO1", f"ENSG00000000002{joint}CD3E", "Custom1"]
    adata = ingest(tmp_path, sample)
    assert adata.var_names.tolist() == ["MT-CO1", "CD3E", "Custom1"]
    assert adata.var["gene_id"].tolist()[:2] == ["ENSG00000000001", "ENSG00000000002"]


def test_a_column_of_ids_is_not_taken_for_symbols(tmp_path):
    sample = make_sample(n_features=4)
    names = [f"ENSG{j:011d}" for j in range(4)]
    sample.var = pd.DataFrame({"name": names, "feature_name": ["A", "B", "C", "D"]}, index=names)
    assert ingest(tmp_path, sample).var_names.tolist() == ["A", "B", "C", "D"]


def test_numbers_as_names_give_way_to_symbols(tmp_path):
    sample = make_sample(n_features=3)
    sample.var_names = ["0", "1", "2"]
    assert ingest(tmp_path, sample).var_names.tolist() == ["0", "1", "2"]
    sample.var["gene_symbol"] = ["CD3E", "CD4", "VIM"]
    assert ingest(tmp_path, sample).var_names.tolist() == ["CD3E", "CD4", "VIM"]


@pytest.mark.parametrize("where", ["obs", "obsm"])
@pytest.mark.parametrize(("unit", "factor"), [("um", 1), ("mm", 1000), ("nm", 0.001)])
def test_names_of_coordinates_tell_their_unit(tmp_path, where, unit, factor):
    sample = make_sample()
    named = pd.DataFrame(sample.obsm["spatial"], sample.obs_names, [f"x_{unit}", f"y_{unit}"])
    if where == "obsm":
        sample.obsm["spatial"] = named
    else:
        sample.obs = sample.obs.join(named)
    points = named.to_numpy()
    if where == "obs":
        del sample.obsm["spatial"]
    adata = ingest(tmp_path, sample)
    assert adata.uns[UNS]["spatial_unit"] == "um"
    np.testing.assert_allclose(adata.obsm["spatial"], points * factor)


@pytest.mark.parametrize("form", ["category", "text", "obsm of text", "Spatial"])
def test_coordinates_as_text_and_in_another_case(tmp_path, form):
    sample = make_sample()
    points = sample.obsm["spatial"].copy()
    if form in ("category", "text"):
        del sample.obsm["spatial"]
        for name, values in zip(("x", "y"), points.T):
            sample.obs[name] = pd.Series(values.astype(str), index=sample.obs_names, dtype="object")
            if form == "category":
                sample.obs[name] = sample.obs[name].astype("category")
    elif form == "Spatial":
        sample.obsm["Spatial"] = sample.obsm.pop("spatial")
    else:
        sample.obsm["spatial"] = points.astype(str).astype(object)
    np.testing.assert_allclose(ingest(tmp_path, sample).obsm["spatial"], points)


@pytest.mark.parametrize("place", ["X", "raw"])
def test_counts_that_were_logarithms_are_whole_again(tmp_path, place):
    """expm1 of log1p misses whole numbers by a millionth."""
    sample = make_sample()
    counts = sample.X.copy()
    sample.X = sp.csr_matrix(np.expm1(np.log1p(counts.toarray())).astype(np.float32))
    assert (counts != sample.X).nnz
    if place == "raw":
        sample.raw = sample.copy()
        logs(sample)
    adata = ingest(tmp_path, sample)
    assert (counts != adata.X).nnz == 0
    assert adata.uns[UNS]["feature_type"] == "counts"
    assert "but for rounding errors" in notes(adata)


@pytest.mark.parametrize(
    ("factor", "told"),
    [(0.001, "120 cells lie in 0.1"), (1, ""), (1000, "120 cells lie in 10"), (10_000, "mm wide, and no slide is")],
)
def test_a_unit_that_cannot_be_right_is_a_warning(tmp_path, factor, told):
    """Millimetres that are called micrometres, nanometres, a size of pixels that was taken twice."""
    sample = make_sample()
    sample.obsm["spatial"] *= factor
    warned = notes(ingest(tmp_path, sample, spatial_unit="um"), "warnings")
    assert ("are spatial_unit and um_per_px right" in warned) == bool(told)
    assert told in warned


def test_coordinates_of_another_number_of_cells_are_refused(tmp_path):
    make_sample().write_h5ad(tmp_path / "s.h5ad")
    with h5py.File(tmp_path / "s.h5ad", "a") as file:
        points, attrs = file["obsm/spatial"][:], dict(file["obsm/spatial"].attrs)
        del file["obsm/spatial"]
        file["obsm/spatial"] = points.T
        file["obsm/spatial"].attrs.update(attrs)
    with pytest.raises(ReadError, match="is 2 x 120, but there are 120 cells: cells x 2 is expected"):
        ingest_sample({"sample": "s1", "patient": "p1", "path": str(tmp_path / "s.h5ad")})


def test_a_filter_that_is_not_here_is_told(tmp_path):
    """zstd and blosc of hdf5plugin."""
    make_sample().write_h5ad(tmp_path / "s.h5ad")
    with h5py.File(tmp_path / "s.h5ad", "a") as file:
        values = file["X/data"][:]
        del file["X/data"]
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk(values.shape)
        made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        space, kind = h5py.h5s.create_simple(values.shape), h5py.h5t.py_create(values.dtype)
        h5py.h5d.create(file["X"].id, b"data", kind, space, made).write_direct_chunk((0,), values.tobytes()[:99], 0)
    with pytest.raises(ReadError, match="compressed by a filter of hdf5plugin .* compression='gzip'"):
        ingest_sample({"sample": "s1", "patient": "p1", "path": str(tmp_path / "s.h5ad")})


def test_coordinates_that_are_stored_sparse(tmp_path):
    sample = make_sample()
    points = np.asarray(sample.obsm["spatial"])
    sample.obsm["spatial"] = sp.csr_matrix(points)
    assert np.array_equal(ingest(tmp_path, sample).obsm["spatial"], points)


def test_counts_go_before_rounded_logarithms(tmp_path):
    sample = make_sample(n_cells=600)
    counts = np.random.default_rng(0).poisson(8, sample.shape).astype(np.float32)
    sample.X = sp.csr_matrix(counts)
    sample.raw = sample.copy()
    sample.X = sp.csr_matrix(np.rint(np.log1p(counts * 40)))
    adata = ingest(tmp_path, sample)
    assert np.array_equal(adata.X.toarray(), counts)
    assert adata.uns[UNS]["matrix"] == "raw/X"
    sample.layers["counts"], sample.X, sample.raw = sample.X, sp.csr_matrix(counts), None
    adata = ingest(tmp_path, sample)
    assert np.array_equal(adata.X.toarray(), counts)
    assert adata.uns[UNS]["matrix"] == "X"


def test_names_that_a_spreadsheet_made_dates_of_are_a_warning(tmp_path):
    sample = make_sample(n_features=6)
    sample.var_names = ["1-Mar", "Sep-02", "2022-12-01", "MARCH1", "DEC1", "CD3E"]
    (warning,) = ingest(tmp_path, sample).uns[UNS]["warnings"]
    assert warning.endswith("(MARCH1, SEPT2, DEC1): 1-Mar, Sep-02, 2022-12-01")


def test_genes_of_two_genomes_are_a_warning(tmp_path):
    sample = make_sample()
    sample.var_names = [f"GRCh38_G{i}" for i in range(20)]
    assert "genomes" not in notes(ingest(tmp_path, sample), "warnings")
    sample.var_names = [f"GRCh38_G{i}" if i < 12 else f"mm10___G{i}" for i in range(20)]
    assert "genes are of 2 genomes: GRCh38 (12), mm10 (8)" in notes(ingest(tmp_path, sample), "warnings")


def test_features_of_objects_that_came_from_seurat(tmp_path):
    """var['features'] beside the numbers of the rows: symbols, or ids of Ensembl."""
    sample = make_sample(n_features=3)
    sample.var_names = ["0", "1", "2"]
    sample.var["features"] = ["CD3E", "MT-CO1", "VIM"]
    assert ingest(tmp_path, sample).var_names.tolist() == ["CD3E", "MT-CO1", "VIM"]
    sample.var["features"] = [f"ENSG{j:011d}.2" for j in range(3)]
    adata = ingest(tmp_path, sample)
    assert adata.var_names.tolist() == adata.var["gene_id"].tolist() == [f"ENSG{j:011d}" for j in range(3)]


@pytest.mark.parametrize("nameless", ["", "nan", "<NA>"])
def test_nameless_features_go_by_their_ids_or_are_left_out(tmp_path, nameless):
    sample = make_sample(n_features=5)
    sample.var_names = ["CD3E", nameless, "Unnamed: 0", "CD4", "CD8A"]
    dense = sample.X.toarray()
    adata = ingest(tmp_path, sample)
    assert np.array_equal(adata.X.toarray(), dense[:, [0, 3, 4]])
    assert "2 features without a name are left out" in notes(adata)
    sample.var["gene_id"] = [f"ENSG{j:011d}" for j in range(5)]
    names = ingest(tmp_path, sample).var_names.tolist()
    assert names == ["CD3E", "ENSG00000000001", "ENSG00000000002", "CD4", "CD8A"]


def test_one_feature_that_is_left_after_adding_up_is_an_error(tmp_path):
    sample = make_sample(n_features=4)
    sample.var_names = ["same"] * 4
    with pytest.raises(ReadError, match="1 features are left after those of one name were added up"):
        ingest(tmp_path, sample)


def test_nullable_strings_are_read(tmp_path):
    sample = make_sample()
    sample.obs["slice_note"] = pd.array(["a"] * 60 + [None] * 60, dtype="string")
    sample.obs["cell_type"] = pd.Categorical(pd.array(["T", "B"] * 60, dtype="string"))
    sample.var["symbol"] = pd.array(sample.var_names, dtype="string")
    with ad.settings.override(allow_write_nullable_strings=True), h5py.File(tmp_path / "s.h5ad", "w") as file:
        for part in ("obs", "var"):
            frame = getattr(sample, part)
            ad.io.write_elem(file, part, frame.set_axis(pd.Index(frame.index, dtype="string"), axis=0))
        ad.io.write_elem(file, "X", sample.X)
        ad.io.write_elem(file, "obsm", dict(sample.obsm))
    adata = ingest_sample({"sample": "s1", "patient": "p1", "path": str(tmp_path / "s.h5ad")})
    adata.write_h5ad(tmp_path / "out.h5ad")
    back = ad.read_h5ad(tmp_path / "out.h5ad")
    assert back.obs["cell_type"].tolist() == ["T", "B"] * 60
    assert back.obs["slice_note"].notna().sum() == 60
    assert back.obs_names.tolist() == sample.obs_names.tolist()


def test_names_that_contradict_the_matrix_are_refused(tmp_path):
    make_sample().write_h5ad(tmp_path / "s.h5ad")
    with h5py.File(tmp_path / "s.h5ad", "r+") as file:
        del file["X"]
        ad.io.write_elem(file, "X", np.ones((120, 7)))
    with pytest.raises(ReadError, match="damaged: X is 120 x 7, but there are 120 x 20 names"):
        ingest_sample({"sample": "s1", "patient": "p1", "path": str(tmp_path / "s.h5ad")})


@pytest.mark.parametrize("mask", ["counts_binary", "counts", "ambiguous_counts"])
def test_a_mask_or_a_part_of_the_counts_does_not_win_over_them(tmp_path, mask):
    sample = make_sample()
    sample.layers[mask] = (sample.X > 0).astype(np.float32)
    sample.layers["raw_counts"] = sample.X.copy()
    counts = logs(sample)
    adata = ingest(tmp_path, sample)
    assert (counts != adata.X).nnz == 0


def test_several_features_called_na_are_nameless(tmp_path):
    sample = make_sample(n_features=5)
    sample.var_names = ["CD3E", "NA", "NA", "CD4", "CD8A"]
    adata = ingest(tmp_path, sample)
    assert adata.var_names.tolist() == ["CD3E", "CD4", "CD8A"]


def test_features_without_names_but_row_numbers_are_a_warning_that_says_where_names_are(tmp_path):
    sample = make_sample()
    symbols = list(sample.var_names)
    sample.var_names = [str(i) for i in range(sample.n_vars)]
    assert "features have no names but the numbers of their rows (0 to " in notes(ingest(tmp_path, sample), "warnings")
    sample.var["SYMBOL_x"], sample.var["length"] = symbols, np.arange(sample.n_vars) * 10
    told = notes(ingest(tmp_path, sample), "warnings")
    assert "names may be in var['SYMBOL_x']: give their symbols as names" in told
    assert "length" not in told
    adata = ingest(tmp_path, sample[:, ::2].copy())  # ids of NCBI are numbers, too
    assert "no names" not in notes(adata, "warnings")
    sample.var["symbol"] = symbols
    adata = ingest(tmp_path, sample)
    assert set(adata.var_names) <= set(symbols)
    assert "no names" not in notes(adata, "warnings")
