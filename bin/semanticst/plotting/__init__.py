"""What figures share: colours, style, the axes of a section, niche maps."""
