"""Packed samples: read as what is in them, and nothing that an archive can do gets out of its folder."""

import gzip
import io
import shutil
import tarfile
import zipfile

import numpy as np
import pytest

from helpers import make_sample
from semanticst.constants import UNS
from semanticst.io.ingest import ingest_sample
from semanticst.io.readers import ReadError, Wanted, packed, reader_for, table_layout, unpacking_limit
from semanticst.io.readers.matrix_market import read_matrix_market
from semanticst.io.regions.outlines import read_outlines
from vendor_helpers import make_truth, write_cosmx, write_pair, write_spatialdata


def read(path, platform="", scratch=None):
    return reader_for(path, platform).read(path, Wanted(platform, scratch=scratch))


def archive(folder, kind, inside=False):
    """The folder as an archive beside it, with its name inside or only what it holds; the folder goes."""
    root, base = (folder.parent, folder.name) if inside else (folder, ".")
    name = shutil.make_archive(str(folder), kind, root, base)
    shutil.rmtree(folder)
    return type(folder)(name)


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_folder_in_any_archive(tmp_path, kind, inside):
    truth = make_truth()
    path = archive(write_pair(tmp_path / "s1", truth), kind, inside)
    truth.check(read(path, scratch=tmp_path))
    assert list(tmp_path.iterdir()) == [path]


def test_the_only_sample_deep_in_an_archive_is_read(tmp_path):
    truth = make_truth()
    folder = tmp_path / "s1"
    write_pair(folder / "data/section", truth)
    (folder / "readme.txt").write_text("about the data")
    path = archive(folder, "zip")
    adata = read(path, scratch=tmp_path)
    truth.check(adata)
    assert "of s1.zip only data/section is read, the only sample in it" in adata.uns["notes"]


def test_several_samples_deep_in_an_archive_are_named(tmp_path):
    for name in ("a", "b"):
        write_pair(tmp_path / "s1/data" / name, make_truth())
    (tmp_path / "s1/readme.txt").write_text("about the data")
    with pytest.raises(ReadError, match=r"2 samples \(data/a, data/b\); unpack it, and give each a row"):
        read(archive(tmp_path / "s1", "zip"), scratch=tmp_path)


@pytest.mark.parametrize("inside", [False, True])
def test_a_store_in_a_zip_without_its_images(tmp_path, inside):
    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth)
    (folder / "images/he").mkdir(parents=True)
    (folder / "images/he/0").write_bytes(b"x" * 1000)
    path = archive(folder, "zip", inside)
    truth.check(read(path, scratch=tmp_path))
    place = tmp_path / "place"
    place.mkdir()
    assert not (packed.unpack(path, place) / "images").exists()


def test_a_packed_h5ad_and_the_platform_of_what_is_packed(tmp_path):
    sample = make_sample()
    sample.write_h5ad(tmp_path / "s.h5ad")
    (tmp_path / "s.h5ad.gz").write_bytes(gzip.compress((tmp_path / "s.h5ad").read_bytes()))
    (tmp_path / "s.h5ad").unlink()
    row = {"sample": "s1", "patient": "p1", "path": str(tmp_path / "s.h5ad.gz")}
    adata = ingest_sample(row, tmp_path)
    assert (sample.X != adata.X).nnz == 0
    assert adata.uns[UNS]["format"] == "h5ad"
    assert [p.name for p in tmp_path.iterdir()] == ["s.h5ad.gz"]
    path = archive(write_cosmx(tmp_path / "c", make_truth()), "zip")
    with pytest.raises(ReadError, match="platform xenium is stated, but this is a folder of CosMx"):
        read(path, "xenium", tmp_path)


def test_what_macos_adds_is_left(tmp_path):
    truth = make_truth()
    path = archive(write_pair(tmp_path / "s1", truth), "zip", inside=True)
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr("__MACOSX/s1/._counts.csv", "x")
        opened.writestr("s1/._counts.csv", "x")
        opened.writestr("s1/.DS_Store", "x")
    truth.check(read(path, scratch=tmp_path))


