"""What is known of mouse cortex must come out of its description: layer markers, and layers in their order."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers import real_data
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe.markers import niche_markers
from semanticst.describe.neighbourhood import niche_contacts

LAYERS = ("L1", "L2", "L3", "L4")
"""As annotated, from the surface inwards: cortical layers 1, 2/3, 5 and 6."""


@pytest.fixture(scope="module")
def cortex(tmp_path_factory):
    """Three mice, the annotated layers standing for niches 1 to 4."""
    folder = real_data("starmap_mpfc")
    parts = []
    for row in pd.read_csv(folder / "samplesheet.csv").itertuples():
        part = ad.read_h5ad(folder / row.path)
        part.obs = part.obs.assign(sample=row.sample, patient=row.patient)
        parts.append(part)
    cohort = ad.concat(parts, index_unique="-")
    cohort.obs["niche"] = cohort.obs["domain"].astype(str).map({layer: k for k, layer in enumerate(LAYERS, start=1)})
    cohort.X = sp.csr_matrix(cohort.X, dtype=np.float32)
    cohort.uns["semanticst"] = {"feature_type": "counts"}
    path = tmp_path_factory.mktemp("cortex") / "cohort.h5ad"
    cohort.write_h5ad(path)
    return read_cohort(path)


@pytest.mark.realdata
def test_layer_markers(cortex):
    markers = niche_markers(cortex)
    assert set(markers["n_replicates"]) == {3}
    rank = markers.set_index(["niche", "feature"])["rank"]
    # Cux2 marks the upper layers, Pcp4 the lower, Reln the first
    assert rank[2, "Cux2"] <= 3
    assert rank[4, "Pcp4"] <= 5
    assert rank[1, "Reln"] <= 5


@pytest.mark.realdata
def test_layers_touch_in_their_order(cortex):
    pooled = niche_contacts(cortex).groupby(["niche_a", "niche_b"])[["edges", "expected"]].sum()
    ratio = pooled["edges"] / pooled["expected"]
    assert all(ratio[k, k] > 1 for k in (1, 2, 3, 4))
    for first, second in ((1, 2), (2, 3), (3, 4)):
        apart = [ratio[a, b] for a, b in ((1, 3), (1, 4), (2, 4))]
        assert ratio[first, second] > max(apart)
