"""Pseudonyms, names of niches and the object that others expect, in one cohort run twice: ids are in nothing that is
published, and a name or a clinical column that changes repeats only what shows it."""

import csv
import json
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import h5py
import pandas as pd
import pytest

from engine_helpers import Run, pipeline, write_sheet
from explorer_helpers import handed_over
from helpers import invoke
from published import published

pytestmark = pytest.mark.engine

PATIENTS = tuple(f"Meier-{year}" for year in range(1961, 1967))
NUMBERS = tuple(f"MRN{4711 + i}x" for i in range(6))
"""Another id of the patients, in a column of the clinical table."""
IDS = re.compile("|".join([*PATIENTS, *NUMBERS, "secretward"]).encode(), re.IGNORECASE)
NAME, LATER = "Tumour <border> & $stroma$", "Follicle"
QUICK = ("-profile", "test", "--simulate", "false", "--train_denoised", "--pseudonymise", "--input", "sheet.csv",
         "--clinical", "clinical.csv", "--contrasts", "contrasts.csv", "--niche_names", "names.csv")  # fmt: skip


def section(patient: str) -> str:
    return f"{patient}_coreA"


@dataclass
class Cohort:
    folder: Path

    def run(self, *arguments: object, outdir: str = "results") -> Run:
        return pipeline(self.folder, *QUICK, *arguments, outdir=outdir)

    def names(self, name: str) -> None:
        (self.folder / "names.csv").write_text(f'niche,name\n2,"{name}"\n')

    def clinical(self, first_age: int) -> None:
        rows = [
            {"patient": p, "response": "ab"[i % 2], "age": f"{first_age + i}", "mrn": NUMBERS[i]}
            for i, p in enumerate(PATIENTS)
        ]
        write_sheet(self.folder / "clinical.csv", rows)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Cohort:
    folder = tmp_path_factory.mktemp("names")
    made = invoke("cohort_simulate", "--patients", 6, "--sections", "1", "--cells", 150, "--genes", 40, "--niches", 4,
                  "--outdir", folder / "made")  # fmt: skip
    assert made.exit_code == 0, made.stderr
    found = sorted((folder / "made").rglob("*.h5ad"))
    rows = []
    for patient, path in zip(PATIENTS, found, strict=True):
        adata = ad.read_h5ad(path)
        adata.obs_names = [f"{section(patient)}_{i}" for i in range(adata.n_obs)]
        adata.obs["orig.ident"] = pd.Categorical([section(patient)] * adata.n_obs)
        adata.obs["ward"] = "secretward"
        adata.write_h5ad(folder / f"{section(patient)}.h5ad")
        rows.append({"sample": section(patient), "patient": patient, "path": f"{section(patient)}.h5ad",
                     "timepoint": "early" if patient < "Meier-1964" else "late", "exclude": ""})  # fmt: skip
    rows.append(rows[0] | {"sample": "Meier-1961_coreB", "path": "none.h5ad", "exclude": "Meier-1961 is folded here"})
    write_sheet(folder / "sheet.csv", rows)
    write_sheet(folder / "contrasts.csv", [
        {"contrast": "response", "type": "groups", "column": "response", "subset": ""},
        {"contrast": "without", "type": "groups", "column": "response", "subset": "patient != Meier-1966"},
    ])  # fmt: skip
    cohort = Cohort(folder)
    cohort.names(NAME)
    cohort.clinical(50)
    return cohort


@pytest.fixture(scope="module")
def first(cohort) -> Run:
    return cohort.run().ok()


@pytest.fixture(scope="module")
def second(cohort, first) -> Run:
    """Another name and other ages, nothing clinical shared, compared with the first; the key is that of the first."""
    cohort.names(LATER)
    cohort.clinical(60)
    arguments = ("--niche_earlier", "results", "--share_clinical", "false", "--pseudonym_key", "results.pseudonyms.csv")
    return cohort.run("-resume", *arguments, outdir="again").ok()


def test_no_id_is_in_anything_that_is_published(first, second):
    for run in (first, second):
        found = list(published(run.outdir))
        leaks = sorted({name for name, content in found if IDS.search(content)})
        assert leaks == []
        assert len(found) > 100


def test_what_is_sought_would_be_found(first, cohort):
    code = code_of(cohort)[section(PATIENTS[0])]
    holding = {name.partition(" (")[0].partition(":")[0] for name, content in published(first.outdir)
               if code.encode() in content}  # fmt: skip
    expected = {
        "integration/cohort.h5ad",
        f"niches/maps/{code}.niches.pdf",
        "niches/niches.csv.gz",
        "qc/qc.csv",
        "multiqc/multiqc_report.html",
        f"integration/denoised/{code}.denoised.h5ad",
        "explorer/data/cohort.js",
        f"the name exports/qupath/{code}.niches.geojson",
    }
    assert expected <= holding  # fmt: skip
    assert [name for name in holding if name.startswith("explorer/data/section_")]
    with h5py.File(first.outdir / "integration/cohort.h5ad") as file:
        assert not {"orig.ident", "ward"} & set(file["obs"])


def code_of(cohort: Cohort) -> dict[str, str]:
    with (cohort.folder / "results.pseudonyms.csv").open() as file:
        return {row["id"]: row["code"] for row in csv.DictReader(file)}


