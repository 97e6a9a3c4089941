"""Options that several benchmarks share."""

import pytest

from helpers import invoke
from semanticst.bench import ladder, niches, number, scale


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (ladder.bench_ladder, "--scores"),
        (niches.bench_niches, "--save"),
        (number.bench_number, "--save"),
        (scale.bench_scale, "--save"),
    ],
)
def test_a_table_in_a_folder_that_is_not_there_is_refused_before_anything_runs(tmp_path, command, option):
    (tmp_path / "sheet.csv").write_text("sample,path\n")
    sheet = ["--input", tmp_path / "sheet.csv"] if command is niches.bench_niches else []
    result = invoke(command, *sheet, option, tmp_path / "none" / "table.csv")
    assert result.exit_code == 2
    assert f"there is no folder {tmp_path / 'none'}" in result.stderr.replace("\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.csv"]
