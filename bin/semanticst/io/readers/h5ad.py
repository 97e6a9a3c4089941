"""AnnData files (.h5ad)."""

import logging
from pathlib import Path

import anndata as ad
import h5py
from anndata.io import read_elem

from semanticst.constants import LAYER_COUNTS, Obsm
from semanticst.io.readers.base import Reader, ReadError, Wanted
from semanticst.io.sparse import load_csr

log = logging.getLogger(__name__)


def read_h5ad(path: Path, wanted: Wanted) -> ad.AnnData:
    """Read what is needed of an AnnData file: ``layers['counts']`` or else X, obs, var and ``obsm['spatial']``.

    Only these are loaded, so that a file full of embeddings and images costs no memory.
    """
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path.name)
    except (ReadError, MemoryError):
        raise
    except Exception as error:
        # a damaged file can make h5py and anndata raise nearly anything
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ReadError(f"cannot be read as .h5ad; damaged or incomplete? Copy or write it again ({why})") from error


def _read(file: h5py.File, name: str) -> ad.AnnData:
    for part in ("obs", "var"):
        if part not in file:
            raise ReadError(f"not an AnnData file: it has no '{part}'")
        if isinstance(file[part], h5py.Dataset):
            raise ReadError("written by anndata older than 0.7; read and write it again with a newer anndata")
    layers = file.get("layers", {})
    values = f"layers/{LAYER_COUNTS}" if LAYER_COUNTS in layers else "X"
    if values not in file:
        raise ReadError("there is no X and no layers['counts']")
    spatial = f"obsm/{Obsm.SPATIAL}"
    if spatial not in file:
        found = ", ".join(file.get("obsm", {})) or "nothing"
        raise ReadError(f"there are no coordinates: obsm['spatial'] (cells x 2) is expected, obsm holds {found}")
    if values != "X":
        log.info("%s: %s is taken, not X", name, values)
    uns = {"spatial_unit": str(read_elem(file["uns/spatial_unit"]))} if "uns/spatial_unit" in file else {}
    return ad.AnnData(
        X=_values(file[values]),
        obs=read_elem(file["obs"]),
        var=read_elem(file["var"]),
        obsm={Obsm.SPATIAL.value: read_elem(file[spatial])},
        uns=uns,
    )


def _values(stored: h5py.Group | h5py.Dataset):
    if isinstance(stored, h5py.Group) and stored.attrs.get("encoding-type") == "csr_matrix":
        n_cells, n_features = (int(n) for n in stored.attrs["shape"])
        return load_csr(stored["data"], stored["indices"], stored["indptr"], (n_cells, n_features))
    return read_elem(stored)


H5AD = Reader(
    name="h5ad",
    expects="an AnnData file (.h5ad)",
    recognises=lambda path: path.is_file() and path.suffix.lower() == ".h5ad",
    read=read_h5ad,
)
