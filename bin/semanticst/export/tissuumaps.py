"""Project of TissUUmaps: a table of cells, and what to colour them by. Images are added by who opens it."""

import json
from typing import Any

import pandas as pd

from semanticst.export.section_cells import Section
from semanticst.plotting.palette import niche_colour, niche_name

SCHEMA_VERSION = "1.3"


def tissuumaps_table(section: Section) -> pd.DataFrame:
    """A row per cell: ``cell_id``, ``x`` and ``y`` in pixels of the image where its scale is known, ``niche`` (name),
    and where given ``stability`` and ``cell_type``."""
    table = pd.DataFrame({"cell_id": section.cell_ids, "x": section.pixels[:, 0], "y": section.pixels[:, 1]})
    table["niche"] = section.cells["niche"].map(niche_name)
    for column in ("stability", "cell_type"):
        if column in section.cells:
            table[column] = section.cells[column]
    return table.round({"x": 2, "y": 2, "stability": 4})


def tissuumaps_project(section: Section, table: str) -> dict[str, Any]:
    """Content of the ``.tmap`` file; ``table``: name of the CSV beside it."""
    colours = {niche_name(n): niche_colour(n) for n in sorted(section.cells["niche"].unique())}
    header = {"X": "x", "Y": "y", "gb_col": "niche", "cb_gr_dict": json.dumps(colours), "shape_fixed": "disc"}
    radios = {"cb_gr": True, "cb_gr_dict": True, "cb_gr_key": False, "cb_gr_rand": False, "shape_fixed": True,
              "shape_gr": False, "shape_gr_rand": False, "_no_outline": True}  # fmt: skip
    return {
        "schemaVersion": SCHEMA_VERSION,
        "filename": section.sample,
        "layers": [],
        "markerFiles": [
            {
                "title": "Niches",
                "name": "Niches",
                "comment": f"Niches of {section.sample}; positions in {section.pixel_words}",
                "uid": "niches",
                "autoLoad": True,
                "path": table,
                "expectedHeader": header,
                "expectedRadios": radios,
            }
        ],
        "settings": [],
    }
