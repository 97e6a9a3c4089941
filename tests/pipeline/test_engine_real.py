"""The pipeline for real: what a newcomer's demonstration leaves behind, and what repeated runs give."""

import json
import re

import anndata as ad
import pandas as pd
import pytest
import yaml

from engine_helpers import pipeline, write_sheet
from pipeline_helpers import ON_REQUEST, modules, schema_parameters

TWICE = ("SAMPLE_INGEST", "SAMPLE_QC", "GRAPH_BUILD", "NICHE_ASSOCIATE")

pytestmark = pytest.mark.engine

NICHE_COLUMNS = ["sample", "cell_id", "x", "y", "niche", "patient", "stability", "niche_jaccard", "coordinate_unit"]
ASSOCIATION_COLUMNS = [
    "niche",
    "feature",
    "effect",
    "effect_type",
    "ci_low",
    "ci_high",
    "p",
    "q",
    "n_patients",
    "n_events",
    "model",
    "warnings",
]


PARTS = ("niches", "integration", "qc")
"""Folders of results in which nothing depends on when and where they were made."""


def files_of(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_every_step_of_the_demonstration_ran_once(demo):
    once = {module.name: 1 for module in modules() if module.name not in ON_REQUEST}
    # 24 samples are two bundles, and there are two contrasts
    assert demo.executed == once | dict.fromkeys(TWICE, 2)
    assert "WARN" not in demo.output


def test_niches_have_one_row_per_kept_cell(demo):
    niches = pd.read_csv(demo.outdir / "niches/niches.csv.gz", dtype={"cell_id": str})
    assert set(NICHE_COLUMNS) <= set(niches.columns)
    assert not niches.duplicated(["sample", "cell_id"]).any()
    assert set(niches["niche"]) == set(range(1, niches["niche"].max() + 1))
    qc = pd.read_csv(demo.outdir / "qc/qc.csv")
    assert niches["sample"].value_counts().to_dict() == qc.set_index("sample")["n_cells_kept"].to_dict()


def test_integrated_object_and_model_are_published(demo):
    import anndata as ad

    cohort = ad.read_h5ad(demo.outdir / "integration/cohort.h5ad", backed="r")
    niches = pd.read_csv(demo.outdir / "niches/niches.csv.gz")
    assert cohort.n_obs == len(niches)
    assert {"X_semantic", "semantic_scores", "spatial"} <= set(cohort.obsm)
    assert (demo.outdir / "integration/model.pt").stat().st_size > 10_000


@pytest.mark.parametrize(("contrast", "events"), [("response", False), ("survival", True)])
def test_association_tables_keep_the_contract(demo, contrast, events):
    table = pd.read_csv(demo.outdir / f"association/{contrast}.csv")
    assert set(ASSOCIATION_COLUMNS) <= set(table.columns)
    niches = pd.read_csv(demo.outdir / "niches/niches.csv.gz")["niche"]
    # beside the niches one by one, the whole composition is tested in a row of its own
    table = table[table["feature"] == "proportion"].astype({"niche": int})
    assert sorted(table["niche"]) == sorted(set(niches))
    assert table["p"].between(0, 1).all()
    assert (table["ci_low"] <= table["effect"]).all()
    assert (table["effect"] <= table["ci_high"]).all()
    assert table["n_events"].notna().all() == events
    assert list((demo.outdir / "association").glob(f"{contrast}_*.pdf"))


def test_planted_niche_is_found_and_the_report_says_so(demo):
    planted = json.loads((demo.outdir / "association/planted.json").read_text())
    assert planted["ari"] > 0.5
    assert planted["contrasts"]["response"]["found"]
    summary = json.loads((demo.outdir / "multiqc/summary.json").read_text())
    assert summary["niches"]["number"] == pd.read_csv(demo.outdir / "niches/niches.csv.gz")["niche"].nunique()
    assert summary["niches"]["table"][0]["markers"]
    report = (demo.outdir / "multiqc/multiqc_report.html").read_text()
    sections = re.findall(r'id="mqc-module-section-(\w+)"', report)
    expected = "summary qc integration niches planted association methods parameters multiqc_software_versions"
    assert sections == expected.split()


def test_the_run_ends_with_what_the_report_warns_of(demo):
    cautions = json.loads((demo.outdir / "multiqc/summary.json").read_text())["cautions"]
    assert cautions
    told = demo.output.partition("The report warns:\n")[2].splitlines()
    assert told[: len(cautions)] == [f"  - {caution['text']}" for caution in cautions]


def test_the_run_is_recorded(demo):
    info = demo.outdir / "pipeline_info"
    versions = yaml.safe_load((info / "software_versions.yml").read_text())
    silent = {"REPORT_METHODS"}
    assert set(versions) == {module.name for module in modules()} - silent - ON_REQUEST | {"Workflow"}
    assert set(versions["Workflow"]) >= {"nf-semanticst", "Nextflow", "code", "seed"}
    assert "torch" in versions["MODEL_TRAIN"]
    recorded = {name for name, rule in schema_parameters().items() if rule.get("recorded", True)}
    assert set(json.loads((info / "params.json").read_text())) == recorded
    for name in ("execution_report", "execution_timeline", "pipeline_dag"):
        assert min(info.glob(f"{name}_*.html")).stat().st_size > 1000


def test_an_unchanged_rerun_executes_nothing(demo):
    again = pipeline(demo.outdir.parent, "-profile", "demo", "--simulate_cells", "320", "-resume").ok()
    assert again.executed.total() == 0
    assert again.tasks("CACHED").total() == len(modules()) - len(ON_REQUEST) + len(TWICE)
    # the engine's reports of the run that did the work are still there
    assert again.trace_file != demo.trace_file
    assert demo.executed.total() == again.tasks("CACHED").total()


def test_same_seed_and_other_order_of_rows_give_the_same_bytes(small, tmp_path):
    """The cohort that the first run simulated comes as a user's own: rows the other way round, blanks in file names."""
    rows = pd.read_csv(small.outdir / "simulated/samplesheet.csv", dtype=str).fillna("").to_dict("records")
    for row in rows:
        own = f"my samples/{row['sample']} (1).h5ad"
        (tmp_path / own).parent.mkdir(exist_ok=True)
        (tmp_path / own).symlink_to(small.outdir / "simulated" / row["path"])
        row["path"] = own
    sheet = write_sheet(tmp_path / "my sheet.csv", rows[::-1])
    ran = json.loads((small.outdir / "pipeline_info/params.json").read_text())
    settings = {name: value for name, value in ran.items() if value is not None and not name.startswith("simulate")}
    (tmp_path / "params.json").write_text(json.dumps(settings | {"input": str(sheet)}))
    again = pipeline(tmp_path, "-params-file", "params.json").ok()
    assert again.executed["NICHE_ASSOCIATE"] == again.executed["COHORT_SIMULATE"] == 0
    first, second = (
        {str(path.relative_to(run.outdir)): path.read_bytes() for part in PARTS for path in files_of(run.outdir / part)}
        for run in (small, again)
    )
    assert first.keys() == second.keys()
    assert {"niches/niches.csv.gz", "integration/model.pt", "integration/cohort.h5ad", "qc/qc.csv"} < first.keys()
    # the second run has no clinical table, whose columns are in the first one's object
    assert [name for name in first if first[name] != second[name]] == ["integration/cohort.h5ad"]
    one, other = (ad.read_h5ad(run.outdir / "integration/cohort.h5ad") for run in (small, again))
    pd.testing.assert_frame_equal(one.obs[list(other.obs)], other.obs)
    assert set(one.obs) - set(other.obs) == {"group", "time", "event", "age"}
    assert (one.X != other.X).sum() == 0
    assert all((one.obsm[key] == other.obsm[key]).all() for key in other.obsm)
