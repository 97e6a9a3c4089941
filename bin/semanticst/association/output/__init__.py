"""Output of a contrast: its table, sentences and figures."""
