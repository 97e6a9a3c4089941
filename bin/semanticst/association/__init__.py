"""Association of niches with a clinical outcome; the unit is the patient."""

from semanticst.association.associate import associate
from semanticst.association.features.composition import parse_features
from semanticst.association.output.write import write_association

__all__ = ["associate", "parse_features", "write_association"]
