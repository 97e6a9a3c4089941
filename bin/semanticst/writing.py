"""Writing of files that appear under their final name only when they are whole."""

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy

from semanticst.shortage import cannot_write, disk_error, size
from semanticst.spreadsheet import guarded_table


@contextmanager
def atomic(path: str | Path, about: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` with the same endings; rename it on success, remove it on failure.

    ``about``: bytes that the file will take, for the message when they are not there. Raises CannotWrite when the disk
    or a quota is full, or the folder takes no files.
    """
    path = Path(path)
    room = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        room = shutil.disk_usage(path.parent).free
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-", suffix="".join(path.suffixes[-2:]))
    except OSError as error:
        number = disk_error(error)
        raise cannot_write(path, error, number, room, _needed(about, 0)) from error
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~_umask())
        os.replace(partial, path)
    except Exception as error:
        if number := disk_error(error):
            raise cannot_write(path, None, number, room, _needed(about, partial.stat().st_size)) from error
        raise
    finally:
        if partial.exists():
            os.truncate(partial, 0)  # a library may still hold it open, and with it the room that others need
            partial.unlink()


@contextmanager
def together(folder: Path, wholes: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield an empty folder; on success all files in it go to the same places in ``folder``, on failure none does.

    ``wholes``: endings of folders that are one thing: they replace those of their name, and leave nothing of them.
    Raises CannotWrite when ``folder`` takes no files.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder, prefix=".partial-"))
    except OSError as error:
        room = shutil.disk_usage(folder).free if folder.is_dir() else 0
        raise cannot_write(folder, error, disk_error(error), room, _needed(None, 0)) from error
    try:
        yield partial
        _move(partial, folder, wholes)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _move(source: Path, target: Path, wholes: tuple[str, ...]) -> None:
    for path in sorted(source.iterdir()):
        place = target / path.name
        if path.is_dir() and path.suffix not in wholes:
            place.mkdir(exist_ok=True)
            _move(path, place, wholes)
            continue
        if place.is_dir():
            shutil.rmtree(place)
        os.replace(path, place)


def _needed(about: int | None, written: int) -> str:
    if about is not None and about > written:
        return f"about {size(about)} are needed"
    return f"more than {size(written)} are needed"


def write_json(path: str | Path, content: object) -> None:
    """Write ``content`` as JSON; numpy scalars and arrays are turned into plain numbers, NaN into null."""
    text = json.dumps(_plain(content), indent=1, sort_keys=False, allow_nan=False) + "\n"
    with atomic(path, about=len(text)) as partial:
        partial.write_text(text)


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write ``table`` as CSV without its index; gzip without a time stamp when the name ends in ``.gz``.

    Text that a spreadsheet would run is written as text, see `semanticst.spreadsheet`.
    """
    table = guarded_table(table)
    packs = str(path).endswith(".gz")
    with atomic(path, about=_bytes_of_table(table, packs)) as partial:
        if packs:
            # mtime=0: the same niches give the same bytes
            with (
                open(partial, "wb") as raw,
                gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=6) as packed,
            ):
                packed.write(table.to_csv(index=False).encode())
        else:
            table.to_csv(partial, index=False)


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name as ``.npz``, compressed."""
    about = sum(np.asarray(array).nbytes for array in arrays.values())
    named: dict[str, Any] = dict(arrays)  # numpy's other keyword, allow_pickle, is no array
    with atomic(path, about) as partial, open(partial, "wb") as handle:
        np.savez_compressed(handle, **named)


def write_h5ad(path: str | Path, adata) -> None:
    """Write an AnnData object, compressed."""
    with atomic(path, about=_bytes_of(adata)) as partial:
        adata.write_h5ad(partial, compression="lzf")


def _bytes_of(adata) -> int:
    """Bytes of an AnnData object in memory, and of HDF5's own tables; its file, compressed, is half of it or more."""
    arrays = [adata.X, *adata.layers.values(), *adata.obsm.values(), *adata.obsp.values(), *adata.varm.values()]
    tables = sum(int(table.memory_usage(deep=True).sum()) for table in (adata.obs, adata.var))
    return 100_000 + sum(map(_bytes_of_array, arrays)) + tables


def _bytes_of_table(table: pd.DataFrame, packed: bool) -> int:
    """Bytes of a table's file, from its first rows."""
    head = table.head(1000)
    text = head.to_csv(index=False).encode()
    return len(gzip.compress(text) if packed else text) * len(table) // max(len(head), 1)


def _bytes_of_array(array) -> int:
    parts = (
        [getattr(array, name, None) for name in ("data", "indices", "indptr")]
        if scipy.sparse.issparse(array)
        else [array]
    )
    return sum(getattr(part, "nbytes", 0) for part in parts)


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
