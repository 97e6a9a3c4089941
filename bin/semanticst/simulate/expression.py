"""Cell types of a simulated cohort, and their expression."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

MEDIAN_DEPTH = 250.0
"""Median counts of a cell before batch effects: an imaging panel."""
DEPTH_SPREAD = 0.35
"""Standard deviation of the log depth between cells."""
DISPERSION = 0.3
"""Negative-binomial dispersion: variance = mean + DISPERSION * mean^2."""
DEBRIS_DEPTH = 0.03
"""Depth of debris against that of a cell."""
INTENSITY = 100.0
"""Intensity of one count."""
BACKGROUND = 0.3
"""Background of a staining, against the mean of its marker in the section."""
STAINING_NOISE = 0.5
"""Standard deviation of the log intensity of a marker between cells that have as much of it."""
BRIGHT, BRIGHTER = 5e-4, 50.0
"""Share of the values that aggregates of antibody make too bright, and how many times."""
_ROWS = 20_000


@dataclass(frozen=True)
class Batch:
    """How one batch distorts what it measures."""

    depth: float
    """Factor on the depth."""
    gene_factor: np.ndarray
    """Factor on each gene, float64, n_genes."""
    dropout: float
    """Chance that a count that should be there is lost."""


def niche_mixes(n_niches: int) -> np.ndarray:
    """Share of each cell type in each niche: float64, n_niches x (n_niches + 2), rows sum to 1.

    Each niche has a leading type, which is also common in the next niche and present in the one before; the last two
    types are everywhere. So no niche is a cell type, and niches that lie side by side resemble each other.
    """
    niche = np.arange(n_niches)
    mixes = np.zeros((n_niches, n_niches + 2))
    mixes[niche, niche] = 0.52
    mixes[niche, (niche - 1) % n_niches] += 0.2
    mixes[niche, (niche + 1) % n_niches] += 0.08
    mixes[:, -2:] = [0.12, 0.08]
    return mixes / mixes.sum(axis=1, keepdims=True)


def paired_mixes(mixes: np.ndarray) -> np.ndarray:
    """The same where the second of two niches each has the cell types of the first."""
    return mixes[np.arange(len(mixes)) // 2 * 2]


def type_programmes(n_types: int, n_genes: int, rng: np.random.Generator) -> np.ndarray:
    """Share of the transcripts of a cell type that each gene takes: float64, n_types x n_genes, rows sum to 1.

    All types share a background; each has its own markers (together about two thirds of the genes), 3 to 8 times up.
    """
    log_mean = rng.normal(0, 0.8, n_genes) + rng.normal(0, 0.2, (n_types, n_genes))
    markers = rng.permutation(n_genes)[: 2 * n_genes // 3]
    owner = np.arange(len(markers)) % n_types
    log_mean[owner, markers] += rng.uniform(np.log(3), np.log(8), len(markers))
    mean = np.exp(log_mean)
    return mean / mean.sum(axis=1, keepdims=True)


def draw_batch(n_genes: int, depth: float, shift: float, dropout: float, rng: np.random.Generator) -> Batch:
    """A batch whose effects have the sizes given (see `semanticst.simulate.settings.Settings`)."""
    return Batch(
        depth=float(np.exp(rng.normal(0, 1) * depth)),
        gene_factor=np.exp(rng.normal(0, 1, n_genes) * shift),
        dropout=float(rng.random() * dropout),
    )


def draw_types(niche: np.ndarray, mixes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cell type (0, 1, ...) of each cell, drawn from the mix of its niche. Returns int64, n_cells."""
    cumulative = mixes.cumsum(axis=1)
    return np.minimum((rng.random((len(niche), 1)) > cumulative[niche]).sum(axis=1), mixes.shape[1] - 1)


def draw_intensities(counts: sp.csr_matrix, rng: np.random.Generator) -> sp.csr_matrix:
    """Intensities of stainings of what was counted, on a background: float32 CSR, every value above 0.

    ``counts`` (n_cells, n_genes). What a batch does to the expression of a gene is the gain of its marker here.
    """
    values = counts.toarray()
    values += BACKGROUND * values.mean(axis=0) + 1 / INTENSITY
    values *= INTENSITY * np.exp(rng.normal(0, STAINING_NOISE, values.shape))
    values[rng.random(values.shape) < BRIGHT] *= BRIGHTER
    return sp.csr_matrix(values, dtype=np.float32)


def draw_counts(
    cell_type: np.ndarray, programmes: np.ndarray, batch: Batch, debris: float, rng: np.random.Generator
) -> sp.csr_matrix:
    """Negative-binomial counts: float32 CSR, n_cells x n_genes.

    The negative binomial is drawn as a Poisson with a gamma rate, block by block, so that only a block is ever dense.
    """
    depth = MEDIAN_DEPTH * batch.depth * np.exp(rng.normal(0, DEPTH_SPREAD, len(cell_type)))
    depth[rng.random(len(cell_type)) < debris] *= DEBRIS_DEPTH
    expected = (programmes * batch.gene_factor).astype(np.float32)
    shape = np.float32(1 / DISPERSION)
    blocks = []
    for start in range(0, len(cell_type), _ROWS):
        rows = slice(start, start + _ROWS)
        rate = expected[cell_type[rows]] * depth[rows, None].astype(np.float32)
        rate *= rng.standard_gamma(shape, rate.shape, dtype=np.float32)
        rate /= shape
        counts = rng.poisson(rate)
        if batch.dropout > 0:
            counts[rng.random(counts.shape, dtype=np.float32) < batch.dropout] = 0
        blocks.append(sp.csr_matrix(counts, dtype=np.float32))
    return sp.vstack(blocks, format="csr")
