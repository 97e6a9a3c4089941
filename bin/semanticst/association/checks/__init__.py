"""Checks beside the tests of a contrast: other choices, other explanations, other scales."""
