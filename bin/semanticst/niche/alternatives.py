"""Niches as they would be under other choices, for the sensitivity of a finding: one niche more and one less, other
numbers that were asked for, and components that no batch correction has seen."""

from collections.abc import Container, Mapping, Sequence

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import ALONE, OTHER_NUMBER, UNS, WITHOUT_HARMONY, Context, Obs, Obsm, graph_key
from semanticst.graph.contexts import neighbourhood_profile
from semanticst.niche.base_clusterings import assign_parts, fit_base_clusterings
from semanticst.niche.consensus import overlap
from semanticst.niche.mixture import rows_of_each
from semanticst.niche.representations import Representation, fit_representations, is_reference, middle_representation


def alternative_clusterings(
    adata: ad.AnnData,
    representations: Sequence[Representation],
    k: int,
    known: Container[int],
    *,
    shrinkage: float,
    starts: int,
    seed: int,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Parts (n,) int64 of each cell in single base clusterings that stand for other choices, by what they are called.

    On the representation on which the number of niches is chosen: ``k - 1`` and ``k + 1`` parts, if not ``known``
    already, and ``k`` parts on the same hop and width of components before Harmony, where it moved any. They have no
    vote in the consensus.
    """
    middle = middle_representation(representations)
    settings = {"shrinkage": shrinkage, "starts": starts, "seed": seed, "threads": threads}
    numbers = [n for n in (k - 1, k + 1) if n not in known and 2 <= n <= adata.n_obs]
    found = {f"{OTHER_NUMBER}{n}{ALONE}": parts for n, parts in _parts(adata, middle, numbers, settings).items()}
    uncorrected = without_harmony(adata, middle)
    if uncorrected is not None:
        own = middle_representation(fit_representations(uncorrected, (middle.loadings.shape[1],), learned=False))
        found[WITHOUT_HARMONY] = _parts(uncorrected, own, [k], settings)[k]
    return found


def without_harmony(adata: ad.AnnData, middle: Representation) -> ad.AnnData | None:
    """The cells with the neighbourhood profile of their components before Harmony, at the hop of ``middle`` alone.

    None where Harmony moved nothing, or where niches are found on something else (reference mode).
    """
    components = np.asarray(adata.obsm[Obsm.COMPONENTS], dtype=np.float32)
    if is_reference(adata) or np.array_equal(components, adata.obsm[Obsm.HARMONY]):
        return None
    p = components.shape[1]
    hop = middle.columns[1] // p
    spatial = sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)])
    profile = np.empty_like(components)
    for rows in rows_of_each(adata.obs[Obs.SAMPLE].astype(str).to_numpy()):
        hops = neighbourhood_profile(components[rows], spatial[rows][:, rows], hop, adata.uns[UNS].get("shares_mean"))
        profile[rows] = hops[:, -p:]
    uns = {UNS: {**adata.uns[UNS], "graph_hops": 1}}
    return ad.AnnData(obs=adata.obs, obsm={Obsm.PROFILE: profile}, uns=uns)


def alternative_counts(samples: np.ndarray, labels: np.ndarray, others: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Count the cells of what corresponds to each niche in other clusterings of the cells.

    Parameters
    ----------
    samples
        Sample of each cell (n,).
    labels
        Niche of each cell (n,), from 0.
    others
        Part of each cell in other clusterings, by their names.

    Returns
    -------
    pandas.DataFrame
        Columns member, sample, niche (from 1, of ``labels``), n_cells. Every part counts for the niche with
        which it shares most cells; a niche that no part is mostly made of has no rows.
    """
    code, found = pd.factorize(samples, sort=True)
    k = labels.max(initial=-1) + 1
    tables = []
    for name, parts in others.items():
        shared = overlap(parts, labels)
        niche_of_part = shared.argmax(axis=1)
        counts = np.bincount(code * k + niche_of_part[parts], minlength=len(found) * k).reshape(len(found), k)
        for niche in np.unique(niche_of_part[shared.sum(axis=1) > 0]):
            rows = {"member": name, "sample": found, "niche": niche + 1, "n_cells": counts[:, niche]}
            tables.append(pd.DataFrame(rows))
    if not tables:
        return pd.DataFrame(columns=["member", "sample", "niche", "n_cells"])
    return pd.concat(tables, ignore_index=True)


def _parts(
    adata: ad.AnnData, representation: Representation, numbers: Sequence[int], settings: Mapping
) -> dict[int, np.ndarray]:
    mixtures = fit_base_clusterings(adata, [representation], numbers, **settings)
    return {n: assign_parts(adata, [representation], mixtures[n])[0] for n in numbers}
