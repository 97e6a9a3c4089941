"""Codes in place of ids: as a whole and nowhere else, the same with the same key, none left in a sample."""

import anndata as ad
import pandas as pd
import pytest

from helpers import make_sample
from semanticst.association.design.publication import Tables, pseudonymised
from semanticst.errors import BadInput
from semanticst.io.ingest import ingest_sample
from semanticst.io.pseudonyms import Pseudonyms, anonymous, hide_ids, read_key, telling_columns

SHEET = pd.DataFrame({
    "sample": ["P1", "P12", "P2_core"], "patient": ["P1", "P12", "P2"], "path": ["a.h5ad"] * 3,
    "batch": ["P1", "run1", "P2_core"], "note": ["P1 and P12", "p2_core of P2", "AP1"], "age": ["12", "50", "61"],
})  # fmt: skip


@pytest.fixture
def key() -> Pseudonyms:
    return Pseudonyms.for_cohort([SHEET], None)


def test_ids_are_replaced_as_a_whole(key):
    hidden = key.frame(SHEET).set_index(key.frame(SHEET)["sample"])
    row = hidden.loc[key.sample["P1"]]
    assert row["patient"] == key.patient["P1"]
    assert row["batch"] == key.sample["P1"]
    assert row["note"] == f"{key.sample['P1']} and {key.sample['P12']}"
    assert hidden.loc[key.sample["P12"], "note"] == f"{key.sample['P2_core']} of {key.patient['P2']}"
    # AP1 is a gene; 12 is an age
    assert hidden.loc[key.sample["P2_core"], "note"] == "AP1"
    assert sorted(hidden["age"]) == ["12", "50", "61"]


def test_codes_are_random_hold_no_id_and_are_kept_with_the_key(key, tmp_path):
    other = Pseudonyms.for_cohort([SHEET], None)
    assert set(key.patient.values()).isdisjoint(other.patient.values())
    assert not any(one in code for code in key.sample.values() for one in ("P1", "P2"))
    key.table().to_csv(tmp_path / "key.csv", index=False)
    more = pd.concat([SHEET, SHEET.assign(sample=["x1", "x2", "x3"])])
    again = Pseudonyms.for_cohort([more], tmp_path / "key.csv")
    assert again.patient == key.patient
    assert again.sample.items() > key.sample.items()


def test_a_contrast_asks_for_the_codes(key):
    row = {"contrast": "no_P12", "column": "response", "reference": "none", "subset": "patient != P12 & age >= 12"}
    hidden = key.contrast(row)
    assert hidden["subset"] == f"patient != {key.patient['P12']} & age >= 12"
    assert hidden["contrast"] == f"no_{key.sample['P12']}"
    assert hidden["reference"] == "none"


def test_slides_and_batches_that_tell_who_it_is_have_codes(tmp_path):
    sheet = pd.DataFrame({"sample": [f"s{i}" for i in range(6)], "patient": list("abcdef"), "region": ["core"] * 6})
    sheet["slide"] = [f"H21-{i}455" for i in range(6)]
    sheet["batch"] = ["2023-05-01", "2023-05-02"] * 3
    key = Pseudonyms.for_cohort([sheet], None)
    hidden = key.frame(sheet)
    assert set(hidden["batch"]) == set(key.batch.values())
    assert set(hidden["slide"]) == set(key.slide.values())
    assert set(hidden["region"]) == {"core"}
    row = {"contrast": "q", "column": "batch", "reference": "2023-05-01", "subset": "slide != H21-0455"}
    asked = key.contrast(row)
    assert asked["reference"] == key.batch["2023-05-01"]
    assert asked["subset"] == f"slide != {key.slide['H21-0455']}"
    key.table().to_csv(tmp_path / "key.csv", index=False)
    later = sheet.assign(batch=["2023-05-01"] * 5 + ["pilot"])
    again = Pseudonyms.for_cohort([later], tmp_path / "key.csv")
    assert again.batch.items() > key.batch.items()
    # a batch that no date or number tells of keeps its name, and one that is the sample has the sample's code
    plain = sheet.assign(batch=["run1", "run2"] * 3, slide=sheet["sample"])
    key = Pseudonyms.for_cohort([plain], None)
    assert (key.batch, key.slide) == ({}, {})
    assert key.frame(plain)["slide"].tolist() == key.frame(plain)["sample"].tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind,id,code\npatient,a,P1\npatient,b,P1\n", "row 2 has it"),
        ("kind,id,code\npatient,a,P1\npatient,a,P2\n", "one row"),
        ("kind,id,code\nstain,a,P1\n", "patient, sample, batch"),
        ("kind,id,code\npatient,a,P 1\n", "letters and digits"),
        ("id,code\na,P1\n", "kind, id and code"),
    ],
)
def test_a_key_that_is_none(tmp_path, text, said):
    (tmp_path / "key.csv").write_text(text)
    with pytest.raises(BadInput) as bad:
        read_key(tmp_path / "key.csv")
    assert said in str(bad.value)


