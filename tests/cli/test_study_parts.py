"""Discovery and validation: nothing that is decided on the first depends on the second."""

import hashlib
import html
import json
import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from chain_helpers import chain, two_tissues
from clinical_helpers import Cohort, make_cohort
from helpers import invoke, make_internal
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe.gene_sets import niche_gene_sets
from semanticst.describe.markers import niche_markers

DISCOVERY = ("s0", "s1", "s2")
LACKING = make_internal(n_features=20).var_names[3]
SETS = {"five": list(make_internal(n_features=20).var_names[:5]), "lacking": [LACKING]}
ROWS = "contrast,type,column,reference,target,levels,time,event,event_value,covariates,strata,block,subset\n"
ARM = "arm,groups,group,g0,g1,,,,,,,,\n"


def part_of_study(sample, part, seed, scale=1):
    adata = two_tissues(sample, f"patient_of_{sample}", seed)
    adata.uns["semanticst"]["study_part"] = part
    adata.X = adata.X * scale
    return adata


@pytest.fixture(scope="module")
def two_validations(tmp_path_factory):
    """Folders of two runs with the same discovery, and validations that differ in everything."""
    folders = []
    for number, validation in enumerate(({"a0": 7}, {"t1": 8, "z2": 9})):
        folder = tmp_path_factory.mktemp(f"run{number}")
        samples = [part_of_study(s, "discovery", i) for i, s in enumerate(DISCOVERY)]
        samples += [part_of_study(s, "validation", seed, scale=1 + number) for s, seed in validation.items()]
        for adata in samples:
            if number and adata.uns["semanticst"]["study_part"] == "validation":
                adata.uns["semanticst"] |= {"spatial_unit": "um", "protein_names": ["VIM", "CD4", "CD8"]}
                adata.var["symbol"] = "the same"
            if adata.uns["semanticst"]["sample"] == "z2":
                adata = adata[:, adata.var_names != LACKING].copy()
            adata.write_h5ad(folder / f"{adata.uns['semanticst']['sample']}.qc.h5ad")
        chain(folder, folder, sorted(p.name for p in folder.glob("*.qc.h5ad")))
        folders.append(folder)
    return folders


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_validation_changes_no_byte_of_the_model(two_validations):
    one, two = two_validations
    assert digest(one / "model.pt") == digest(two / "model.pt")
    assert digest(one / "network.pt") == digest(two / "network.pt")


def test_validation_changes_no_row_of_the_discovery(two_validations):
    tables = [pd.read_csv(f / "niches.csv.gz", dtype=str, keep_default_na=False) for f in two_validations]
    own = [t[t["study_part"] == "discovery"].to_csv(index=False) for t in tables]
    assert own[0] == own[1]
    assert [sorted(t.loc[t["study_part"] == "validation", "sample"].unique()) for t in tables] == [["a0"], ["t1", "z2"]]
    assert len(tables[1]) == 1000
    for name in ("niche_stability.csv", "niche_k.csv"):
        assert digest(two_validations[0] / name) == digest(two_validations[1] / name)


def test_validation_changes_no_gene_set_of_the_discovery(two_validations):
    """Cells are scaled to a median total: one of the validations has twice the counts, and lacks a gene."""
    found = []
    for folder in two_validations:
        cohort = read_cohort(folder / "cohort.h5ad")
        table = niche_gene_sets(cohort, SETS, folder)
        found.append(table[table["sample"].isin(DISCOVERY)].reset_index(drop=True))
        assert cohort.decided.sum() == 600
    assert found[0]["n_genes"].unique().tolist() == [5, 1]
    pd.testing.assert_frame_equal(*found, check_exact=True)


def test_validation_changes_no_marker_and_no_protein(two_validations):
    cohorts = [read_cohort(folder / "cohort.h5ad") for folder in two_validations]
    assert cohorts[0].protein_names == ("CD3E", "VIM")
    tables = [niche_markers(cohort) for cohort in cohorts]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert set(tables[0]["modality"]) == {"gene", "protein"}


def test_validation_has_the_mean_of_the_genes_that_it_has(two_validations):
    folder = two_validations[1]
    cohort = read_cohort(folder / "cohort.h5ad")
    assert cohort.features_lacking == {"z2": {LACKING}}
    table = niche_gene_sets(cohort, SETS, folder).set_index(["sample", "gene_set"]).sort_index()
    assert "lacking" not in table.loc["z2"].index
    assert table.loc[("z2", "five"), "n_genes"].unique().tolist() == [4]
    # its totals are those over all genes, as far as the discovery tells
    whole = ad.read_h5ad(folder / "cohort.h5ad")
    X, discovery = whole.X.toarray(), whole.obs["sample"].isin(DISCOVERY).to_numpy()
    genes, there = whole.var_names.isin(SETS["five"]), whole.var_names != LACKING
    part = X[discovery][:, there].sum() / X[discovery].sum()
    cells = (whole.obs["sample"] == "z2").to_numpy() & (whole.obs["niche"] == "1").to_numpy()
    assert not X[cells][:, ~there].any()
    scaled = np.log1p(X[cells] / (X[cells].sum(1, keepdims=True) / part) * np.median(X[discovery].sum(1)))
    found = table.loc[("z2", "five")].set_index("niche")["mean"]
    assert found[1] == pytest.approx(scaled[:, genes & there].mean(), rel=1e-5)


