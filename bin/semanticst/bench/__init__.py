"""Benchmarks: ``python -m semanticst.bench.NAME``, or ``./semanticst bench NAME``."""
