"""Semantic graphs of a sample: spatial, expression, domain."""

from semanticst.graph.build import build_graphs

__all__ = ["build_graphs"]
