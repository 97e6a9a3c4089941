"""The report on the run as a whole: quality control, methods text, ground truth."""
