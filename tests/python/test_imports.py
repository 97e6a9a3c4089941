"""What steps import: seconds of every task."""

import subprocess
import sys

import pytest

from helpers import BIN
from model_helpers import write_graphs

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


def test_training_and_embedding_leave_the_compiler_of_torch_alone(tmp_path):
    """Its import costs 1.5 s, and several innocent functions of torch begin with it."""
    graphs = [str(path) for path in write_graphs(tmp_path / "graphs", n_samples=2)]
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from semanticst.model.run import run_embedding, run_training\n"
        f"paths, folder = [Path(p) for p in {graphs}], Path({str(tmp_path)!r})\n"
        "run_training(paths, folder, contexts='spatial', device='cpu', steps=2)\n"
        "run_embedding(paths, folder / 'network.pt', folder, device='cpu')\n"
        "print(*{'torch._dynamo', 'torch._inductor', 'sympy', 'torch_geometric'}.intersection(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=BIN, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
