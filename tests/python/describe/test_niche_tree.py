"""Niches within niches: who is merged with whom, and that names are those of the user."""

import numpy as np
import pandas as pd
from PIL import Image

from helpers import make_internal
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe.niche_tree import draw_tree, niche_tree, tree_of
from semanticst.plotting.palette import named_niches

SHARES = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.4, 0.6, 0.0, 0.0], [0.0, 0.0, 0.6, 0.4]])
"""Niches 1 and 3 are nearly the same, 2 and 4 share a state, and the two pairs have none in common."""


def test_niches_that_are_alike_are_merged_first():
    tree = tree_of(SHARES)
    assert tree.columns.tolist() == ["level", "niche", "parent", "height"]
    assert tree["niche"].tolist() == ["1", "2", "3", "4", "1+3", "2+4", "1+2+3+4"]
    assert tree["level"].tolist() == [4, 4, 4, 4, 3, 2, 1]
    assert tree["parent"].tolist() == ["1+3", "2+4", "1+3", "2+4", "1+2+3+4", "1+2+3+4", ""]
    heights = tree["height"].to_numpy()
    assert (heights[:4] == 0).all()
    assert 0 < heights[4] < 0.2 < heights[5] < 1
    assert heights[6] == 1


def cohort_of(folder, niches):
    """Three niches, of which 1 and 2 have the same two kinds of cells and 3 has a third."""
    rng = np.random.default_rng(0)
    adata = make_internal(n_cells=300)
    niche = np.resize(niches, 300)
    place = np.where(niche == 3, 9.0, np.where(rng.random(300) < 0.5, 0.0, 3.0))
    adata.obsm["X_pca_harmony"] = (place[:, None] + 0.1 * rng.normal(size=(300, 4))).astype(np.float32)
    adata.obs["niche"] = pd.Categorical(niche.astype(str))
    adata.write_h5ad(folder / "cohort.h5ad")
    return read_cohort(folder / "cohort.h5ad")


def test_niches_are_compared_by_the_states_of_their_cells(tmp_path):
    tree = niche_tree(cohort_of(tmp_path, [1, 2, 3])).set_index("niche")
    assert tree.loc["1", "parent"] == tree.loc["2", "parent"] == "1+2"
    assert tree.loc["1+2", "height"] < 0.5 < tree.loc["1+2+3", "height"]
    assert niche_tree(cohort_of(tmp_path, [1])) is None


def test_tree_is_drawn_with_the_names_of_niches(tmp_path, monkeypatch):
    labels = []
    monkeypatch.setattr("semanticst.describe.niche_tree.niche_name", lambda n: labels.append(n) or f"Niche {n}")
    with named_niches({2: "rim"}):
        draw_tree(tree_of(SHARES), tmp_path / "tree.png")
    assert sorted(labels) == [1, 2, 3, 4]
    assert Image.open(tmp_path / "tree.png").size[0] > 1000
