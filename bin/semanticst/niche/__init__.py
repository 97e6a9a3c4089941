"""Niches: one clustering over all samples of a cohort."""

from semanticst.niche.cluster import cluster_niches

__all__ = ["cluster_niches"]
