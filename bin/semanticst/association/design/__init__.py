"""Design of a contrast: its tables, its subset, its units, its batches."""
