"""Thumbnails: the picture of the tissue with its place and scale."""

import io
import json
import struct
import zlib

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import zarr
from PIL import Image

from helpers import invoke
from semanticst.io.ingest import ingest_samples, read_raw
from semanticst.io.readers.tiff import tiff_picture
from semanticst.plotting.picture import Level, Picture, image_of, scaled
from semanticst.plotting.thumbnail import MOST_BYTES, Thumbnail, thumbnail_of, write_thumbnail
from tenx_helpers import visium_positions, write_json, write_square, write_visium, write_xenium
from vendor_helpers import make_truth, transformation, write_spatialdata

SCALEF = 0.25
"""Pixels of the picture per full-resolution pixel."""


def spotted(points, shape, size=2):
    """White RGB image with a dark square around each of ``points`` (x, y in its pixels)."""
    image = np.full((*shape, 3), 255, np.uint8)
    for x, y in np.round(points).astype(int):
        image[max(0, y - size) : y + size, max(0, x - size) : x + size] = 20
    return image


def visium_with_picture(folder, damaged=False):
    positions = visium_positions()
    write_visium(folder, positions)
    pixels = positions[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)
    inside = positions["in_tissue"].to_numpy() == 1
    shape = np.ceil(pixels.max(axis=0)[::-1] * SCALEF + 20).astype(int)
    image = Image.fromarray(spotted(pixels[inside] * SCALEF, shape))
    file = folder / "spatial" / "tissue_hires_image.png"
    image.save(file)
    if damaged:
        file.write_bytes(file.read_bytes()[:400])
    factors = json.loads((folder / "spatial" / "scalefactors_json.json").read_text())
    write_json(folder / "spatial" / "scalefactors_json.json", **factors, tissue_hires_scalef=SCALEF)


def ingest(tmp_path, path, **columns):
    row = {"sample": "s1", "patient": "p1", "path": str(path)} | columns
    (tmp_path / "manifest.json").write_text(json.dumps([row]))
    ingest_samples(tmp_path / "manifest.json", tmp_path / "out")
    return ad.read_h5ad(tmp_path / "out" / "s1.ingest.h5ad")


def darkness_at_cells(adata, folder):
    """Mean grey of the thumbnail at the cells, and over all of it."""
    about = json.loads((folder / "s1.json").read_text())
    image = np.asarray(Image.open(folder / about["file"]).convert("L")).astype(float)
    assert image.shape == (about["height"], about["width"])
    at = (adata.obsm["spatial"] - [about["x"], about["y"]]) / about["units_per_px"]
    column, row = np.floor(at).astype(int).T
    return about, image[row, column].mean(), image.mean()


def test_spots_lie_where_the_picture_of_space_ranger_shows_them(tmp_path):
    visium_with_picture(tmp_path / "s")
    adata = ingest(tmp_path, tmp_path / "s")
    about, at_cells, everywhere = darkness_at_cells(adata, tmp_path / "out" / "thumbnails")
    assert at_cells < 60 < 180 < everywhere
    assert (about["unit"], about["source"]) == ("um", "tissue_hires_image.png")
    assert about["um_per_px"] == about["units_per_px"] == pytest.approx(0.4 / SCALEF, rel=0.01)
    assert any("thumbnail: tissue_hires_image.png" in note for note in adata.uns["semanticst"]["notes"])


def test_a_damaged_picture_costs_the_thumbnail_and_no_cell(tmp_path):
    visium_with_picture(tmp_path / "s", damaged=True)
    adata = ingest(tmp_path, tmp_path / "s")
    assert not (tmp_path / "out" / "thumbnails").exists()
    assert any(note.startswith("no thumbnail: tissue_hires_image.png") for note in adata.uns["semanticst"]["notes"])


def test_bins_of_visium_hd(tmp_path):
    folder = tmp_path / "binned_outputs"
    write_square(folder, 8)
    spatial = folder / "square_008um" / "spatial"
    Image.fromarray(np.arange(8100, dtype=np.uint8).reshape(90, 90)).save(spatial / "tissue_lowres_image.png")
    factors = json.loads((spatial / "scalefactors_json.json").read_text())
    write_json(spatial / "scalefactors_json.json", **factors, tissue_lowres_scalef=0.5)
    ingest(tmp_path, tmp_path)
    about = json.loads((tmp_path / "out" / "thumbnails" / "s1.json").read_text())
    assert (about["source"], about["um_per_px"]) == ("tissue_lowres_image.png", pytest.approx(0.8))


