"""Proteins of a cohort: what its samples measured beside the genes, put together."""

import logging
from collections.abc import Sequence

import anndata as ad
import numpy as np

from semanticst.constants import UNS, VALIDATION, FeatureType, Obsm

log = logging.getLogger(__name__)


def join_proteins(parts: Sequence[ad.AnnData]) -> tuple[np.ndarray, list[str], FeatureType] | None:
    """Proteins of all cells of samples in the internal form: float32, n_cells x n_proteins, their names and kind.

    Only those are kept that all samples with proteins share, in the order of the first; cells of other samples are
    NaN. Counts only where all samples hold counts. None where no sample has proteins, or none is shared. Samples of a
    validation decide nothing of this: one that lacks a protein, or holds another kind, has none.
    """
    having = [part for part in parts if Obsm.PROTEIN in part.obsm]
    having = [part for part in having if str(part.uns[UNS].get("study_part", "")) != VALIDATION]
    if not having:
        return None
    panels = [[str(name) for name in part.uns[UNS]["protein_names"]] for part in having]
    shared = [name for name in panels[0] if all(name in panel for panel in panels)]
    log.info("proteins: %d of at most %d are in all of the %d samples that have any (of %d)",
             len(shared), max(map(len, panels)), len(having), len(parts))  # fmt: skip
    if not shared:
        log.warning("proteins: none is left; are they called alike in all samples?")
        return None
    kinds = {str(part.uns[UNS]["protein_type"]) for part in having}
    blocks = []
    for part in parts:
        block = np.full((part.n_obs, len(shared)), np.nan, np.float32)
        place = {str(name): i for i, name in enumerate(part.uns[UNS].get("protein_names", ()))}
        kind = str(part.uns[UNS].get("protein_type", ""))
        if Obsm.PROTEIN in part.obsm and kind in kinds and set(shared) <= set(place):
            block[:] = np.asarray(part.obsm[Obsm.PROTEIN])[:, [place[name] for name in shared]]
        blocks.append(block)
    of_all = FeatureType.COUNTS if kinds == {FeatureType.COUNTS.value} else FeatureType.CONTINUOUS
    return np.vstack(blocks), shared, of_all
