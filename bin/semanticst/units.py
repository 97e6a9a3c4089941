"""Units of coordinates, and proportions as a reader sees them."""

MICROMETRE = "um"
"""Value of ``uns['semanticst']['spatial_unit']`` for coordinates in micrometres."""


def percent(proportion: float, digits: int = 0) -> str:
    """``18 %``: a proportion as per cent, written alike wherever one is read."""
    return f"{100 * proportion:.{digits}f} %"
