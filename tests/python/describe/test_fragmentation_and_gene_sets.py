"""Patches, cell types per sample, and gene sets of niches whose answer is known."""

import numpy as np
import pytest

from report_helpers import make_cohort_object
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe.composition import sample_cell_types
from semanticst.describe.fragmentation import first_cells_of_patches, niche_patches
from semanticst.describe.gene_sets import niche_gene_sets, read_gene_sets
from semanticst.describe.markers import scale_of_markers
from semanticst.errors import BadInput


@pytest.fixture
def cohort(tmp_path):
    make_cohort_object().write_h5ad(tmp_path / "cohort.h5ad")
    return read_cohort(tmp_path / "cohort.h5ad")


def test_whole_areas_are_one_patch_each(cohort):
    table = niche_patches(cohort)
    assert table.columns.tolist() == ["sample", "patient", "niche", "n_cells", "n_patches"]
    assert table["n_patches"].tolist() == [1] * 9
    assert table.loc[table["sample"] == "s1", "n_cells"].tolist() == [72, 36, 36]


def test_lonely_cells_are_patches_of_their_own():
    """A row of six cells, neighbours left and right: niches 0 0 1 0 1 1."""
    niche = np.array([0, 0, 1, 0, 1, 1])
    cells = first_cells_of_patches(niche, np.arange(5), np.arange(1, 6))
    assert cells.tolist() == [0, 2, 3, 4]


def test_cell_types_add_up_to_the_niche(cohort):
    table = sample_cell_types(cohort)
    assert table.columns.tolist() == ["sample", "patient", "niche", "cell_type", "n_cells"]
    assert table.groupby(["sample", "niche"])["n_cells"].sum().loc["s1"].tolist() == [72, 36, 36]
    assert set(table.loc[table["niche"] == 1, "cell_type"]) == {"T cell"}


def test_gene_sets_are_means_over_genes_and_cells(cohort, tmp_path):
    path = tmp_path / "sets.csv"
    path.write_text("gene_set,gene\nboth,MARK1\nboth,MARK2\nboth,ABSENT\nfirst,MARK1\nfirst,MARK1\n")
    table = niche_gene_sets(cohort, read_gene_sets(path), path).set_index(["sample", "niche", "gene_set"])
    (_, values), *_ = list(cohort.blocks())
    expression = scale_of_markers(cohort)(values).toarray()
    here = (cohort.cells["sample"] == "s2").to_numpy() & (cohort.cells["niche"] == 2).to_numpy()
    assert table.loc[("s2", 2, "both"), "mean"] == pytest.approx(expression[here][:, :2].mean())
    assert table.loc[("s2", 2, "first"), "mean"] == pytest.approx(expression[here][:, 0].mean())
    assert table.loc[("s2", 2, "both"), ["n_genes", "n_cells"]].tolist() == [2, 36]
    assert table.loc[("s1", 1, "first"), "mean"] > table.loc[("s1", 2, "first"), "mean"] + 1


def test_gmt_is_read_as_well(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("A\tsource\tG1\tG2\tG1\n\nB\t\tG3\n")
    assert read_gene_sets(path) == {"A": ["G1", "G2"], "B": ["G3"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.gmt", "A\tno genes\n", "row 1"),
        ("s.gmt", "A\tx\tG1\nA\tx\tG2\n", "row 2"),
        ("s.csv", "set,gene\nA,G1\n", "gene_set"),
        ("s.csv", "gene_set,gene\nA,\n", "row 2"),
        ("s.csv", "gene_set,gene\n", "holds no set"),
    ],
)
def test_sets_that_cannot_be_used(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(BadInput) as bad:
        read_gene_sets(path)
    assert message in "; ".join(str(p) for p in bad.value.problems)


def test_sets_of_other_genes_are_bad_input(cohort, tmp_path):
    with pytest.raises(BadInput, match="none of these genes"):
        niche_gene_sets(cohort, {"A": ["ENSG0001"]}, tmp_path / "s.gmt")
