"""Which columns tell who a patient is, and which stay with pseudonyms."""

import pandas as pd
import pytest

from semanticst.tables.telling_columns import columns_to_leave_out, telling_columns


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
        ("operated", ["3. März 2021", "unknown", "later"], True),
        ("operated", ["unknown", "12.3.1961", "none"], True),
        ("seen by", ["Dr. House", "Dr. House", "Dr. House"], True),
        ("from", ["Frau Weber, Basel", "", "x"], True),
        ("reach", ["a.b@clinic.org", "", ""], True),
        ("call", ["+41 61 265 25 25", "", ""], True),
        ("Fallnummer", ["4711", "4712", "4711"], True),
        ("Nachname", ["Meier", "Meier", "Meier"], True),
        ("Telefon_privat", ["1", "1", "1"], True),
        ("Geburtsdatum", ["1", "1", "1"], True),
        ("Bemerkung", ["x", "x", "x"], True),
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


@pytest.mark.parametrize(
    ("values", "stays"),
    [
        (["a long text", "", "", ""], False),
        (["Weber", "Meier", "Meier", "Meier"], False),
        (["AB", "CD", "", ""], False),
        (["treated", "treated", "control", "control"], True),
        (["female", "male", "male", "male"], True),
        (["pT1a", "IIIB", "G2", "pN0"], True),
        (["yes", "no", "no", "no"], True),
        (["1.5", "<2", "40,5", "90 %"], True),
        (["51", "unknown", "NA", "70"], True),
        (["", "", "", ""], True),
    ],
)
def test_what_is_of_one_patient_alone_is_left_out(values, stays):
    table = pd.DataFrame({"patient": ["p1", "p2", "p3", "p4"], "found": values})
    assert (columns_to_leave_out(table, ()) == []) is stays
    assert columns_to_leave_out(table, ["found"]) == []


def test_sections_of_one_patient_do_not_share_and_many_levels_are_free_text():
    table = pd.DataFrame({"patient": ["p1", "p1", "p2"], "visit": ["early on", "early on", ""]})
    assert columns_to_leave_out(table, ()) == ["visit"]
    places = pd.DataFrame(
        {"patient": [f"p{i}" for i in range(40)], "place": [f"town {i // 2 + 10}" for i in range(40)]}
    )
    assert columns_to_leave_out(places, ()) == ["place"]
