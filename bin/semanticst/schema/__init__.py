"""The tables a user brings, against the JSON schemas in ``assets/``: the single source for their columns."""

from semanticst.schema.rows import check_columns, check_rows, column_names, load_schema

__all__ = ["check_columns", "check_rows", "column_names", "load_schema"]
