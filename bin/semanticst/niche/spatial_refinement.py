"""Spatial refinement of the consensus: a hidden Markov random field of cell states, votes and neighbours.

Base clusterings look at means over neighbourhoods, which run into each other where niches meet: a cell beside
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
from functools import cached_property

import anndata as ad
import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans

from semanticst.constants import SHARES, UNS, Context, Obsm, graph_key
from semanticst.niche.deciding_cells import deciding_cells
from semanticst.niche.em import IMPOSSIBLE
from semanticst.niche.mixture import Mixture, fit_mixture, subsample_rows
from semanticst.niche.representations import BLOCK, Representation, is_reference, principal_components

STATES = 30
"""Cell states; 15 and 60 gave the same niches."""
WIDTH = 20
"""Principal components of the states."""
STATE_CELLS = 20_000
"""Cells on which states are found."""
SMOOTHNESS = 5.0
"""b: log odds of the niche that all neighbours belong to against one that none does."""
VOTE_WEIGHT = 0.5
"""a: what votes count against the cell's own state."""
VOTE_PSEUDOCOUNT = 0.05
"""e: share of votes that a niche has without any."""
PRIOR_CELLS = 5.0
"""Cells of the cohort's composition that each niche has beside its own, so that no state is impossible in it."""
ROUNDS = 40
FIRST_ROUNDS = 10
"""Rounds in which states count whole: neighbours look alike beyond their niche as long as its border is wrong."""
STEPS = 60
TOLERANCE = 1e-3


