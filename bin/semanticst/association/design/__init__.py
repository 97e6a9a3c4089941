"""Who is compared: the tables of a contrast, its subset, its units, its batches."""
