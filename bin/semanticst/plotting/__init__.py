"""Shared parts of figures: colours, style, the axes of a section, niche maps."""
