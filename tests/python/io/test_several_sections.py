"""Several sections that pass for one sample."""

import numpy as np
import pandas as pd
import pytest

from semanticst.errors import ReadError
from semanticst.io.several_sections import check_sections, overlap

N = 200
PLACES = np.random.default_rng(0).uniform(0, 500, (N, 2))
IDS = pd.Index([f"cell_{i}" for i in range(N)])


def check(points=PLACES, ids=IDS, fields=True, **columns):
    return check_sections(ids, pd.DataFrame(columns, index=ids), points, fields)


HALVES = np.repeat(["s1", "s2"], N // 2)


@pytest.mark.parametrize(
    "column", ["library_id", "Sample_ID", "section", "image", "ImageNumber", "fov", "batch", "slide_ID", "orig.ident"]
)
def test_sections_on_top_of_each_other_are_refused(column):
    message = f"on top of each other: the column {column} tells 2 apart \\(s1, s2\\); a sample is one section"
    with pytest.raises(ReadError, match=message):
        check(**{column: HALVES})


def test_sections_side_by_side_are_a_warning_and_fields_of_view_none():
    points = PLACES + np.column_stack([np.repeat([0, 600], N // 2), np.zeros(N)])
    (warning,) = check(points, image=HALVES)
    assert warning.startswith(
        "several sections side by side? the column image tells 2 apart (s1, s2); if they are, give"
    )
    assert "part_column image and the value as part_value" in warning
    assert check(points, fov=HALVES, region=HALVES) == []
    assert overlap(pd.factorize(HALVES)[0], points) == 0


def test_levels_of_bregma_are_sections():
    levels = np.repeat([-0.29, 0.06, 0.11, 0.26], N // 4)
    with pytest.raises(ReadError, match="on top of each other: the column Bregma tells 4 apart .* part_column Bregma"):
        check(Bregma=levels)


def test_levels_of_z_are_planes_or_sections():
    (told,) = check(z=np.repeat([0.0, 10.0, 20.0, 30.0], N // 4))
    assert told.startswith("several sections on top of each other? the column z has 4 levels")
    assert "part_column z" in told
    # the depth of each cell, and one that falls from left to right
    assert check(z=np.random.default_rng(1).uniform(0, 30, N)) == []
    assert check(z=(PLACES[:, 0] // 250)) == []


@pytest.mark.parametrize("column", ["library_id", "Sample ID", "TMA core", "puck", "slice_id", "Bregma"])
def test_samples_named_by_a_column_are_refused_wherever_they_lie(column):
    points = PLACES + np.column_stack([np.repeat([0, 600], N // 2), np.zeros(N)])
    message = f"several sections in one sample: the column {column} tells 2 apart .* part_column {column}"
    with pytest.raises(ReadError, match=message):
        check(points, **{column: HALVES})
    # a handful of cells with another name is no section
    stray = np.where(np.arange(N) < 195, "s1", "s2")
    apart = PLACES + 5000 * (stray == "s2")[:, None]
    (warning,) = check(apart, **{column: stray})
    assert warning.startswith(f"several sections side by side? the column {column} tells 2 apart (s1, s2); if they are")


def test_small_fields_of_view_that_touch_do_not_overlap():
    fields = (PLACES // 100).astype(int)
    assert overlap(pd.factorize(fields[:, 0] * 10 + fields[:, 1])[0], PLACES) < 0.35


def test_fields_of_view_of_an_instrument_are_not_doubted():
    assert check(fov=HALVES, fields=False) == []
    with pytest.raises(ReadError, match="the column image"):
        check(image=HALVES, fields=False)


def test_a_small_section_on_a_large_one_is_found():
    labels = np.where(np.arange(N) % 20 == 0, "s2", "s1")
    with pytest.raises(ReadError, match="on top of each other"):
        check(library_id=labels)


def test_sections_at_the_same_places_are_found():
    points = np.concatenate([PLACES[:100], PLACES[:100]])
    with pytest.raises(ReadError, match="on top of each other"):
        check(points, library_id=HALVES)


def test_cells_of_several_patients_are_refused_wherever_they_lie():
    points = PLACES + np.column_stack([np.repeat([0, 600], N // 2), np.zeros(N)])
    with pytest.raises(ReadError, match="cells are of several patients: the column donor_id tells 2 apart"):
        check(points, donor_id=HALVES)


@pytest.mark.parametrize("column", ["cell_type", "leiden", "layer", "domain"])
def test_other_columns_are_not_looked_at(column):
    assert check(**{column: HALVES}) == []


def test_one_value_and_a_value_per_cell_tell_nothing_apart():
    assert check(image="a", sample=list(IDS), library_id=np.where(np.arange(N) < 9, None, "s1")) == []


def test_array_positions_taken_twice_are_refused():
    row, column = np.divmod(np.arange(N), 20)
    assert check(array_row=row, array_col=column) == []
    with pytest.raises(ReadError, match=r"100 of 200 spots have the array position of another \(first: row 0, col"):
        check(array_row=row % 5, array_col=column)


BARCODES = ["".join("ACGT"[i // 4**p % 4] for p in range(16)) for i in range(N // 2)]


@pytest.mark.parametrize(
    ("first", "second"), [("{}-1", "{}-2"), ("{}-1-0", "{}-1-1"), ("s1_{}-1", "s2_{}-1"), ("{}-1_1", "{}-1_2")]
)
def test_barcodes_of_two_slides_are_refused(first, second):
    ids = pd.Index([first.format(b) for b in BARCODES] + [second.format(b) for b in BARCODES])
    with pytest.raises(ReadError, match=f"200 of 200 barcodes occur more than once .*{first.format(BARCODES[0])}"):
        check(ids=ids)


@pytest.mark.parametrize("name", ["c{0}-{1}", "aaaa{0}-1-{1}", "s{1}_c{0}", "{0}_{1}"])
def test_objects_that_were_joined_are_refused_where_they_lie_on_top_of_each_other(name):
    half = N // 2
    ids = pd.Index([name.format(i % half, i // half) for i in range(N)])
    with pytest.raises(ReadError, match="on top of each other: ids repeat but for what stands"):
        check(ids=ids)
    # fields of view with cells of the same numbers lie side by side
    assert check(PLACES + np.column_stack([np.repeat([0, 600], half), np.zeros(N)]), ids=ids) == []


def test_ids_of_one_object_with_a_number_behind():
    for name in ("cell_{0}", "aaaa{0}-1", "c_1_{1}_{0}", "{0}"):
        assert check(ids=pd.Index([name.format(i, i % 3) for i in range(N)])) == []


@pytest.mark.parametrize("turned", [0.0, 0.8])
def test_spots_that_are_called_by_row_and_column(turned):
    row, column = np.divmod(np.arange(30 * 40), 40)
    points = np.column_stack([column, row]) @ np.array(
        [[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]]
    )
    assert check(points, ids=pd.Index([f"{r}_{c}" for r, c in zip(row, column)])) == []


def test_barcodes_of_one_slide_and_ids_of_bins_are_fine():
    assert check(ids=pd.Index([f"{b}-1" for b in BARCODES] + [f"{b}T-1" for b in BARCODES])) == []
    assert check(ids=pd.Index([f"s_008um_{i:05d}_00001-1" for i in range(N)])) == []
    doubled = pd.Index([f"s_008um_{i % 100:05d}_00001-{1 + i // 100}" for i in range(N)])
    with pytest.raises(ReadError, match="several sections"):
        check(ids=doubled)
