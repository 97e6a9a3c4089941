"""Parts of samples that are mapped: half of the niches, and few cells."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from semanticst.bench.material.left_out import Mapped, map_onto
from semanticst.bench.measuring.scores import annotated
from semanticst.io.internal import read_sample

WITHIN = 0.05
"""Wanted: loss of ARI with the truth at most, beside the same cells in the joint training."""
CROPS, CELLS = 6, 25


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


def part_table(left_out: dict[str, tuple[list[Path], Path]], joint: Mapped, truth: pd.Series, folder: Path) -> str:
    """Markdown: parts of the samples of each unit, mapped onto the model (path) of the others, beside the same cells in
    the joint training. Cells of the crops of a unit are scored together."""
    lines = ["| part | units | truth mapped / joint, ARI | lost | lost at most | told |", "|---|--:|--:|--:|--:|--:|"]
    for number, (name, cut) in enumerate(PARTS.items()):
        scores, told = [], 0
        for unit, (samples, model) in enumerate(left_out.values()):
            found = []
            for place, part in enumerate(_written(samples, cut, truth, folder / f"{number}-{unit}")):
                mapped = map_onto([part], model, folder / f"{number}-{unit}-{place}")
                found.append(mapped.cells)
                told += "does not fit" in mapped.told
            own = pd.concat(found)["niche"]
            known = np.asarray(annotated(truth[own.index]))
            own = own[known]
            scores.append([adjusted_rand_score(truth[own.index], niche)
                           for niche in (own, joint.cells.loc[own.index, "niche"])])  # fmt: skip
        mapped_ari, joint_ari = np.array(scores).T
        lost = joint_ari - mapped_ari
        lines.append(f"| {name} | {len(lost)} | {mapped_ari.mean():.3f} / {joint_ari.mean():.3f} "
                     f"| {lost.mean():.3f} | {lost.max():.3f} | {told} |")  # fmt: skip
    return "\n".join(lines) + f"\n\nwanted: at most {WITHIN:g} lost"


def _written(samples: list[Path], cut: Callable, truth: pd.Series, folder: Path) -> Iterator[Path]:
    """Files of the parts of the samples."""
    for path in samples:
        adata = read_sample(path)
        names = f"{path.name.removesuffix('.qc.h5ad')}:" + adata.obs_names
        for number, kept in enumerate(cut(adata, truth[names].to_numpy(str))):
            part = folder / str(number) / path.name
            part.parent.mkdir(parents=True, exist_ok=True)
            adata[kept].copy().write_h5ad(part)
            yield part
