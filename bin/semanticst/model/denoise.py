"""Denoised expression: what the decoder makes of the embedding of a cell, back in the features of the cohort."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import torch

from semanticst import __version__
from semanticst.constants import UNS, Obs, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.features.basis import Basis
from semanticst.model.store import load_network
from semanticst.progress import progress
from semanticst.writing import write_h5ad

if TYPE_CHECKING:
    from semanticst.model.kinds import Network

log = logging.getLogger(__name__)

KEPT_OBS = [Obs.SAMPLE, Obs.PATIENT, Obs.BATCH, Obs.CELL_ID]


@torch.no_grad()
def denoise_cells(network: "Network", basis: Basis, fused: np.ndarray, batch: int | None) -> np.ndarray:
    """Denoised values of the features of ``basis``, float32 (n, G), of cells given by ``fused`` (n, latent).

    The decoder gives principal components (it was trained on these, not on features), which go back through the
    loadings: the part of the values that the components span. ``batch`` as in ``SemanticNetwork.decode``.
    """
    return basis.restore(network.decode(torch.from_numpy(np.asarray(fused, dtype=np.float32)), batch).numpy())


def denoise_cohort(embedding: Path, network: Path, basis: Path, outdir: Path) -> None:
    """Write ``{sample}.denoised.h5ad`` of every sample in ``cohort.embedding.h5ad``, one sample at a time.

    ``network`` is ``network.pt`` or ``model.pt``, ``basis`` the ``cohort.basis.npz`` of the same cohort. Each file has
    ``X`` float32 (cells of the sample, features), dense: no more than that is held at once. Cells of a batch that the
    network has not seen are decoded with the mean of the batches it has.

    Raises BadInput when network and basis differ in their components.
    """
    trained, state = load_network(network)
    loadings = Basis.load(basis)
    n_input = trained.shape.n_input
    if loadings.loadings.shape[1] != n_input:
        message = f"the network has {n_input} components; give the files of one run"
        raise BadInput(Problem(basis, message, value=loadings.loadings.shape[1]))
    cohort = ad.read_h5ad(embedding, backed="r")
    try:
        obs, settings = cohort.obs[KEPT_OBS].astype(str), dict(cohort.uns[UNS])
        fused, xy = (np.asarray(cohort.obsm[key]) for key in (Obsm.EMBEDDING, Obsm.SPATIAL))
    finally:
        cohort.file.close()
    batches = state.get("batches", {})  # a whole model has none: a batch of the same name is another one
    new = sorted(set(obs[Obs.BATCH]) - set(batches))
    if new and (batches or state.get("n_batches")):
        log.warning("the network has not seen batch %s: decoded with the mean of its batches", ", ".join(new))
    rows = obs.groupby(Obs.SAMPLE, sort=True).indices
    for sample, cells in progress(rows.items(), "denoising"):
        own = obs.iloc[cells]
        batch = batches.get(own[Obs.BATCH].iloc[0])
        denoised = ad.AnnData(
            denoise_cells(trained, loadings, fused[cells], batch),
            obs=own.astype(dict.fromkeys((Obs.SAMPLE, Obs.PATIENT, Obs.BATCH), "category")),
            var=pd.DataFrame(index=loadings.features.astype(str)),
            obsm={Obsm.SPATIAL: xy[cells]},
        )
        denoised.uns[UNS] = {
            "sample": sample,
            "feature_type": loadings.feature_type,
            "depth": loadings.depth,
            "spatial_unit": settings["spatial_unit"],
            "train_mode": settings["train_mode"],
            "version": __version__,
        }
        write_h5ad(outdir / f"{sample}.denoised.h5ad", denoised)
    log.info("%d cells of %d samples in %d features", len(obs), len(rows), len(loadings.features))
