"""From counts or markers of many samples to one space of components: shared features, basis, batch correction."""

from semanticst.features.basis import Basis
from semanticst.features.build import build_components

__all__ = ["Basis", "build_components"]
