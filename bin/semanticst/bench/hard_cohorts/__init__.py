"""Cohorts without an effect in which something else differs, and what the association says of them."""
