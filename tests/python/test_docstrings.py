"""What packages export says what it takes, gives and raises, in numpydoc sections, with an example that runs."""

import doctest
import importlib
import inspect
import re

import anndata as ad
import pytest

from clinical_helpers import make_cohort
from helpers import BIN, ROOT
from model_helpers import write_components
from semanticst.association.associate import associate
from semanticst.association.features.composition import parse_features
from semanticst.association.output.write import write_association
from semanticst.graph import build_graphs

LIBRARY = BIN / "semanticst"
BY_MODULE = [associate, parse_features, write_association]
"""Ways into a package that exports nothing, since steps take small parts of it."""


def exported() -> list:
    """Functions that the ``__init__.py`` of a package names in ``__all__``, and those of `BY_MODULE`."""
    packages = [path.parent.relative_to(BIN).as_posix().replace("/", ".") for path in LIBRARY.rglob("__init__.py")]
    modules = [importlib.import_module(name) for name in sorted(packages)]
    things = [getattr(module, name) for module in modules for name in getattr(module, "__all__", ())]
    return [thing for thing in things if inspect.isfunction(thing)] + BY_MODULE


def sections_of(function) -> dict[str, str]:
    """Text of each numpydoc section of a docstring, by its heading."""
    parts = re.split(r"^(\w[\w ]*)\n-+$", inspect.getdoc(function) or "", flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def described(section: str) -> list[str]:
    """Names that stand at the left margin of a section: those of parameters, or of exceptions."""
    return [name.strip() for line in re.findall(r"^\S.*$", section, re.M) for name in line.split(" : ")[0].split(",")]


def by_name(function) -> str:
    return f"{function.__module__}.{function.__name__}"


def test_packages_export_something():
    assert {"associate", "build_graphs", "cluster_niches", "reader_for"} <= {f.__name__ for f in exported()}


@pytest.mark.parametrize("function", exported(), ids=by_name)
def test_every_argument_result_and_error_is_described(function):
    sections, signature = sections_of(function), inspect.signature(function)
    assert described(sections["Parameters"]) == list(signature.parameters)
    assert ("Returns" in sections) == (signature.return_annotation is not None)
    for name in re.findall(r"raise (?:\w+\.)?(\w+)\(", inspect.getsource(function)):
        assert name in described(sections["Raises"])
    assert ">>>" in sections["Examples"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of the steps before, as the examples name them."""
    folder = tmp_path_factory.mktemp("examples")
    header = "contrast,type,column,reference,target,levels,time,event,event_value,covariates,strata,block,subset\n"
    make_cohort((8, 8), effect=2.5).write(folder, header + "arm,groups,group,g0,,,,,,,,,\n")
    (folder / "graphs").mkdir()
    paths = [write_components(folder, f"s{i}", seed=i, patient=f"p{i}") for i in (1, 2)]
    build_graphs(paths, folder / "graphs", hops=2)
    samples = [ad.read_h5ad(folder / "graphs" / f"s{i}.graphs.h5ad") for i in (1, 2)]
    cohort = ad.concat(samples, pairwise=True, index_unique="-")
    cohort.obs["cell_id"] = cohort.obs_names
    cohort.obsm["X_semantic"] = cohort.obsm["X_pca_harmony"]
    cohort.uns = samples[0].uns
    cohort.write_h5ad(folder / "cohort.embedding.h5ad")
    return folder


@pytest.mark.parametrize("function", exported(), ids=by_name)
def test_the_example_runs(function, folder):
    names = {**vars(inspect.getmodule(function)), "folder": folder}
    (test,) = doctest.DocTestFinder(recurse=False).find(function, function.__name__, globs=names)
    report: list[str] = []
    assert test.examples
    assert doctest.DocTestRunner().run(test, out=report.append).failed == 0, "".join(report)


def first_lines() -> dict[str, str]:
    """First line of the text of each module of the library and the launcher."""
    paths = [*LIBRARY.rglob("*.py"), *(ROOT / "launcher").glob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_text().splitlines()[0].strip('"') for path in sorted(paths)}


def test_titles_of_modules_are_noun_phrases():
    """An index of questions and sentences cannot be read."""
    asks = re.compile(r"(What|Which|How|Is|Are|Does|Do|Can|Put|Start|Fetch|Make|Find|Write|Read)\b|.*\?$")
    assert {name: line for name, line in first_lines().items() if asks.match(line)} == {}
