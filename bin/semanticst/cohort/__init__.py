"""The object of the whole cohort: how it is put together, and how it is read."""
