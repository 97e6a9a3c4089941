"""Features that are compared: composition of a unit, and properties inside its niches."""
