"""Coordinate transformations of SpatialData elements, down to 3 x 3 matrices over x, y, 1."""

import numpy as np

from semanticst.errors import ReadError
from semanticst.io.readers.base import STORE

GLOBAL = "global"
"""Name of the coordinate system that every element has unless its writer chose others."""


def to_global(attrs: dict, where: str) -> tuple[np.ndarray, str, str]:
    """The matrix that takes x, y, 1 to the coordinate system "global", the name of the system, and what it is.

    The only other system is taken where there is no "global". Raises ReadError for a transformation that is not affine.
    """
    stated = attrs.get("coordinateTransformations") or [{"type": "identity", "output": {"name": GLOBAL}}]
    names = [t.get("output", {}).get("name") for t in stated]
    if GLOBAL not in names and len(names) > 1:
        raise ReadError(f"{where}: there is no coordinate system '{GLOBAL}', but {', '.join(map(str, names))}; {STORE}")
    chosen = stated[names.index(GLOBAL) if GLOBAL in names else 0]
    axes = [axis["name"] for axis in chosen.get("input", {}).get("axes", [])] or ["x", "y"]
    try:
        system = chosen["output"]["name"]
        return _matrix(chosen, axes), system, f"in the coordinate system {system} ({chosen['type']})"
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise ReadError(
            f"{where}: its coordinate transformation is not understood ({chosen.get('type')}); {STORE}"
        ) from error


def systems(attrs: dict, where: str) -> dict[str, np.ndarray]:
    """The matrix that takes x, y, 1 to each coordinate system of an element. Raises ReadError as `to_global`."""
    stated = attrs.get("coordinateTransformations") or [{"type": "identity", "output": {"name": GLOBAL}}]
    return {str(one["output"]["name"]): to_global({"coordinateTransformations": [one]}, where)[0] for one in stated}


def _matrix(step: dict, axes: list[str]) -> np.ndarray:
    """3 x 3 matrix over x, y, 1 of one transformation over ``axes``."""
    kind, matrix, order = step["type"], np.eye(3), [axes.index("x"), axes.index("y")]
    if kind == "sequence":
        for part in step["transformations"]:
            own = [axis["name"] for axis in part.get("input", {}).get("axes", [])] or axes
            matrix = _matrix(part, own) @ matrix
    elif kind == "scale":
        matrix[[0, 1], [0, 1]] = np.asarray(step["scale"], float)[order]
    elif kind == "translation":
        matrix[:2, 2] = np.asarray(step["translation"], float)[order]
    elif kind == "affine":
        ends = [axis["name"] for axis in step.get("output", {}).get("axes", [])] or axes
        rows = [ends.index("x"), ends.index("y")]
        matrix[:2] = np.asarray(step["affine"], float)[np.ix_(rows, [*order, len(axes)])]
    elif kind != "identity":
        raise ValueError(kind)
    return matrix
