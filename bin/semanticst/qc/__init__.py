"""Quality control of a sample: which cells are kept, whether the sample is, and why."""
