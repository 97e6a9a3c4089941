"""Names of niches: the table, every mistake in it, and where they are shown."""

import pandas as pd
import pytest

from semanticst.errors import BadInput
from semanticst.plotting.niche_names import names_from, read_niche_names, with_names
from semanticst.plotting.palette import niche_name


def test_names_are_shown_inside_only(tmp_path):
    (tmp_path / "names.csv").write_text("niche;name\n2;Border\n3;Niche 3\n")
    with names_from(tmp_path / "names.csv", 3):
        assert [niche_name(k) for k in (1, 2, 3)] == ["Niche 1", "Niche 2 (Border)", "Niche 3"]
        table = with_names(pd.DataFrame({"niche": ["2", "all"], "p": [0.1, 0.2]}))
        assert table.to_dict("list") == {"niche": ["2", "all"], "niche_name": ["Border", ""], "p": [0.1, 0.2]}
        pairs = with_names(pd.DataFrame({"niche_a": [1], "niche_b": [2]}))
        assert list(pairs) == ["niche_a", "niche_a_name", "niche_b", "niche_b_name"]
    assert niche_name(2) == "Niche 2"
    assert list(with_names(table[["niche", "p"]])) == ["niche", "p"]


@pytest.mark.parametrize(
    ("text", "row", "said"),
    [
        ("niche,name\n5,Border\n", 2, "there is no such niche; this run has 1 to 4"),
        ("niche,name\nborder,Border\n", 2, "the number of a niche is expected"),
        ("niche,name\n0,Border\n", 2, "the number of a niche is expected"),
        ("niche,name\n1,A\n1,B\n", 3, "also in row 2; each niche has one name"),
        ("niche,name\n1,A\n2,a\n", 3, "also in row 2; niches need names that tell them apart"),
        ("niche,name\n1,A b\n2,A  B\n", 3, "also in row 2; niches need names that tell them apart"),
        ("niche,name\n1,Niche 3\n", 2, "is how niche 3 is called without a name"),
        ("niche,name\n1,niche_03\n", 2, "is how niche 3 is called"),
        ("niche,name\n1,2\n", 2, "is how niche 2 is called"),
        ("niche,name\n1,\n", 2, "the name is empty"),
        ("niche,name\n1,#N/A\n", 2, "the name is empty"),
        ("niche,name\n1," + "x" * 61 + "\n", 2, "at most 60"),
        ("niche,name\n1,a\x07b\n", 2, "cannot be printed"),
        ("niche,names\n1,A\n", 1, "this column is missing"),
        ("niche,name\n", None, "no names below the header"),
    ],
)
def test_mistakes_have_row_and_way_out(tmp_path, text, row, said):
    (tmp_path / "names.csv").write_text(text)
    with pytest.raises(BadInput) as bad:
        read_niche_names(tmp_path / "names.csv", 4)
    (problem,) = bad.value.problems
    assert problem.row == row
    assert said in str(problem)
