"""Mixing of batches in the integrated space, and a map of cells before and after batch correction.

Mixing is measured by the local inverse Simpson index (LISI; Korsunsky et al. 2019, Nat Methods 16:1289): the effective
number of batches (patients, samples) among the neighbours of a cell. Batches that hold different tissue do not mix, and
should not: so it stands beside what composition alone leads to, the same with the batches shuffled among the cells of
each niche.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from semanticst.constants import BATCH_CORRECTED, UNS, Obs, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.io.internal import read_anndata

log = logging.getLogger(__name__)

MOST_CELLS = 2_000
"""Cells of the map, whose neighbourhoods are judged. More draw the tissue no more truly (docs/benchmarks.md)."""
NEIGHBOURS = 15
"""Of a cell, for edges across samples."""
PERPLEXITY = 30
"""Of LISI and of the map, as their authors have it: about 90 neighbours count."""
ITERATIONS, ANGLE = 350, 0.8
"""Of the map's descent; how coarsely far cells act together in it. More is slower and no truer (docs/benchmarks.md)."""
LABELS = (Obs.BATCH, Obs.PATIENT, Obs.SAMPLE)
NOTHING_TO_MIX = 0.05
"""Expected LISI above 1 below which each niche is of one value, so that there is nothing that could mix."""
STAGES = {"before": Obsm.COMPONENTS, "after": Obsm.HARMONY}


def apart(points: np.ndarray, seed: int) -> np.ndarray:
    """Points moved by a thousandth of their spread.

    Cells of one type are one point in panels of cell types: the nearest of them would be those that come first in the
    file, which are of one sample.
    """
    return points + np.random.default_rng(seed).normal(scale=1e-3 * max(float(points.std()), 1e-12), size=points.shape)


@dataclass(frozen=True)
class Drawn:
    """Some cells of a cohort: their labels (n rows), and the components at each stage (float32, n x p).

    ``corrected``: whether there was a batch correction, also where it moved none of them.
    """

    cells: pd.DataFrame
    stages: dict[str, np.ndarray]
    corrected: bool = False


def draw_cells(path: Path, seed: int = 0, most: int = MOST_CELLS) -> Drawn:
    """Draw at most ``most`` cells of ``cohort.h5ad`` at random, in the order of the file.

    ``cells`` has sample, patient, batch, cell_id, niche and, where the input has them, cell_type. Where a batch
    correction moved none of them, or there was none, there is the stage ``before`` only. Raises BadInput when the
    file lacks what is needed.
    """
    backed = read_anndata(path, backed="r")
    try:
        needed = [*LABELS, Obs.NICHE]
        absent = [c for c in needed if c not in backed.obs] + [k for k in STAGES.values() if k not in backed.obsm]
        if absent:
            raise BadInput(Problem(path, f"lacks {', '.join(absent)}; is it the object that cohort_assemble wrote?"))
        n = backed.n_obs
        rows = np.sort(np.random.default_rng(seed).choice(n, min(n, most), replace=False))
        wanted = [c for c in (*needed, Obs.CELL_ID, Obs.CELL_TYPE) if c in backed.obs]
        cells = backed.obs[wanted].iloc[rows].astype(object).reset_index(drop=True)
        corrected = bool(backed.uns.get(UNS, {}).get(BATCH_CORRECTED, False))
        stages = {name: np.asarray(backed.obsm[key], dtype=np.float32)[rows] for name, key in STAGES.items()}
    finally:
        backed.file.close()
    if np.array_equal(stages["before"], stages["after"]):
        del stages["after"]
    return Drawn(cells, stages, corrected)


def map_of_cells(drawn: Drawn, seed: int = 0) -> pd.DataFrame:
    """Labels of the drawn cells with ``{stage}_1`` and ``{stage}_2``, the coordinates of a t-SNE of each stage.

    van der Maaten 2014, J Mach Learn Res 15:3221 (Barnes-Hut), started from the first two principal components so that
    groups keep their rough order (Kobak and Berens 2019, Nat Commun 10:5416).
    """
    from sklearn.manifold import TSNE

    table = drawn.cells.copy()
    for stage, points in drawn.stages.items():
        points = apart(points, seed)
        perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
        if perplexity < 1 or points.shape[1] < 2:
            place = np.zeros((len(points), 2))
        else:
            descent = TSNE(perplexity=perplexity, max_iter=ITERATIONS, angle=ANGLE, random_state=seed, n_jobs=1)
            place = descent.fit_transform(points)
        table[[f"{stage}_1", f"{stage}_2"]] = np.round(place, 3)
    return table


def mixing(drawn: Drawn, seed: int = 0) -> pd.DataFrame:
    """How labels mix among the neighbours of a cell, at each stage.

    Columns stage, label (batch, patient, sample, cell_type), n_values, lisi (mean over cells; 1: neighbours are all of
    one) with lisi_expected, the same with the label shuffled within niches, reached (`reached_of`), and other (share of
    the 15 nearest cells that have another value) with other_expected. Labels with one value, or a value per cell, have
    no row.
    """
    import harmonypy

    rng = np.random.default_rng(seed)
    cells = drawn.cells
    labels = [name for name in (*LABELS, Obs.CELL_TYPE) if name in cells and len(cells[name].unique()) > 1]
    columns = ["stage", "label", "n_values", "lisi", "lisi_expected", "reached", "other", "other_expected"]
    if len(cells) < 3 * PERPLEXITY + 2 or not labels:
        return pd.DataFrame(columns=columns)
    known = cells[labels].astype(str)
    shuffled = known.copy()
    for _, own in cells.groupby(Obs.NICHE, sort=True, observed=True).indices.items():
        shuffled.iloc[own] = known.iloc[rng.permutation(own)].to_numpy()
    both = pd.concat([known, shuffled.add_suffix(" expected")], axis=1)
    same_as = first_of_the_same(both)
    judged = sorted(set(same_as.values()))
    found = []
    for stage, points in drawn.stages.items():
        points = apart(points, seed)
        values = harmonypy.compute_lisi(points, both, judged, perplexity=PERPLEXITY).mean(axis=0)
        lisi = {name: values[judged.index(same)] for name, same in same_as.items()}
        near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points).kneighbors(return_distance=False)
        for label in labels:
            code, expected = (both[name].to_numpy() for name in (label, f"{label} expected"))
            observed, by_composition = lisi[label], lisi[f"{label} expected"]
            found.append(
                (
                    stage, str(label), known[label].nunique(), observed, by_composition,
                    reached_of(observed, by_composition),
                    (code[near] != code[:, None]).mean(), (expected[near] != expected[:, None]).mean(),
                )
            )  # fmt: skip
    return pd.DataFrame(found, columns=columns)


def first_of_the_same(labels: pd.DataFrame) -> dict[str, str]:
    """Name of each column -> the first column that groups the rows in the same way: where patients have one section and
    a batch each, these three are one grouping."""
    first: dict[bytes, str] = {}
    return {name: first.setdefault(pd.factorize(labels[name])[0].tobytes(), name) for name in labels}


def reached_of(lisi: float, expected: float) -> float:
    """How much of the mixing that composition allows there is: LISI above 1, by its expectation above 1.

    0: neighbours are all of one value; 1: as mixed as the tissue allows. NaN where nothing can mix.
    """
    return (lisi - 1) / (expected - 1) if expected - 1 >= NOTHING_TO_MIX else np.nan
