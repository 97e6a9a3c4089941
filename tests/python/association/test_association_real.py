"""Real cohorts with a known answer, on niches of the simplest kind: what cell types surround a cell."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans

from clinical_helpers import row_of
from helpers import real_data
from semanticst.association.associate import examine
from semanticst.association.design.tables import Contrast, read_clinical, read_sections

N_NICHES, N_NEIGHBOURS = 8, 20

pytestmark = pytest.mark.realdata


def surroundings(folder) -> pd.DataFrame:
    """Share of each cell type among the nearest cells of every cell; index sample."""
    parts = []
    for sample, path in pd.read_csv(folder / "samplesheet.csv").sort_values("sample")[["sample", "path"]].to_numpy():
        adata = ad.read_h5ad(folder / path)
        indicator = pd.get_dummies(adata.obs["cell_type"].astype(str), dtype=np.float32)
        near = cKDTree(adata.obsm["spatial"]).query(adata.obsm["spatial"], k=min(N_NEIGHBOURS, adata.n_obs))[1]
        share = indicator.to_numpy()[near].mean(axis=1)
        parts.append(pd.DataFrame(share, columns=indicator.columns, index=[sample] * adata.n_obs))
    return pd.concat(parts).fillna(0.0)


def make_niches(folder) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Sections with their variables, cells per section and niche, and the mean surroundings of each niche."""
    around = surroundings(folder)
    fitted = KMeans(N_NICHES, n_init=3, random_state=0).fit(around.iloc[::10])
    niche = fitted.predict(around) + 1
    counts = pd.crosstab(around.index, niche).rename_axis(index="sample", columns="niche")
    sections = read_sections(folder / "samplesheet.csv", read_clinical(folder / "clinical.csv"), counts)
    return sections, counts, around.groupby(niche).mean()


def shuffled(sections: pd.DataFrame, columns: list[str], seed: int) -> pd.DataFrame:
    """Hand the outcomes of the patients to other patients."""
    outcome = sections.groupby("patient")[columns].first()
    order = np.random.default_rng(seed).permutation(len(outcome))
    outcome = pd.DataFrame(outcome.to_numpy()[order], outcome.index, columns)
    return sections.assign(**{c: sections["patient"].map(outcome[c]) for c in columns})


@pytest.fixture(scope="module")
def breast():
    return make_niches(real_data("tnbc_mibi"))


@pytest.fixture(scope="module")
def pancreas():
    return make_niches(real_data("diabetes_imc"))


def mixed_niche(means: pd.DataFrame) -> int:
    """The niche in which most tumour cells and most other cells meet."""
    return int((means["Tumor"] * (1 - means["Tumor"])).idxmax())


def test_mixing_of_tumour_and_immune_cells_marks_mixed_tumours(breast):
    sections, counts, means = breast
    result = examine(Contrast("c", "groups", "tme_class", "compartmentalized", "mixed"), sections, counts)
    row = row_of(result, mixed_niche(means))
    assert row["effect"] > 0
    assert row["q"] < 0.01
    assert row["n_patients"] == 33
    assert row_of(result, "all")["p"] < 0.01


def test_mixing_goes_with_shorter_survival(breast):
    sections, counts, means = breast
    contrast = Contrast("c", "survival", time="survival_days", event="event", event_value="1")
    row = row_of(examine(contrast, sections, counts), mixed_niche(means))
    assert row["hazard_ratio"] > 1
    assert (row["n_patients"], row["n_events"]) == (33, 13)


def test_beta_cell_niche_shrinks_with_the_stage_of_diabetes(pancreas):
    sections, counts, means = pancreas
    contrast = Contrast("c", "ordered", "stage", levels=("Non-diabetic", "Onset", "Long-duration"))
    result = examine(contrast, sections, counts)
    row = row_of(result, int(means["beta"].idxmax()), "trend Non-diabetic < Onset < Long-duration")
    assert row["effect"] < 0
    assert row["q"] < 0.01
    assert row["n_patients"] == 12
    assert row["mean_target"] < 0.1 * row["mean_reference"]
    assert result.primary["niche"].iloc[0] == row["niche"]


def test_shuffled_outcomes_find_nothing(breast, pancreas):
    found = []
    for seed in range(10):
        for (sections, counts, _), column in ((breast, "tme_class"), (pancreas, "stage")):
            contrast = Contrast("c", "groups", column)
            table = examine(contrast, shuffled(sections, [column], seed), counts, permutations=499).primary
            found.append((table["q"] < 0.05).any())
    assert np.mean(found) <= 0.2
