"""Groups in which a niche is larger and nothing inside it differs: cell types, patches and contacts."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, label

from semanticst.association.design.tables import Contrast
from semanticst.bench.hard_cohorts.hard_designs import Question, sections_of

ODDS = {"A": 0.687, "B": 0.25, "C": 0.05, "D": 0.01, "E": 0.003}
"""Cell types of the niche, some of them rare."""
PATIENTS = 12
"""In each of two groups."""


def _question(counts: list, **more) -> Question:
    samples = [f"s{i:03d}" for i in range(len(counts))]
    table = pd.DataFrame(counts, samples, pd.Index([1, 2]))
    sections = sections_of(table, np.arange(len(table)), group=np.repeat([0, 1], PATIENTS))
    return Question(Contrast("c", "groups", column="group"), sections, table, **more)


def rare_types(few: int, many: int) -> Callable:
    """The same composition inside niche 1, which has ``few`` cells in one group and ``many`` in the other."""

    def draw(rng: np.random.Generator) -> Question:
        rows, counts = [], []
        for i, cells in enumerate(np.repeat([few, many], PATIENTS)):
            odds = np.array(list(ODDS.values())) * np.exp(0.4 * rng.normal(size=len(ODDS)))
            m = int(cells * np.exp(0.3 * rng.normal()))
            found = rng.multinomial(m, odds / odds.sum())
            rows += [(f"s{i:03d}", 1, name, float(k)) for name, k in zip(ODDS, found)]
            counts.append([m, 20_000 - m])
        types = pd.DataFrame(rows, columns=["sample", "niche", "cell_type", "n_cells"])
        judged = tuple((f"cell_type:{name}", "1") for name in "BCDE")
        return _question(counts, within={"cell_types": types}, judged=judged)

    return draw


def pieces(shares: tuple[float, float], smooth: float, side: int = 40) -> Callable:
    """Niche 1 on a lattice, at random or as a smooth field: more of it in one group, and no other structure."""

    def draw(rng: np.random.Generator) -> Question:
        counts, patches, edges = [], [], []
        for i, share in enumerate(np.repeat(shares, PATIENTS)):
            size = side + rng.integers(-5, 6)
            field = rng.normal(size=(size, size))
            field = gaussian_filter(field, smooth, mode="wrap") if smooth else field
            inside = field >= np.quantile(field, 1 - share * np.exp(0.2 * rng.normal()))
            counts.append([inside.sum(), (~inside).sum()])
            masks = {1: inside, 2: ~inside}
            patches += [(f"s{i:03d}", k, float(m.sum()), float(label(m)[1])) for k, m in masks.items()]
            q, all_edges = inside.mean(), 2 * size * (size - 1)
            for a, b, expected in ((1, 1, q * q), (1, 2, 2 * q * (1 - q)), (2, 2, (1 - q) ** 2)):
                seen = _touching(masks[a], masks[b]) + (_touching(masks[b], masks[a]) if a != b else 0)
                edges.append((f"s{i:03d}", a, b, float(seen), all_edges * expected))
        fragments = pd.DataFrame(patches, columns=["sample", "niche", "n_cells", "n_patches"])
        contacts = pd.DataFrame(edges, columns=["sample", "niche_a", "niche_b", "edges", "expected"])
        judged = tuple((feature, "1") for feature in ("fragmentation", "contact_with_1", "contact_with_2"))
        return _question(counts, within={"fragmentation": fragments}, contacts=contacts, judged=judged)

    return draw


def _touching(a: np.ndarray, b: np.ndarray) -> int:
    """Pairs of neighbours on the lattice, the first in ``a`` and the second, below or to the right, in ``b``."""
    return int((a[1:] & b[:-1]).sum() + (a[:, 1:] & b[:, :-1]).sum())
