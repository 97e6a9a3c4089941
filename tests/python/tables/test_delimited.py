"""Tables as people write them."""

import pytest

from semanticst.errors import BadInput
from semanticst.tables.delimited import read_table
from semanticst.tables.number_marks import read_marks, unclear_numbers
from semanticst.tables.spellings import no_numbers_among


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\r\n', "SEP=;;;\n"])
def test_the_line_that_tells_excel_the_separator_is_no_header(tmp_path, first):
    file = tmp_path / "sheet.csv"
    file.write_bytes((first + "sample;age\nS1;4,5\n").encode("utf-8-sig"))
    table = read_table(file, known=["sample"])
    assert table.rows == [{"sample": "S1", "age": "4,5"}]
    assert (table.header_line, table.lines) == (2, [3])


def test_a_header_within_the_table_is_told_with_its_row(tmp_path):
    """As when the sheets of two batches are put one behind the other."""
    (tmp_path / "sheet.csv").write_text("sample,age\nS1,4\nsample,age\nS2,5\n")
    with pytest.raises(BadInput) as told:
        read_table(tmp_path / "sheet.csv")
    (problem,) = told.value.problems
    assert (problem.row, problem.message) == (3, "the header stands here again; take this line out")


def test_only_the_columns_that_are_asked_for_are_kept(tmp_path):
    (tmp_path / "table.csv").write_text("a,b,c,\n1,2,3,\n4, 5 ,,\n")
    table = read_table(tmp_path / "table.csv", only={"b", "z"})
    assert table.columns == ["b"]
    assert table.rows == [{"b": "2"}, {"b": "5"}]
    assert table.lines == [2, 3]


@pytest.mark.parametrize(
    "values",
    [
        ["1.234", "980", "2.345", "450"],
        ["1,234", "980", "2,345", "450"],
        ["12.345", "120", "1.020", "7", "0"],
        ["1.234", "12", "35", "80"],
    ],
)
def test_marks_before_three_digits_beside_numbers_without_are_unclear(values):
    assert unclear_numbers(values) == {value for value in values if "." in value or "," in value}


@pytest.mark.parametrize(
    "values",
    [
        ["0.123", "0.456", "2"],  # no thousands begin with 0
        ["1.234", "2.345", "3.000"],  # %.3f
        ["1.234", "0", "0", "2.345"],  # zero is written so by all
        ["1.234", "2", "3", "5"],  # of one magnitude
        ["62.125", "55", "48"],
        ["1.234", "5678", "12"],  # thousands without a mark
        ["1.234", "980.5", "12"],
        ["1234.567", "980"],
        ["12", "980"],
    ],
)
def test_decimals_are_not_taken_for_thousands(values):
    assert unclear_numbers(values) == set()
    assert unclear_numbers([value.replace(".", ",") for value in values]) == set()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"days": ["1.234", "980", "450"], "age": ["50,5", "51,0", "49,5"]}, {"days": ["1234", "980", "450"]}),
        ({"days": ["1,234", "980", "450"], "age": ["50.5", "51.0", "49.5"]}, {"days": ["1234", "980", "450"]}),
        ({"days": ["1.234", "980", "450"], "age": ["50.5", "51.0", "49.5"]}, {"days": ["1.234", "980", "450"]}),
        ({"ldh": ["1.234,5", "1.020,0", "980"]}, {"ldh": ["1234.5", "1020.0", "980"]}),
        ({"ldh": ["1,234.5", "1,020.0", "NA"]}, {"ldh": ["1234.5", "1020.0", "NA"]}),
        ({"n": ["1.234.567", "980", "unknown"]}, {"n": ["1234567", "980", "unknown"]}),
        ({"x": ["3,5", "2,125", "4"]}, {"x": ["3.5", "2.125", "4"]}),
        ({"x": ["1,234", "2,345", "3,000"]}, {"x": ["1.234", "2.345", "3.000"]}),
        ({"x": ["3,5", "2.5", "4"]}, {"x": ["3,5", "2.5", "4"]}),
        ({"day": ["1.2.2021", "3.2.2021", "4.2.2021"], "age": ["50,5", "1,0", "2"]}, {"day": ["1.2.2021"]}),
    ],
)
def test_what_other_columns_tell_settles_marks(tmp_path, written, read):
    written = written | {"other": "abc"}
    rows = [";".join(values) for values in zip(*written.values())]
    (tmp_path / "table.csv").write_text("\n".join([";".join(written), *rows]) + "\n")
    table = read_table(tmp_path / "table.csv")
    read_marks(table, table.columns)
    assert table.unclear == {}
    for column, values in read.items():
        assert [row[column] for row in table.rows][: len(values)] == values


