"""Tables for Xenium Explorer and Loupe Browser: ids as the programs have them, names and colours of the report."""

import numpy as np
import pandas as pd
import pytest

from export_helpers import niche_of, visium_ids, write_cohort_with_ids, write_samples, xenium_ids
from helpers import invoke
from semanticst.export.cell_groups import barcodes
from semanticst.plotting.palette import niche_colour, niche_name

N = 144


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A Xenium section, a Visium section whose ids have lost their suffix, and one of another platform."""
    folder = tmp_path_factory.mktemp("exports")
    ids = {"s1": xenium_ids(N), "s2": [f"s2_{name[:-2]}" for name in visium_ids(N)]}
    cohort = write_cohort_with_ids(folder, ids)
    platforms = {"s1": {"platform": "xenium"}, "s2": {"platform": "visium"}, "s3": {"platform": "cosmx"}}
    samples = write_samples(folder, platforms)
    result = invoke("export_write", cohort, *samples, "--outdir", folder)
    assert result.exit_code == 0, result.stderr
    return folder, cohort


def test_cell_groups_of_xenium_explorer(written):
    folder, cohort = written
    assert [p.name for p in (folder / "xenium_explorer").iterdir()] == ["s1.niches.csv"]
    table = pd.read_csv(folder / "xenium_explorer" / "s1.niches.csv")
    assert table.columns.tolist() == ["cell_id", "group", "color"]
    niche = niche_of(cohort)["s1"]
    assert table["cell_id"].tolist() == niche.index.tolist()
    assert table["group"].tolist() == [niche_name(n) for n in niche]
    assert table["color"].tolist() == [niche_colour(n) for n in niche]


def test_categories_of_loupe_have_barcodes_as_space_ranger_wrote_them(written):
    folder, cohort = written
    assert [p.name for p in (folder / "loupe").iterdir()] == ["s2.niches.csv"]
    table = pd.read_csv(folder / "loupe" / "s2.niches.csv")
    assert table.columns.tolist() == ["Barcode", "Niche", "Cell type"]
    assert table["Barcode"].tolist() == visium_ids(N)
    assert table["Niche"].tolist() == [niche_name(n) for n in niche_of(cohort)["s2"]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("AAACCTGAGAAACCAT-1", "AAACCTGAGAAACCAT-1"),
        ("P01:AAACCTGAGAAACCAT-1", "AAACCTGAGAAACCAT-1"),
        ("AAACCTGAGAAACCAT-1_3", "AAACCTGAGAAACCAT-1"),
        ("P01_AAACCTGAGAAACCAT", "AAACCTGAGAAACCAT-1"),
        ("s_008um_00269_00526-1", "s_008um_00269_00526-1"),
        ("cellid_000000012-1", "cellid_000000012-1"),
    ],
)
def test_barcodes(given, expected):
    assert barcodes(np.array([given], object)).tolist() == [expected]


def test_ids_that_are_no_barcodes_or_become_equal_are_left_to_the_reader():
    assert barcodes(np.array(["AAACCTGAGAAACCAT-1", "spot 2"], object)) is None
    assert barcodes(np.array(["a_AAACCTGAGAAACCAT-1", "b_AAACCTGAGAAACCAT-1"], object)) is None


def test_no_file_for_cells_that_the_program_could_not_find(tmp_path):
    cohort = write_cohort_with_ids(tmp_path)
    samples = write_samples(
        tmp_path, {s: {"platform": p} for s, p in zip(("s1", "s2", "s3"), ("xenium", "visium", ""))}
    )
    result = invoke("export_write", cohort, *samples, "--no-export-qupath", "--outdir", tmp_path / "out")
    assert result.exit_code == 0
    assert list((tmp_path / "out").iterdir()) == []
    assert "s1: no file for xenium_explorer" in result.stderr
    assert "s2: no file for loupe" in result.stderr


def test_a_sample_whose_file_is_not_given(tmp_path):
    cohort = write_cohort_with_ids(tmp_path)
    result = invoke("export_write", cohort, *write_samples(tmp_path, {"s1": {}}), "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "'s2'" in result.stderr
