"""All readers: a folder is recognised by its own reader only, comes through the command, and damage is told."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from helpers import BIN, invoke, without_rights
from semanticst.io.ingest import read_raw
from semanticst.io.internal import internal_faults, read_sample
from semanticst.io.readers import READERS, ReadError, Wanted, reader_for
from vendor_helpers import (
    make_truth,
    write_cell_gef,
    write_cosmx,
    write_gef,
    write_gem,
    write_merscope,
    write_mtx,
    write_pair,
    write_single,
    write_slideseq,
    write_spatialdata,
    write_text,
)


def matrix_market(path, truth):
    write_pair(path, truth)
    (path / "counts.csv").unlink()
    return write_mtx(path, truth)


FORMATS = {
    "cosmx": ("cosmx", write_cosmx),
    "merscope": ("merscope", write_merscope),
    "slideseq portal": ("slideseq", write_slideseq),
    "slideseq tools": ("slideseq", lambda path, truth: write_slideseq(path, truth, "tools")),
    "slideseq mex": ("slideseq", lambda path, truth: write_slideseq(path, truth, "mex")),
    "gem": ("stereoseq", lambda path, truth: write_gem(path.with_suffix(".gem.gz"), truth)),
    "gef": ("stereoseq", lambda path, truth: write_gef(path.with_suffix(".gef"), truth)),
    "cell gef": ("stereoseq", lambda path, truth: write_cell_gef(path.with_suffix(".cellbin.gef"), truth)),
    "gem folder": ("stereoseq", lambda path, truth: write_gem(path / "a.gem", truth).parent),
    "spatialdata 2": ("spatialdata", lambda path, truth: write_spatialdata(path, truth, 2)),
    "spatialdata 3": ("spatialdata", lambda path, truth: write_spatialdata(path, truth, 3)),
    "pair": ("pair of tables", write_pair),
    "matrix market": ("pair of tables", matrix_market),
    "table": ("table", lambda path, truth: write_single(path.with_suffix(".tsv"), truth)),
}


@pytest.fixture(params=FORMATS)
def written(request, tmp_path):
    """Name of the reader, and a path that it reads."""
    name, write = FORMATS[request.param]
    return name, write(tmp_path / "sample", make_truth())


def baysor(path, truth):
    stats = pd.DataFrame({"cell": truth.ids, "x": truth.spatial[:, 0], "y": truth.spatial[:, 1], "area": 50.0})
    stats["area"] = stats["area"].where(stats["x"].notna())
    write_text(path / "segmentation_cell_stats.csv", stats.to_csv(index=False, na_rep="NaN"))
    write_text(path / "segmentation_counts.tsv", truth.frame.T.to_csv(sep="\t", index_label="gene"))
    return path


def in_a_store(path, truth):
    return write_spatialdata(path, truth, spatial=True)


@pytest.mark.parametrize("write", [*(FORMATS[kind][1] for kind in (
    "pair", "matrix market", "table", "cosmx", "merscope", "slideseq portal", "slideseq mex"
)), baysor, in_a_store])  # fmt: skip
def test_a_cell_without_a_place_is_left_out_and_counted(tmp_path, write):
    """Programs write empty values for cells of a few molecules: they cost no other cell."""
    truth = make_truth()
    truth.spatial[3] = np.nan
    raw, _ = read_raw({"path": str(write(tmp_path / "sample", truth))})
    assert raw.n_obs == 11
    assert [note.n for note in raw.uns["notes"] if "1 of 12 cells have no coordinates and are left out" in note] == [1]


def test_hidden_files_of_macos_are_none_of_the_sample(written):
    """Copied to another disk, each file has a ``._name`` beside it."""
    _, path = written
    for file in sorted(p for p in (path.rglob("*") if path.is_dir() else []) if p.is_file()):
        (file.parent / f"._{file.name}").write_bytes(b"\0\5\x16\7")
    raw, _ = read_raw({"path": str(path)})
    assert raw.n_obs == 12


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "it is a pointer of Git LFS"),
        (b"\n<!DOCTYPE html>\n<html><title>Sign in</title>", "it is a web page: the download failed"),
    ],
)
@pytest.mark.parametrize("name", ["s.h5ad", "s.csv", "s.gef", "filtered_feature_bc_matrix.h5"])
def test_what_is_in_the_place_of_the_data_is_told(tmp_path, name, start, told):
    path = tmp_path / name
    path.write_bytes(start)
    if name.endswith(".h5"):
        (tmp_path / "spatial").mkdir()
        (tmp_path / "spatial" / "tissue_positions_list.csv").write_text("A-1,1,0,0,1,1\nB-1,1,0,2,1,2\n")
        path = tmp_path
    with pytest.raises(ReadError, match=told):
        read_raw({"path": str(path)})


def test_no_other_reader_goes_first(written):
    name, path = written
    found = [reader.name for reader in READERS if reader.recognises(path)]
    assert found[0] == name
    assert reader_for(path, "").name == name


def test_the_command_reads_it(tmp_path, written):
    _, path = written
    (tmp_path / "manifest.json").write_text(json.dumps([{"sample": "s", "patient": "p", "path": str(path)}]))
    result = invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    adata = read_sample(tmp_path / "out" / "s.ingest.h5ad")
    assert internal_faults(adata) == []
    assert adata.n_obs == 12


def test_inputs_may_be_read_only(tmp_path):
    """All formats in one call, by a user who may write nothing there, and nothing is left beside them."""
    data = tmp_path / "data"
    rows = [
        {"sample": f"s{i}", "patient": "p", "path": str(write(data / f"s{i}", make_truth()))}
        for i, (_, write) in enumerate(FORMATS.values())
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(rows))
    before = sorted(data.rglob("*"))
    subprocess.run(["chmod", "-R", "a-w", data], check=True)
    try:
        command = [sys.executable, BIN / "sample_ingest.py", "--manifest", "manifest.json", "--outdir", "out"]
        done = subprocess.run([*without_rights(), *command], cwd=tmp_path, capture_output=True, text=True, check=False)
    finally:
        subprocess.run(["chmod", "-R", "u+w", data], check=True)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*.ingest.h5ad"))) == len(FORMATS)
    assert sorted(data.rglob("*")) == before


def test_another_platform_is_refused_where_the_format_has_one(written):
    name, path = written
    other = "slideseq" if name == "cosmx" else "cosmx"
    if name in ("cosmx", "merscope", "slideseq", "stereoseq"):
        with pytest.raises(ReadError, match=f"platform {other} is stated"):
            reader_for(path, other)
    else:
        assert reader_for(path, other).name == name


@pytest.mark.parametrize("seed", range(12))
def test_damage_of_any_kind_is_a_read_error(written, seed):
    """Bytes of one file are cut off, overwritten or doubled: the reader reads it, or says why it cannot."""
    _, path = written
    rng = np.random.default_rng(seed)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    file = files[rng.integers(len(files))]
    content = bytearray(file.read_bytes())
    at = int(rng.integers(max(1, len(content))))
    if seed % 3 == 0:
        content = content[:at]
    elif seed % 3 == 1:
        content[at : at + 8] = rng.integers(0, 256, 8, dtype=np.uint8).tobytes()
    else:
        content = content[:at] + content[max(0, at - 40) :]
    file.write_bytes(content)
    with contextlib.suppress(ReadError):
        adata = reader_for(path, "").read(path, Wanted())
        assert adata.obsm["spatial"].shape == (adata.n_obs, 2)
