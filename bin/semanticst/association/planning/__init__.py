"""Looks taken before a run: the check of the tables, and patients and sections that a study needs."""
