"""Statistics of a contrast: estimates, permutations, corrections."""
