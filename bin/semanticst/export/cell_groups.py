"""Tables of cell and niche: cell groups of Xenium Explorer, categories of Loupe Browser."""

import numpy as np
import pandas as pd

from semanticst.export.section_cells import Section
from semanticst.plotting.palette import niche_colour, niche_name

XENIUM_ID = r"[a-p]{8}-\d+|\d+"
"""Ids of cells: eight letters from a to p and the number of the data set; whole numbers before software 1.3."""
LOUPE_ID = r"[ACGT]{12,}-\d+|s_\d{3}um_\d{5}_\d{5}-\d+|cellid_\d{9}-\d+"
"""Barcodes of Visium, bins and cells of Visium HD."""
_BARE = r"[ACGT]{12,}"
LOUPE_PLATFORMS = ("visium", "visium_hd")


def xenium_groups(section: Section) -> pd.DataFrame | None:
    """Columns ``cell_id``, ``group`` and ``color`` (hex), as Xenium Explorer uploads cell groups.

    None where it could not find the cells: another platform, or ids that are not Xenium's.
    """
    if section.platform != "xenium":
        return None
    if not pd.Series(section.cell_ids).str.fullmatch(XENIUM_ID).all():
        return None
    niche = section.cells["niche"]
    return pd.DataFrame({"cell_id": section.cell_ids, "group": niche.map(niche_name), "color": niche.map(niche_colour)})


def loupe_categories(section: Section) -> pd.DataFrame | None:
    """Columns ``Barcode`` and ``Niche`` (and ``Cell type`` where there are any), as Loupe Browser imports categories.

    What other programs put before a barcode (``P01_AAAC...-1``) is taken away, and the ``-1`` that they drop is put
    back. None on other platforms, and where ids are no barcodes or become equal.
    """
    if section.platform not in LOUPE_PLATFORMS:
        return None
    ids = barcodes(section.cell_ids)
    if ids is None:
        return None
    table = pd.DataFrame({"Barcode": ids, "Niche": section.cells["niche"].map(niche_name)})
    if "cell_type" in section.cells:
        table["Cell type"] = section.cells["cell_type"]
    return table


def barcodes(cell_ids: np.ndarray) -> np.ndarray | None:
    """Barcodes as Space Ranger writes them, from ids with a prefix or without suffix; None if one has none."""
    ids = pd.Series(cell_ids).astype(str)
    found = ids.str.extract(rf"(?:^|[^A-Za-z0-9])({LOUPE_ID})(?:[_-]\d+)?$", expand=False)
    bare = ids.str.extract(rf"(?:^|[^A-Za-z0-9])({_BARE})$", expand=False)
    found = found.where(found.notna(), bare + "-1")
    if found.isna().any() or found.duplicated().any():
        return None
    return found.to_numpy()
