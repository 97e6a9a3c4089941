"""What columns are no features, by their names, in the tables of the programs that write them."""

import numpy as np
import pandas as pd
import pytest

from semanticst.io.feature_roles import CONTROL_NAMES
from semanticst.io.ingest import ingest_sample
from semanticst.io.readers.column_roles import DERIVED, MEASURED, odd_features, roles
from semanticst.io.readers.tables import SINGLE, Wanted
from vendor_helpers import make_truth, write_single

INFORM = "(Normalized Counts, Total Weighting)"
TABLES = {
    "QuPath": (
        ["Nucleus: DAPI mean", "Cell: CD3 mean", "Cell: CD8 mean"],
        ["Object ID", "Detection probability", "Distance to annotation with Tumor µm", "Signed distance to Tumor µm",
         "Delaunay: Num neighbors", "Delaunay: Mean distance", "Cluster mean: Nucleus: Area", "Cluster size",
         "ROI: 2.00 µm per pixel: Hematoxylin: Haralick Angular second moment (F0)", "Nucleus: Solidity",
         "Subcellular: Channel 2: Num spots estimated", "Smoothed: 25 µm: Cell: CD3 mean", "Nucleus: Area µm^2",
         "Nucleus: CD3 mean", "Cell: CD3 max", "a column of one's own"],
    ),
    "QuPath, markers called as percentiles are": (
        ["Cell: p53 mean", "Cell: p16 mean", "Cell: CD3 mean", "Cell: AF488 p63 mean"],
        ["Nucleus: p53 mean", "Cell: p53 max", "Nucleus: p16 mean", "Cell: p16 std dev", "Nucleus: CD3 mean",
         "Nucleus: AF488 p63 mean"],
    ),
    "QuPath, markers called as percentiles are, since 0.3": (
        ["p53: Cell: Mean", "p16: Cell: Mean", "AF488 p63: Cell: Mean"],
        ["p53: Nucleus: Mean", "p16: Nucleus: Mean", "p16: Cell: Percentile: 90", "p53: Cell: 90th percentile",
         "p53: Cell: p95",
         "AF488 p63: Nucleus: Mean"],
    ),
    "inForm, markers called as percentiles are": (
        [f"Entire Cell p53 Mean {INFORM}", "Entire Cell p40 Mean", "Entire Cell p16 (Opal 520) Mean"],
        [f"Entire Cell p53 Min {INFORM}", f"Entire Cell p53 Std Dev {INFORM}", f"Nucleus p53 Mean {INFORM}",
         "Nucleus p40 Mean", "Entire Cell p40 Max", "Nucleus p16 (Opal 520) Mean", "Entire Cell p16 (Opal 520) Max"],
    ),
    "percentiles": (
        ["CD3_mean", "p16_mean"],
        ["CD3_p95", "CD3_p5", "p16_p95", "CD3_percentile_50", "CD3_99.5th percentile"],
    ),
    "QuPath, since InstanSeg (PhenoCycler-Fusion)": (
        ["DAPI: Nucleus: Mean", "CD3: Cell: Mean"],
        ["DAPI: Nucleus: Std.Dev.", "CD3: Nucleus: Mean", "CD3: Cell: Median", "CD3: Cell: Percentile: 80.0",
         "Nucleus: Length µm", "Nucleus/Cell area ratio", "Detection probability"],
    ),
    "MCMICRO, two masks": (
        ["DNA1_cellMask", "CD3_cellMask"],
        ["CellID", "DNA1_nucleiMask", "CD3_nucleiMask", "X_centroid", "Y_centroid", "column_centroid", "row_centroid",
         "Area", "Extent"],
    ),
    "MCMICRO, rings": (
        ["DNA1_cellRingMask", "CD3_cellRingMask"],
        ["CellID", "DNA1_nucleiRingMask", "CD3_nucleiRingMask"],
    ),
    "MCMICRO, several statistics": (["DNA1", "CD3"], ["CellID", "DNA1_intensity_median", "CD3_gini_index"]),
    "steinbock and ark": (
        ["CD3", "CD45", "H3K27me3"],
        ["Object", "label", "CD3_nuclear", "bbox-0", "bbox_min_row", "cell_size", "centroid-0", "moments_hu-0",
         "inertia_tensor-0-0", "weighted_centroid-1", "area_nuclear", "nc_ratio", "max_feret_diameter", "slide_no"],
    ),
    "CellProfiler": (
        ["Cells_Intensity_MeanIntensity_CD3", "Cells_Intensity_MeanIntensity_CD8"],
        ["ObjectNumber", "Nuclei_Intensity_MeanIntensity_CD3", "Cells_Intensity_MeanIntensityEdge_CD3",
         "Cells_Intensity_IntegratedIntensity_CD8", "Cells_AreaShape_Area", "Cells_Neighbors_NumberOfNeighbors_5"],
    ),
    "HALO": (
        ["CD3 Cell Intensity", "DAPI Cell Intensity"],
        ["Object Id", "XMin", "YMax", "CD3 Positive Classification", "CD3 Nucleus Intensity", "Classifier Label",
         "CD3 % Nucleus Completeness", "Cell Area (µm²)", "Nucleus Perimeter (µm)", "Analysis Region",
         "Algorithm Name"],
    ),
    "HALO, positive calls only": (
        ["CD3 Positive Classification", "CD8 (Opal 520) Positive Classification"],
        ["Object Id", "Image Location", "CD3 Positive Nucleus Classification", "CD3+CD8+", "Analysis Region"],
    ),
    "inForm": (
        [f"Entire Cell CD3 (Opal 520) Mean {INFORM}", f"Entire Cell DAPI Mean {INFORM}"],
        ["Cell ID", "Phenotype", f"Nucleus CD3 (Opal 520) Mean {INFORM}", f"Entire Cell DAPI Total {INFORM}",
         "Entire Cell Area (pixels)", "Nucleus Axis Ratio", "Distance from Process Region Edge (microns)",
         "Tissue Category", "Confidence"],
    ),
    "objects in R and Python": (
        ["CD3", "PC", "ICA1"],
        ["UMAP_1", "UMAP2", "X_umap1", "tSNE 1", "PC_1", "n_genes_by_counts", "nCount_RNA", "percent.mt",
         "leiden_res1", "cell_density", "dist_to_border", "doublet_score", "spatial_kmeans", "tumor_ROI"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("program", TABLES)
def test_each_marker_once_and_nothing_else(program):
    markers, others = TABLES[program]
    found = roles([*others[:2], *markers, *others[2:]])
    assert [name for name in markers if name in found] == []
    assert [name for name in others if name not in found] == []


@pytest.mark.parametrize("name", [
    "CD3E", "MT-CO1", "Ki67", "DNA1", "HLA-DR", "Cell: CD3 mean", "AREG", "IDH1", "XIST", "COL1A1", "IDS", "N_Cadherin",
    "Total-Tau", "S6 total", "Collagen 4", "Col1", "PCA", "Membrane protein", "Pan-cytokeratin", "Nuclear pore",
    "beta-actin", "MDS2", "PC", "LBP", "Granzyme B", "p53", "p16", "Cy5_p53", "nucleus p53", "Cell: p63", "phospho p38",
])  # fmt: skip
def test_markers_and_genes_are_features(name):
    assert roles([name]) == {}


def test_calls_of_ones_own_leave_other_markers_alone():
    columns = ["CD3", "CD8", "PanCK", "CD3 positive", "SMA positive", "CD45 positive"]
    assert roles(columns) == {"CD3 positive": MEASURED}


def test_names_that_are_nearly_alike_are_no_repeats():
    assert roles(["HLA-A", "HLA.A", "Cd3", "CD3", "S6", "S6 total", "A", "B", "A"]) == {}


def test_dyes_before_markers_that_are_called_as_percentiles_are():
    assert roles(["Cy5", "Cy5_p53", "Cy5_p16", "AF647_p53", "AF647_p16", "Cy5_CD3"]) == {}


def test_what_was_left_out_and_why_is_told(tmp_path):
    truth = make_truth()
    file = write_single(
        tmp_path / "cells.csv", truth, UMAP_1=0.5, Area=3, CD3E_nucleus=7, dist_to_border=3.5, slide_no=4
    )
    adata = SINGLE.read(file, Wanted())
    truth.check(adata)
    assert adata.uns["notes"][1:3] == [
        "columns left out, as no features: derived by software (UMAP_1, dist_to_border)",
        "1 columns left out: another statistic or compartment of a marker that is taken already (CD3E_nucleus)",
    ]
    assert list(adata.obs) == ["slide_no", "cell_area_in_units"]


def test_shapes_among_the_features_of_an_object_are_a_warning():
    assert odd_features(["CD3E", "Eccentricity", "UMAP_1"]) == [
        "features that look like measures of shape, places or derived values, and no markers: Eccentricity, UMAP_1"
    ]
    assert odd_features(["CD3E", "IDS", "MDS2", "BBOX1", "Prob1", "PCA3"]) == []


def test_genes_that_are_called_as_what_software_derives():
    assert roles(["CD3E", "BBOX1", "BBOX1-AS1", "PROB1", "Bbox1", "PCA3"]) == {}
    assert roles(["CD3E", "PCA1", "PCA2", "PCA3"]) == dict.fromkeys(["PCA1", "PCA2", "PCA3"], DERIVED)
    assert set(roles(["CD3E", "bbox_1", "bbox-0", "prob"])) == {"bbox_1", "bbox-0", "prob"}


def test_antibodies_among_genes_are_a_warning():
    (warning,) = odd_features(["CD3E", "ADT_CD3", "adt-CD4", "CD8_TotalSeqB", "ADTRP"], counted=True)
    assert warning.startswith("3 features are called as antibodies are, among genes: ADT_CD3, adt-CD4, CD8_TotalSeqB;")
    assert odd_features(["CD3E", "ADT_CD3"]) == []


def test_boxes_of_halo_have_a_centre(tmp_path):
    truth = make_truth()
    x, y = truth.spatial.T
    frame = truth.frame.set_axis([f"{name} Cell Intensity" for name in truth.genes], axis=1)
    frame = frame.assign(**{"Object Id": truth.ids, "XMin": x - 4, "XMax": x + 4, "YMin": y - 2, "YMax": y + 2})
    file = tmp_path / "object_data.csv"
    frame.assign(**{"CD3 Positive": 1, "Cell Area (µm²)": 7}).to_csv(file, index=False)
    adata = SINGLE.read(file, Wanted())
    truth.check(adata, genes=list(frame.columns[: len(truth.genes)]))
    assert adata.uns["notes"][1] == "columns left out, as no features: no measurement of a marker (CD3 Positive)"
    assert list(adata.obs["cell_area"]) == [7] * len(truth.ids)


def test_positive_calls_of_halo_alone_are_binary_markers(tmp_path):
    draw = np.random.default_rng(0)
    calls = pd.DataFrame(
        draw.integers(0, 2, (60, 3)), columns=[f"{m} Positive Classification" for m in ("A", "B", "C")]
    )
    x, y = draw.random((2, 60)) * 500
    table = calls.assign(**{"Object Id": range(60), "XMin": x, "XMax": x + 4, "YMin": y, "YMax": y + 4})
    table.assign(**{"Image Location": "a.ndpi", "Analysis Region": "Layer 1"}).to_csv(tmp_path / "h.csv", index=False)
    adata = ingest_sample({"sample": "s", "patient": "p", "path": str(tmp_path / "h.csv")})
    assert adata.uns["semanticst"]["feature_type"] == "binary"
    assert list(adata.var_names) == list(calls)
    assert (adata.X.toarray() == calls.to_numpy()).all()


@pytest.mark.parametrize("column", ["AreaShape_Area", "cell_size", "Area"])
def test_areas_have_the_unit_of_the_coordinates(tmp_path, column):
    file = write_single(tmp_path / "cells.csv", make_truth(), **{column: 8})
    row = {"sample": "s", "patient": "p", "path": str(file)}
    adata = ingest_sample(row | {"um_per_px": "0.5"})
    assert set(adata.obs["cell_area"]) == {2.0}
    assert not any("unit" in note for note in adata.uns["semanticst"]["notes"])
    adata = ingest_sample(row)
    assert "cell_area" not in adata.obs
    assert any("areas of cells are not used: their unit is not known" in n for n in adata.uns["semanticst"]["notes"])


def test_second_columns_of_one_name_and_what_other_programs_derive_are_no_markers():
    """pandas numbers them; CODEX writes tiles, histoCAT neighbours that touch."""
    columns = ["cell_id", "x", "y", "x.1", "y.1", "Class", "Class.1", "CD3", "CD3.1", "x_tile", "Percent_Touching"]
    assert set(columns) - set(roles(columns)) == {"CD3", "CD3.1"}


@pytest.mark.parametrize(
    ("name", "is_control"),
    [
        ("Blank", True), ("empty", True), ("Empty_2", True), ("blank-Cy3-5", True), ("cyc005_ch001:blank", True),
        ("Empty_c4", True), ("cyc005_ch001:CD3", False), ("Blanking", False), ("CD3", False),
    ],
)  # fmt: skip
def test_channels_without_an_antibody_are_controls(name, is_control):
    assert bool(CONTROL_NAMES.match(name)) == is_control
