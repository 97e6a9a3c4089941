"""Neighbours in component space: time and recall of the search in lists, beside all distances and beside a library.

``./semanticst bench recall`` makes sections of cells of twenty types in components whose variance falls, as that of
principal components does; further sections are those of files given, in the two spaces that the pipeline searches.
Each search finds 10 neighbours of every cell at one thread. Recall, over 2,000 cells: how many of them are no further
away than the tenth of the true ones, which all distances give.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np
from threadpoolctl import threadpool_limits

from semanticst.bench.measuring.score_table import mean_and_sd
from semanticst.cli import EXISTING_FILE, step
from semanticst.constants import UNS, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.graph.build import searched_spaces
from semanticst.graph.neighbours import EXACT_CELLS, nearest_in_components
from semanticst.io.internal import read_anndata

NEIGHBOURS = 10
TYPES, COMPONENTS = 20, 50
JUDGED = 2_000
ROUNDING = 1e-4
"""Of distances in float32: cells that are as far are as good."""
Search = Callable[[np.ndarray, int], np.ndarray]


@step()
@click.argument("files", nargs=-1, type=EXISTING_FILE, metavar="[SAMPLE.graphs.h5ad]...")
@click.option("--cells", "sizes", type=click.IntRange(JUDGED), multiple=True, default=(20_000, 40_000, 80_000),
              show_default=True, help="Cells of a simulated section; may be repeated.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Seeds of each search.")
def bench_recall(files, sizes, seeds):
    """Time the search for neighbours, and print which of the true ones it finds."""
    given = list(spaces_of(files))
    # its functions are compiled in the process that first calls them: a task would wait for that as well
    started = time.process_time()
    descent(np.random.default_rng(0).normal(size=(6_000, COMPONENTS)).astype(np.float32), 0)
    compiled = time.process_time() - started
    print("| section | cells | search | CPU s | recall |")
    print("|---|--:|---|--:|--:|")
    for name, X in (*simulated(sizes), *given):
        for line in rows(name, X, seeds):
            print(line, flush=True)
    print(f"\nDescent compiles for {compiled:.0f} s more. Lists are used above {EXACT_CELLS:,} cells.")


def simulated(sizes: Sequence[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and components (n, p) float32 of sections of ``sizes`` cells: of kinds, and one without any."""
    for size in sizes:
        rng = np.random.default_rng(size)
        scale = (1 + np.arange(COMPONENTS, dtype=np.float32)) ** -0.5
        centres = 3 * rng.normal(size=(TYPES, COMPONENTS))
        types = rng.choice(TYPES, size, p=rng.dirichlet(np.ones(TYPES)))
        cells = rng.normal(size=(size, COMPONENTS))
        yield "simulated", ((centres[types] + cells) * scale).astype(np.float32)
        yield "without kinds", (cells * scale).astype(np.float32)


def spaces_of(files: Sequence[Path]) -> Iterator[tuple[str, np.ndarray]]:
    """The same of the two spaces of each file; raises BadInput for one that has none."""
    for path in files:
        adata = read_anndata(path)
        if Obsm.PROFILE not in adata.obsm or adata.n_obs < JUDGED:
            raise BadInput(Problem(path, "is no {sample}.graphs.h5ad" + f" of at least {JUDGED:,} cells"))
        X, profile = (np.asarray(adata.obsm[key], dtype=np.float32) for key in (Obsm.HARMONY, Obsm.PROFILE))
        for context, searched in searched_spaces(X, profile, adata.uns[UNS]).items():
            yield f"{path.name.split('.')[0]}, {context}", np.ascontiguousarray(searched)


def rows(section: str, X: np.ndarray, seeds: int) -> Iterator[str]:
    """A row of the table for each search."""
    searches: dict[str, tuple[int, Search]] = {
        "all distances": (1, partial(in_components, exact_up_to=len(X))),
        "near lists": (seeds, partial(in_components, exact_up_to=0)),
        "nearest-neighbour descent": (seeds, descent),
    }
    judged = np.sort(np.random.default_rng(0).choice(len(X), JUDGED, replace=False))
    furthest = np.empty(0)
    for name, (repeats, search) in searches.items():
        seconds, recalls = [], []
        for seed in range(repeats):
            with threadpool_limits(limits=1):
                started = time.process_time()
                nearest = search(X, seed)[judged]
                seconds.append(time.process_time() - started)
            distances = np.linalg.norm(X[nearest] - X[judged, None], axis=2)
            furthest = furthest if len(furthest) else distances.max(1) * (1 + ROUNDING) + ROUNDING
            recalls.append((distances <= furthest[:, None]).mean())
        took, recall = mean_and_sd(np.array(seconds), 1), mean_and_sd(np.array(recalls), 3)
        yield f"| {section} | {len(X):,} | {name} | {took} | {recall} |"


def in_components(X: np.ndarray, seed: int, exact_up_to: int) -> np.ndarray:
    """The pipeline's own search."""
    return nearest_in_components(X, NEIGHBOURS, seed, exact_up_to)


def descent(X: np.ndarray, seed: int) -> np.ndarray:
    """pynndescent, which comes with scanpy; the cell itself is the first that it finds."""
    from pynndescent import NNDescent

    return NNDescent(X, n_neighbors=NEIGHBOURS + 1, random_state=seed, n_jobs=1).neighbor_graph[0][:, 1:]


if __name__ == "__main__":
    bench_recall()
