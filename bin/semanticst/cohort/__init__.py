"""The object of the whole cohort: assembly and reading."""