@dataclass(frozen=True)
class HmrfInputs:
    """What the cells of a cohort are and where: cell ``states`` in the ``representation`` of the corrected components,
    ``shares`` (n, S) of them in each cell, and the Potts weights ``potts`` (n, n) of its neighbours, both float32.
    ``decides`` (n,) bool: which cells say what the niches consist of."""

    representation: Representation
    states: Mixture
    shares: np.ndarray
    potts: sp.csr_matrix
    decides: np.ndarray

    @cached_property
    def neighbours(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each entry W_ij of ``potts``: the cell i, and W_ij s_i s_j, which no round changes; (nnz,)."""
        cell = np.repeat(np.arange(len(self.shares), dtype=np.int32), np.diff(self.potts.indptr))
        alike = np.empty(len(cell), dtype=np.float32)
        for first in range(0, len(cell), BLOCK):
            rows = slice(first, first + BLOCK)
            other = self.shares[self.potts.indices[rows]]
            np.einsum("ij,ij->i", self.shares[cell[rows]], other, out=alike[rows])
        return cell, alike * self.potts.data


def hmrf_inputs(adata: ad.AnnData, seed: int) -> HmrfInputs | None:
    """States and neighbours of the cells of ``adata``; None in reference mode, whose niches are not refined."""
    if is_reference(adata):
        return None
    return _look(adata, *fit_states(adata, seed))


def _look(adata: ad.AnnData, representation: Representation, states: Mixture) -> HmrfInputs:
    blocks = ((block - representation.mean) @ representation.loadings for block in representation.blocks(adata))
    shares = np.vstack([shares_of_states(states, block) for block in blocks])
    decides = np.zeros(adata.n_obs, dtype=bool)
    decides[deciding_cells(adata)] = True
    return HmrfInputs(representation, states, shares, potts_weights(adata), decides)


@dataclass(frozen=True)
class Hmrf:
    """``representation`` of the corrected components, cell ``states`` in it, ``composition`` (K, S) shares of states by
    niche, ``states_all`` (S,) those of the cohort, and w, the ``weight`` of a cell's own state."""

    representation: Representation
    states: Mixture
    composition: np.ndarray
    states_all: np.ndarray
    weight: float

    def refine(self, adata: ad.AnnData, votes: np.ndarray) -> np.ndarray:
        """Niche (n,) int64 of each cell, from the shares of ``votes`` (n, K)."""
        return self.refine_inputs(_look(adata, self.representation, self.states), votes)

    def refine_inputs(self, inputs: HmrfInputs, votes: np.ndarray) -> np.ndarray:
        """The same for cells whose ``inputs`` are known."""
        return mean_field(self._evidence(inputs.shares, votes), votes.astype(np.float32), inputs.potts, STEPS).argmax(1)

    def renumbered(self, order: np.ndarray) -> "Hmrf":
        """The same with niche ``order[i]`` as number i."""
        return replace(self, composition=self.composition[order])

    def _evidence(self, shares: np.ndarray, votes: np.ndarray) -> np.ndarray:
        """w log p(s_i | theta_k) / p(s_i) + a log(v_ik + e), float32 (n, K)."""
        evidence = shares @ (self.composition / self.states_all).T.astype(np.float32)
        np.log(evidence, out=evidence)
        evidence *= np.float32(self.weight)
        evidence += VOTE_WEIGHT * np.log(votes + VOTE_PSEUDOCOUNT)
        return evidence


def fit_hmrf(inputs: HmrfInputs, votes: np.ndarray) -> Hmrf:
    """Find the composition of each niche, and the weight of states, from shares of ``votes`` (n, K) on."""
    some = slice(None) if inputs.decides.all() else inputs.decides
    shares = inputs.shares[some]
    of_all = np.maximum(shares.mean(0, dtype=np.float64), 1e-12)  # a state may have lost all its cells
    R = np.eye(votes.shape[1], dtype=np.float32)[votes.argmax(1)]
    for round_ in range(ROUNDS):
        sums = R[some].T @ shares + PRIOR_CELLS * of_all
        composition = sums / sums.sum(1, keepdims=True)
        moved = round_ >= FIRST_ROUNDS
        weight = state_weight_from_design_effect(inputs, R.argmax(1), composition) if moved else 1.0
        hmrf = Hmrf(inputs.representation, inputs.states, composition, of_all, weight)
        before, R = R, mean_field(hmrf._evidence(inputs.shares, votes), R, inputs.potts, 5)
        if moved and np.abs(R - before).max() < TOLERANCE:
            break
    return hmrf


def state_weight_from_design_effect(inputs: HmrfInputs, niche: np.ndarray, composition: np.ndarray) -> float:
    """w = 1 / (1 + rho d), with ``niche`` (n,) of each cell and ``composition`` (K, S) of the niches.

    rho = (sum s_i s_j - sum theta_z theta_z) / (sum s_i s_i - sum theta_z theta_z) over neighbours i, j of one niche z:
    0 where their states are independent in it, 1 where they are the same.
    """
    cell, alike = inputs.neighbours
    inside = niche[cell] == niche[inputs.potts.indices]
    if not inputs.decides.all():
        inside &= inputs.decides[cell]
    weights = np.bincount(cell[inside], inputs.potts.data[inside], minlength=len(niche))
    alike = alike[inside].sum(dtype=np.float64)
    same = weights @ np.einsum("ij,ij->i", inputs.shares, inputs.shares)
    by_chance = weights @ (composition**2).sum(1)[niche]
    rho = np.clip((alike - by_chance) / max(same - by_chance, 1e-12), 0, 1)
    return float(1 / (1 + rho * inputs.potts.nnz / len(niche)))


def fit_states(adata: ad.AnnData, seed: int) -> tuple[Representation, Mixture]:
    """States of single cells, without their neighbours: a mixture on the leading corrected components.

    On panels of cell types and marks, where cells lie on a few points, the centres of k-means: the narrow sphere around
    each gives a cell to the nearest.
    """
    rows = deciding_cells(adata)
    columns = 0, adata.obsm[Obsm.HARMONY].shape[1]
    components = principal_components(adata.obsm[Obsm.HARMONY], columns, WIDTH, rows)
    representation = Representation("states", str(Obsm.HARMONY), columns, *components)
    X = representation.matrix(adata)[rows]
    X = X[subsample_rows(len(X), STATE_CELLS, np.random.default_rng(seed))]
    n_states = min(STATES, len(X), len(np.unique(X.round(6), axis=0)))
    if adata.uns[UNS]["feature_type"] not in SHARES:
        return representation, fit_mixture(X, n_states, starts=4, refine=4, seed=seed)
    centres = KMeans(n_states, n_init=4, random_state=seed).fit(X).cluster_centers_
    narrow = 1e-4 * max(X.var(0).sum(), 1e-300) / X.shape[1]
    return representation, Mixture(np.full(n_states, 1 / n_states), centres, narrow * np.eye(X.shape[1]))


def shares_of_states(states: Mixture, X: np.ndarray) -> np.ndarray:
    """Probability of each state, float32 (n, S), of cells ``X`` (n, d)."""
    return softmax_rows(states.log_odds(X)).astype(np.float32)


def potts_weights(adata: ad.AnnData) -> sp.csr_matrix:
    """Weights b / |N_i| (n, n) of the neighbours in space; rows of cells without any are empty."""
    A = sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)])
    neighbours = np.diff(A.indptr)
    weights = np.repeat((SMOOTHNESS / np.maximum(neighbours, 1)).astype(np.float32), neighbours)
    return sp.csr_matrix((weights, A.indices, A.indptr), shape=A.shape)


def mean_field(evidence: np.ndarray, R: np.ndarray, W: sp.csr_matrix, steps: int) -> np.ndarray:
    """Mean-field probabilities (n, K) of the niches from ``R`` on.

    Half steps: whole ones, of all cells at once, can swing for ever on a square lattice.
    """
    for _ in range(steps):
        after = softmax_rows(W @ R + evidence)
        after += R
        after /= 2
        change, R = np.abs(after - R).max(), after
        if change < TOLERANCE:
            break
    return R


def softmax_rows(X: np.ndarray) -> np.ndarray:
    """exp(x_ik) / sum_k exp(x_ik) (n, K), in the place of ``X``."""
    # not X.max(1): numpy goes along short rows value by value
    highest = X[:, 0].copy()
    for column in X.T[1:]:
        np.maximum(highest, column, out=highest)
    X -= highest[:, None]
    np.exp(np.maximum(X, IMPOSSIBLE, out=X), out=X)
    X /= X.sum(1, keepdims=True)
    return X
