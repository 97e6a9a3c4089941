"""Borders between niches: what a cell is, what the members voted, and where its neighbours belong decide together.

Members of the consensus cluster means over neighbourhoods, which run into each other where niches meet: a cell beside
a border has a mean of both sides. A hidden Markov random field looks at the cells themselves (Zhu et al. 2018;
BayesSpace, Zhao et al. 2021). A niche k is a composition theta_k of cell states s, and cells beside each other tend to
be of one niche:

    log p(z | s, v) = sum_i [ w log p(s_i | theta_{z_i}) + a log(v_{i, z_i} + e)
                              + b / |N_i| sum_{j in N_i} 1(z_i = z_j) ]

with v_ik the share of votes and N_i the neighbours in space. b = 5 lies between what BayesSpace takes on square (4) and
on hexagonal lattices (6); where a ring has gaps, the rest of it counts as much. theta is found by mean-field EM (Celeux
et al. 2003) from the votes on.

The sum takes the states of cells for independent given their niches. Where niches have an inner structure, or spots
share what diffuses between them, neighbours are alike beyond that, and a clump of them would count as so many
witnesses. With rho the correlation of states between neighbours of one niche, d + 1 cells say as much as
(d + 1) / (1 + rho d) independent ones (the design effect, Kish 1965), so w = 1 / (1 + rho d) for d neighbours.
"""

from dataclasses import dataclass, replace

import anndata as ad
import numpy as np
import scipy.sparse as sp
from scipy.special import softmax
from sklearn.cluster import KMeans

from semanticst.constants import SHARES, UNS, Context, Obsm, graph_key
from semanticst.niche.mixture import BLOCK, Mixture, fit_mixture, rows_at_most
from semanticst.niche.representations import View, is_reference, leading

STATES = 30
"""Cell states; 15 and 60 gave the same borders."""
WIDTH = 20
"""Principal components of the states."""
STATE_CELLS = 20_000
"""Cells on which states are found."""
SMOOTHNESS = 5.0
"""b: log odds of the niche that all neighbours belong to against one that none does."""
TRUST = 0.5
"""a: what votes count against the cell's own state."""
DOUBT = 0.05
"""e: share of votes that a niche has without any."""
PRIOR_CELLS = 5.0
"""Cells of the cohort's composition that each niche has beside its own, so that no state is impossible in it."""
ROUNDS = 40
FIRST_ROUNDS = 10
"""Rounds in which states count whole: neighbours look alike beyond their niche as long as its border is wrong."""
STEPS = 60
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Field:
    """What the cells of a cohort are and where: cell ``states`` in the ``view`` of the corrected components, ``shares``
    (n, S) of them in each cell, and the ``pull`` (n, n) of its neighbours."""

    view: View
    states: Mixture
    shares: np.ndarray
    pull: sp.csr_matrix


def field_of(adata: ad.AnnData, seed: int) -> Field | None:
    """States and neighbours of the cells of ``adata``; None in reference mode, whose niches are as voted."""
    if is_reference(adata):
        return None
    return _look(adata, *fit_states(adata, seed))


def _look(adata: ad.AnnData, view: View, states: Mixture) -> Field:
    return Field(view, states, shares_of_states(states, view.matrix(adata)), neighbour_pull(adata))


@dataclass(frozen=True)
class Borders:
    """``view`` of the corrected components, cell ``states`` in it, ``composition`` (K, S) shares of states by niche,
    ``states_all`` (S,) those of the cohort, and w, the ``weight`` of a cell's own state."""

    view: View
    states: Mixture
    composition: np.ndarray
    states_all: np.ndarray
    weight: float

    def draw(self, adata: ad.AnnData, votes: np.ndarray) -> np.ndarray:
        """Niche (n,) int64 of each cell, from the shares of ``votes`` (n, K)."""
        return self.draw_in(_look(adata, self.view, self.states), votes)

    def draw_in(self, field: Field, votes: np.ndarray) -> np.ndarray:
        """The same for cells whose ``field`` is known."""
        return _settle(self._evidence(field.shares, votes), votes, field.pull, STEPS).argmax(1)

    def renumbered(self, order: np.ndarray) -> "Borders":
        """The same with niche ``order[i]`` as number i."""
        return replace(self, composition=self.composition[order])

    def _evidence(self, shares: np.ndarray, votes: np.ndarray) -> np.ndarray:
        """w log p(s_i | theta_k) / p(s_i) + a log(v_ik + e), (n, K)."""
        own = np.log(shares @ (self.composition / self.states_all).T)
        return self.weight * own + TRUST * np.log(votes + DOUBT)


