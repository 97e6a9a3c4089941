"""What is compared: composition of a unit, and what is inside its niches."""
