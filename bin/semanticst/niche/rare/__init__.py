"""Tissue that recurs in patients and that none of the niches explains."""