def test_columns_that_tell_who_it_is():
    n = range(6)
    table = pd.DataFrame({
        "patient": [f"p{i}" for i in n], "mrn": [f"M{i}" for i in n], "born": [f"{i + 1}.2.1950" for i in n],
        "same": [f"p{i}" for i in n], "months": [f"{i}.5" for i in n], "arm": ["a", "b"] * 3, "site": ["A", ""] * 3,
    })  # fmt: skip
    assert telling_columns(table, ()) == ["mrn", "born", "same"]
    assert telling_columns(table, ("mrn",)) == ["born", "same"]


@pytest.mark.parametrize(
    ("column", "values", "tells"),
    [
        ("hospital", ["104512", "993321", "510044"], True),
        ("hospital", ["0412", "0977", "1203"], True),
        ("hospital", ["104512.0", "993321.0", ""], True),
        ("born", ["1950-02-01", "1950-02-01", "1961-12-31"], True),
        ("admitted", ["03/04/21", "03/04/21", "04/04/21"], True),
        ("admitted", ["3 Mar 2021", "March 3, 2021", "Mar 2021"], True),
        ("admitted", ["20210303", "20210303", "20210303"], True),
        ("admitted", ["2021-03", "2021-03", "2021-03"], True),
        ("operated", ["2021-03-04T10:00:00", "2021-03-04 11:30", ""], True),
        ("Last name", ["Meier", "Meier", "Meier"], True),
        ("year", ["2019", "2020", "2021"], False),
        ("age", ["61", "70", "48"], False),
        ("days", ["1204", "311", "96"], False),
        ("ratio", ["104512.25", "993321.5", "510044.1"], False),
        ("dose", ["10000", "10000", "10000"], False),
        ("arm", ["a", "b", "c"], False),
        ("stage", ["pT1a", "pT2", "pT3"], False),
    ],
)
def test_numbers_dates_and_headings_that_tell_who_it_is(column, values, tells):
    table = pd.DataFrame({"patient": ["p1", "p2", "p3"], column: values})
    assert (telling_columns(table, ()) == [column]) is tells


def test_what_tells_of_a_patient_does_so_in_each_section_of_the_patient():
    patients = [f"p{i}" for i in range(6) for _ in range(3)]
    table = pd.DataFrame({"sample": [f"s{i}" for i in range(18)], "patient": patients,
                          "mrn_no": [f"M-{p}" for p in patients], "visit": ["a", "b", "c"] * 6})  # fmt: skip
    assert telling_columns(table, ()) == ["mrn_no"]


def test_a_telling_column_stays_where_a_contrast_uses_it(tmp_path, caplog):
    patients = pd.DataFrame({"patient": list("abcde"), "born": [f"{i}.1.50" for i in range(5)], "name": list("vwxyz")})
    sheet = pd.DataFrame({"sample": [f"s{i}" for i in range(5)], "patient": list("abcde"), "path": "x", "batch": "1"})
    question = {"contrast": "q", "type": "groups", "column": "arm", "subset": "", "covariates": "born"}
    columns = ["contrast", "type", "column", "reference", "target", "levels", "time", "event", "event_value",
               "covariates", "strata", "block", "subset", "interaction", "cluster"]  # fmt: skip
    questions = pd.DataFrame([question], columns=columns).fillna("")
    tables = Tables(sheet, sheet.assign(exclude=""), patients, questions, sheet.to_dict("records"))
    hidden = pseudonymised(tables, None, ["sample", "patient", "path", "batch", "exclude"], tmp_path)
    assert list(hidden.patients) == ["patient", "born"]
    assert "path" not in hidden.sections
    # what reads the samples needs paths and ids
    assert {row["own_sample"] for row in hidden.read} == set(sheet["sample"])
    assert {row["path"] for row in hidden.read} == {"x"}
    assert "codes in place" not in caplog.text


def test_a_sample_that_was_read_does_not_tell_whose_it_is(tmp_path):
    adata = make_sample()
    adata.obs_names = [f"Meier_{i}" for i in range(adata.n_obs)]
    adata.obs["orig.ident"] = "Meier"
    adata.obs["cell_type"] = adata.obs["cell_type"].cat.rename_categories({"A": "tumour of Meier"})
    adata.write_h5ad(tmp_path / "Meier.old.h5ad")
    row = {"sample": "S1", "patient": "P1", "own_sample": "Meier_x", "own_patient": "Meier",
           "path": str(tmp_path / "Meier.old.h5ad")}  # fmt: skip
    hidden = anonymous(ingest_sample(row), row)
    assert hidden.obs_names[7] == "P1_7"
    assert "orig.ident" not in hidden.obs
    assert "tumour of P1" in hidden.obs["cell_type"].cat.categories
    assert "Meier" not in repr(hidden.uns) + repr(hidden.obs)
    assert hidden.uns["semanticst"]["source"] == "S1.h5ad"
    path = tmp_path / "hidden.h5ad"
    hidden.write_h5ad(path)
    assert b"Meier" not in path.read_bytes()
    assert ad.read_h5ad(path).n_obs == adata.n_obs


def test_a_text_about_a_sample():
    row = {"sample": "S1", "patient": "P1", "own_sample": "77001", "own_patient": "Ann", "path": "in/77001.zip"}
    assert hide_ids(["77001.zip holds Ann, not Anna; 770012"], row) == ["S1.zip holds P1, not Anna; 770012"]
