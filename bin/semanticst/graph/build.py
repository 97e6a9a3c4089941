"""The graph step: components of a sample in, its semantic graphs out."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anndata as ad  # noqa: F401 - here, so that processes of samples side by side find it imported
import numpy as np

from semanticst.constants import GRAPH_SETTINGS, OF_MODEL, SHARES, UNS, Context, Obsm, graph_key
from semanticst.errors import BadInput, Problem
from semanticst.graph.contexts import domain_context, expression_context, neighbourhood_profile, spatial_context
from semanticst.io.internal import read_anndata
from semanticst.threads import in_parallel
from semanticst.writing import write_h5ad, write_json

log = logging.getLogger(__name__)


def build_graphs(
    paths: Sequence[Path],
    outdir: Path,
    *,
    k_spatial: int = 10,
    k_expression: int = 10,
    k_domain: int = 10,
    hops: int = 4,
    seed: int = 0,
    prefix: str = "graphs",
    threads: int = 1,
) -> None:
    """Write ``{sample}.graphs.h5ad`` for each ``{sample}.components.h5ad``, and ``{prefix}.graphs.json``.

    Added: one CSR adjacency per context in ``obsp`` (n, n), the neighbourhood profile in ``obsm``, float32
    (n, hops * components).

    Parameters
    ----------
    paths
        Objects with components (``obsm['X_pca_harmony']``) and positions (``obsm['spatial']``), one per sample.
    outdir
        An existing folder.
    k_spatial, k_expression, k_domain
        Neighbours of a cell in the tissue, among components, and among neighbourhood profiles.
    hops
        Steps over the spatial graph that a neighbourhood profile averages over. Where samples are mapped onto a model,
        these four are the model's, whatever is given.
    seed
        Of the approximate search for neighbours in large samples.
    prefix
        Of the file of numbers of cells and edges.
    threads
        Of the processor: samples at a time, each in a process of its own; they change nothing in the result.

    Raises
    ------
    BadInput
        For a file that cannot be read, and for a sample of fewer than 2 cells.

    Examples
    --------
    ``folder`` has ``s1.components.h5ad``: 240 cells, 6 components.

    >>> build_graphs([folder / "s1.components.h5ad"], folder, k_spatial=6, hops=2)
    >>> sample = ad.read_h5ad(folder / "s1.graphs.h5ad")
    >>> sorted(sample.obsp)
    ['domain_connectivities', 'expression_connectivities', 'spatial_connectivities']
    >>> sample.obsm["X_profile"].shape
    (240, 12)
    """
    given = dict(zip(GRAPH_SETTINGS, (k_spatial, k_expression, k_domain, hops)))
    ordered = sorted(paths, key=lambda p: p.name)
    build = partial(_build_sample, outdir=outdir, given=given, seed=seed)
    # of one sample the products take all threads; of several each takes one, which costs less
    summary = in_parallel(build, ordered, threads, "graphs") if len(ordered) > 1 else [build(p) for p in ordered]
    write_json(outdir / f"{prefix}.graphs.json", summary)


def _build_sample(path: Path, outdir: Path, given: dict[str, int], seed: int) -> dict:
    """Write the graphs of one sample; its numbers of cells and edges."""
    adata = read_anndata(path)
    sample = str(adata.uns[UNS]["sample"])
    if adata.n_obs < 2:
        raise BadInput(Problem(path, f"sample '{sample}' has {adata.n_obs} cell(s), a graph needs at least 2"))
    used = _settings(sample, adata.uns[UNS], given)
    X = np.asarray(adata.obsm[Obsm.HARMONY], dtype=np.float32)
    spatial = spatial_context(np.asarray(adata.obsm[Obsm.SPATIAL]), used["graph_k_spatial"], sample)
    profile = neighbourhood_profile(X, spatial, used["graph_hops"], adata.uns[UNS].get("shares_mean"))
    searched = searched_spaces(X, profile, adata.uns[UNS])
    graphs = {
        Context.SPATIAL: spatial,
        Context.EXPRESSION: expression_context(searched[Context.EXPRESSION], used["graph_k_expression"], seed, sample),
        Context.DOMAIN: domain_context(searched[Context.DOMAIN], used["graph_k_domain"], seed, sample),
    }
    adata.obsm[Obsm.PROFILE] = profile
    for context, graph in graphs.items():
        adata.obsp[graph_key(context)] = graph
    adata.uns[UNS] = {**adata.uns[UNS], **used}
    write_h5ad(outdir / f"{sample}.graphs.h5ad", adata)
    return {"sample": sample, "n_cells": adata.n_obs, **{f"edges_{c}": g.nnz // 2 for c, g in graphs.items()}}


def _settings(sample: str, recorded: dict, given: dict[str, int]) -> dict[str, int]:
    """Neighbours and hops of a sample: those of the model that it is mapped onto, else as ``given``."""
    model = {name: int(recorded[OF_MODEL + name]) for name in given if OF_MODEL + name in recorded}
    for name, value in model.items():
        if value != given[name]:
            log.warning("%s: --%s %d has no effect, the model's %d is taken", sample, name, given[name], value)
    return given | model


def searched_spaces(X: np.ndarray, profile: np.ndarray, settings: dict) -> dict[str, np.ndarray]:
    """What cells are neighbours by: components ``X`` (n, p), and the widest average of ``profile`` (n, hops * p), which
    says what kind of tissue surrounds the cell. ``settings`` are those that the sample's file has."""
    return {
        Context.EXPRESSION: _with_ties_broken(X, profile, settings),
        Context.DOMAIN: profile[:, -X.shape[1] :],
    }


def _with_ties_broken(X: np.ndarray, profile: np.ndarray, settings: dict) -> np.ndarray:
    """Cells of one type are all alike on a one-hot panel: there their neighbourhoods say who is nearest.

    Without this every cell of a type would be joined to the same few cells.
    """
    if settings["feature_type"] not in SHARES:
        return X
    return np.hstack([X, 0.1 * profile[:, : X.shape[1]]])
