"""Tables as people write them."""

import pytest

from semanticst.errors import BadInput
from semanticst.tables.delimited import read_table


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
