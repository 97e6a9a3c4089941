"""What becomes of the cells that are judged: rows of the matrix, the table of all cells, the map."""

import gzip

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from semanticst.qc.cell_table import reasons_of, write_cells
from semanticst.qc.labels import KEPT, REASONS
from semanticst.qc.map import map_layers, write_qc_map
from semanticst.qc.sample import Judged, keep_rows


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_rows_are_kept_in_the_arrays_that_are_there(share, monkeypatch):
    monkeypatch.setattr("semanticst.qc.sample._ROWS", 7)
    rng = np.random.default_rng(0)
    X = sp.random(100, 30, 0.2, "csr", np.float32, rng=rng)
    kept = rng.random(100) < share
    expected, data = X[kept].toarray(), X.data
    result = keep_rows(X, kept)
    assert np.array_equal(result.toarray(), expected)
    assert np.shares_memory(result.data, data) or not share


def judged(n=400):
    """A square of cells; 10 empty, 20 with few counts (5 of them with few features too), 30 in a dead region."""
    side = int(np.sqrt(n))
    points = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2) * 10.0
    number = np.arange(n)
    metrics = pd.DataFrame(
        {
            "total_counts": np.float32(number),
            "mito_share": np.float32(np.nan),
            "local_outlier": number == 399,
            "dead_region": (number >= 100) & (number < 130),
            "edge_artefact": False,
        },
        index=[f"c,{i}" for i in number],
    )
    removed = {
        "empty": number < 10,
        "min_counts": (number >= 10) & (number < 30),
        "min_features": (number >= 25) & (number < 30),
    }
    return Judged("s1", "um", points, metrics, removed, ~np.any(list(removed.values()), axis=0))


def test_every_cell_has_its_row(tmp_path, monkeypatch):
    monkeypatch.setattr("semanticst.qc.cell_table._ROWS", 70)
    write_cells(tmp_path / "s1.qc_cells.csv.gz", judged())
    table = pd.read_csv(tmp_path / "s1.qc_cells.csv.gz", keep_default_na=False)
    assert table["cell_id"].tolist() == [f"c,{i}" for i in range(400)]
    assert table.loc[21, ["x", "y"]].tolist() == [10, 10]
    assert "mito_share" not in table
    assert table["kept"].sum() == 370
    assert table["reasons"].value_counts().to_dict() == {
        "": 370,
        "empty": 10,
        "min_counts": 15,
        "min_counts;min_features": 5,
    }
    assert table["dead_region"].sum() == 30


def test_the_same_cells_give_the_same_bytes(tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        write_cells(tmp_path / name, judged())
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b"cell_id,x,y,total_counts,")


def test_reasons_of_no_cell():
    assert reasons_of({"empty": np.zeros(0, bool)}).tolist() == []


def test_each_cell_is_drawn_once_and_counted_with_every_reason():
    layers = map_layers(judged())
    assert np.sum([cells for _, _, cells in layers], axis=0).tolist() == [1] * 400
    labels = [label for label, _, _ in layers]
    assert labels == ["Passed: 339", "Local outlier: 1 (0 removed)", "Few features: 5", "Few counts: 20",
                      "Zero counts: 10", "Dead region: 30 (0 removed)"]  # fmt: skip


def test_the_map_shows_the_colours_and_is_small(tmp_path):
    write_qc_map(tmp_path / "map.png", judged(), "s1: pass")
    assert (tmp_path / "map.png").stat().st_size < 60_000
    picture = imread(tmp_path / "map.png")[..., :3]
    assert 800 < picture.shape[1] < 1000
    for colour in (KEPT, *(REASONS[name].colour for name in ("empty", "min_counts", "dead", "local"))):
        assert (np.abs(picture - to_rgb(colour)).max(axis=2) < 0.01).sum() > 30, colour


@pytest.mark.parametrize("n", [1, 2])
def test_the_map_of_next_to_nothing(tmp_path, n):
    whole = judged()
    few = Judged(
        "s1",
        "unknown",
        whole.points[:n],
        whole.metrics[:n],
        {k: v[:n] for k, v in whole.removed.items()},
        whole.kept[:n],
    )
    write_qc_map(tmp_path / "map.png", few, "s1: fail")
    assert imread(tmp_path / "map.png").ndim == 3
