"""What several tests share: commands loaded from ``bin/``, small samples, the way to the real cohorts."""

import importlib.util
import logging
import os
import shutil
from pathlib import Path

import anndata as ad
import click
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from click.testing import CliRunner, Result

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "bin"
ASSETS = ROOT / "assets"


def load_command(name: str) -> click.Command:
    """The click command of ``bin/<name>.py``."""
    spec = importlib.util.spec_from_file_location(f"command_{name}", BIN / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def invoke(command: click.Command | str, *arguments: object) -> Result:
    """Run a command (or the one of that name) in this process; ``result.exit_code`` and ``result.stderr`` tell.

    A bug (any exception but the exit itself) is raised, so that the test shows its traceback.
    """
    command = load_command(command) if isinstance(command, str) else command
    _as_a_new_process_logs()
    handlers = logging.getLogger().handlers[:]
    try:
        return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    finally:
        # the command logs to the runner's stderr, which is closed by now
        logging.getLogger().handlers[:] = handlers


def _as_a_new_process_logs() -> None:
    """What tests before this one did to the loggers of the library is undone: a command tells all that it decides."""
    logging.disable(logging.NOTSET)
    for name, logger in logging.getLogger().manager.loggerDict.items():
        if name.split(".")[0] == "semanticst" and isinstance(logger, logging.Logger):
            logger.setLevel(logging.NOTSET)
            logger.disabled, logger.propagate = False, True


def without_rights() -> list[str]:
    """Beginning of a command that takes root's rights over files away: what is read-only is read-only for it too."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and setpriv, which takes that right away, is not here")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def random_values(kind: str, n_cells: int, n_features: int, seed: int = 0) -> sp.csr_matrix:
    """CSR float32 matrix, n_cells x n_features, of one feature type: counts, binary, onehot or continuous."""
    rng = np.random.default_rng(seed)
    if kind == "counts":
        dense = rng.poisson(rng.gamma(2.0, 1.0, n_features), (n_cells, n_features))
        dense[:, 0] += 1
    elif kind == "binary":
        dense = rng.random((n_cells, n_features)) < 0.3
        dense[:, :2] = True
    elif kind == "onehot":
        dense = np.eye(n_features)[rng.integers(n_features, size=n_cells)]
    elif kind == "continuous":
        dense = rng.gamma(2.0, 1.0, (n_cells, n_features))
    else:
        raise ValueError(f"no such kind of features: {kind}")
    return sp.csr_matrix(dense.astype(np.float32))


def make_sample(n_cells: int = 120, n_features: int = 20, kind: str = "counts", seed: int = 0) -> ad.AnnData:
    """A sample as a user would bring it: values, cell ids, ``obs['cell_type']`` and ``obsm['spatial']``."""
    rng = np.random.default_rng(seed + 1)
    adata = ad.AnnData(
        random_values(kind, n_cells, n_features, seed),
        obs=pd.DataFrame(
            {"cell_type": pd.Categorical(rng.choice(["A", "B", "C"], n_cells))},
            index=[f"cell_{i}" for i in range(n_cells)],
        ),
        var=pd.DataFrame(index=[f"gene_{j}" for j in range(n_features)]),
    )
    adata.obsm["spatial"] = rng.uniform(0, 10 * np.sqrt(n_cells), (n_cells, 2))
    return adata


def make_internal(sample: str = "s1", patient: str = "p1", batch: str = "b1", **settings) -> ad.AnnData:
    """A sample in the project's internal form, as ``sample_ingest.py`` writes it; settings as for `make_sample`."""
    kind = settings.get("kind", "counts")
    adata = make_sample(**settings)
    for column, value in (("sample", sample), ("patient", patient), ("batch", batch)):
        adata.obs[column] = pd.Categorical([value] * adata.n_obs)
    adata.uns["semanticst"] = {
        "sample": sample,
        "patient": patient,
        "batch": batch,
        "platform": "",
        "feature_type": kind,
        "spatial_unit": "unknown",
        "n_cells_input": adata.n_obs,
        "source": f"{sample}.h5ad",
        "overrides": {},
    }
    return adata


def real_data(*parts: str) -> Path:
    """Path below the folder of real cohorts; skips the test where there is none."""
    folder = Path(os.environ.get("SEMANTICST_REAL_DATA") or ROOT.parent / "shared" / "data")
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no real data: {'/'.join(parts)} not found (set SEMANTICST_REAL_DATA to the folder of cohorts)")
    return path
