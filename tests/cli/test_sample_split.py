"""``sample_split.py``: cores of a tissue array are found, named by row and column, and drafted as a samplesheet."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from PIL import Image

from helpers import invoke
from semanticst.errors import ReadError
from semanticst.io.regions.pieces import need_one_section


def tissue_array(n_rows=3, n_columns=4, n_cells=150, radius=200.0, pitch=700.0, turn=0.0, missing=(), stray=0, seed=0):
    """Cores of cells at random places in a grid, and the name of each cell's core; stray cells have none."""
    rng = np.random.default_rng(seed)
    points, names = [], []
    for row in range(n_rows):
        for column in range(n_columns):
            if (row, column) in missing:
                continue
            n = int(n_cells * rng.uniform(0.6, 1.4))
            angle, distance = rng.uniform(0, 2 * np.pi, n), radius * np.sqrt(rng.uniform(0, 1, n))
            around = np.column_stack([distance * np.cos(angle), distance * np.sin(angle)])
            points.append(around + [column * pitch, row * pitch] + rng.normal(0, 15, 2))
            names += [f"{'ABCDEFGH'[row]}{column + 1}"] * n
    points = np.concatenate(points)
    points = np.vstack([points, rng.uniform(points.min(axis=0), points.max(axis=0), (stray, 2))])
    names = np.array(names + [""] * stray)
    cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    order = rng.permutation(len(points))
    return (points @ [[cos, sin], [-sin, cos]])[order], names[order]


def write(path, points):
    rng = np.random.default_rng(1)
    counts = sp.csr_matrix(rng.poisson(3, (len(points), 12)).astype(np.float32))
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(len(points))])
    adata = ad.AnnData(counts, obs=obs, obsm={"spatial": points}, uns={"spatial_unit": "um"})
    adata.write_h5ad(path)
    return adata


def split(folder, points, *options):
    write(folder / "tma 7.h5ad", points)
    return invoke("sample_split", folder / "tma 7.h5ad", "--outdir", folder / "out", *options)


@pytest.mark.parametrize(
    "array",
    [{}, {"turn": 6.0, "seed": 1}, {"missing": [(1, 1), (2, 3)], "seed": 2}, {"stray": 60, "pitch": 800.0, "seed": 3}],
)
def test_planted_cores_are_all_found_by_row_and_column(tmp_path, array):
    points, core = tissue_array(**array)
    result = split(tmp_path, points)
    assert result.exit_code == 0, result.stderr
    sheet = pd.read_csv(tmp_path / "out" / "samplesheet.draft.csv", keep_default_na=False)
    assert sheet["region"].tolist() == sorted(set(core) - {""})
    assert (sheet["region"] == [f"{'ABC'[r - 1]}{c}" for r, c in zip(sheet["core_row"], sheet["core_column"])]).all()
    for region, file in zip(sheet["region"], sheet["cells"]):
        ids = pd.read_csv(tmp_path / "out" / file)["cell_id"]
        found = core[[int(name.removeprefix("cell")) for name in ids]]
        assert (np.isin(found, [region, ""])).all()
        assert (found == region).sum() >= 0.97 * (core == region).sum()
    picture = np.asarray(Image.open(tmp_path / "out" / "pieces.png").convert("RGB")).reshape(-1, 3)
    assert len(np.unique(picture, axis=0)) > 12


def test_the_draft_is_a_samplesheet_but_for_the_patients(tmp_path):
    points, core = tissue_array(n_rows=2, n_columns=3)
    assert split(tmp_path, points).exit_code == 0
    draft = tmp_path / "out" / "samplesheet.draft.csv"
    result = invoke("samplesheet_check", draft, "--outdir", tmp_path / "checked")
    assert result.exit_code == 3
    assert "rows 2 to 7 (6), column 'patient': nothing is given" in result.stderr
    sheet = pd.read_csv(draft, keep_default_na=False)
    sheet["patient"] = [f"p{i}" for i in range(6)]
    sheet.to_csv(tmp_path / "out" / "sheet.csv", index=False)
    result = invoke("samplesheet_check", tmp_path / "out" / "sheet.csv", "--outdir", tmp_path / "checked")
    assert result.exit_code == 0, result.stderr
    rows = json.loads((tmp_path / "checked" / "samplesheet.json").read_text())["used"]
    manifest = [row | {"cells": str(tmp_path / "out" / row["cells"])} for row in rows]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    result = invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "samples")
    assert result.exit_code == 0, result.stderr
    for row in rows:
        adata = ad.read_h5ad(tmp_path / "samples" / f"{row['sample']}.ingest.h5ad")
        assert adata.n_obs == (core == row["region"]).sum()


