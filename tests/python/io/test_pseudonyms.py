"""Codes in place of ids: as a whole and nowhere else, the same with the same key, none left in a sample."""

import unicodedata

import anndata as ad
import pandas as pd
import pytest

from helpers import make_sample
from semanticst.association.design.publication import Tables, pseudonymised
from semanticst.errors import BadInput
from semanticst.io.ingest import ingest_sample
from semanticst.io.pseudonyms import Pseudonyms, anonymous, hide_ids, hide_in_cells, read_key

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


def test_an_id_is_replaced_however_its_letters_are_encoded():
    """The tables have one form of a letter; the samples what their programs wrote."""
    apart = unicodedata.normalize("NFD", "Müller")
    row = {"sample": "SX", "patient": "PX", "own_sample": "s1", "own_patient": "Müller", "path": "a.h5ad"}
    assert hide_ids([f"tumour of {apart}", "of Müller"], row) == ["tumour of PX", "of PX"]
    assert hide_in_cells([f"{apart}12"], row) == ["PX12"]
    sheet = SHEET.assign(patient=["Müller", "P12", "P2"], note=[f"of {apart}", "", ""])
    coded = Pseudonyms.for_cohort([sheet], None)
    assert f"of {coded.patient['Müller']}" in coded.frame(sheet)["note"].tolist()


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


def test_a_telling_column_stays_where_a_contrast_uses_it(tmp_path, caplog):
    patients = pd.DataFrame({"patient": list("abcde"), "born": [f"{i}.1.50" for i in range(5)], "name": list("vwxyz"),
                             "age": ["50", "61", "", "<40", "unknown"], "site": ["A", "A", "B", "B", "B"],
                             "remark": ["", "", "", "", "fell"],
                             "stage": ["II", "", "IIIA", "IV", "pT2"]})  # fmt: skip
    sheet = pd.DataFrame({"sample": [f"s{i}" for i in range(5)], "patient": list("abcde"), "path": "x", "batch": "1"})
    question = {"contrast": "q", "type": "groups", "column": "arm", "subset": "", "covariates": "born"}
    columns = ["contrast", "type", "column", "reference", "target", "levels", "time", "event", "event_value",
               "covariates", "strata", "block", "subset", "interaction", "cluster"]  # fmt: skip
    questions = pd.DataFrame([question], columns=columns).fillna("")
    reasons = ["consent withdrawn by Herr Weber 12.3.1961", *[""] * 4]
    tables = Tables(sheet[1:], sheet.assign(exclude=reasons), patients, questions, sheet[1:].to_dict("records"))
    hidden = pseudonymised(tables, None, ["sample", "patient", "path", "batch", "exclude"], tmp_path)
    assert list(hidden.patients) == ["patient", "born", "age", "site", "stage"]
    assert sorted(hidden.restart["exclude"]) == [*[""] * 4, "excluded, reason withheld"]
    assert "left out of all results, since they may tell who it is: name, remark" in caplog.text
    assert "stay in the results: age, born, site, stage" in caplog.text
    assert "a contrast uses born" in caplog.text
    assert "path" not in hidden.sections
    # what reads the samples needs paths and ids
    assert {row["own_sample"] for row in hidden.read} == set(sheet["sample"][1:])
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


@pytest.mark.parametrize(
    ("patient", "cells", "hidden"),
    [
        ("Mueller", ["xMueller1", "MUELLERs_2"], ["xP11", "P1s_2"]),
        ("Mueller1", ["Mueller12"], ["P12"]),
        # short ones, and those that barcodes have by chance, where every cell has them
        ("Wu", ["xWu1", "xWu2"], ["xP11", "xP12"]),
        ("gata", ["AAGATAC", "AAGCTAC"], ["AAGATAC", "AAGCTAC"]),
        ("Ann", ["Ann_1", "Anna_2", "x_3"], ["P1_1", "Anna_2", "x_3"]),
    ],
)
def test_ids_amid_the_letters_of_a_cell(patient, cells, hidden):
    row = {"sample": "S1", "patient": "P1", "own_sample": "core", "own_patient": patient, "path": "in/a.h5ad"}
    assert hide_in_cells(cells, row) == hidden
