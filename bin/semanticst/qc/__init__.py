"""Quality control of a sample: cells that are kept, the verdict on the sample, and the reasons."""
