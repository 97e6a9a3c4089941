"""Nested niches: the niches merged step by step, those first whose cells are most alike.

What a niche consists of are shares of cell states (k-means of the corrected components of single cells, without their
neighbours). Two niches are as far apart as the Jensen-Shannon distance of their compositions (Lin 1991), from 0, the
same, to 1, no state in common; groups of niches as their niches on average (UPGMA).
"""

import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.cluster.vq import kmeans2, vq
from scipy.spatial.distance import pdist

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import Obs, Obsm
from semanticst.features.sample_caps import rows_with_a_say
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, Section
from semanticst.plotting.palette import niche_colour, niche_name
from semanticst.plotting.style import INK, STYLE, new_figure

STATES, STATE_CELLS = 30, 20_000
"""Cell states, and cells on which they are found."""
BLOCK = 50_000


def niche_tree(cohort: Cohort) -> pd.DataFrame | None:
    """One row per niche and per group of niches: ``level``, ``niche``, ``parent``, ``height``.

    ``level`` is the number of groups that there are when this one comes to be: that of the niches for each of them, 1
    for all together. ``niche`` is its number, or those of its niches joined by ``+``; ``parent`` the group that it is
    merged into; ``height`` the distance at which it was made, 0 for a niche. None with fewer than two niches, and for
    an object without components.
    """
    shares = state_shares(cohort)
    return None if shares is None or len(shares) < 2 else tree_of(shares)


def tree_of(shares: np.ndarray) -> pd.DataFrame:
    """The same of the ``shares`` (K, S) of states in niches 1..K."""
    k = len(shares)
    members: list[tuple[int, ...]] = [(number,) for number in range(1, k + 1)]
    parent, heights = np.full(2 * k - 1, -1), np.zeros(2 * k - 1)
    for step, (one, other, height, _) in enumerate(linked(shares)):
        members.append(tuple(sorted(members[int(one)] + members[int(other)])))
        parent[[int(one), int(other)]] = k + step
        heights[k + step] = height
    names = ["+".join(map(str, own)) for own in members]
    levels = [k] * k + list(range(k - 1, 0, -1))
    above = ["" if p < 0 else names[p] for p in parent]
    return pd.DataFrame({"level": levels, "niche": names, "parent": above, "height": heights.round(4)})


def linked(shares: np.ndarray) -> np.ndarray:
    """SciPy's linkage (K - 1, 4) of the niches."""
    return linkage(np.minimum(np.nan_to_num(pdist(shares, "jensenshannon") / np.sqrt(np.log(2))), 1), "average")


def state_shares(cohort: Cohort) -> np.ndarray | None:
    """Share (K, S) of each cell state in each niche; every sample has a say, see `sample_caps`."""
    with h5py.File(cohort.path) as stored:
        if f"obsm/{Obsm.HARMONY}" not in stored:
            return None
        components = np.asarray(stored[f"obsm/{Obsm.HARMONY}"], dtype=np.float32)
    samples, patients = (cohort.cells[name].to_numpy() for name in (Obs.SAMPLE, Obs.PATIENT))
    rows = rows_with_a_say(samples, patients, 0)
    X = components if rows is None else components[rows]
    niche = cohort.cells[Obs.NICHE].to_numpy()[slice(None) if rows is None else rows] - 1
    rng = np.random.default_rng(0)
    some = X if len(X) <= STATE_CELLS else X[np.sort(rng.choice(len(X), STATE_CELLS, replace=False))]
    n_states = min(STATES, len(np.unique(some.round(5), axis=0)))
    centres = kmeans2(some.astype(np.float64), n_states, minit="++", missing="warn", rng=rng)[0]
    state = np.concatenate([vq(X[i : i + BLOCK].astype(np.float64), centres)[0] for i in range(0, len(X), BLOCK)])
    k = len(cohort.niches)
    counts = np.bincount(niche * n_states + state, minlength=k * n_states).reshape(k, n_states).astype(float)
    # a niche that only cells without a say are in is like the cohort
    counts[counts.sum(1) == 0] = counts.sum(0)
    return counts / counts.sum(1, keepdims=True)


def report_tree(outdir: Path, tree: pd.DataFrame, over: str = "", supported: bool = True) -> None:
    """Write the section of the report that shows the tree.

    over : a sentence of which samples it is made. supported : whether the tissue supports the number of niches; where
    it does not, fewer of them say no more.
    """
    fewer = "Where niches merge near 0, fewer niches would say nearly the same; the" if supported else "The"
    section = Section(
        "niche_tree",
        NICHES,
        "Niches within niches",
        multiqc.emphasised(
            "Niches merged step by step, those first whose cells are most alike (Jensen-Shannon distance of the "
            "proportions of cell states, 0 = the same, 1 = none in common). "
            f"{fewer} groups are in <code>niches/niche_tree.csv</code>." + over
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        png = Path(folder) / "niche_tree.png"
        draw_tree(tree, png)
        multiqc.image(outdir, section, png, alt=f"Tree of {tree['level'].max()} niches by the states of their cells")


def draw_tree(table: pd.DataFrame, png: Path) -> None:
    """The tree, niches at the left in their colours, with the height at which they merge."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    k = int(table["level"].max())
    merged = table.iloc[k:]
    children = [table.index[table["parent"] == name].tolist() for name in merged["niche"]]
    sizes = [name.count("+") + 1 for name in merged["niche"]]
    Z = np.array([[*map(float, own), h, n] for own, h, n in zip(children, merged["height"], sizes)])
    with mpl.rc_context(STYLE):
        figure = new_figure(7.5, 0.9 + 0.3 * k)
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        drawn = dendrogram(Z, orientation="right", ax=axes, color_threshold=0, above_threshold_color=INK)
        axes.set_yticks(axes.get_yticks(), [niche_name(i + 1) for i in drawn["leaves"]])
        axes.yaxis.tick_right()
        for tick, i in zip(axes.get_yticklabels(), drawn["leaves"]):
            tick.set_bbox({"facecolor": niche_colour(i + 1), "edgecolor": "none", "alpha": 0.35, "pad": 2})
        axes.set_xlabel("Jensen-Shannon distance of their cell states")
        axes.invert_xaxis()
        for side in ("left", "right"):
            axes.spines[side].set_visible(False)
        figure.savefig(png, dpi=150)
