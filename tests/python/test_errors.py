"""Problems as lines of a message."""

from pathlib import Path

from semanticst.errors import Problem, folded


def test_problems_that_say_the_same_are_one_line():
    sheet = Path("sheet.csv")
    problems = [
        Problem(sheet, "what?", 2, "a", "x"),
        Problem(sheet, "who?", 2),
        Problem(sheet, "what?", 4, "a", "x"),
        Problem(sheet, "what?", 5, "a", "y"),
    ]
    assert folded(problems) == [
        "sheet.csv, rows 2, 4, column 'a': found 'x': what?",
        "sheet.csv, row 5, column 'a': found 'y': what?",
        "sheet.csv, row 2: who?",
    ]


def test_many_files_with_one_fault_are_one_line():
    problems = [Problem(Path(f"s{i}.h5ad"), "damaged") for i in range(6)]
    assert folded(problems) == ["s0.h5ad, s1.h5ad, s2.h5ad and 3 more: damaged"]
    assert len(folded(problems[:5])) == 5
