"""Reading what users bring, and the project's internal form of a sample."""