@pytest.mark.parametrize("values", [np.uint8, np.float32])
def test_the_picture_in_an_object_of_scanpy(tmp_path, values):
    rng = np.random.default_rng(0)
    points = rng.uniform(100, 900, (60, 2))
    image = spotted(points / 4, (250, 260))
    image = image if values is np.uint8 else (image / 255).astype(values)
    adata = ad.AnnData(
        rng.poisson(2.0, (60, 5)).astype(np.float32),
        obs=pd.DataFrame(index=[f"c{i}" for i in range(60)]),
        obsm={"spatial": points},
        uns={"spatial": {"lib": {"images": {"hires": image}, "scalefactors": {"tissue_hires_scalef": 0.25}}}},
    )
    adata.write_h5ad(tmp_path / "s.h5ad")
    read = ingest(tmp_path, tmp_path / "s.h5ad")
    about, at_cells, everywhere = darkness_at_cells(read, tmp_path / "out" / "thumbnails")
    assert at_cells < 80 < 150 < everywhere
    assert (about["um_per_px"], about["units_per_px"], about["unit"]) == (None, pytest.approx(4), "unknown")


def add_image(folder, name, image, matrix, system="global", channels=(), levels=2):
    """An image of a SpatialData store; matrix : 3 x 3, pixels to the coordinate system."""
    root = zarr.open_group(folder, mode="a")
    group = root.require_group("images").create_group(name)
    axes = [{"name": n, "type": "channel" if n == "c" else "space"} for n in "cyx"]
    affine = [
        [1, 0, 0, 0],
        [0, matrix[1, 1], matrix[1, 0], matrix[1, 2]],
        [0, matrix[0, 1], matrix[0, 0], matrix[0, 2]],
    ]
    datasets = []
    for level in range(levels):
        own = image[:, :: 2**level, :: 2**level]
        group.create_array(f"s{level}", data=own)
        scale = {"type": "scale", "scale": [1.0, 2.0**level, 2.0**level]}
        datasets.append({"path": f"s{level}", "coordinateTransformations": [scale]})
    step = transformation({"type": "affine", "affine": np.asarray(affine, float).tolist()}, system, "cyx")
    group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets, "coordinateTransformations": [step]}]
    group.attrs["omero"] = {"channels": [{"label": label} for label in channels]}


@pytest.mark.parametrize("spatial", [True, False])
@pytest.mark.parametrize("fluorescence", [True, False])
def test_the_image_of_a_spatialdata_store(tmp_path, spatial, fluorescence):
    """Outlines in micrometres that are 4 pixels each in the system "global", as Xenium has it."""
    truth = make_truth(n_cells=40)
    scale = [transformation({"type": "scale", "scale": [4.0, 4.0]})]
    folder = write_spatialdata(tmp_path / "s.zarr", truth, elements="polygons", spatial=spatial, transformations=scale)
    place = np.array([[20.0, 0, -40], [0, 20.0, -60], [0, 0, 1]])
    pixels = (truth.spatial * 4 - place[:2, 2]) / 20
    shape = np.ceil(pixels.max(axis=0)[::-1] + 9).astype(int)
    image = np.moveaxis(spotted(pixels, shape, size=1), -1, 0)
    if fluorescence:  # bright nuclei on black, a channel of something else in front
        image = np.stack([np.full(shape, 7), 255 - image[0].astype(int)]).astype(np.uint16) * 100
    add_image(folder, "morphology_focus", image, place, channels=("CD45", "DAPI") if fluorescence else ("r", "g", "b"))
    add_image(folder, "a_other_slide", image, place, system="elsewhere")
    adata = ingest(tmp_path, folder, spatial_unit="um" if spatial else "")
    about, at_cells, everywhere = darkness_at_cells(adata, tmp_path / "out" / "thumbnails")
    assert abs(at_cells - everywhere) > 100
    assert (at_cells > everywhere) == fluorescence
    assert about["source"] == "images/morphology_focus"
    # 20 pixels of the system are 5 um
    assert about["units_per_px"] == pytest.approx(5 if spatial else 20)
    assert about["um_per_px"] == (pytest.approx(5) if spatial else None)


