"""Cohorts with a known answer: for the demonstration, for tests, and to ask how large a cohort has to be."""
