"""One interface to every method that is compared: the pipeline, the same with a part switched off, and peers.

A method gets samples as ``{sample}.qc.h5ad`` files in the internal form, a number of niches and a seed. Each run is a
process of its own, whose memory is its own, and which may fail without taking the benchmark with it. The process is
given one folder:

- ``job.json`` is read: ``samples`` (paths), ``k``, ``seed``, ``own`` (also with a number of niches of its own choice?)
  and what else the method was set up with;
- ``labels.csv`` is written: column ``cell`` (``sample:cell_id``, every cell of every sample), ``niche`` (for ``k``),
  where asked for and possible ``own``, and a column for each part of the method that is scored beside it;
- ``embedding.npz`` where there is one: ``X`` (n, d), rows as in ``labels.csv``;
- ``report.json``: ``beyond`` (seconds of CPU that went into anything but ``niche``) and ``note`` (how it was run).
"""

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.bench._ablations import VARIANTS
from semanticst.bench.measuring.measured_command import measured

BIN = Path(__file__).resolve().parents[2]
CHECKOUT = BIN.parent
PEERS = CHECKOUT / "bench" / "peers"

NOT_INSTALLED = "not installed"
"""How the reason of a failure begins that every run of the method would have."""


@dataclass(frozen=True)
class Outcome:
    """What a run left, all indexed by ``sample:cell_id``.

    ``labels``: the niche of every cell; ``own``: with a number of niches chosen by the method; ``parts``: further
    partitions, a column each; ``embedding``: (n, d) in the same order.

    ``seconds`` are those of CPU, since the clock's depend on what else a machine does; runs have one thread.
    ``failed`` says why there is none of these.
    """

    labels: pd.Series | None = None
    own: pd.Series | None = None
    parts: pd.DataFrame = field(default_factory=pd.DataFrame)
    embedding: np.ndarray | None = None
    seconds: float = np.nan
    peak_mb: float = np.nan
    note: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Limits:
    """What one run may take at most."""

    seconds: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True)
class Own:
    """The pipeline itself, or a variant of it."""

    name: str

    def settings(self) -> dict:
        rare = {"default": "with rare tissue", "nothing trained": "nothing trained, with rare tissue"}
        return {
            "variant": dataclasses.asdict(VARIANTS[self.name]),
            "parts": self.name == "default",
            "with_rare_tissue": rare.get(self.name, ""),
        }

    def command(self, folder: Path) -> tuple[list[object], dict[str, str]]:
        """Command line and variables of a run in ``folder``."""
        return [sys.executable, "-m", "semanticst.bench._run_default", folder], os.environ | {"PYTHONPATH": str(BIN)}


@dataclass(frozen=True)
class Peer:
    """A method of others: ``bench/peers/{script}.py`` in an environment made from ``{environment}.lock`` beside it."""

    name: str
    script: str
    environment: str

    def settings(self) -> dict:
        return {}

    def command(self, folder: Path) -> tuple[list[object], dict[str, str]]:
        """Command line and variables of a run in ``folder``; the environment is installed on first use.

        Raises RuntimeError when it cannot be installed.
        """
        if str(CHECKOUT) not in sys.path:
            sys.path.append(str(CHECKOUT))  # for the launcher, which knows where environments lie
        from launcher.cache import cache_dir
        from launcher.environment import activated, python_of
        from launcher.messages import SetupError
        from launcher.peers import ready_peer

        try:
            place = ready_peer(self.environment, cache_dir(os.environ), os.environ)
        except SetupError as error:
            raise RuntimeError(f"{NOT_INSTALLED}: {error}") from error
        return [python_of(place), PEERS / f"{self.script}.py", folder], activated(place, os.environ)


Method = Own | Peer

LEIDEN = Peer("PCA + Harmony + Leiden", "run_leiden", "scanpy")
PEER_METHODS = (
    LEIDEN,
    Peer("SpatialLeiden", "run_spatialleiden", "spatialleiden"),
    Peer("CellCharter", "run_cellcharter", "cellcharter"),
    Peer("CellCharter, PCA", "run_cellcharter_pca", "cellcharter"),
    Peer("BANKSY", "run_banksy", "banksy"),
    Peer("GraphST", "run_graphst", "graphst"),
    Peer("SpaGCN", "run_spagcn", "spagcn"),
)
METHODS: dict[str, Method] = {name: Own(name) for name in VARIANTS} | {peer.name: peer for peer in PEER_METHODS}


def run_method(
    method: Method,
    samples: Sequence[Path],
    k: int,
    seed: int,
    folder: Path,
    *,
    own: bool = False,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    **settings,
) -> Outcome:
    """Run a method on ``samples`` in ``folder``, which is made. ``settings`` go into ``job.json``."""
    folder.mkdir(parents=True)
    job = {"samples": [str(p) for p in samples], "k": k, "seed": seed, "own": own, **method.settings(), **settings}
    (folder / "job.json").write_text(json.dumps(job))
    try:
        command, env = method.command(folder)
        env = env | {"NUMBA_NUM_THREADS": "1"}
        took = measured(command, folder / "log", env=env, limit_s=limits.seconds, limit_mb=limits.memory_mb)
        return _read(folder, took.cpu_s, took.peak_mb)
    except TimeoutError as error:
        return Outcome(failed=str(error))
    except (RuntimeError, ValueError, OSError) as error:
        return Outcome(failed=reason(str(error)))


def reason(message: str) -> str:
    """One line of a long message: the last, which is where Python says what it was."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"


def _read(folder: Path, seconds: float, peak_mb: float) -> Outcome:
    table = pd.read_csv(folder / "labels.csv", dtype={"cell": str}).set_index("cell")
    if table["niche"].isna().any() or not table.index.is_unique:
        raise ValueError("the method left cells without a label, or gave one twice")
    report = json.loads(path.read_text()) if (path := folder / "report.json").is_file() else {}
    embedding = None
    if (folder / "embedding.npz").is_file():
        with np.load(folder / "embedding.npz") as stored:
            embedding = stored["X"]
        if len(embedding) != len(table) or not np.isfinite(embedding).all():
            raise ValueError("the embedding has other rows than there are labels, or values that are no numbers")
    return Outcome(
        labels=table.pop("niche"),
        own=table.pop("own") if "own" in table else None,
        parts=table,
        embedding=embedding,
        seconds=seconds - report.get("beyond", 0.0),
        peak_mb=peak_mb,
        note=report.get("note", ""),
    )
