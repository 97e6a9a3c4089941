"""Coordinates in micrometres wherever the scale is known, and the source of the scale."""

from dataclasses import dataclass

import numpy as np

from semanticst.errors import ReadError

UNITS = {"um": "um", "µm": "um", "μm": "um", "micrometre": "um", "micrometer": "um", "micrometers": "um",
         "micron": "um", "microns": "um", "mm": "mm", "px": "px", "pixel": "px", "pixels": "px"}  # fmt: skip
"""Spellings of units in files."""

UM_PER_MM = 1000.0


@dataclass(frozen=True)
class Scale:
    """How the coordinates of a file become those of the internal form.

    ``unit`` of the internal form: ``um`` where the scale is known, else the unit of the file (``px``, ``unknown``).
    ``um_per_unit`` micrometres per unit of the file; 0 where it is not known, and the coordinates stay as they came.
    """

    unit: str
    um_per_unit: float
    source: str


def scale_of(file_unit: str, file_scale: float, file_source: str, sheet_unit: str, um_per_px: str) -> Scale:
    """Scale from what the file says (``file_scale`` = 0 for nothing) and what the samplesheet says (empty for nothing).

    The samplesheet goes first: its unit, and its micrometres per pixel.
    """
    unit = sheet_unit or UNITS.get(file_unit.strip().lower(), "unknown")
    stated = "stated in the samplesheet" if sheet_unit else "as the file says"
    if unit == "um":
        return Scale("um", 1.0, stated)
    if unit == "mm":
        return Scale("um", UM_PER_MM, f"millimetres, {stated}")
    if um_per_px:
        return Scale("um", float(um_per_px), "um_per_px of the samplesheet")
    # a scale of the file goes with the unit of the file
    if file_scale > 0 and not sheet_unit:
        return Scale("um", float(file_scale), file_source)
    return Scale(unit, 0.0, stated if unit != "unknown" else "nothing says the unit")


FLAT = 0.05
"""A third coordinate that spans less than this share of x and y is the thickness of one section."""


def check_coordinates(spatial, cells) -> tuple[np.ndarray, str]:
    """Coordinates as float64, n_cells x 2, and a warning where a third one that varies was dropped.

    Raises ReadError when there are other than two columns (a third that is constant, or varies within one section, is
    dropped), when they are not finite, or all the same.
    """
    points, warning = np.asarray(spatial), ""
    if points.ndim != 2 or points.dtype.kind not in "biuf":
        raise ReadError("obsm['spatial'] is no matrix of numbers, cells x 2")
    if points.shape[1] == 3 and np.isfinite(points).all():
        depth, width = float(np.ptp(points[:, 2])), float(np.ptp(points[:, :2], axis=0).max())
        if depth > FLAT * width:
            raise ReadError(
                f"obsm['spatial'] has 3 columns, and the third spans {depth:.4g}, x and y {width:.4g}: a volume or a "
                "stack of sections. Write one file per section, with x and y"
            )
        if depth > 0:
            warning = f"z is left out: it spans {depth:.4g}, x and y {width:.4g}"
        points = points[:, :2]
    if points.shape[1] != 2:
        raise ReadError(f"obsm['spatial'] has {points.shape[1]} columns; two are expected, x and y")
    points = points.astype(np.float64)
    wrong = ~np.isfinite(points).all(axis=1)
    if wrong.any():
        raise ReadError(
            f"{wrong.sum()} cells have no finite coordinates (first: {cells[int(wrong.argmax())]}); remove them"
        )
    if (points == points[0]).all():
        raise ReadError("all cells have the same coordinates")
    return points, warning
