"""Settings of a simulated cohort."""

from dataclasses import dataclass
from enum import StrEnum


class Tissue(StrEnum):
    """What the tissue of the simulated sections is like."""

    NICHES = "niches"
    """Niches of different cell types, as `semanticst.simulate.tissue.draw_niches` lays them out."""
    ARRANGED = "arranged"
    """The same, but of two niches each the second has the cell types of the first, in clumps of one type."""
    THIN = "thin"
    """Bands of niches, and between two of them a band, two cells wide, of a niche that lies nowhere else."""
    RANDOM = "random"
    """No niches: cell types at random places."""
    SHUFFLED = "shuffled"
    """No niches: the cells of sections with niches at shuffled places, so that patients differ in composition."""
    UNIFORM = "uniform"
    """No niches: all cells of one type."""


@dataclass(frozen=True)
class Settings:
    """Settings of a simulated cohort; the defaults are the demo.

    Raises ValueError when they cannot be fulfilled.
    """

    patients: int = 12
    sections: tuple[int, int] = (1, 3)
    """Fewest and most sections of a patient."""
    cells: int = 1_000
    """Cells of a section, on average."""
    genes: int = 150
    niches: int = 6
    batches: int = 3
    own_batches: bool = False
    """Each patient is a batch of its own (as where each patient has a slide); ``batches`` does not count then."""
    effect: float = 1.5
    """Log ratio, responders to non-responders, of the outcome niche's area against that of the other niches."""
    hazard: float = -1.5
    """Log hazard ratio per standard deviation of the outcome niche's centred log-ratio."""
    missing_niches: float = 0.0
    """Share of (patient, niche) pairs in which the niche is absent; the outcome niche is always there."""
    imbalance: float = 1.0
    """In each patient one niche, not the outcome niche, covers that many times more area against the others."""
    rare: float = 0.0
    """One niche, not the outcome niche, has this share of the cells of every third patient, as one compact patch in a
    section, and lies nowhere else."""
    tissue: Tissue = Tissue.NICHES
    """What tells niches apart, if there are any."""
    large: float = 1.0
    """The sections of the last patient have that many times more cells, if more than 1 all of one niche."""
    batch_depth: float = 0.3
    """Standard deviation over batches of the log of the sequencing depth."""
    batch_shift: float = 0.25
    """Standard deviation over batches of the log expression of each gene."""
    batch_dropout: float = 0.1
    """Largest share of counts that a batch loses to dropout, on top of the sampling noise."""
    debris: float = 0.01
    """Share of cells with hardly any counts."""
    intensities: bool = False
    """Stainings instead of counts: continuous, with background, noise that multiplies, and values far too bright."""
    seed: int = 0

    @property
    def n_batches(self) -> int:
        return self.patients if self.own_batches else self.batches

    def __post_init__(self):
        checks = (
            (self.patients >= 2, "at least 2 patients"),
            (1 <= self.sections[0] <= self.sections[1], "sections between 1 and a number that is not smaller"),
            (self.niches >= 2, "at least 2 niches"),
            (self.cells >= 10 * self.niches, "at least 10 cells for each niche in a section"),
            (self.genes >= 5 * (self.niches + 2), "at least 5 genes for each cell type (niches + 2)"),
            (self.batches >= 1, "at least 1 batch"),
            (0 <= self.missing_niches < 1, "a share of missing niches from 0 to below 1"),
            (self.imbalance >= 1, "an imbalance of 1 or more"),
            (0 <= self.rare < 0.5, "a share of a rare niche from 0 to below 0.5"),
            (not self.rare or self.niches >= 3, "at least 3 niches where one is rare"),
            (self.large >= 1, "a large patient of 1 or more times the cells"),
            (min(self.batch_depth, self.batch_shift, self.batch_dropout) >= 0, "batch effects of 0 or more"),
            (self.batch_dropout < 1, "a batch dropout below 1"),
            (0 <= self.debris < 0.5, "a share of debris from 0 to below 0.5"),
        )
        wrong = [text for fine, text in checks if not fine]
        if wrong:
            raise ValueError("a simulated cohort needs " + "; ".join(wrong))
