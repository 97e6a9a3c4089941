"""What a contrast writes: its table, sentences and figures."""
