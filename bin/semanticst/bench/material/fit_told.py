"""The fit of samples to models: a model's own, new ones as they are, and new ones that were changed.

Models of some of the units (patients or samples), drawn anew each time, without a network, which the fit does not use.
A sample is told of when it is said not to fit, or to be looked at.
"""

from pathlib import Path

import numpy as np

from semanticst.bench.material.bad_cases import BAD_CASES
from semanticst.bench.material.left_out import Mapped, map_onto, train
from semanticst.constants import UNS, FeatureType
from semanticst.errors import ExitCode
from semanticst.io.internal import read_sample

PART_OF_MODEL = 2 / 3
"""Of the units, about."""
CASES = {
    "new": "clean",
    "permuted": "names of features permuted",
    "a fifth": "names of a fifth of the features in rotation",
    "noise": "noise",
    "features": "each feature shuffled over the cells",
    "places": "cells at shuffled places",
}
"""Columns of the table, and what of `BAD_CASES` they are."""
NOT_OF_TYPES = "features"
"""Shuffled by itself, a cell type is no longer one of several in each cell: the sample is refused, and says nothing."""


def told_table(units: dict[str, list[Path]], k: int, draws: int, seed: int, folder: Path) -> str:
    """Markdown: how many samples are told of, over ``draws`` of models of ``PART_OF_MODEL`` of the ``units``."""
    n_model = int(np.clip(round(PART_OF_MODEL * len(units)), 1, len(units) - 1))
    told = {name: np.zeros(2, dtype=int) for name in ("own", *CASES)}
    refused = dict.fromkeys(told, 0)
    for draw in range(draws):
        place = folder / f"draw{draw}"
        order = [str(unit) for unit in np.random.default_rng([seed, draw]).permutation(list(units))]
        own = [path for unit in sorted(order[:n_model]) for path in units[unit]]
        trained, model = train(own, k, seed + draw, place / "model", starts=1, network=False)
        told["own"] += _told(trained), len(trained.samples)
        for path in (path for unit in sorted(order[n_model:]) for path in units[unit]):
            for name, case in CASES.items():
                adata = read_sample(path)
                if name == NOT_OF_TYPES and adata.uns[UNS]["feature_type"] == FeatureType.ONEHOT:
                    continue
                changed = place / name / path.name
                changed.parent.mkdir(parents=True, exist_ok=True)
                BAD_CASES[case](adata).write_h5ad(changed)
                mapped = map_onto([changed], model, place / "mapped")
                changed.unlink()
                refused[name] += mapped.code != ExitCode.OK
                told[name] += _told(mapped), 1
    heads = [f"units of the model, of {len(units)}", "own samples told", "new told", *list(CASES)[1:]]
    cells = [str(n_model), *(_of(told[name], refused[name]) for name in told)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["--:"] * len(heads), cells))


def _told(mapped: Mapped) -> int:
    """Samples of which something is said; all that are refused."""
    if mapped.code != ExitCode.OK:
        return 1
    return int((~mapped.samples["fits"].astype(bool) | mapped.samples["why"].notna()).sum())


def _of(told: np.ndarray, refused: int) -> str:
    if not told[1]:
        return ""
    return f"{told[0]} of {told[1]}" + (f" ({refused} refused)" if refused else "")
