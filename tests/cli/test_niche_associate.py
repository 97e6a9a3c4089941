"""The command: files it writes, what it refuses, and the real cohorts."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from clinical_helpers import Cohort, make_cohort
from helpers import invoke, load_command
from semanticst.association.associate import associate

HEADER = "contrast,type,column,reference,target,levels,time,event,event_value,covariates,strata,block,subset\n"
ROWS = (
    "arm,groups,group,g0,,,,,,,,,\n"
    "trend,ordered,group,,,g0;g1,,,,,,,\n"
    "survival,survival,,,,,time,event,1,age,,,\n"
    "side,groups,side,,,,,,,,,patient,\n"
)
CONTRACT = ["niche", "feature", "effect", "effect_type", "ci_low", "ci_high", "p", "q", "n_patients", "n_events"]


def run(cohort: Cohort, folder, contrast: str, *more, rows: str = ROWS):
    paths = cohort.write(folder, HEADER + rows)
    options = [item for name, path in paths.items() for item in (f"--{name}", path)]
    return invoke("niche_associate", "--contrast", contrast, *options, "--outdir", folder / "out", *more)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return make_cohort((8, 8), n_sections=2, effect=2.5)


@pytest.mark.parametrize(
    ("contrast", "figure"), [("arm", "patients"), ("survival", "kaplan_meier"), ("side", "patients")]
)
def test_files(cohort, tmp_path, contrast, figure):
    result = run(cohort, tmp_path, contrast, "--clinical-permutations", 199)
    assert result.exit_code == 0
    names = {p.name for p in (tmp_path / "out").iterdir()}
    expected = {
        f"{contrast}.csv",
        f"{contrast}_sensitivity.csv",
        f"{contrast}.association.json",
        f"association_{contrast}_mqc.json",
    }
    for drawn in ("composition", "forest", figure):
        expected |= {f"{contrast}_{drawn}.png", f"{contrast}_{drawn}.pdf", f"association_{contrast}_{drawn}_mqc.json"}
    assert names == expected
    table = pd.read_csv(tmp_path / "out" / f"{contrast}.csv", keep_default_na=False)
    assert table.columns[:12].tolist() == [*CONTRACT, "model", "warnings"]
    assert sorted(table["niche"].astype(str)) == ["1", "2", "3", "4", "5", "all"]
    assert (table["n_events"].astype(str) == "").all() == (contrast != "survival")
    record = json.loads((tmp_path / "out" / f"{contrast}.association.json").read_text())
    assert record["n_patients"] == 16
    assert record["n_sections"] == 32


def test_planted_niche_is_on_top(cohort, tmp_path):
    run(cohort, tmp_path, "arm")
    table = pd.read_csv(tmp_path / "out" / "arm.csv")
    assert table.loc[0, ["niche", "comparison", "n_tests"]].tolist() == ["2", "g1 vs g0", 5]
    assert table.loc[0, "q"] < 0.01
    assert table.loc[0, "effect"] > 1
    assert "exact, 12870 permutations" in table.loc[0, "model"]


def test_same_seed_same_bytes_and_rows_in_any_order(cohort, tmp_path):
    options = ("--clinical-permutations", 199, "--seed", 4)
    run(cohort, tmp_path / "a", "survival", *options)
    order = np.random.default_rng(1).permutation(len(cohort.sections))
    shuffled = Cohort(cohort.sections.iloc[order], cohort.counts.iloc[order], cohort.clinical)
    run(shuffled, tmp_path / "b", "survival", *options)
    for name in ("survival.csv", "survival.association.json", "association_survival_mqc.json"):
        assert (tmp_path / "a/out" / name).read_bytes() == (tmp_path / "b/out" / name).read_bytes()


@pytest.mark.parametrize(
    "row",
    [
        "one,groups,group,g0,g1,,,,,age;x,sex,,event == 0|1 & side == s0\n",
        "one,survival,,,,,time,event,1,x,,,sex == m\n",
        "one,groups,side,,,,,,,,,patient,\n",
        "one,continuous,age,,,,,,,group,,,\n",
    ],
)
def test_what_the_check_writes_for_one_contrast_is_all_that_its_test_reads(cohort, tmp_path, row):
    """The same result from the row and the columns of one contrast as from the whole tables, batch included."""
    batches = cohort.sections.assign(batch=["b0" if age < "55" else "b1" for age in cohort.sections["age"]])
    whole = Cohort(batches, cohort.counts, cohort.clinical).write(tmp_path, HEADER + row + ROWS)
    sheet = pd.read_csv(whole["samplesheet"], dtype=str)
    sheet.assign(path=sheet["sample"] + ".h5ad").to_csv(tmp_path / "sheet.csv", index=False)
    tables = ("--clinical", whole["clinical"], "--contrasts", whole["contrasts"])
    checked = invoke(
        "samplesheet_check", tmp_path / "sheet.csv", *tables, "--no-check-files", "--outdir", tmp_path / "checked"
    )
    assert checked.exit_code == 0, checked.stderr
    names = {"contrasts": "contrast", "clinical": "clinical", "samplesheet": "samplesheet"}
    own = whole | {option: tmp_path / f"checked/by_contrast/one.{name}.csv" for option, name in names.items()}
    results = [associate("one", **paths, permutations=99) for paths in (whole, own)]
    assert results[0].table.to_csv() == results[1].table.to_csv()
    assert [r.design.dropped for r in results] == [results[0].design.dropped] * 2
    assert results[1].batch_strength == results[0].batch_strength is not None


def test_contacts_are_tested_when_asked_for(cohort, tmp_path):
    rng = np.random.default_rng(0)
    group = cohort.sections["group"].to_numpy() == "g1"
    pairs = [
        {"sample": s, "patient": "", "niche_a": a, "niche_b": b, "expected": 40, "log2_ratio": 0,
         "edges": rng.poisson(40 * (1 + 2 * (g and (a, b) == (1, 3))))}
        for s, g in zip(cohort.sections.index, group)
        for a in range(1, 6)
        for b in range(a, 6)
    ]  # fmt: skip
    contacts = tmp_path / "niche_contacts.csv"
    pd.DataFrame(pairs).to_csv(contacts, index=False)
    options = ("--contacts", contacts, "--clinical-permutations", 199)
    run(cohort, tmp_path, "arm", *options)
    assert set(pd.read_csv(tmp_path / "out/arm.csv")["feature"]) == {"proportion", "composition"}
    run(cohort, tmp_path, "arm", *options, "--clinical-features", "proportion,contacts,entropy")
    table = pd.read_csv(tmp_path / "out/arm.csv")
    assert table["n_tests"].max() == 5 + 15 + 1
    first = table[table["feature"].str.startswith("contact")].iloc[0]
    assert first[["niche", "feature", "effect_type"]].tolist() == ["1", "contact_with_3", "log2_contact_difference"]
    assert first["effect"] == pytest.approx(np.log2(3), abs=0.2)


@pytest.mark.parametrize(
    ("rows", "contrast", "message"),
    [
        (ROWS, "nothing", "needs exactly one row, has 0; rows: arm, trend, survival, side"),
        ("arm,groups,grup,,,,,,,,,,\n", "arm", "contrasts.csv, row 2, column 'column': found 'grup'"),
        ("arm,grups,group,,,,,,,,,,\n", "arm", "column 'type': found 'grups': expected one of groups"),
        ("arm,groups,,,,,,,,,,,\n", "arm", "column 'column': a contrast of type groups needs it"),
        ("s,survival,,,,,time,event,,,,,\n", "s", "column 'event_value'"),
        ("s,survival,,,,,time,event,dead,,,,\n", "s", "values found: 0, 1"),
        ("arm,groups,group,,,,,,,,,,sax == f\n", "arm", "did you mean 'sex'"),
    ],
)
def test_bad_contrasts(cohort, tmp_path, rows, contrast, message):
    result = run(cohort, tmp_path, contrast, rows=rows)
    assert result.exit_code == 3
    assert message in result.stderr
    assert not list((tmp_path / "out").glob("*"))


def test_contradicting_clinical_rows_name_the_patient(cohort, tmp_path):
    paths = cohort.write(tmp_path, HEADER + ROWS)
    clinical = paths["clinical"].read_text().splitlines()
    again = next(line for line in clinical if line.startswith("p03"))
    paths["clinical"].write_text("\n".join([*clinical, again.replace("g0", "g1")]) + "\n")
    options = [item for name, path in paths.items() for item in (f"--{name}", path)]
    result = invoke("niche_associate", "--contrast", "arm", *options, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "column 'group': patient p03 has several values (g0, g1)" in result.stderr


def test_counts_of_an_unknown_sample(cohort, tmp_path):
    paths = cohort.write(tmp_path, HEADER + ROWS)
    sheet = paths["samplesheet"].read_text().replace("p02_1", "p02_9")
    paths["samplesheet"].write_text(sheet)
    options = [item for name, path in paths.items() for item in (f"--{name}", path)]
    result = invoke("niche_associate", "--contrast", "arm", *options, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "'p02_1': niche counts name this sample" in result.stderr


def test_samples_that_failed_quality_control_are_no_error(cohort, tmp_path):
    lost = cohort.counts.index[:3]
    paths = cohort.write(tmp_path, HEADER + ROWS)
    counts = pd.read_csv(paths["counts"])
    counts[~counts["sample"].isin(lost)].to_csv(paths["counts"], index=False)
    options = [item for name, path in paths.items() for item in (f"--{name}", path)]
    result = invoke("niche_associate", "--contrast", "arm", *options, "--outdir", tmp_path / "out")
    assert result.exit_code == 0
    assert "3 sections have no niches" in result.stderr
    assert json.loads((tmp_path / "out/arm.association.json").read_text())["n_patients"] == 15


def test_what_a_command_tells_does_not_hang_on_tests_before_it(cohort, tmp_path):
    """A library that was silenced, as ``bench calibration`` does, or whose loggers another one has disabled."""
    of_tables = logging.getLogger("semanticst.association.design.tables")
    logging.getLogger("semanticst").setLevel(logging.ERROR)
    of_tables.disabled = True
    test_samples_that_failed_quality_control_are_no_error(cohort, tmp_path)
    assert not of_tables.disabled


@pytest.mark.parametrize("features", ["niches", "", "contacts"])
def test_usage_errors(cohort, tmp_path, features):
    result = run(cohort, tmp_path, "arm", "--clinical-features", features)
    assert result.exit_code == 2
    assert "--clinical_features" in result.stderr


def test_text_tables_of_other_programs_are_read(cohort, tmp_path):
    """Byte order mark, spaces, 3.0 for 3, None as a level, missing values in other words."""
    paths = cohort.write(tmp_path, HEADER + "dose,groups,dose,None,,,,,,,,,\n")
    clinical = pd.read_csv(paths["clinical"], dtype=str)
    clinical["dose"] = np.where(clinical["group"] == "g0", " None", "3.0 ")
    clinical.loc[0, "dose"] = "N/A"
    paths["clinical"].write_text("\ufeff" + clinical.to_csv(index=False))
    options = [item for name, path in paths.items() for item in (f"--{name}", path)]
    result = invoke("niche_associate", "--contrast", "dose", *options, "--outdir", tmp_path / "out")
    assert result.exit_code == 0
    table = pd.read_csv(tmp_path / "out/dose.csv")
    assert table.loc[0, "comparison"] == "3 vs None"
    assert (table["n_patients"] == 15).all()


def test_help_names_units_and_defaults():
    options = {p.name: p for p in load_command("niche_associate").params}
    assert options["clinical_permutations"].default == 19999
    assert "patient" in load_command("niche_associate").help or "contrast" in load_command("niche_associate").help
    assert "fewer cells" in options["clinical_min_cells"].help


def niche_tables(cohort: Cohort, folder):
    """Options with the further tables of ``niche_describe`` and ``niche_cluster`` for the counts of a cohort."""
    rng = np.random.default_rng(0)
    long = cohort.counts.melt(ignore_index=False, var_name="niche", value_name="n_cells").reset_index()
    folder.mkdir(parents=True, exist_ok=True)
    n = long["n_cells"].to_numpy()
    tables = {
        "patches": long.assign(n_patches=np.minimum(n, 1 + rng.binomial(n, 0.3))),
        "cell-types": pd.concat(
            [long.assign(cell_type="T", n_cells=n // 3), long.assign(cell_type="B", n_cells=n - n // 3)]
        ),
        "gene-sets": long[n > 0].assign(gene_set="IFNG", mean=rng.normal(1, 0.3, (n > 0).sum())),
        "base-clusterings": pd.concat([long.assign(member=m) for m in ("embedding-10", "profile2-10")]),
        "markers": pd.DataFrame(
            {"niche": [2], "symbol": ["CD8A"], "score": [3.0], "log2_fold_change": [2.0], "rank": [1]}
        ),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    cells = long.loc[long.index.repeat(n)].assign(patient=lambda t: t["sample"].map(cohort.sections["patient"]))
    cells = cells.assign(x=rng.random(len(cells)), y=rng.random(len(cells)), coordinate_unit="um")
    cells.to_csv(folder / "niches.csv.gz", index=False)
    options = [item for name in tables for item in (f"--{name}", folder / f"{name}.csv")]
    return [*options, "--niches", folder / "niches.csv.gz"]


@pytest.mark.parametrize("supported", [True, False])
def test_tests_of_niches_without_support_say_so(cohort, tmp_path, supported, monkeypatch):
    shown, save = {}, Figure.savefig

    def save_and_look(figure, path, **options):
        shown[path.name] = [text.get_text() for text in figure.texts]
        save(figure, path, **options)

    monkeypatch.setattr(Figure, "savefig", save_and_look)
    numbers = pd.DataFrame({"k": [3, 4], "supported": [True, supported], "chosen": [False, True]})
    numbers.to_csv(tmp_path / "niche_k.csv", index=False)
    result = run(cohort, tmp_path, "arm", "--numbers", tmp_path / "niche_k.csv", "--clinical-permutations", 199)
    assert result.exit_code == 0, result.stderr
    warnings = pd.read_csv(tmp_path / "out" / "arm.csv")["warnings"].fillna("")
    assert warnings.str.startswith("number of niches not supported").eq(not supported).all()
    report = "".join(path.read_text() for path in (tmp_path / "out").glob("*_mqc.json"))
    assert ("a test of arbitrary cuts" in report) is not supported
    # once above the table, not again in each row
    section = json.loads((tmp_path / "out/association_arm_mqc.json").read_text())
    assert ("arbitrary cuts" in section["description"]) is not supported
    assert "arbitrary cuts" not in json.dumps(section["data"])
    # each figure may be shown alone
    assert len(shown) > 1
    for name, words in shown.items():
        assert ("Niches: arbitrary cuts, not to be interpreted" in words) is not supported, name


def test_rows_of_niches_that_are_not_reproducible_say_so(cohort, tmp_path):
    overview = pd.DataFrame({"niche": [1, 2, 3, 4, 5], "reading": ["high", "low", "not reproducible", "moderate", ""]})
    overview.to_csv(tmp_path / "overview.csv", index=False)
    more = ("--clinical-features", "proportion", "--clinical-permutations", 199)
    result = run(cohort, tmp_path, "arm", "--overview", tmp_path / "overview.csv", *more)
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(tmp_path / "out" / "arm.csv").set_index("niche")
    said = table["warnings"].fillna("").str.startswith("niche of low reproducibility")
    assert sorted(said.index[said]) == ["2", "3"]
    # niche 2 is planted and found; the paragraph and the table of the report mark it
    section = json.loads((tmp_path / "out/association_arm_mqc.json").read_text())
    assert table.loc["2", "q"] < 0.05
    assert "Not to be interpreted, since of low reproducibility with other patients: Niche 2" in section["description"]
    assert "not to be interpreted" in section["data"]["Niche 2"]["warnings"]
    (tmp_path / "overview.csv").write_text("k\n3\n")
    result = run(cohort, tmp_path, "arm", "--overview", tmp_path / "overview.csv", *more)
    assert result.exit_code == 3
    assert "expected niche_overview.csv of a run" in result.stderr


def test_a_table_of_numbers_that_is_none_is_bad_input(cohort, tmp_path):
    (tmp_path / "niche_k.csv").write_text("k,bic\n3,1\n")
    result = run(cohort, tmp_path, "arm", "--numbers", tmp_path / "niche_k.csv")
    assert result.exit_code == 3
    assert "expected niche_k.csv of a run" in result.stderr


def test_all_features_base_clusterings_and_maps(cohort, tmp_path):
    kinds = "proportion,entropy,fragmentation,cell_types,gene_sets"
    options = niche_tables(cohort, tmp_path / "tables")
    result = run(cohort, tmp_path, "arm", *options, "--clinical-features", kinds, "--clinical-permutations", 199)
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(tmp_path / "out" / "arm.csv")
    primary = table[table["family"] == "primary"]
    # shares, diversity, and four features inside each of the 5 niches
    assert len(primary) == 5 + 1 + 5 * 4
    assert (primary["n_tests"] == primary["p"].notna().sum()).all()
    shares = primary[primary["feature"] == "proportion"]
    assert (shares["n_members"] == 2).all()
    assert (shares["members_same_sign"] == 1).all()
    assert shares["p_mixed"].notna().all()
    assert (tmp_path / "out" / "arm_representative_sections.png").exists()
    assert (tmp_path / "out" / "association_arm_representative_sections_mqc.json").exists()
    record = json.loads((tmp_path / "out" / "arm.association.json").read_text())
    assert "Niche 2, enriched for CD8A, covers on average" in record["paragraph"]
    assert record["settings"]["features"] == kinds.split(",")


def test_features_without_their_table_are_refused(cohort, tmp_path):
    result = run(cohort, tmp_path, "arm", "--clinical-features", "cell_types")
    assert result.exit_code == 2
    assert "needs --cell-types" in result.stderr + result.output
