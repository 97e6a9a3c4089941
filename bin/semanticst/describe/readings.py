"""Words for how certain a niche is, and the smallest effect that is named."""

_READING = ((0.85, "very high"), (0.75, "high"), (0.6, "moderate"), (0.5, "low"), (0.0, "not reproducible"))
"""Words from a Jaccard index on."""
UNSURE = ("low", "not reproducible")
"""Readings of niches that should not be interpreted."""
NO_PART = "arbitrary cut"
"""Reading of all niches where the tissue does not support their number: a cut can come back and be a cut all the same.
"""
LEAST_EFFECT = {"log2_fold_change": 0.25, "difference": 0.05}
"""Smallest effect of a feature that is named as a marker, here and in the sentences of the association. A difference is
one of proportions, or of continuous values on a scale where 0.6 is about twice the value."""


def reading(jaccard: float) -> str:
    """Words for a bootstrap Jaccard index, after Hennig (2007); empty without one."""
    return next((words for lowest, words in _READING if jaccard >= lowest), "")
