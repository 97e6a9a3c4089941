"""Losses of the network, each term bounded below."""

import torch

from semanticst.model.edges import EdgeSet


def reconstruction_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared error over cells and components, relative to the target's variance (about 1 for a constant)."""
    return ((predicted - target) ** 2).mean() / variance(target).mean().clamp_min(1e-8)


def variance(x: torch.Tensor) -> torch.Tensor:
    """Of each column of ``x`` (..., m, p), about its mean: (..., p). A third of the time that torch's own takes on
    columns, which were an eighth of the training."""
    return (x - x.mean(-2, keepdim=True)).square().mean(-2)


def mincut_loss(P: torch.Tensor, cuts: list[tuple[EdgeSet, torch.Tensor]]) -> torch.Tensor:
    """1 - Tr(P'AP) / Tr(P'DP), in [0, 1]: edges should stay inside communities (Bianchi et al. 2020, equation 7).

    ``P`` (m, K) soft communities; ``cuts`` are edge sets with weights (e,), whose sum is A. A stays sparse.
    """
    kept = sum((P * edges.propagate(weights, P)).sum() for edges, weights in cuts)
    degree = sum(edges.sum_by_cell(weights) for edges, weights in cuts)
    return 1 - kept / (degree * (P**2).sum(1)).sum().clamp_min(1e-8)


def balance_loss(P: torch.Tensor) -> torch.Tensor:
    """|| P'P / ||P'P|| - I / sqrt(K) ||, in [0, 2): communities should be distinct and of like size (equation 8)."""
    K = P.shape[1]
    cross = P.T @ P
    return torch.linalg.matrix_norm(cross / torch.linalg.matrix_norm(cross).clamp_min(1e-8)
                                    - torch.eye(K, device=P.device) / K**0.5)  # fmt: skip


def disentangle_loss(z: torch.Tensor) -> torch.Tensor:
    """Mean squared correlation between the dimensions of different contexts' embeddings, in [0, 1].

    ``z`` (contexts, m, latent). 0 when each context says something of its own: unlike a plain cosine, it cannot be
    lowered below that by making contexts opposite.
    """
    n_contexts, m, _ = z.shape
    if n_contexts < 2:
        return z.new_zeros(())
    standard = (z - z.mean(1, keepdim=True)) / variance(z)[:, None].sqrt().clamp_min(1e-6)
    terms = [
        ((standard[a].T @ standard[b] / m) ** 2).mean() for a in range(n_contexts) for b in range(a + 1, n_contexts)
    ]
    return torch.stack(terms).mean()


def attention_balance_loss(scores: torch.Tensor) -> torch.Tensor:
    """KL(mean attention || uniform) / log(contexts), in [0, 1]: over the cohort every context is heard.

    ``scores`` (m, contexts). Without it the softmax settles on the one context that decodes best and the scores say
    nothing of a cell; single cells are free to attend to one context only.
    """
    n_contexts = scores.shape[1]
    if n_contexts < 2:
        return scores.new_zeros(())
    mean = scores.mean(0).clamp_min(1e-8)
    return (mean * (mean * n_contexts).log()).sum() / torch.log(torch.tensor(float(n_contexts), device=scores.device))


def match_loss(z: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """Squared distance of matched cells over that of two of these cells at random, in [0, 2]: 0 in one place.

    ``z`` (m, latent); ``matches`` (2, e) rows of ``z``. The ratio does not fall when the embedding shrinks as a whole.
    """
    if matches.shape[1] == 0:
        return z.new_zeros(())
    one, other = z.index_select(0, matches[0]), z.index_select(0, matches[1])
    at_random = 2 * variance(torch.cat([one, other])).sum()
    return (one - other).square().sum(1).mean() / at_random.clamp_min(1e-8)