def test_validation_gets_the_niches_of_the_discovery(two_validations):
    whole = ad.read_h5ad(two_validations[1] / "cohort.h5ad")
    new = whole.obs[whole.obs["sample"].isin(["t1", "z2"])]
    agreement = (new["truth"] == "left") == (new["niche"] == "1")
    assert max(agreement.mean(), 1 - agreement.mean()) > 0.9
    assert json.loads((two_validations[1] / "cohort.features.json").read_text())["n_validation"] == 2


def test_without_validation_the_model_is_the_same(two_validations, tmp_path):
    source = two_validations[0]
    chain(source, tmp_path, [f"{s}.qc.h5ad" for s in DISCOVERY])
    assert digest(tmp_path / "model.pt") == digest(source / "model.pt")


def with_parts(cohort: Cohort, of_validation) -> Cohort:
    """``of_validation``: patients of the validation."""
    part = np.where(cohort.sections["patient"].isin(of_validation), "validation", "discovery")
    return Cohort(cohort.sections.assign(study_part=part), cohort.counts, cohort.clinical)


def associated(cohort, folder, *more):
    paths = cohort.write(folder, ROWS + ARM)
    options = [item for name, path in paths.items() for item in (f"--{name}", path)]
    result = invoke(
        "niche_associate",
        "--contrast",
        "arm",
        *options,
        *more,
        "--clinical-permutations",
        199,
        "--outdir",
        folder / "out",
    )
    assert result.exit_code == 0, result.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def cohort():
    return make_cohort((16, 16), effect=2.5)


@pytest.fixture(scope="module")
def validated(cohort):
    """Every second patient of each group."""
    patients = cohort.sections.drop_duplicates("patient").groupby("group")["patient"]
    return [patient for _, of_group in patients for patient in of_group.tolist()[::2]]


def test_validation_changes_no_byte_of_the_discoverys_associations(cohort, validated, tmp_path):
    both = with_parts(cohort, validated)
    changed = both.counts.copy()
    rows = changed.index.isin(both.sections.index[both.sections["study_part"] == "validation"])
    changed.loc[rows] = changed.loc[rows].to_numpy()[:, ::-1] + 3
    outs = [
        associated(c, tmp_path / name)
        for name, c in (("a", both), ("b", Cohort(both.sections, changed, both.clinical)))
    ]
    for name in ("arm.csv", "arm_sensitivity.csv", "association_arm_mqc.json"):
        assert digest(outs[0] / name) == digest(outs[1] / name)
    records = [json.loads((out / "arm.association.json").read_text()) for out in outs]
    of_validation = [record.pop("validation") for record in records]
    assert records[0] == records[1]
    assert of_validation[0] != of_validation[1]
    assert digest(outs[0] / "arm_validation.csv") != digest(outs[1] / "arm_validation.csv")


def test_discovery_and_validation_stand_side_by_side(cohort, validated, tmp_path):
    out = associated(with_parts(cohort, validated), tmp_path)
    both = pd.read_csv(out / "arm_replication.csv", dtype={"n_patients_validation": str}, keep_default_na=False)
    both = both.astype({"niche": str}).set_index("niche")
    assert both["n_patients_validation"].unique().tolist() == ["16"]
    discovery, validation = (
        pd.read_csv(out / f"{name}.csv").astype({"niche": str}).set_index("niche") for name in ("arm", "arm_validation")
    )
    planted = both.loc["2"]
    assert (planted["found"], planted["same_direction"], planted["confirmed"]) == ("yes", "yes", "yes")
    assert float(planted["effect_validation"]) == pytest.approx(validation.loc["2", "effect"])
    assert float(planted["ci_low_discovery"]) == pytest.approx(discovery.loc["2", "ci_low"])
    assert discovery.loc["2", "n_patients"] == validation.loc["2", "n_patients"] == 16
    text = (out / "association_arm_validation_mqc.json").read_text()
    assert "confirmed" in text
    assert "discovery and validation" in text


def test_tables_that_are_handed_on_name_no_patient_and_no_sample(cohort, validated, tmp_path):
    out = associated(with_parts(cohort, validated), tmp_path)
    names = {*cohort.sections["patient"], *cohort.sections.index}
    for name in ("arm.csv", "arm_validation.csv"):
        assert not names & set(re.split(r"\W+", (out / name).read_text())), name


