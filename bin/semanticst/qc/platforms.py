"""Platforms: floors and ceilings of the quality control.

A floor is not a recommended threshold. It is the level below which a measurement holds no information on any sample of
that platform, preselected gene sets included; the threshold itself is read from the sample (`semanticst.qc.thresholds`)
and mostly lies above.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Platform:
    """Defaults of one kind of platform."""

    kind: str
    """What a row of the matrix is, in words."""
    floor_counts: float
    """Lowest threshold on total counts that is read from data."""
    floor_features: float
    """Lowest threshold on the number of features that is read from data."""
    ceiling_mito: float
    """A threshold on the mitochondrial fraction that is read from data is never below this; 1 = not cut."""
    max_control: float | None
    """Largest fraction of control counts; None = not cut."""
    areas: bool
    """Whether thresholds on the area of a cell are read from the data: rows are segmented cells."""
    reason: str
    """Where the numbers come from."""


GENERIC = Platform(
    "cells", 5, 3, 0.3, None, False, "nothing is known: fewer than 5 counts or 3 features tell no cell from background"
)
SPOTS = Platform(
    "spots", 20, 10, 0.3, None, False,
    "a spot of 55 or 100 um covers several cells, and whole transcriptomes have hundreds of counts; 20 leaves room for "
    "gene sets chosen beforehand (7,319 genes of DLPFC: fewest counts of a spot 34)",
)  # fmt: skip
BINS = Platform(
    "bins", 1, 1, 0.3, None, False,
    "a bin of Visium HD or Stereo-seq holds a handful of counts or hundreds, by its size: only empty ones are surely "
    "nothing",
)  # fmt: skip
BEADS = Platform(
    "beads", 10, 5, 0.3, None, False,
    "a tenth of the 100 counts from which RCTD uses a bead by default (Cable et al. 2022)",
)  # fmt: skip
_PANEL = "the mitochondrial fraction of a chosen panel is none of the transcriptome and is not cut"
IMAGED = Platform(
    "imaged cells", 10, 3, 1.0, 0.1, True,
    f"10 transcripts as in squidpy's Xenium and Vizgen tutorials; {_PANEL}; of controls, a tenth of what was decoded",
)  # fmt: skip
COSMX = Platform(
    "imaged cells", 10, 5, 1.0, 0.1, True,
    "half of the 20 counts below which NanoString removes cells of its 1,000-plex panel (Danaher 2024, CosMx analysis "
    f"scratch space), for smaller panels; {_PANEL}; of controls, a tenth of what was decoded",
)  # fmt: skip
SMALL_PANEL = Platform(
    "imaged cells", 5, 2, 1.0, 0.1, True,
    f"research panels hold as few as 30 genes (osmFISH: 33), and few counts per cell; {_PANEL}",
)  # fmt: skip

PLATFORMS = {
    "visium": SPOTS,
    "st": SPOTS,
    "visium_hd": BINS,
    "stereoseq": BINS,
    "slideseq": BEADS,
    "xenium": IMAGED,
    "merscope": IMAGED,
    "cosmx": COSMX,
    "merfish": SMALL_PANEL,
    "starmap": SMALL_PANEL,
    "osmfish": SMALL_PANEL,
    "seqfish": SMALL_PANEL,
}
"""Those of `semanticst.constants.COUNTING`. Protein imaging, simulated and other data: `GENERIC`."""


_WHOLE = (SPOTS, BEADS)
_FEW_FEATURES = 1000


def platform_defaults(name: str, n_features: int) -> Platform:
    """Defaults for ``uns['semanticst']['platform']``; `GENERIC` for any name without a row of its own.

    So is a platform of whole transcriptomes with fewer than 1,000 features: a set of genes that was chosen beforehand
    has so few counts that the floor of the platform would empty the sample.
    """
    found = PLATFORMS.get(name, GENERIC)
    if found in _WHOLE and n_features < _FEW_FEATURES:
        return replace(GENERIC, kind=f"{found.kind}, few features")
    return found
