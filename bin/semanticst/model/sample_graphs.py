"""The graphs of all samples as tensors' sources: numpy and CSR, one entry per sample."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import scipy.sparse as sp

from semanticst.constants import CONTEXTS, UNS, Obs, Obsm, graph_key
from semanticst.errors import BadInput, Problem

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SampleGraphs:
    """One sample of n cells.

    ``x`` (n, p) float32 corrected components; ``target`` (n, p + q) float32 what is decoded: own uncorrected
    components, then the neighbourhood profile; ``xy`` (n, 2) float64; ``graphs`` context -> CSR (n, n); ``batch`` name;
    ``patient``, where it is known, else the sample counts as one.
    """

    sample: str
    batch: str
    x: np.ndarray
    target: np.ndarray
    xy: np.ndarray
    graphs: dict[str, sp.csr_matrix]
    patient: str = ""

    @property
    def n(self) -> int:
        return len(self.x)


def sample_name(path: Path) -> str:
    return str(_noted(path, "sample"))


def study_part(path: Path) -> str:
    """``discovery``, ``validation``, or nothing where the study has no parts."""
    return str(_noted(path, "study_part") or "")


def _noted(path: Path, name: str) -> object:
    """One of the things that earlier steps noted of a sample, or None; no more of its file is read, for there are as
    many files as samples."""
    with h5py.File(path) as file:
        noted = file[f"uns/{UNS}"]
        return ad.io.read_elem(noted[name]) if name in noted else None


def sorted_by_sample(paths: Sequence[Path]) -> list[Path]:
    """Paths in the order of their samples' names; raises BadInput when a sample comes twice."""
    named: dict[str, Path] = {}
    for path in paths:
        name = sample_name(path)
        if name in named:
            raise BadInput(Problem(path, f"sample '{name}' is given twice, also in {named[name].name}"))
        named[name] = path
    return [named[name] for name in sorted(named)]


def read_graphs(path: Path, contexts: Sequence[str] = CONTEXTS) -> SampleGraphs:
    """Read one ``{sample}.graphs.h5ad``."""
    adata = ad.read_h5ad(path)
    missing = [c for c in contexts if graph_key(c) not in adata.obsp]
    if missing:
        raise BadInput(Problem(path, f"has no graph for context {', '.join(missing)}; make it with graph_build.py"))
    return SampleGraphs(
        sample=str(adata.uns[UNS]["sample"]),
        batch=str(adata.obs[Obs.BATCH].iloc[0]),
        x=np.asarray(adata.obsm[Obsm.HARMONY], dtype=np.float32),
        target=np.hstack([adata.obsm[Obsm.COMPONENTS], adata.obsm[Obsm.PROFILE]]).astype(np.float32),
        xy=np.asarray(adata.obsm[Obsm.SPATIAL], dtype=np.float64),
        graphs={c: sp.csr_matrix(adata.obsp[graph_key(c)]) for c in contexts},
        patient=str(adata.obs[Obs.PATIENT].iloc[0]),
    )