def test_numbers_that_nothing_settles_stay_and_are_kept(tmp_path):
    (tmp_path / "table.csv").write_text("days;code\n1.234;a\n980;b\n")
    table = read_table(tmp_path / "table.csv")
    read_marks(table, table.columns)
    assert table.unclear == {"days": {"1.234"}}
    assert [row["days"] for row in table.rows] == ["1.234", "980"]


@pytest.mark.parametrize(
    "values",
    [
        ["50 years", "60 years", "55 years"],
        ["50%", "60 %", "55%", "60%"],
        ["50 yr", "60 yrs", "55", "n"],
        ["12.5 ng/ml", "3 ng/mL", "4 ng/mL"],
        ["1.234,5", "1.020,0"],
        ["50y", "51y", "52y"],
    ],
)
def test_numbers_with_a_unit_are_no_categories(values):
    assert set(no_numbers_among(values)) == {value for value in values if value != "55"}


@pytest.mark.parametrize(
    "values",
    [
        ["1st", "2nd", "3rd", "4th"],
        ["5th", "6th", "7th"],
        ["1A", "2A", "3A", "4B"],
        ["0", "1+", "2+", "3+"],
        ["week 1", "week 2", "week 3"],
        ["3 months", "6 months", "3 months"],  # two levels are the same as categories and as numbers
        ["1p loss", "8q gain", "3p loss", "9p homozygous"],
        ["T1", "T2", "T3"],
    ],
)
def test_names_that_begin_with_a_number_are_categories(values):
    assert no_numbers_among(values) == []


CBIOPORTAL = "#Patient Identifier\tResponse\n#STRING\tSTRING\n#1\t1\npatient\tresponse\nP1\t#3\n#P2\tno\n"


@pytest.mark.parametrize(
    ("text", "rows", "line"),
    [
        (CBIOPORTAL, [{"patient": "P1", "response": "#3"}, {"patient": "#P2", "response": "no"}], 4),
        ('"# made by us, 2024",\n\npatient,age\nP1,4\n', [{"patient": "P1", "age": "4"}], 3),
        ("#patient,age\nP1,4\n", [{"patient": "P1", "age": "4"}], 1),
        ("# all\n#patient,age\nP1,4\n", [{"patient": "P1", "age": "4"}], 2),
    ],
)
def test_lines_above_the_header_that_begin_with_a_hash_are_comments(tmp_path, text, rows, line):
    (tmp_path / "table.csv").write_text(text)
    table = read_table(tmp_path / "table.csv", known=["patient"])
    assert (table.rows, table.header_line) == (rows, line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Our trial,,\n,,\npatient,response,age\nP1,a,5\n", 3),
        ("Our trial\npatient;response\nP1;a\n", 2),
        ("Our trial\n\nsubject,arm\nP1,a\n", 3),
        ("Our trial;\nof 2024;\nsubject;patient\nP1;a\n", 3),
    ],
)
def test_a_title_above_the_header_is_told_with_the_row_of_the_header(tmp_path, text, line):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(BadInput) as told:
        read_table(tmp_path / "table.csv", known=["patient"])
    (problem,) = told.value.problems
    assert (problem.row, problem.message[:40]) == (line, "the header seems to stand in this row; t")


@pytest.mark.parametrize("text", ["gene\nCD3\nCD4\n", "patient\nP1\n", "name,\nP1,\nP2,\n", "patient,age\nP1,4\n"])
def test_a_table_of_one_column_has_no_title(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    assert len(read_table(tmp_path / "table.csv", known=["patient"]).columns) == text.split("\n")[0].count("age") + 1
