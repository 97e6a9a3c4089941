"""What a reader sees: tables, niche maps and the custom content from which MultiQC builds the report."""
