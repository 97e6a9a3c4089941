"""Images of a SpatialData store, placed among the cells of its table."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from semanticst.errors import ReadError
from semanticst.io.readers.transformations import systems
from semanticst.plotting.picture import Level, Picture, image_of

if TYPE_CHECKING:
    import zarr
    from PIL.Image import Image

BEST_FIRST = ("hires", "he", "h_and_e", "full", "morphology", "image")
"""Parts of names, for stores that hold several images; those of a smaller copy (lowres) come last."""
NUCLEI = ("dapi", "hoechst", "nucle", "dna")
"""Channels that are shown where an image of fluorescence has several, else the first."""
KINDS = ("shapes", "points", "labels")
MERGED = ("raw_", "reference_", "redefined_")


def store_picture(root: "zarr.Group", element: "zarr.Group", to_file: np.ndarray) -> Picture | None:
    """The picture of a store that lies in a coordinate system of the cells; None where there is none.

    element : what the table annotates. to_file : 3 x 3, takes coordinates of that element to those of the cells. The
    axes of images are y and x, with channels in front.
    """
    if "images" not in root:
        return None
    for name in sorted(root["images"].group_keys(), key=_preference):
        image = root[f"images/{name}"]
        try:
            own, others = systems(transformations_of(element), element.name), systems(transformations_of(image), name)
            shared = next((system for system in own if system in others), None)
            if shared is not None and (levels := _levels(image, to_file @ np.linalg.inv(own[shared]) @ others[shared])):
                return Picture(f"images/{name}", levels)
        except (ReadError, KeyError, ValueError, TypeError, IndexError, np.linalg.LinAlgError):
            continue  # an image that is not understood is none for a thumbnail; the cells do without it
    return None


def annotated(root: "zarr.Group", region: str, table: str) -> "zarr.Group | None":
    """The element that a table annotates; None where it is not there.

    nf-core/spatialaxe merges stores by renaming what is in them (``raw_table``, ``raw_cell_circles``), and leaves the
    old name in the table.
    """
    prefix = next((prefix for prefix in MERGED if table.startswith(prefix)), "")
    names = [f"{kind}/{start}{region}" for start in dict.fromkeys(("", prefix)) for kind in KINDS]
    return next((root[name] for name in names if name in root), None)


def _preference(name: str) -> tuple[bool, int, str]:
    plain = name.lower()
    rank = next((i for i, part in enumerate(BEST_FIRST) if part in plain), len(BEST_FIRST))
    return "lowres" in plain or "thumb" in plain, rank, name


def transformations_of(element: "zarr.Group") -> dict:
    """Attributes that hold the coordinate transformations: of images and labels those of their multiscales."""
    attrs = element.attrs.asdict()
    scales = (attrs.get("ome") or attrs).get("multiscales")
    return scales[0] if scales else attrs


def _levels(image: "zarr.Group", matrix: np.ndarray) -> tuple[Level, ...]:
    attrs = image.attrs.asdict().get("ome") or image.attrs.asdict()
    scales = attrs["multiscales"][0]
    axes = [axis["name"] for axis in scales["axes"]]
    if axes not in (["c", "y", "x"], ["y", "x"]):
        return ()
    channel = _channel([str(c.get("label", "")) for c in attrs.get("omero", {}).get("channels", [])])
    levels = []
    for dataset in scales["datasets"]:
        array, own = image[dataset["path"]], np.eye(3)
        for step in dataset.get("coordinateTransformations", []):
            values = np.asarray(step.get(step["type"], []), float)
            if step["type"] == "scale":
                own = np.diag([values[axes.index("x")], values[axes.index("y")], 1.0]) @ own
            elif step["type"] == "translation":
                own[:2, 2] += [values[axes.index("x")], values[axes.index("y")]]
        height, width = array.shape[-2:]
        levels.append(Level(width, height, matrix @ own, partial(_load, array, channel)))
    return tuple(levels)


def _channel(names: list[str]) -> int | None:
    """The channel of nuclei; None where three or four channels are colours, or nothing names them."""
    return next((i for i, name in enumerate(names) if any(part in name.lower() for part in NUCLEI)), None)


def _load(array: "zarr.Array", channel: int | None) -> "Image":
    if array.ndim == 2:
        return image_of(np.asarray(array[:]))
    colours = channel is None and array.shape[0] in (3, 4)
    return image_of(np.moveaxis(np.asarray(array[:]), 0, -1)) if colours else image_of(np.asarray(array[channel or 0]))
