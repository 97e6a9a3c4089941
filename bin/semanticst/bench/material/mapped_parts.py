"""Parts of samples that are mapped: half of the niches, and few cells.

What they are compared with is a joint training that has these parts in place of the whole samples: it knows as little
of what is around them. Beside it stand the same cells of the whole samples in the joint training.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from semanticst.bench.material.left_out import Mapped, map_onto
from semanticst.bench.measuring.scores import annotated
from semanticst.constants import UNS, Obs
from semanticst.io.internal import read_sample

WITHIN = 0.05
"""Wanted: loss of ARI with the truth at most, beside the same cells in the joint training."""
CROPS, CELLS = 6, 25
PART = ".part"
"""Between the name of a sample and the number of its part."""


def half_of_the_niches(adata: ad.AnnData, domain: np.ndarray) -> Iterator[np.ndarray]:
    """Cells of every other domain, by size."""
    names, sizes = np.unique(domain, return_counts=True)
    yield np.isin(domain, names[np.argsort(-sizes, kind="stable")][::2])


def few_cells(adata: ad.AnnData, domain: np.ndarray) -> Iterator[np.ndarray]:
    """Crops of ``CELLS`` cells around random ones."""
    xy = np.asarray(adata.obsm["spatial"])
    for centre in np.random.default_rng(0).choice(len(xy), CROPS, replace=False):
        kept = np.zeros(len(xy), dtype=bool)
        kept[np.argsort(np.linalg.norm(xy - xy[centre], axis=1))[:CELLS]] = True
        yield kept


PARTS: dict[str, Callable[[ad.AnnData, np.ndarray], Iterator[np.ndarray]]] = {
    "half of the niches": half_of_the_niches,
    f"{CELLS} cells, {CROPS} crops": few_cells,
}


def part_table(
    units: dict[str, list[Path]],
    models: dict[str, Path],
    joint: Mapped,
    truth: pd.Series,
    fit: Callable,
    folder: Path,
) -> str:
    """Markdown: parts of the samples of each unit (of ``units``), mapped onto the model of the others (``models``),
    beside a joint training (``fit``: `train` for samples and a folder) of the others and these parts. Parts of a unit
    are scored together."""
    heads = ("part", "units", "truth mapped / joint with the parts / joint with the whole, ARI", "lost", "lost at most",
             "told")  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---|--:|--:|--:|--:|--:|"]
    for number, (name, cut) in enumerate(PARTS.items()):
        scores, told = [], 0
        for unit, model in models.items():
            place = folder / f"{number}-{unit}"
            parts = list(_written(units[unit], cut, truth, place))
            mapped = [map_onto([part], model, place / f"mapped{i}") for i, part in enumerate(parts)]
            told += sum("does not fit" in one.told for one in mapped)
            rest = [path for other, paths in units.items() if other != unit for path in paths]
            together, _ = fit([*rest, *parts], folder=place / "joint")
            niche = pd.concat([one.cells["niche"] for one in mapped])
            whole = _of_whole(niche.index)
            known = np.asarray(annotated(truth[whole]))
            found = (niche, together.cells.loc[niche.index, "niche"], joint.cells.loc[whole, "niche"])
            scores.append([adjusted_rand_score(truth[whole][known], of.to_numpy()[known]) for of in found])
        ari = np.array(scores)
        lost = ari[:, 1] - ari[:, 0]
        said = " / ".join(f"{value:.3f}" for value in ari.mean(0))
        lines.append(f"| {name} | {len(lost)} | {said} | {lost.mean():.3f} | {lost.max():.3f} | {told} |")
    return "\n".join(lines) + f"\n\nwanted: at most {WITHIN:g} lost beside the joint training with the parts"


def _of_whole(cells: pd.Index) -> pd.Index:
    """Names (``sample:cell``) of the cells of parts in the samples that these are of."""
    return cells.str.replace(rf"{PART}\d+:", ":", regex=True)


def _written(samples: list[Path], cut: Callable, truth: pd.Series, folder: Path) -> Iterator[Path]:
    """Files of the parts of the samples, each a sample and a batch of its own, as it is where it is mapped alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in samples:
        adata = read_sample(path)
        sample = str(adata.uns[UNS]["sample"])
        for number, kept in enumerate(cut(adata, truth[f"{sample}:" + adata.obs_names].to_numpy(str))):
            part, name = adata[kept].copy(), f"{sample}{PART}{number}"
            part.uns[UNS]["sample"] = name
            part.obs[Obs.SAMPLE] = pd.Categorical([name] * part.n_obs)
            part.uns[UNS]["batch"] = name
            part.obs[Obs.BATCH] = pd.Categorical([name] * part.n_obs)
            part.write_h5ad(folder / f"{name}.qc.h5ad")
            yield folder / f"{name}.qc.h5ad"