def test_the_key_lies_apart_for_its_owner_only_and_is_kept(first, second, cohort):
    key = cohort.folder / "results.pseudonyms.csv"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    codes = code_of(cohort)
    assert set(codes) == {*PATIENTS, *map(section, PATIENTS), "Meier-1961_coreB"}
    assert len(set(codes.values())) == len(codes)
    for run in (first, second):
        niches = pd.read_csv(run.outdir / "niches/niches.csv.gz", dtype=str)
        assert set(niches["sample"]) == {codes[section(patient)] for patient in PATIENTS}
        assert set(niches["patient"]) == {codes[patient] for patient in PATIENTS}
        # an id of a cell still leads to it: by the key, and what follows the code
        own = niches[niches["sample"] == codes[section(PATIENTS[2])]]
        assert own["cell_id"].str.fullmatch(codes[section(PATIENTS[2])] + r"_\d+").all()
    sheet = pd.read_csv(first.outdir / "pipeline_info/samplesheet.used.csv", keep_default_na=False)
    assert sheet["exclude"].max() == "excluded, reason withheld"
    assert "path" not in sheet
    assert not list(first.outdir.glob("pipeline_info/execution_report*"))
    assert list(first.outdir.glob("pipeline_info/execution_trace*"))


def test_conditions_about_patients_still_hold(first, cohort):
    table = pd.read_csv(first.outdir / "pipeline_info/contrasts.valid.csv", keep_default_na=False)
    assert table["subset"].tolist() == ["", f"patient != {code_of(cohort)['Meier-1966']}"]
    tests = pd.read_csv(first.outdir / "association/all_contrasts/tests.csv")
    assert tests.groupby("contrast")["n_patients"].max().to_dict() == {"response": 6, "without": 5}


def test_names_are_shown_everywhere(first):
    folder = first.outdir
    for name in ("niches/niches.csv.gz", "niches/niche_markers.csv", "niches/niche_stability.csv",
                 "association/response.csv", "association/all_contrasts/tests.csv"):  # fmt: skip
        table = pd.read_csv(folder / name, keep_default_na=False, dtype={"niche": str})
        assert dict(zip(table["niche"], table["niche_name"])).items() >= {"2": NAME, "1": ""}.items(), name
    page = (folder / "multiqc/multiqc_report.html").read_text()
    assert "Niche 2 (Tumour &lt;border&gt; &amp; $stroma$)" in page
    assert "<border>" not in page
    cohort = ad.read_h5ad(folder / "integration/cohort.h5ad")
    assert cohort.obs["niche_name"].cat.categories.tolist() == ["Niche 1", NAME, "Niche 3", "Niche 4"]
    assert cohort.uns["niche_name_colors"].tolist() == list(cohort.uns["niche_colors"])
    shown = handed_over(folder / "explorer/data/cohort.js")["niches"]
    assert [n["name"] for n in shown] == ["Niche 1", f"Niche 2 ({NAME})", "Niche 3", "Niche 4"]
    assert [n["colour"] for n in shown] == list(cohort.uns["niche_colors"])
    for file in sorted((folder / "exports/qupath").iterdir()):
        classes = [f["properties"]["classification"]["name"] for f in json.loads(file.read_text())["features"]]
        assert set(classes) <= {n["name"] for n in shown}


def test_the_object_has_what_the_tables_know(first, second, cohort):
    shared = ad.read_h5ad(first.outdir / "integration/cohort.h5ad")
    code = code_of(cohort)[PATIENTS[3]]
    of_one = shared.obs[shared.obs["patient"] == code]
    assert (of_one["age"] == 53).all()
    assert (of_one["response"] == "b").all()
    assert (of_one["timepoint"] == "late").all()
    assert "mrn" not in shared.obs
    kept = ad.read_h5ad(second.outdir / "integration/cohort.h5ad").obs
    assert not {"age", "response", "timepoint"} & set(kept)
    info = second.outdir / "pipeline_info"
    assert not (info / "clinical.valid.csv").exists()
    assert "timepoint" not in pd.read_csv(info / "samplesheet.used.csv")
    assert (first.outdir / "pipeline_info/clinical.valid.csv").exists()
    known = [{v["name"] for v in handed_over(run.outdir / "explorer/data/cohort.js")["variables"]}
             for run in (first, second)]  # fmt: skip
    assert {"age", "response", "timepoint"} <= known[0]
    assert not {"age", "response", "timepoint"} & known[1]


def test_a_name_and_a_clinical_column_repeat_only_what_shows_them(second):
    assert second.executed == {
        "SAMPLESHEET_CHECK": 1, "COHORT_ANNOTATE": 1, "NICHE_DESCRIBE": 1, "NICHE_ASSOCIATE": 2, "NICHE_COLLECT": 1,
        "EXPORT_WRITE": 1, "EXPLORER_BUILD": 1, "REPORT_SUMMARY": 1, "REPORT_METHODS": 1, "REPORT_MULTIQC": 1,
    }  # fmt: skip
    assert second.tasks("CACHED")["MODEL_TRAIN"] == second.tasks("CACHED")["NICHE_CLUSTER"] == 1


def test_what_became_of_the_niches_of_an_earlier_run(second):
    table = pd.read_csv(second.outdir / "niches/niche_changes.csv", keep_default_na=False)
    # the same niches: each became itself
    assert table["niche"].tolist() == table["earlier_niche"].tolist() == [1, 2, 3, 4]
    assert table["jaccard"].eq(1).all()
    assert table.loc[1, ["earlier_niche_name", "niche_name"]].tolist() == [NAME, LATER]
    assert "Niches of the earlier run" in (second.outdir / "multiqc/multiqc_report.html").read_text()
