"""Centroids of the cells in an image of labels (a number per cell, 0 = background), as SpatialData stores it."""

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semanticst.errors import ReadError
from semanticst.io.readers.base import STORE

if TYPE_CHECKING:
    import zarr


def label_centroids(element: "zarr.Group") -> tuple[pd.DataFrame, dict]:
    """x and y of each label, index = label, and the attributes with its coordinate transformations.

    In the coordinates of the element: pixel i spans i to i + 1, so that its centre is at i + 0.5. The image of the
    highest resolution is read chunk by chunk.

    Raises ReadError when it is no flat image of whole numbers.
    """
    attrs = element.attrs.asdict()
    scales = (attrs.get("ome") or attrs).get("multiscales")
    if not scales:
        raise ReadError(f"{element.name}: there are no multiscales, which an image of labels has; {STORE}")
    axes = [axis["name"] for axis in scales[0]["axes"]]
    finest = scales[0]["datasets"][0]
    image = element[finest["path"]]
    if axes != ["y", "x"] or image.ndim != 2 or image.dtype.kind not in "iu":
        raise ReadError(f"{element.name}: a flat image of labels (y, x) is expected, not {', '.join(axes)}; {STORE}")
    centroids = _centroids(image)
    for step in finest.get("coordinateTransformations", []):
        y, x = step[step["type"]] if step["type"] in ("scale", "translation") else (0, 0)
        if step["type"] == "scale":
            centroids *= [x, y]
        else:
            centroids += [x, y]
    return centroids, scales[0]


def _centroids(image: "zarr.Array") -> pd.DataFrame:
    height, width = image.shape
    # several chunks at once where they are small
    step_y, step_x = (step * max(1, 2048 // step) for step in (image.shards or image.chunks))
    sums = []
    for top, left in product(range(0, height, step_y), range(0, width, step_x)):
        block = np.asarray(image[top : min(top + step_y, height), left : min(left + step_x, width)])
        y, x = np.nonzero(block)
        labels, which = np.unique(block[y, x], return_inverse=True)
        parts = {"x": x + left + 0.5, "y": y + top + 0.5, "n": None}
        sums.append(pd.DataFrame({k: np.bincount(which, v) for k, v in parts.items()}, index=labels))
    total = pd.concat(sums).groupby(level=0).sum()
    return total[["x", "y"]].div(total["n"], axis=0)