def test_each_part_of_a_folder_has_its_own(tmp_path):
    visium_with_picture(tmp_path / "s")
    raw, _ = read_raw({"path": str(tmp_path / "s")}, None)
    halves = np.array_split(raw.obs_names[np.argsort(raw.obsm["spatial"][:, 0])], 2)
    rows = []
    for name, cells in zip("ab", halves):
        (tmp_path / f"{name}.csv").write_text("cell_id\n" + "\n".join(cells) + "\n")
        own = {"path": str(tmp_path / "s"), "cells": str(tmp_path / f"{name}.csv")}
        rows.append({"sample": name, "patient": name} | own)
    (tmp_path / "manifest.json").write_text(json.dumps(rows))
    result = invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    a, b = (json.loads((tmp_path / "out" / "thumbnails" / f"{name}.json").read_text()) for name in "ab")
    assert a["x"] + a["width"] * a["units_per_px"] / 2 < b["x"]


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_picture_is_brought_upright(angle, mirrored):
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 300], [sin, cos, 500], [0, 0, 1]]) @ np.diag([2.0, -2.0 if mirrored else 2.0, 1])
    pixels = np.random.default_rng(1).uniform(60, 340, (50, 2))
    image = Image.fromarray(spotted(pixels, (400, 400)))
    points = pixels @ turn[:2, :2].T + turn[:2, 2]
    found, _ = thumbnail_of(Picture("p", (Level(400, 400, turn, lambda: image),)), points, 0.0)
    column, row = np.floor((points - [found.x, found.y]) / found.units_per_px).astype(int).T
    grey = np.asarray(found.image.convert("L"))
    assert grey[row, column].mean() < 80 < 180 < grey.mean()
    assert found.units_per_px == pytest.approx(2.0)


def test_the_coarsest_copy_that_is_fine_enough_is_decoded():
    def level(size):
        def load():
            asked.append(size)
            return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8))

        return Level(size, size, scaled(8000 / size), load)

    asked: list[int] = []
    points = np.random.default_rng(0).uniform(0, 8000, (500, 2))
    picture = Picture("pyramid", tuple(level(size) for size in (16_000, 4000, 2000, 1000)))
    found, _ = thumbnail_of(picture, points, 0.0)
    assert asked == [2000]
    assert max(found.image.size) == 1500
    # cells of a corner need a finer copy; the finest, of 256 megapixels, is never taken
    thumbnail_of(picture, points / 10, 0.0)
    assert asked == [2000, 4000]


def test_a_picture_of_another_place_or_too_large_is_not_shown():
    far = np.random.default_rng(0).uniform(500, 900, (50, 2))
    small = Picture("p.png", (Level(100, 100, scaled(1.0), lambda: Image.new("L", (100, 100))),))
    assert thumbnail_of(small, far, 0.0) == (None, "no thumbnail: only 0 % of the cells lie in the picture p.png")
    huge = Picture("huge.tif", (Level(20_000, 20_000, scaled(1.0), lambda: pytest.fail("decoded")),))
    found, note = thumbnail_of(huge, far, 0.0)
    assert found is None
    assert "50 megapixels and no smaller copy" in note


def test_a_copy_without_a_picture_gives_way_to_the_next():
    points = np.random.default_rng(0).uniform(0, 1000, (50, 2))
    black = Level(1000, 1000, scaled(1.0), lambda: Image.new("RGB", (1000, 1000)), "hires")
    ramp = Image.fromarray(np.tile(np.arange(250, dtype=np.uint8), (250, 1)))
    found, _ = thumbnail_of(
        Picture("hires", (black, Level(250, 250, scaled(4.0), lambda: ramp, "lowres"))), points, 0.0
    )
    assert (found.source, found.units_per_px) == ("lowres", pytest.approx(4))
    assert thumbnail_of(Picture("hires", (black,)), points, 0.0)[1] == "no thumbnail: hires has one colour all over"


