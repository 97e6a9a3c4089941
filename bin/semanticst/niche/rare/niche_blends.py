"""Blends of niches: a neighbourhood at the border of niches is the mean of its cells, part of one and part of others.

A cell that is like no niche is unusual only if it is like no blend of niches either: distance to the nearest point of
the convex hull of the niches' means. The weights of that point minimise |z - w M|^2 over w >= 0, sum w = 1, found by
accelerated projected gradient (Beck and Teboulle 2009, FISTA) with the projection of Duchi et al. 2008.
"""

import numpy as np

STEPS = 60
"""Of the gradient: on the ladder weights move by less than 0.01 after 40."""
BLOCK = 20_000


def nearest_blends(Z: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Weights (n, k) of the blend of ``vertices`` (k, p) that is nearest to each row of ``Z`` (n, p).

    Not negative, rows sum to 1. Memory is that of the weights and of one block of cells.
    """
    blocks = [_blends_of_block(Z[first : first + BLOCK], vertices) for first in range(0, len(Z), BLOCK)]
    return np.concatenate(blocks) if blocks else np.empty((0, len(vertices)))


def _blends_of_block(Z: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    vertices_centred = vertices - vertices.mean(0)
    products = vertices_centred @ vertices_centred.T
    step = 1 / max(np.linalg.eigvalsh(products)[-1], 1e-12)
    linear = (Z - vertices.mean(0)) @ vertices_centred.T
    weights = project_to_simplex(linear * step)
    ahead, momentum = weights, 1.0
    for _ in range(STEPS):
        moved = project_to_simplex(ahead - step * (ahead @ products - linear))
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / next_momentum * (moved - weights)
        weights, momentum = moved, next_momentum
    return weights


def project_to_simplex(V: np.ndarray) -> np.ndarray:
    """The nearest point (n, k) of the simplex to each row of ``V`` (n, k): Duchi et al. 2008, figure 1."""
    descending = -np.sort(-V, axis=1)
    excess = descending.cumsum(1) - 1
    count = np.arange(1, V.shape[1] + 1)
    kept = (descending * count > excess).sum(1)
    threshold = excess[np.arange(len(V)), kept - 1] / kept
    return np.maximum(V - threshold[:, None], 0)
