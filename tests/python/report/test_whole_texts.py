"""What a reader reads, whole: summary, methods text and paragraphs of six small cohorts, under tests/snapshots.

A change of text is read in the diff of the snapshots, which ``--update-snapshots`` writes anew.
"""

import re
from math import exp

import numpy as np
import pandas as pd
import pytest
import yaml

from helpers import ASSETS, ROOT
from text_cohorts import PATIENTS, TextCohort, defaults, make_cohorts

SNAPSHOTS = ROOT / "tests" / "snapshots"
DESIGN = yaml.safe_load((ASSETS / "methods_description_template.yml").read_text())
SIX = ("counts", "onehot", "intensities", "mapped", "three_groups", "survival")
NAMES = (*SIX, "rare", "batches", "no_contrast", "no_structure", "at_random", "stopped", "one_patient", "parts")


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory) -> dict[str, TextCohort]:
    return make_cohorts(tmp_path_factory.mktemp("texts"))


@pytest.fixture
def same_text(request):
    """Compare a text with its snapshot, or write that anew."""

    def compare(name: str, text: str) -> None:
        path = SNAPSHOTS / f"{name}.txt"
        if request.config.getoption("--update-snapshots"):
            path.write_text(text)
        assert path.is_file(), f"no snapshot {name}: run this test with --update-snapshots and read what it writes"
        assert text == path.read_text()

    return compare


@pytest.mark.parametrize("name", NAMES)
def test_methods_text(cohorts, same_text, name):
    same_text(f"methods_{name}", cohorts[name].methods())


@pytest.mark.parametrize("name", NAMES)
def test_paragraphs_and_warnings_of_the_association(cohorts, same_text, name):
    lines = []
    for record in cohorts[name].associations:
        lines += [f"# {record['contrast']['name']}", *sentences(record["paragraph"]), "## warnings of rows"]
        lines += sorted(
            {warning for row in record["rows"] for warning in (row["warnings"] or "").split("; ") if warning}
        )
    same_text(f"paragraphs_{name}", "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", NAMES)
def test_summary(cohorts, same_text, name):
    same_text(f"summary_{name}", cohorts[name].summary())


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[a-z0-9%)])(?<!\\bvs)\. (?=[A-Z0-9])", text)


def pattern(text: str) -> str:
    """A sentence of the template as an expression: any value for its fields, any number for its references."""
    parts = re.split(r"(\{[^}]*\}|\[@[\w-]+\])", text.strip())
    kinds = {"{": ".+?", "[": r"\[\d+\]"}
    return "".join(kinds[part[0]] if part[:1] in kinds else re.escape(part) for part in parts)


@pytest.mark.parametrize("step", [s for s in DESIGN["steps"] if s.get("when")], ids=lambda s: "-".join(s["when"]))
def test_each_condition_has_a_snapshot_with_its_sentence_and_one_without(step):
    """A sentence that all runs have, or none, is not tested by any of them."""
    texts = [(SNAPSHOTS / f"methods_{name}.txt").read_text().replace("\n", " ") for name in NAMES]
    told = [re.search(pattern(step["text"]), text) is not None for text in texts]
    assert any(told)
    assert not all(told)


def numbers(text: str) -> list[str]:
    """Numbers of a text, as written; a number inside a name (GENE18, p00) is none."""
    return re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w])", text)


@pytest.mark.parametrize("name", SIX)
def test_numbers_of_the_methods_text_are_those_of_the_run(cohorts, name):
    """Each from where it comes from, and not from the record that the text was written of."""
    cohort, text = cohorts[name], cohorts[name].methods().replace("\n", " ")
    source = cohort.folder if (cohort.folder / "samplesheet.csv").is_file() else cohort.folder.parent / "counts"
    sheet = pd.read_csv(source / "samplesheet.csv")
    with np.load(source / "cohort.basis.npz", allow_pickle=False) as basis:
        n_features, n_components = len(basis["features"]), len(basis["variance"])
    names = [record["contrast"]["name"] for record in cohort.associations]
    tables = [pd.read_csv(cohort.folder / "out" / f"{name}.csv") for name in names]
    expected = {
        r"(\d+) features \(at most": n_features,
        r"reduced to (\d+) principal": n_components,
        r"The (\d+) features were used as they are": n_features,
        r"Differences between (\d+) batches": sheet["batch"].nunique(),
        r"trained on all samples in (\d+) steps": None
        if name in ("mapped", "onehot")
        else len(pd.read_csv(source / "training.csv")),
        r"The number of niches was set to (\d+)\.": pd.read_csv(source / "niches.csv.gz")["niche"].nunique(),
        r"as the unit \((\d+) patients": PATIENTS,
        r"(\d+) tests were done": sum(int(table["p"].notna().sum()) for table in tables),
        r"or (\d+) random ones": cohort.settings["clinical_permutations"],
    }
    for pattern, value in expected.items():
        for found in re.findall(pattern, text):
            assert int(found) == value, pattern
    absent = {"onehot": ["were reduced", "at most"], "mapped": ["were reduced", "steps", "was set to"]}
    for part in absent.get(name, ["were used as they are"]):
        assert part not in text


@pytest.mark.parametrize("name", SIX)
def test_numbers_of_a_paragraph_are_those_of_its_table(cohorts, name):
    cohort = cohorts[name]
    for record in cohort.associations:
        table = pd.read_csv(cohort.folder / "out" / f"{record['contrast']['name']}.csv")
        values = table.select_dtypes("number").to_numpy(float).ravel()
        known = {f"{v:{style}}" for v in values for style in (".1f", "+.1f", ".2f", "+.2f", ".3f", ".0f")}
        # what lies halfway between two roundings may have been cut in the table
        known |= {f"{v + 1e-9:.3f}" for v in values}
        known |= {f"{100 * v:{style}}" for v in values for style in (".0f", ".1f")}
        known |= {f"{v:.1f}" for v in [*map(abs, values)]}
        least = table["detectable_effect"].dropna()
        known |= {f"{f(least.median()):{style}}" for f in (float, exp, lambda v: exp(-v)) for style in (".1f", ".2f")}
        known |= {str(n) for n in record["levels"].values()} | {str(record["n_sections"]), str(record["n_events"])}
        known |= {"95", "5", "80", "0.05", "0.001", str(record["n_found"]), str(record["n_tests"]["primary"])}
        known |= {str(int(niche)) for niche in table["niche"] if str(niche).isdigit()}
        known |= {str((table["p"].isna() & (table["family"] == "primary")).sum()), record["contrast"]["event_value"]}
        beside = table[["effect_without_cells", "effect_given_types"]].to_numpy(float).ravel()
        known |= {f"{exp(v):.2f}" for v in beside}
        types = cohort.folder / "out" / f"{record['contrast']['name']}_cell_types.csv"
        if types.is_file():
            plain = pd.read_csv(types)
            known |= {str((plain["q"] < 0.05).sum()), str(plain["p"].notna().sum())}
        strangers = [n for n in numbers(record["paragraph"]) if n not in known]
        assert not strangers, record["paragraph"]


def test_parameters_of_the_snapshots_exist(cohorts):
    for cohort in cohorts.values():
        assert set(cohort.settings) <= set(defaults())