def test_two_sections_side_by_side_and_a_stated_gap(tmp_path):
    points, _ = tissue_array(n_rows=1, n_columns=2, n_cells=400)
    assert split(tmp_path, points).exit_code == 0
    sheet = pd.read_csv(tmp_path / "out" / "samplesheet.draft.csv", keep_default_na=False)
    assert sheet["sample"].tolist() == ["tma_7_piece1", "tma_7_piece2"]
    result = split(tmp_path, points, "--gap", 900)
    assert result.exit_code == 3
    assert "no gap is wider than 900 um" in result.stderr


def test_one_piece_is_nothing_to_split_and_leaves_nothing(tmp_path):
    points, _ = tissue_array(n_rows=1, n_columns=1, n_cells=800)
    result = split(tmp_path, points)
    assert result.exit_code == 3
    assert "one piece of tissue" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_too_few_cells_are_no_piece(tmp_path):
    result = split(tmp_path, tissue_array(n_rows=1, n_columns=1, n_cells=5)[0][:5])
    assert result.exit_code == 3
    assert "no piece of tissue is found among" in result.stderr


def ingest(folder, adata):
    adata.write_h5ad(folder / "array.h5ad")
    row = {"sample": "s1", "patient": "p1", "path": str(folder / "array.h5ad")}
    (folder / "manifest.json").write_text(json.dumps([row]))
    return invoke("sample_ingest", "--manifest", folder / "manifest.json", "--outdir", folder / "out")


def test_a_tissue_array_is_no_sample(tmp_path):
    points, core = tissue_array()
    adata = write(tmp_path / "tma.h5ad", points)
    result = ingest(tmp_path, adata)
    assert result.exit_code == 3
    assert "12 pieces of tissue lie in a grid of 3 x 4" in result.stderr
    assert "./semanticst split" in result.stderr
    adata.obs["fov"] = core  # fields of view that lie apart are chosen places of one section
    assert ingest(tmp_path, adata).exit_code == 0


def test_help_has_the_name_that_a_user_typed(monkeypatch):
    monkeypatch.setenv("SEMANTICST_COMMAND", "./semanticst split")
    assert invoke("sample_split", "--help").stdout.startswith("Usage: ./semanticst split ")
    # and it is not handed on to commands that this one starts
    assert not invoke("sample_split", "--help").stdout.startswith("Usage: ./semanticst")


def fields_of_view(n_rows, n_columns, side=200.0, gap=120.0, n_cells=100, seed=0):
    """Places of cells in squares with gaps between them."""
    rng = np.random.default_rng(seed)
    corners = [(column * (side + gap), row * (side + gap)) for row in range(n_rows) for column in range(n_columns)]
    return np.concatenate([rng.uniform(0, side, (n_cells, 2)) + corner for corner in corners])


def test_fields_of_view_in_a_grid_are_told_from_cores():
    fields = fields_of_view(3, 4)
    with pytest.raises(ReadError, match="12 pieces .* 3 x 4, as fields of view do.* tell them by a column fov"):
        need_one_section(fields, pd.DataFrame(index=range(len(fields))))
    assert need_one_section(fields, pd.DataFrame({"fov": np.repeat(range(12), 100)})) == []
    cores, _ = tissue_array()
    with pytest.raises(ReadError, match="12 pieces .* 3 x 4, as the cores of a tissue array do"):
        need_one_section(cores, pd.DataFrame(index=range(len(cores))))


def test_split_says_when_pieces_look_like_fields_of_view(tmp_path):
    assert "the pieces fill rectangles, as fields of view do" in split(tmp_path, fields_of_view(2, 3)).stderr
    assert "rectangles" not in split(tmp_path, tissue_array(2, 3)[0]).stderr


def test_large_pieces_far_apart_are_warned_of_and_fragments_are_not():
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0, 1000, (2, 400, 2))
    (told,) = need_one_section(np.concatenate([one, other + [4000, 0]]), pd.DataFrame(index=range(800)))
    assert told.startswith("2 large pieces of tissue lie far apart (50 %, 50 % of the cells; 30")
    assert "'./semanticst split'" in told
    # a torn section; a needle biopsy in two; a floating speck far away
    for points in (
        np.concatenate([one, other + [1300, 0]]),
        np.concatenate([one * [8, 0.5], other * [8, 0.5] + [9500, 100]]),
        np.concatenate([one, other[:35] * 0.1 + [5000, 0]]),
    ):
        assert need_one_section(points, pd.DataFrame(index=range(len(points)))) == []