def test_slopes_of_both_parts_are_per_sd_of_the_discovery(cohort, validated, tmp_path):
    paths = with_parts(cohort, validated).write(tmp_path, ROWS + "trend,continuous,x,,,,,,,,,,\n")
    options = [item for name, path in paths.items() for item in (f"--{name}", path)]
    more = ("--clinical-permutations", 99, "--outdir", tmp_path)
    assert invoke("niche_associate", "--contrast", "trend", *options, *more).exit_code == 0
    both, discovery, validation = (
        pd.read_csv(tmp_path / f"trend{name}.csv").astype({"niche": str}).set_index("niche")
        for name in ("_replication", "", "_validation")
    )
    x = cohort.sections.drop_duplicates("patient").set_index("patient")["x"].astype(float)
    sds = x[~x.index.isin(validated)].std(), x[validated].std()
    assert discovery.loc[both.index, "comparison"].unique().tolist() == [f"per SD of x ({sds[0]:.3g})"]
    np.testing.assert_allclose(both["effect_discovery"], discovery.loc[both.index, "effect"])
    for column in ("effect", "ci_low"):
        expected = validation.loc[both.index, column] * sds[0] / sds[1]
        np.testing.assert_allclose(both[f"{column}_validation"], expected, rtol=0.01)
    assert both["p_validation"].notna().all()
    assert set(both["same_direction"]) <= {"yes", "no"}


def test_tables_of_both_parts_have_the_names_of_niches(cohort, validated, tmp_path):
    (tmp_path / "names.csv").write_text("niche,name\n2,Border\n")
    out = associated(with_parts(cohort, validated), tmp_path, "--niche-names", tmp_path / "names.csv")
    for name in ("arm_replication.csv", "arm_validation.csv"):
        table = pd.read_csv(out / name, keep_default_na=False).astype({"niche": str})
        assert set(table.loc[table["niche"] == "2", "niche_name"]) == {"Border"}, name


def test_validation_without_a_group_is_not_testable(cohort, tmp_path):
    of_one_group = cohort.sections.loc[cohort.sections["group"] == "g1", "patient"].unique()[:5]
    out = associated(with_parts(cohort, of_one_group), tmp_path)
    both = pd.read_csv(out / "arm_replication.csv", keep_default_na=False)
    assert (both["same_direction"] == "").all()
    assert (both.loc[both["found"] == "yes", "confirmed"] == "no").all()


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["discovery", "validation", "test"], "test"),
        (["discovery", "", "validation"], "every sample is of one part"),
        (["validation", "validation", "validation"], "no sample is of the discovery"),
        (["discovery", "validation", "validation"], None),
    ],
)
def test_sheet_states_the_part_of_every_sample(tmp_path, parts, said):
    sheet = pd.DataFrame({"sample": ["a", "b", "c"], "patient": ["p", "q", "r"], "path": ["1", "2", "3"]})
    sheet.assign(study_part=parts).to_csv(tmp_path / "sheet.csv", index=False)
    result = invoke("samplesheet_check", tmp_path / "sheet.csv", "--no-check-files", "--outdir", tmp_path / "out")
    assert result.exit_code == (3 if said else 0), result.stderr
    assert said is None or (said in result.stderr and "study_part" in result.stderr)


def test_patient_in_both_parts_is_refused(tmp_path):
    sheet = pd.DataFrame({"sample": ["a", "b"], "patient": ["p", "p"], "path": ["1", "2"]})
    sheet.assign(study_part=["discovery", "validation"]).to_csv(tmp_path / "sheet.csv", index=False)
    result = invoke("samplesheet_check", tmp_path / "sheet.csv", "--no-check-files", "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "patient p is of the discovery above" in result.stderr


def test_the_record_says_what_the_validation_confirms(cohort, validated, tmp_path):
    out = associated(with_parts(cohort, validated), tmp_path)
    both = pd.read_csv(out / "arm_replication.csv", keep_default_na=False)
    found = both[both["found"] == "yes"]
    assert len(found)
    record = json.loads((out / "arm.association.json").read_text())
    told = record["validation"]
    assert told["n_patients"] == 16
    assert told["n_found"] == len(found)
    assert told["n_confirmed"] == (found["confirmed"] == "yes").sum() > 0
    section = json.loads((out / "association_arm_validation_mqc.json").read_text())["description"]
    assert told["said"] in html.unescape(section)
    assert {niche: answer for niche, _, _, answer in told["answers"]} == dict(
        zip(found["niche"].astype(str), found["confirmed"])
    )
    assert set(told["section_values"]) & set(record["section_values"]) == set()
    (tmp_path / "without").mkdir()
    assert (
        json.loads((associated(cohort, tmp_path / "without") / "arm.association.json").read_text())["validation"]
        is None
    )


def test_a_validation_that_cannot_be_tested_says_why(cohort, tmp_path):
    of_one_group = cohort.sections.loc[cohort.sections["group"] == "g1", "patient"].unique()[:5]
    out = associated(with_parts(cohort, of_one_group), tmp_path)
    told = json.loads((out / "arm.association.json").read_text())["validation"]
    assert told["n_confirmed"] == 0
    assert told["not_testable"] or told["n_patients"]
    text = (out / "association_arm_validation_mqc.json").read_text()
    assert "stand side by side" not in text
