"""AnnData files (.h5ad)."""

import logging
from pathlib import Path

import anndata as ad
import h5py

from semanticst.constants import Obsm
from semanticst.io.readers.anndata_parts import read_object
from semanticst.io.readers.base import Reader, ReadError, Wanted, what_ails
from semanticst.wording import listed

log = logging.getLogger(__name__)


def read_h5ad(path: Path, wanted: Wanted) -> ad.AnnData:
    """Read what is needed of an AnnData file; see `semanticst.io.readers.anndata_parts`."""
    try:
        with h5py.File(path, "r") as file:
            adata = read_object(file, wanted)
            if Obsm.SPATIAL not in adata.obsm:
                found = ", ".join(file.get("obsm", {})) or "nothing"
                columns = listed(list(file["obs"].attrs.get("column-order", ())), 12) or "nothing"
                raise ReadError(
                    f"there are no coordinates: obsm['spatial'] (cells x 2) is expected, obsm holds {found}, and no "
                    f"two columns of obs are called as x and y are; obs holds {columns}"
                )
            return adata
    except (ReadError, MemoryError):
        raise
    except Exception as error:
        # a damaged file can make h5py and anndata raise nearly anything
        raise ReadError(f"cannot be read as .h5ad; {what_ails(path, error)}") from error


H5AD = Reader(
    name="h5ad",
    expects="an AnnData file (.h5ad)",
    recognises=lambda path: path.is_file() and path.suffix.lower() == ".h5ad",
    read=read_h5ad,
)
