"""Runs that several engine tests look at, made once."""

import pytest

from engine_helpers import Run, pipeline


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Run:
    """The demonstration, run for real, at a third of its cells."""
    return pipeline(tmp_path_factory.mktemp("demo"), "-profile", "demo", "--simulate_cells", "320").ok()


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Run:
    """The test profile, run for real: a tiny simulated cohort through every step."""
    return pipeline(tmp_path_factory.mktemp("small"), "-profile", "test").ok()
