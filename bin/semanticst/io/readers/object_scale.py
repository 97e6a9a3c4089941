"""Scale of the coordinates of an AnnData object: what its file says, the lattice of its spots or bins, their size."""

import re

import anndata as ad
import numpy as np
import pandas as pd
from anndata.io import read_elem

from semanticst.constants import Obsm
from semanticst.io.coordinates import UM_PER
from semanticst.io.readers.anndata_values import is_array
from semanticst.io.readers.visium import (
    ARRAY,
    COLUMN_UM,
    MIRRORED,
    NO_SPOTS,
    ROW_UM,
    SPACING_UM,
    SPOT_UM,
    is_mirrored,
    is_square,
    spacing_scale,
)
from semanticst.io.several_sections import plain

UNKNOWN = "unknown"
OF_10X = ("", "visium", "visium_hd", "st")
"""Platforms whose objects may have scale factors as Space Ranger writes them; empty: none is stated."""
BIN = r"(?:^|[^A-Za-z0-9])s_(\d{3})um_(\d+)_(\d+)"
"""What Space Ranger calls the bins of Visium HD: side, row and column; other programs put the sample before it."""
BINS_LOOKED_AT = 100_000


def scale_of_object(group, adata: ad.AnnData, platform: str, unit: str) -> dict:
    """What the object says about the unit of its coordinates, as `semanticst.io.readers.base.Reader` describes it.

    unit : what names of columns say of it.
    """
    uns = group.get("uns", {})
    if "spatial_unit" in uns:
        return {"spatial_unit": str(read_elem(uns["spatial_unit"]))}
    if unit in UM_PER:
        return {"spatial_unit": unit}
    points = adata.obsm.get(Obsm.SPATIAL)
    if points is None:
        return {}
    found = None
    if platform in OF_10X:
        found = _scale_of_10x(uns, adata.obs, np.asarray(points), platform, adata.uns["notes"])
    # stereopy: nanometres between the spots of the chip, in whose numbers it counts
    if not found and platform in ("", "stereoseq") and "bin_type" in uns and "resolution" in uns:
        nanometres = float(np.ravel(read_elem(uns["resolution"]))[0])
        found = (nanometres / 1000, "uns['resolution'], nm") if nanometres > 0 else None
    if not found:
        return {} if unit == UNKNOWN else {"spatial_unit": unit}
    return {"spatial_unit": "px", "um_per_unit": found[0], "um_per_unit_source": found[1]}


def _scale_of_10x(
    uns, obs: pd.DataFrame, points: np.ndarray, platform: str, notes: list[str]
) -> tuple[float, str] | None:
    """Micrometres per unit: from the lattice of spots, as Space Ranger states them, or from the size of a bin or spot.

    Scale factors are those of the only library. The lattice goes first, since coordinates may have been converted
    beside scale factors that stayed. A lattice that is mirrored, and a size that says nothing, are told in ``notes``.
    """
    if points.dtype.kind not in "iuf":
        return None
    points = points[:, :2].astype(np.float64)
    step = max(1, len(points) // BINS_LOOKED_AT)
    array, (side_um, bins) = _array(obs), _bins(obs.index[::step])
    if array is not None and platform != "st" and (um := _spacing(array, points, (ROW_UM, COLUMN_UM))):
        whole = np.isfinite(array).all(axis=1) & np.isfinite(points).all(axis=1)
        if is_mirrored(array[whole], points[whole]):
            notes.append(MIRRORED)
        return um, f"spacing of spots of {SPACING_UM:g} um"
    factors = _factors(uns)
    stated, side_px = (_positive(factors, name) for name in ("microns_per_pixel", "spot_diameter_fullres"))
    um = _spacing(bins, points[::step], (side_um, side_um)) if side_um else None
    if um and (not stated or abs(np.log(um / stated)) > 0.05):
        return um, f"spacing of bins of {side_um:g} um"
    if stated:
        return stated, "microns_per_pixel"
    side_um = side_um or _positive(factors, "bin_size_um") or 0.0
    if side_px is None or side_px <= 1:
        return None
    if side_um:
        return side_um / side_px, "side of a bin and spot_diameter_fullres"
    if array is None:
        return None
    if platform in ("visium_hd", "st") or is_square(array):
        notes.append(NO_SPOTS)
        return None
    return SPOT_UM / side_px, f"spot_diameter_fullres spans {SPOT_UM:g} um"


def _spacing(array: np.ndarray, points: np.ndarray, steps: tuple[float, float]) -> float | None:
    """`spacing_scale` over the spots that have both numbers."""
    whole = np.isfinite(array).all(axis=1) & np.isfinite(points).all(axis=1)
    return spacing_scale(array[whole], points[whole], steps) if whole.sum() > 2 else None


def _bins(names: pd.Index) -> tuple[float, np.ndarray]:
    """Side in um of the bins that all have such names, and their rows and columns (n x 2); else 0 and nothing."""
    if not len(names) or not re.search(BIN, str(names[0])):
        return 0.0, np.empty((0, 2))
    found = pd.Series(names, dtype=str).str.extract(BIN).to_numpy(np.float64)
    sides = np.unique(found[:, 0])
    return (float(sides[0]), found[:, 1:]) if len(sides) == 1 and sides[0] > 0 else (0.0, np.empty((0, 2)))


def _array(obs: pd.DataFrame) -> np.ndarray | None:
    """Rows and columns on the array (n x 2, NaN where there is no number); None where obs lacks them."""
    by_name = {plain(name): name for name in obs.columns}
    names = [by_name.get(plain(name)) for name in ARRAY]
    if None in names:
        return None
    return obs[names].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)


def _factors(uns):
    """Scale factors of the only library that has some; empty where none or several have."""
    held = uns["spatial"] if "spatial" in uns and not is_array(uns["spatial"]) else {}
    libraries = [held[name] for name in held if not is_array(held[name])]
    factors = [library["scalefactors"] for library in libraries if "scalefactors" in library]
    return factors[0] if len(factors) == 1 and not is_array(factors[0]) else {}


def _positive(factors, name: str) -> float | None:
    """A scale factor; None where it is missing or no positive number."""
    try:
        value = float(read_elem(factors[name])) if name in factors else np.nan
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None