def fit_borders(field: Field, votes: np.ndarray) -> Borders:
    """Find the composition of each niche, and the weight of states, from shares of ``votes`` (n, K) on."""
    of_all = np.maximum(field.shares.mean(0, dtype=np.float64), 1e-12)  # a state may have lost all its cells
    R = np.eye(votes.shape[1])[votes.argmax(1)]
    for round_ in range(ROUNDS):
        sums = R.T @ field.shares + PRIOR_CELLS * of_all
        composition = sums / sums.sum(1, keepdims=True)
        moved = round_ >= FIRST_ROUNDS
        weight = weight_of_states(field, R.argmax(1), composition) if moved else 1.0
        borders = Borders(field.view, field.states, composition, of_all, weight)
        before, R = R, _settle(borders._evidence(field.shares, votes), R, field.pull, 5)
        if moved and np.abs(R - before).max() < TOLERANCE:
            break
    return borders


def weight_of_states(field: Field, niche: np.ndarray, composition: np.ndarray) -> float:
    """w = 1 / (1 + rho d), with ``niche`` (n,) of each cell and ``composition`` (K, S) of the niches.

    rho = (sum s_i s_j - sum theta_z theta_z) / (sum s_i s_i - sum theta_z theta_z) over neighbours i, j of one niche z:
    0 where their states are independent in it, 1 where they are the same.
    """
    W = field.pull.copy()
    W.data *= np.repeat(niche, np.diff(W.indptr)) == niche[W.indices]
    weights = np.asarray(W.sum(1)).ravel()
    alike = np.einsum("ij,ij", field.shares, W @ field.shares, dtype=np.float64)
    same = weights @ np.einsum("ij,ij->i", field.shares, field.shares, dtype=np.float64)
    by_chance = weights @ (composition**2).sum(1)[niche]
    rho = np.clip((alike - by_chance) / max(same - by_chance, 1e-12), 0, 1)
    return float(1 / (1 + rho * field.pull.nnz / len(niche)))


def fit_states(adata: ad.AnnData, seed: int) -> tuple[View, Mixture]:
    """States of single cells, without their surroundings: a mixture on the leading corrected components.

    On panels of cell types and marks, where cells lie on a few points, the centres of k-means: the narrow sphere around
    each gives a cell to the nearest.
    """
    block = np.asarray(adata.obsm[Obsm.HARMONY], dtype=np.float64)
    view = View("states", str(Obsm.HARMONY), (0, block.shape[1]), block.mean(0), leading(block, WIDTH))
    X = view.matrix(adata)
    X = X[rows_at_most(len(X), STATE_CELLS, np.random.default_rng(seed))]
    n_states = min(STATES, len(X), len(np.unique(X.round(6), axis=0)))
    if adata.uns[UNS]["feature_type"] not in SHARES:
        return view, fit_mixture(X, n_states, starts=4, refine=4, seed=seed)
    centres = KMeans(n_states, n_init=4, random_state=seed).fit(X).cluster_centers_
    narrow = 1e-4 * max(X.var(0).sum(), 1e-300) / X.shape[1]
    return view, Mixture(np.full(n_states, 1 / n_states), centres, narrow * np.eye(X.shape[1]))


def shares_of_states(states: Mixture, X: np.ndarray) -> np.ndarray:
    """Probability of each state, float32 (n, S), of cells ``X`` (n, d)."""
    blocks = (X[start : start + BLOCK] for start in range(0, len(X), BLOCK))
    return np.vstack([softmax(states.log_joint(block), axis=1).astype(np.float32) for block in blocks])


def neighbour_pull(adata: ad.AnnData) -> sp.csr_matrix:
    """Weights b / |N_i| (n, n) of the neighbours in space; rows of cells without any are empty."""
    A = sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)], dtype=np.float64)
    A.data[:] = 1.0
    return sp.csr_matrix(sp.diags_array(SMOOTHNESS / np.maximum(np.diff(A.indptr), 1)) @ A)


def _settle(evidence: np.ndarray, R: np.ndarray, W: sp.csr_matrix, steps: int) -> np.ndarray:
    """Mean-field probabilities (n, K) of the niches from ``R`` on.

    Half steps: whole ones, of all cells at once, can swing for ever on a square lattice.
    """
    for _ in range(steps):
        after = (R + softmax(evidence + W @ R, axis=1)) / 2
        change, R = np.abs(after - R).max(), after
        if change < TOLERANCE:
            break
    return R
