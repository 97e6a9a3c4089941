"""Coordinates in micrometres wherever the scale is known, and the source of the scale."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from semanticst.errors import ReadError

UNITS = {
    **dict.fromkeys(
        ("um", "µm", "μm", "micrometre", "micrometres", "micrometer", "micrometers", "micron", "microns"), "um"
    ),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), "mm"),
    **dict.fromkeys(("nm", "nanometre", "nanometres", "nanometer", "nanometers"), "nm"),
    **dict.fromkeys(("px", "pixel", "pixels"), "px"),
}
"""Spellings of units in files."""

UM_PER = {"um": 1.0, "mm": 1000.0, "nm": 0.001}
SAME = 0.99
"""Correlation of the coordinates of one axis from which on they tell the same places."""
NAMES = {"um": "micrometres", "mm": "millimetres", "nm": "nanometres", "px": "pixels"}


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

    The samplesheet goes first: its micrometres per pixel, and its unit. Raises ReadError when it contradicts itself or
    the unit that the file names; a scale that was found in a file of pixels may be of coordinates that were converted.
    """
    named = UNITS.get(file_unit.strip().lower(), "unknown")
    unit = sheet_unit or named
    stated = "stated in the samplesheet" if sheet_unit else "as the file says"
    if sheet_unit in NAMES and named in NAMES and sheet_unit != named and not file_scale:
        raise ReadError(
            f"spatial_unit {sheet_unit} is stated, but the coordinates are {NAMES[named]}, as the file says ({named}); "
            "leave spatial_unit empty, or correct the names in the file"
        )
    if um_per_px and unit in UM_PER:
        raise ReadError(
            f"um_per_px {um_per_px} is given, but the coordinates are {NAMES[unit]}, {stated}, and no pixels; leave "
            "one of them empty"
        )
    if unit in UM_PER:
        return Scale("um", UM_PER[unit], stated if unit == "um" else f"{NAMES[unit]}, {stated}")
    if um_per_px:
        return Scale("um", float(um_per_px), "um_per_px of the samplesheet")
    # a scale of the file goes with the unit of the file
    if file_scale > 0 and not sheet_unit:
        return Scale("um", float(file_scale), file_source)
    strange = file_unit.strip().lower() not in ("", "unknown") and f"the file says {file_unit.strip()!r}: no known unit"
    return Scale(unit, 0.0, stated if unit != "unknown" else strange or "nothing says the unit")


Extent = tuple[np.ndarray, np.ndarray]
"""Lowest and highest x and y."""


def extent_of(points: np.ndarray) -> Extent:
    """Of points (float, n x 2 or more; NaN where there is none)."""
    return np.nanmin(points[:, :2], axis=0), np.nanmax(points[:, :2], axis=0)


FLAT = 0.05
"""A third coordinate that spans less than this share of x and y is the thickness of one section."""


def without_place(spatial) -> np.ndarray:
    """Which cells (bool) have no finite x or y; none where these are no numbers, which `check_coordinates` refuses.

    Raises ReadError when they are most of the cells: then the coordinates are wrong, and not a few cells.
    """
    points = np.asarray(spatial)
    if points.ndim != 2 or points.dtype.kind != "f":
        return np.zeros(len(points), bool)
    lost = ~np.isfinite(points[:, :2]).all(axis=1)
    if 2 * lost.sum() > len(lost):
        raise ReadError(
            f"{lost.sum()} of {len(lost)} cells have no finite coordinates: are they complete, and of this sample?"
        )
    return lost


def check_coordinates(spatial, cells) -> tuple[np.ndarray, str]:
    """Coordinates as float64, n_cells x 2, and a warning where a third one that varies was dropped.

    Raises ReadError when there are other than two columns (a third that is constant, empty, or varies within one
    section, is dropped), when they are not finite, or all the same.
    """
    points, warning = np.asarray(spatial), ""
    if points.ndim != 2 or points.dtype.kind not in "biuf":
        raise ReadError("obsm['spatial'] is no matrix of numbers, cells x 2")
    if points.shape[1] == 3 and np.isnan(points[:, 2].astype(np.float64)).all():
        points = points[:, :2]
    if points.shape[1] == 3 and np.isfinite(points[:, :2]).all():
        depth = float(np.nanmax(points[:, 2]) - np.nanmin(points[:, 2]))
        width = float(np.ptp(points[:, :2], axis=0).max())
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


WIDEST_UM = 2e5
"""No slide and no chip is wider than 20 cm."""
AREA_OF_A_CELL_UM2 = (0.05, 1e6)
"""Of the rectangle around all cells: one DNB of Stereo-seq has 0.25, a spot of the first arrays 40,000."""
FEWEST_FOR_AN_AREA = 100


def odd_size(points: np.ndarray) -> list[str]:
    """A warning where cells (float, n x 2, micrometres) lie as no cells can: the unit or the scale is wrong then."""
    wide, high = (float(length) for length in np.ptp(points, axis=0))
    if max(wide, high) > WIDEST_UM:
        return [f"the section is {max(wide, high) / 1000:,.0f} mm wide, and no slide is: {_STATED}"]
    each = wide * high / len(points)
    if len(points) < FEWEST_FOR_AN_AREA or AREA_OF_A_CELL_UM2[0] <= each <= AREA_OF_A_CELL_UM2[1]:
        return []
    unit, um = ("mm", 1000) if max(wide, high) >= 1000 else ("um", 1)
    return [f"{len(points):,} cells lie in {wide / um:.3g} x {high / um:.3g} {unit}: {_STATED}"]


_STATED = "are spatial_unit and um_per_px right, or the unit in the file?"


def same_places(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables of x and y (n x 2 each) tell the same places up to scale, shift and mirroring of the axes.

    Cells without a number in either do not count.
    """
    both = np.column_stack([one, other]).astype(np.float64)
    both = both[np.isfinite(both).all(axis=1)]
    if len(both) < 3:
        return True
    both -= both.mean(axis=0)
    spread = np.sqrt((both**2).mean(axis=0))
    together = np.abs((both[:, :2] * both[:, 2:]).mean(axis=0))
    return bool((together >= SAME * spread[:2] * spread[2:]).all())
