"""Work to compare with: a fixed piece, and the least that any method does on a cohort.

``python -m semanticst.bench.measuring.floor yardstick`` is the same on every machine and every day, so that seconds
of different machines compare. ``python -m semanticst.bench.measuring.floor floor FILES`` reads each sample once and
makes two sparse products: that of its covariance and that of its components.
"""

import sys
from pathlib import Path

import numpy as np

YARDSTICK_SIZE, YARDSTICK_ROUNDS = 1_200, 4
YARDSTICK_CELLS, YARDSTICK_PARTS = 20_000, 10
COMPONENTS = 50


def yardstick() -> None:
    """Eigen-decompositions and a mixture of fixed size."""
    from semanticst.niche.mixture import fit_mixture

    rng = np.random.default_rng(0)
    square = rng.normal(size=(YARDSTICK_SIZE, YARDSTICK_SIZE))
    for _ in range(YARDSTICK_ROUNDS):
        np.linalg.eigh(square @ square.T)
    centres = 3 * rng.normal(size=(YARDSTICK_PARTS, 30))
    X = centres[rng.integers(YARDSTICK_PARTS, size=YARDSTICK_CELLS)] + rng.normal(size=(YARDSTICK_CELLS, 30))
    fit_mixture(X, YARDSTICK_PARTS, starts=8, refine=2, seed=0)


def floor(samples: list[Path]) -> None:
    """Read ``samples`` once; the products that covariance and components need."""
    import anndata as ad
    import scipy.sparse as sp

    for path in samples:
        X = sp.csr_matrix(ad.read_h5ad(path).X, dtype=np.float32)
        cross = (X.T @ X).toarray()
        loadings = np.eye(len(cross), min(COMPONENTS, len(cross)), dtype=np.float32)
        _ = X @ loadings


if __name__ == "__main__":
    yardstick() if sys.argv[1] == "yardstick" else floor([Path(name) for name in sys.argv[2:]])
