"""What commands import before they work: seconds, and hundreds of megabytes, of every task."""

import ast
import subprocess
import sys

import pytest

from helpers import BIN
from model_helpers import write_graphs
from pipeline_helpers import modules

HEAVY = (
    "anndata", "lifelines", "matplotlib", "multiqc", "numba", "pynndescent", "scanpy", "scipy.spatial", "scipy.stats",
    "shapely", "sklearn", "statsmodels", "torch", "torch_geometric",
)  # fmt: skip
NEEDED = {
    "cohort_annotate": {"anndata"},
    "cohort_assemble": {"anndata", "torch"},
    "cohort_features": {"anndata"},
    "cohort_mixing": {"anndata", "matplotlib", "scipy.spatial", "scipy.stats", "sklearn"},
    "cohort_simulate": {"anndata", "scipy.spatial"},
    "explorer_build": {"anndata", "shapely"},
    "export_write": {"anndata", "shapely"},
    "graph_build": {"anndata"},
    "model_denoise": {"anndata", "torch"},
    "model_embed": {"anndata", "torch"},
    "model_train": {"anndata", "torch"},
    "niche_associate": {"matplotlib"},
    "niche_cluster": {"anndata", "matplotlib", "scipy.spatial", "scipy.stats", "sklearn"},
    "niche_collect": set(),
    "niche_describe": {"anndata", "matplotlib", "scipy.spatial"},
    "report_methods": set(),
    "report_multiqc": set(),
    "report_planted": set(),
    "report_qc": {"matplotlib", "scipy.spatial"},
    "report_summary": {"matplotlib"},
    "sample_ingest": {"anndata"},
    "sample_qc": {"matplotlib", "scipy.spatial"},
    "samplesheet_check": set(),
}
"""Of ``HEAVY``, what the command of each process imports whatever it is asked for; the rest comes with the function
that needs it."""


def imports_of(command: str) -> str:
    """The imports at the top of a script and of its functions; those below a condition are not always run."""
    tree = ast.parse((BIN / f"{command}.py").read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    lines = [node for part in (tree, *functions) for node in part.body]
    return "\n".join(ast.unparse(node) for node in lines if isinstance(node, ast.Import | ast.ImportFrom))


def imported(code: str, names: tuple[str, ...]) -> set[str]:
    """Of ``names``, the modules that are there after ``code`` ran in a Python of its own."""
    code += f"\nimport sys\nprint(*[name for name in {names} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=BIN, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_every_command_is_in_the_table():
    assert set(NEEDED) == {module.script.stem for module in modules()}


@pytest.mark.parametrize("command", sorted(NEEDED))
def test_a_command_imports_what_it_needs(command):
    assert imported(imports_of(command), HEAVY) == NEEDED[command]


@pytest.mark.parametrize("module", ["semanticst.association.stats.cox", "semanticst.association.design.publication"])
def test_a_part_of_the_association_does_not_bring_all_of_it(module):
    assert imported(f"import {module}", HEAVY) == set()


def test_training_and_embedding_leave_the_compiler_of_torch_alone(tmp_path):
    """Its import costs 1.5 s, and several innocent functions of torch begin with it."""
    graphs = [str(path) for path in write_graphs(tmp_path / "graphs", n_samples=2)]
    code = (
        "from pathlib import Path\n"
        "from semanticst.model.run import run_embedding, run_training\n"
        f"paths, folder = [Path(p) for p in {graphs}], Path({str(tmp_path)!r})\n"
        "run_training(paths, folder, contexts='spatial', device='cpu', steps=2)\n"
        "run_embedding(paths, folder / 'network.pt', folder, device='cpu')\n"
    )
    assert imported(code, ("torch._dynamo", "torch._inductor", "sympy", "torch_geometric")) == set()
