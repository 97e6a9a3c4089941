"""What steps import: seconds of every task."""

import subprocess
import sys

import pytest

from helpers import BIN

HEAVY = ("torch_geometric", "torch", "sklearn", "scanpy", "matplotlib", "numba", "statsmodels")


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        ("semanticst.io.ingest", set()),
        ("semanticst.features.build", set()),
        ("semanticst.graph", set()),
        ("semanticst.cohort.assemble", set()),
        ("semanticst.model.store", {"torch"}),
        ("semanticst.model.kinds", {"torch"}),
        ("semanticst.model.run", {"torch"}),
        ("semanticst.model.denoise", {"torch"}),
        ("semanticst.qc.samples", {"matplotlib"}),
    ],
)
def test_a_step_imports_what_it_needs(module, needed):
    code = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=BIN, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == needed
