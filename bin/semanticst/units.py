"""Units of coordinates."""

MICROMETRE = "um"
"""Value of ``uns['semanticst']['spatial_unit']`` for coordinates in micrometres."""
