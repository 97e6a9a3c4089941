"""GeoJSON for QuPath: an annotation per niche, in its colour."""

import uuid
from typing import Any

import shapely

from semanticst.export.niche_outlines import niche_outlines
from semanticst.export.section_cells import Section
from semanticst.plotting.palette import niche_colour, niche_name
from semanticst.wording import figure_caution

_OURS = uuid.UUID("6f2b7e0c-4e0b-4c39-9a5e-2d4a6f1c9b11")
"""Namespace of the ids, so that the same niche has the same one in every run."""


def qupath_annotations(section: Section, supported: bool = True) -> dict[str, Any]:
    """A FeatureCollection: outlines of the niches of a section in pixels of its image, as QuPath imports objects.

    Where the scale of the image is not known, in the unit that ``coordinates`` names. Where the tissue does not support
    their number (``supported``), ``caution`` says so beside it: classes keep their names.
    """
    outlines = niche_outlines(section.pixels, section.cells["niche"].to_numpy())
    counts = section.cells["niche"].value_counts()
    return {
        "type": "FeatureCollection",
        "coordinates": section.pixel_words,
        **({} if supported else {"caution": figure_caution(supported)}),
        "features": [
            {
                "type": "Feature",
                "id": str(uuid.uuid5(_OURS, f"{section.sample}/{niche}")),
                "geometry": shapely.geometry.mapping(shapely.set_precision(outline, 0.01)),
                "properties": {
                    "objectType": "annotation",
                    "name": niche_name(niche),
                    "classification": {"name": niche_name(niche), "color": rgb(niche_colour(niche))},
                    "isLocked": True,
                    "measurements": {"Cells": int(counts[niche])},
                },
            }
            for niche, outline in outlines.items()
        ],
    }


def rgb(colour: str) -> list[int]:
    """Red, green and blue (0 to 255) of ``#RRGGBB``."""
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