def test_a_thumbnail_has_at_most_a_megabyte(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    write_thumbnail(Thumbnail(Image.fromarray(noise), 3.0, 4.0, 2.0, "noise"), tmp_path, "s", "px")
    assert 100_000 < (tmp_path / "s.jpg").stat().st_size <= MOST_BYTES
    about = json.loads((tmp_path / "s.json").read_text())
    assert about["width"] * about["units_per_px"] == pytest.approx(3000)
    assert (about["x"], about["y"], about["um_per_px"]) == (3.0, 4.0, None)


def test_channels_of_more_than_bytes_are_shown_in_grey():
    values = np.linspace(0, 60_000, 10_000).reshape(100, 100).astype(np.uint16)
    grey = np.asarray(image_of(np.dstack([values * 0, values])[..., [0, 1]], channel=1))
    assert (grey.dtype, grey.min(), grey.max()) == (np.uint8, 0, 255)
    assert np.asarray(image_of(np.zeros((4, 4), np.uint16))).max() == 0


UM_PER_PX = 0.2125


def packed_tile(tile, compression):
    if compression == 8:
        return zlib.compress(tile.tobytes())
    if compression == 1:
        return tile.tobytes()
    with io.BytesIO() as stream:
        Image.fromarray(tile).save(stream, "JPEG2000", no_jp2=True, irreversible=False)
        return stream.getvalue()


def write_tiff(file, copies, compression=34712, side=32, big=False, description=""):
    """A tiled TIFF of 16 bits: the first of ``copies`` (uint16, y x x), and the others as its SubIFDs."""
    count, room, offset = ("Q", 8, "Q") if big else ("I", 4, "I")
    out = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if big else struct.pack("<2sHI", b"II", 42, 0))
    starts = []
    for number in reversed(range(len(copies))):
        pixels, places, sizes = copies[number], [], []
        for row in range(0, pixels.shape[0], side):
            for column in range(0, pixels.shape[1], side):
                tile = np.zeros((side, side), np.uint16)
                part = pixels[row : row + side, column : column + side]
                tile[: part.shape[0], : part.shape[1]] = part
                places.append(len(out))
                out += packed_tile(tile, compression)
                sizes.append(len(out) - places[-1])
        whole = 16 if big else 4
        tags = {256: (4, [pixels.shape[1]]), 257: (4, [pixels.shape[0]]), 258: (3, [16]), 259: (3, [compression]),
                277: (3, [1]), 322: (4, [side]), 323: (4, [side])}  # fmt: skip
        tags |= {324: (whole, places), 325: (whole, sizes)}
        if number == 0:
            tags[270] = (2, list(description.encode() + b"\0"))
        if number == 0 and starts:
            tags[330] = (18 if big else 13, list(starts))
        entries = b""
        for tag, (kind, values) in sorted(tags.items()):
            data = struct.pack(f"<{len(values)}{ {2: 'B', 3: 'H', 4: 'I', 13: 'I', 16: 'Q', 18: 'Q'}[kind] }", *values)
            if len(data) > room:
                data, at = struct.pack(f"<{offset}", len(out)), data
                out += at
            entries += struct.pack(f"<HH{count}", tag, kind, len(values)) + data.ljust(room, b"\0")
        starts.insert(0, len(out))
        out += struct.pack("<Q" if big else "<H", len(tags)) + entries + bytes(room)
    struct.pack_into(f"<{offset}", out, 8 if big else 4, starts[0])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(out)


@pytest.mark.parametrize("name", [
    "morphology_focus/morphology_focus_0000.ome.tif", "morphology_focus/ch0000_dapi.ome.tif",
    "morphology_focus.ome.tif", "morphology_mip.ome.tif",
])  # fmt: skip
def test_nuclei_of_xenium(tmp_path, name):
    """Tiles of JPEG 2000, which Pillow opens in no TIFF; cells lie where the nuclei are bright."""
    _, cells = write_xenium(tmp_path / "s")
    points = cells[["x_centroid", "y_centroid"]].to_numpy()
    shape = np.ceil(points.max(axis=0)[::-1] / UM_PER_PX + 20).astype(int)
    nuclei = 4000 - 15 * spotted(points / UM_PER_PX, shape, size=6)[:, :, 0].astype(np.uint16)
    write_tiff(tmp_path / "s" / name, [nuclei, nuclei[::2, ::2]], side=256)
    write_json(tmp_path / "s" / "experiment.xenium", pixel_size=UM_PER_PX)
    adata = ingest(tmp_path, tmp_path / "s")
    about, at_cells, overall = darkness_at_cells(adata, tmp_path / "out" / "thumbnails")
    assert at_cells > overall + 60
    assert about["source"] == name.rpartition("/")[2]
    assert about["um_per_px"] >= UM_PER_PX


@pytest.mark.parametrize("compression", [1, 8, 34712])
@pytest.mark.parametrize("big", [False, True])
def test_copies_of_a_tiled_tiff(tmp_path, compression, big):
    full = np.random.default_rng(0).integers(0, 4000, (70, 50)).astype(np.uint16)
    half = full[::2, ::2]
    write_tiff(tmp_path / "a.tif", [full, half], compression, big=big, description='<Pixels PhysicalSizeX="0.5">')
    picture = tiff_picture(tmp_path / "a.tif", None)
    assert [(level.width, level.height) for level in picture.levels] == [(50, 70), (25, 35)]
    assert [level.to_file[0, 0] for level in picture.levels] == [0.5, 1.0]
    for level, values in zip(picture.levels, (full, half)):
        assert np.array_equal(np.asarray(level.load()), np.asarray(image_of(values)))


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"no TIFF at all, but long enough", lambda b: b""])
def test_a_tiff_that_is_none_costs_the_thumbnail_only(tmp_path, damage):
    write_xenium(tmp_path / "s")
    write_tiff(tmp_path / "s" / "morphology_focus.ome.tif", [np.ones((64, 64), np.uint16)])
    file = tmp_path / "s" / "morphology_focus.ome.tif"
    file.write_bytes(damage(file.read_bytes()))
    write_json(tmp_path / "s" / "experiment.xenium", pixel_size=UM_PER_PX)
    assert ingest(tmp_path, tmp_path / "s").n_obs > 0
    assert not list((tmp_path / "out").glob("thumbnails/*"))
