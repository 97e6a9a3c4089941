"""Which niches go with a clinical outcome: the unit is the patient, the test is calibrated, the words are plain."""

from semanticst.clinical.associate import associate
from semanticst.clinical.features import parse_features
from semanticst.clinical.report import write_association

__all__ = ["associate", "parse_features", "write_association"]
