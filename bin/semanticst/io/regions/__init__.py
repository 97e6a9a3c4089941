"""Regions: several samples from one folder or file, and what a pathologist outlined in a section."""
