"""Pictures of the tissue that lie beside the cells: H&E, or another stain as the instrument took it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semanticst.io.readers.base import find_file
from semanticst.io.readers.files import open_bytes
from semanticst.plotting.picture import Level, Picture, image_of, scaled

if TYPE_CHECKING:
    from PIL.Image import Image


def spaceranger_picture(spatial: Path, factors: dict) -> Picture | None:
    """The picture of a ``spatial`` folder of Space Ranger, of which the file coordinates are full-resolution pixels.

    Raises ReadError when several files would do. None where there is no picture, or its scale is not known.
    """
    levels = []
    for name in ("hires", "lowres"):
        files = [f"{prefix}tissue_{name}_image.{end}" for prefix in ("", "*") for end in ("png", "jpg", "png.gz")]
        file = find_file(spatial, *files)
        factor = factors.get(f"tissue_{name}_scalef")
        if file and isinstance(factor, int | float) and np.isfinite(factor) and factor > 0:
            size = _size(file)
            if size:
                levels.append(Level(*size, scaled(1 / factor), partial(open_image, file), file.name))
    return Picture(levels[0].source, tuple(levels)) if levels else None


def object_picture(uns) -> Picture | None:
    """The picture in ``uns['spatial']`` of an AnnData object, as scanpy writes it; ``uns`` is a group of h5py or zarr.

    None where there is none, where there are several libraries, and where the scale is missing.
    """
    held = uns.get("spatial", {})
    libraries = [] if hasattr(held, "shape") else [held[name] for name in held]
    libraries = [library for library in libraries if not hasattr(library, "shape") and "images" in library]
    if len(libraries) != 1 or "scalefactors" not in libraries[0]:
        return None
    images, factors, levels = libraries[0]["images"], libraries[0]["scalefactors"], []
    for name in ("hires", "lowres"):
        if name not in images or f"tissue_{name}_scalef" not in factors:
            continue
        stored, factor = images[name], float(np.ravel(factors[f"tissue_{name}_scalef"][()])[0])
        if stored.ndim in (2, 3) and factor > 0:
            height, width = stored.shape[:2]
            load, source = partial(_stored_image, _place(stored)), str(stored.name).strip("/")
            levels.append(Level(width, height, scaled(1 / factor), load, source))
    return Picture(levels[0].source, tuple(levels)) if levels else None


def _place(stored) -> "tuple[str, str] | object":
    """Of an array of HDF5 its file and name, since the file will be closed; a Zarr array is its own place."""
    return (str(stored.file.filename), str(stored.name)) if hasattr(stored, "file") else stored


def _stored_image(place) -> "Image":
    import h5py

    if not isinstance(place, tuple):
        return image_of(np.asarray(place[:]))
    with h5py.File(place[0], "r") as file:
        return image_of(file[place[1]][:])


def open_image(file: Path) -> "Image":
    """The picture of a file (PNG, JPEG, TIFF; may be gzipped), decoded."""
    from PIL import Image

    with open_bytes(file) as opened:
        image = Image.open(opened)
        image.load()
        return image


def _size(file: Path) -> tuple[int, int] | None:
    """Width and height; None where it is no picture: the counts can be read all the same."""
    from PIL import Image, UnidentifiedImageError

    try:
        with open_bytes(file) as opened, Image.open(opened) as image:
            return image.size
    except (UnidentifiedImageError, OSError, EOFError, Image.DecompressionBombError):
        return None
