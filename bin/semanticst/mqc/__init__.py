"""Custom content for MultiQC: sections, tables, figures. The one place that escapes what comes from users."""
