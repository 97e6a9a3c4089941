"""Training on some samples and mapping others onto the model, in one process, as the pipeline does it."""

import json
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import CONTEXTS, NICHE_STARTS, SHARES, UNS, FeatureType
from semanticst.errors import BadInput, ExitCode
from semanticst.features.build import build_components
from semanticst.graph.build import build_graphs
from semanticst.io.internal import read_sample
from semanticst.model.run import run_embedding, run_training
from semanticst.model.store import assemble_model, load_whole_model
from semanticst.niche.cluster import cluster_niches


@dataclass(frozen=True)
class Mapped:
    """``niche`` and ``fit`` by cell (``sample:cell_id``), ``samples`` (`niche_fit.csv`), seconds of CPU, what was
    ``told``: warnings, or why it was refused, and the exit code of the command that said it."""

    cells: pd.DataFrame
    samples: pd.DataFrame
    seconds: float
    told: str
    code: ExitCode = ExitCode.OK


class _Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def train(
    samples: Sequence[Path],
    k: int,
    seed: int,
    folder: Path,
    starts: int = NICHE_STARTS,
    network: bool = True,
    **training,
) -> tuple[Mapped, Path]:
    """Train on ``{sample}.qc.h5ad``; the niches and ``model.pt``. What an earlier run left in ``folder`` is taken.

    As with ``--train_mode auto`` there is no network of panels of cell types and binary markers, and none of others
    without ``network``. ``training``: of ``TrainSettings``, where they are not the defaults.
    """
    asked = {"samples": sorted(path.name for path in samples), "niche_k": k, "seed": seed, "niche_starts": starts}
    asked |= training | ({} if network else {"train_mode": "none"})
    kept = folder / "trained.json"
    if kept.exists() and (earlier := json.loads(kept.read_text()))["asked"] == asked:
        return _read(folder, earlier["seconds"], ""), folder / "model.pt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = time.process_time()
    build_components(samples, folder, seed=seed)
    build_graphs(sorted(folder.glob("*.components.h5ad")), folder, seed=seed)
    graphs = sorted(folder.glob("*.graphs.h5ad"))
    trained = folder / "network.pt" if network and not _of_shares(samples) else None
    if trained is not None:
        run_training(graphs, folder, contexts=",".join(CONTEXTS), device="cpu", seed=seed, **training)
    run_embedding(graphs, trained, folder, device="cpu")
    embedding = folder / "cohort.embedding.h5ad"
    cluster_niches(embedding, folder, niche_k=str(k), starts=starts, bootstraps=0, seed=seed)
    seconds = time.process_time() - start
    assemble_model(folder / "cohort.basis.npz", trained, folder / "niche_mixture.npz", folder / "model.pt")
    for graphs_or_components in (*folder.glob("*.graphs.h5ad"), *folder.glob("*.components.h5ad")):
        graphs_or_components.unlink()  # large, and nobody reads them again
    kept.write_text(json.dumps({"asked": asked, "seconds": round(seconds, 1)}))
    return _read(folder, seconds, ""), folder / "model.pt"


def _of_shares(samples: Sequence[Path]) -> bool:
    """Whether features are cell types or binary markers, as `isTrained` of the pipeline asks."""
    return any(read_sample(path).uns[UNS]["feature_type"] in SHARES for path in samples)


def as_types(sample: Path) -> None:
    """Make the features of a sample its cell types (``obs['cell_type']``), one-hot, in place."""
    adata = ad.read_h5ad(sample)
    types = pd.get_dummies(adata.obs["cell_type"].astype(str)).astype(np.float32)
    found = ad.AnnData(sp.csr_matrix(types.to_numpy()), obs=adata.obs, var=pd.DataFrame(index=list(types)))
    found.obsm["spatial"] = adata.obsm["spatial"]
    found.uns[UNS] = adata.uns[UNS] | {"feature_type": str(FeatureType.ONEHOT)}
    found.write_h5ad(sample)


def map_onto(samples: Sequence[Path], model: Path, folder: Path, graph: dict | None = None) -> Mapped:
    """Map ``{sample}.qc.h5ad`` onto ``model.pt``; a refusal is told, with no cells, and so is a crash.

    ``graph``: arguments of ``build_graphs`` that somebody gave.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    told, root = _Told(), logging.getLogger("semanticst")
    root.addHandler(told)
    start = time.process_time()
    try:
        stored = load_whole_model(model)
        build_components(samples, folder, model=stored)
        build_graphs(sorted(folder.glob("*.components.h5ad")), folder, **(graph or {}))
        run_embedding(sorted(folder.glob("*.graphs.h5ad")), model, folder, device="cpu")
        cluster_niches(folder / "cohort.embedding.h5ad", folder, model=stored)
    except BadInput as error:
        return _refused(start, f"refused: {error.problems[0].message}", ExitCode.BAD_INPUT)
    except Exception as error:  # what a command would end with as a bug is what is measured here
        return _refused(start, f"{type(error).__name__}: {error}", ExitCode.BUG)
    finally:
        root.removeHandler(told)
    return _read(folder, time.process_time() - start, "; ".join(dict.fromkeys(told.lines)))


def _refused(start: float, told: str, code: ExitCode) -> Mapped:
    return Mapped(pd.DataFrame(), pd.DataFrame(), time.process_time() - start, told, code)


def _read(folder: Path, seconds: float, told: str) -> Mapped:
    cells = pd.read_csv(folder / "niches.csv.gz", dtype={"sample": str, "cell_id": str})
    cells.index = pd.Index(cells["sample"] + ":" + cells["cell_id"])
    return Mapped(cells, pd.read_csv(folder / "niche_fit.csv", dtype={"sample": str}), seconds, told)
