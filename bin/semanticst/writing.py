"""Writing of files that appear under their final name only when they are whole."""

import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` with the same endings; rename it on success, remove it on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-", suffix="".join(path.suffixes[-2:]))
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~_umask())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: str | Path, content: object) -> None:
    """Write ``content`` as JSON; numpy scalars and arrays are turned into plain numbers, NaN into null."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(_plain(content), indent=1, sort_keys=False, allow_nan=False) + "\n")


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write ``table`` as CSV without its index; gzip without a time stamp when the name ends in ``.gz``."""
    with atomic(path) as partial:
        if str(path).endswith(".gz"):
            # mtime=0: the same niches give the same bytes
            with open(partial, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
                packed.write(table.to_csv(index=False).encode())
        else:
            table.to_csv(partial, index=False)


def write_h5ad(path: str | Path, adata) -> None:
    """Write an AnnData object, compressed."""
    with atomic(path) as partial:
        adata.write_h5ad(partial, compression="lzf")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _plain(value):
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value
