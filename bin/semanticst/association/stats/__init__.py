"""How it is compared: estimates, permutations, corrections."""