def write_tar(path, **entries):
    """A tar of entries, name -> text, or a TarInfo for something else."""
    with tarfile.open(path, "w:gz") as opened:
        for name, content in entries.items():
            if isinstance(content, tarfile.TarInfo):
                opened.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content.encode()))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("name", ["../evil.csv", "/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_that_leads_outside_is_refused(tmp_path, name, kind):
    (tmp_path / "place").mkdir()
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
            opened.writestr(name, "x")
    else:
        write_tar(tmp_path / "a.tar.gz", **{name: "x"})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ReadError, match="unsafe: .* would be written outside of the folder"):
        packed.unpack(next(tmp_path.glob("a.*")), tmp_path / "place")
    assert [p for p in tmp_path.rglob("*") if p not in before and p.is_file()] == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    (tmp_path / "place").mkdir()
    path = write_tar(tmp_path / "a.tar.gz", counts=link("s/counts.csv", "/etc/hostname", kind))
    with pytest.raises(ReadError, match="unsafe: 's/counts.csv' is a link or no file"):
        packed.unpack(path, tmp_path / "place")


def test_links_in_a_zip_are_refused(tmp_path):
    (tmp_path / "place").mkdir()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        info = zipfile.ZipInfo("counts.csv")
        info.external_attr = 0o120777 << 16
        opened.writestr(info, "/etc/hostname")
    with pytest.raises(ReadError, match="is a link or no file"):
        packed.unpack(tmp_path / "a.zip", tmp_path / "place")


@pytest.mark.parametrize("kind", ["zip", "tar", "gz"])
def test_a_bomb_is_stopped(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(unpacking_limit, "FREELY", 1000)
    (tmp_path / "place").mkdir()
    zeros = "0" * 2_000_000
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("counts.csv", zeros)
    elif kind == "tar":
        write_tar(tmp_path / "a.tar.gz", **{"counts.csv": zeros})
    else:
        (tmp_path / "a.h5ad.gz").write_bytes(gzip.compress(zeros.encode()))
    with pytest.raises(ReadError, match="unsafe: .* bytes unpack to more than"):
        packed.unpack(next(tmp_path.glob("a.*")), tmp_path / "place")


@pytest.mark.parametrize("name", ["counts.csv.gz", "matrix.mtx.gz", "a.gem.gz", "outlines.geojson.gz", "cells.csv.zip"])
def test_a_bomb_in_a_file_of_any_reader_is_stopped(tmp_path, monkeypatch, name):
    """Each file that is read as it is unpacked, at whatever place of the text the limit lies."""
    monkeypatch.setattr(unpacking_limit, "FREELY", 200_000)
    row = {"mtx": "1 1 1\n", "gem": "A\t1\t1\t1\n", "geojson": "0,\n"}.get(name.split(".")[1], "1,2,3,0,0\n")
    head = {
        "mtx": "%%MatrixMarket matrix coordinate integer general\n9000000 9 9000000\n",
        "gem": "geneID\tx\ty\tMIDCount\n",
        "geojson": "[",
    }.get(name.split(".")[1], "cell_id,x,y,CD3,CD8\n")
    text = (head + row * 2_000_000).encode()
    if name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("cells.csv", text)
    else:
        (tmp_path / name).write_bytes(gzip.compress(text))
    reading = {"matrix.mtx.gz": read_matrix_market, "outlines.geojson.gz": read_outlines}.get(name, read)
    with pytest.raises(ReadError, match="unsafe: .* bytes unpack to more than"):
        reading(tmp_path / name)


def test_archives_in_archives_have_one_limit_and_an_end(tmp_path, monkeypatch):
    inner = tmp_path / "s.csv"
    inner.write_text("cell_id,x,y,A,B\n1,1,2,3,4\n2,3,4,5,6\n3,5,5,1,0\n")
    for number in range(4):
        outer = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(outer, "w") as opened:
            opened.write(inner, inner.name)
        inner = outer
    assert read(tmp_path / "2.zip").shape == (3, 2)
    with pytest.raises(ReadError, match="an archive in 3 others"):
        read(tmp_path / "3.zip")
    monkeypatch.setattr(unpacking_limit, "FREELY", 300)
    monkeypatch.setattr(unpacking_limit, "RATIO", 0)
    assert read(tmp_path / "0.zip").shape == (3, 2)
    with pytest.raises(ReadError, match="unsafe"):
        read(tmp_path / "2.zip")


def test_what_is_packed_twice_is_told(tmp_path):
    (tmp_path / "cells.csv.gz").write_bytes(gzip.compress(gzip.compress(b"cell_id,x,y,A,B\n1,1,2,3,4\n")))
    with pytest.raises(ReadError, match=r"cells.csv.gz: it is packed twice \(.gz in .gz\); unpack it once"):
        read(tmp_path / "cells.csv.gz")


def test_a_line_without_end_is_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(table_layout, "LONGEST", 1000)
    (tmp_path / "cells.csv").write_text("1," * 1000)
    with pytest.raises(ReadError, match=r"cells.csv: a line is longer than 1,000 characters"):
        read(tmp_path / "cells.csv")


def test_more_than_fits_and_too_many_files_are_refused(tmp_path, monkeypatch):
    (tmp_path / "place").mkdir()
    path = write_tar(tmp_path / "a.tar.gz", a="x" * 100, b="y")
    monkeypatch.setattr(packed, "MOST_FILES", 1)
    with pytest.raises(ReadError, match="more than 1 files are packed in it"):
        packed.unpack(path, tmp_path / "place")
    shutil.rmtree(tmp_path / "place")
    (tmp_path / "place").mkdir()
    monkeypatch.setattr(packed, "SPARE", shutil.disk_usage(tmp_path).total)
    with pytest.raises(ReadError, match="more is packed in it than the 0 bytes that are free"):
        packed.unpack(path, tmp_path / "place")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar", "a.h5ad.gz"])
@pytest.mark.parametrize("seed", range(4))
def test_damaged_archives(tmp_path, name, seed):
    rng = np.random.default_rng(seed)
    if name == "a.h5ad.gz":
        content = gzip.compress(rng.bytes(5000))
    else:
        kind = {"a.zip": "zip", "a.tar.gz": "gztar", "a.tar": "tar"}[name]
        made = archive(write_pair(tmp_path / "s", make_truth()), kind)
        content = made.read_bytes()
        made.unlink()
    (tmp_path / name).write_bytes(content[: int(len(content) * rng.uniform(0, 0.8))])
    with pytest.raises(ReadError):
        read(tmp_path / name, scratch=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_an_empty_archive_and_one_without_a_sample(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    with pytest.raises(ReadError, match="nothing is packed in it"):
        read(tmp_path / "a.zip", scratch=tmp_path)
    with pytest.raises(ReadError, match=r"this kind of input \(folder\) cannot be read"):
        read(write_tar(tmp_path / "b.tar.gz", **{"s/a.txt": "x", "s/b.txt": "y"}), scratch=tmp_path)
