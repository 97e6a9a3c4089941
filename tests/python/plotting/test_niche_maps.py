"""Niche maps: the pictures themselves are looked at, pixel by pixel."""

import logging
import os
import time
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from PIL import Image

from semanticst.plotting import niche_maps
from semanticst.plotting.niche_maps import (
    SectionMap,
    choose_sections,
    draw_section,
    section_figure,
    write_map,
    write_maps,
    write_thumbnails,
)
from semanticst.plotting.palette import named_niches, niche_colour, niche_marker
from semanticst.plotting.section_axes import bar_label, bar_length, dot_diameter
from semanticst.plotting.thumbnail import Thumbnail, write_thumbnail
from semanticst.plotting.tissue_place import read_place


def lattice(columns, rows, step=10.0):
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.column_stack([x.ravel(), y.ravel()]) * step


def section(sample="s1", patient="p1", columns=20, rows=20, unit="um"):
    """Niche 1 at small y, niche 2 at large y."""
    xy = lattice(columns, rows)
    return SectionMap(sample, patient, xy, np.where(xy[:, 1] < 5 * rows, 1, 2), unit)


def pixels(picture, niche):
    """Where a picture shows the colour of a niche: bool, height x width."""
    return np.abs(picture[..., :3] - to_rgb(niche_colour(niche))).max(axis=2) < 0.02


def test_map_shows_both_niches_upright_and_in_full(tmp_path):
    write_map(section(columns=40, rows=40), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"s1.niches.png", "s1.niches.pdf"}
    picture = imread(tmp_path / "s1.niches.png")
    first, second = pixels(picture, 1), pixels(picture, 2)
    # half of the section each; dots that touch on a square lattice cover pi/4 of it, less their blurred rims
    side = 6.5 * 200 / 1.06
    for shown in (first, second):
        assert shown.sum() == pytest.approx(np.pi / 4 * side**2 / 2, rel=0.15)
    # y grows downwards
    assert np.argwhere(first)[:, 0].mean() < np.argwhere(second)[:, 0].mean()
    assert not pixels(picture, 3).any()


def test_the_legend_has_the_share_of_each_niche_that_is_drawn():
    many = section(columns=20, rows=20)
    niche = np.full(400, 1)
    niche[0] = 2
    [legend] = section_figure(replace(many, niche=niche)).legends
    assert [text.get_text() for text in legend.get_texts()] == ["Niche 1 (100 %)", "Niche 2 (< 1 %)"]


def test_the_picture_of_the_tissue_lies_under_the_map_where_the_cells_are(tmp_path):
    plain = section()
    # 2 units a pixel, 30 units around the cells; dark under the lower half
    low, high = plain.xy.min(axis=0) - 30, plain.xy.max(axis=0) + 30
    width, height = ((high - low) / 2).astype(int)
    picture = Image.new("RGB", (width, height), (250, 220, 230))
    picture.paste((90, 20, 90), (0, height // 2, width, height))
    write_thumbnail(Thumbnail(picture, *low, 2.0, "he.tif"), tmp_path, "s1", "um")
    axes = section_figure(replace(plain, tissue=read_place(tmp_path / "s1.json"))).axes[0]
    [image] = axes.get_images()
    bottom = image.get_extent()[2]
    assert image.get_extent() == [low[0], low[0] + 2 * width, bottom, low[1]]
    # it ends between the cells and the scale bar, which is dark as some pictures are, and is not stretched
    assert plain.xy[:, 1].max() < bottom < axes.lines[-1].get_ydata()[0]
    assert bottom - low[1] == 2 * len(image.get_array())
    assert all(image.get_zorder() < line.get_zorder() for line in axes.lines)
    # the frame is that of the cells, upright, with and without a picture
    without = section_figure(plain).axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == (without.get_xlim(), without.get_ylim())
    # the lower half is dark, as in the picture, and dots leave room for it
    assert np.asarray(image.get_array())[-1, 0, 0] < 110 < np.asarray(image.get_array())[0, 0, 0]
    assert axes.lines[0].get_markersize() == pytest.approx(0.6 * without.lines[0].get_markersize())
    write_map(replace(plain, tissue=read_place(tmp_path / "s1.json")), tmp_path)
    found = imread(tmp_path / "s1.niches.png")[..., :3] * 255
    assert (np.abs(found - [90, 20, 90]).max(axis=-1) < 25).mean() > 0.1


def test_pdf_is_a_pdf_and_has_no_date(tmp_path):
    write_map(section(), tmp_path)
    content = (tmp_path / "s1.niches.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"CreationDate" not in content


def test_same_niches_give_the_same_files(tmp_path):
    for folder in ("a", "b"):
        write_map(section(), tmp_path / folder)
    for name in ("s1.niches.png", "s1.niches.pdf"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_one_unit_is_as_long_in_x_as_in_y():
    figure = Figure(figsize=(8, 3))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    draw_section(axes, section(columns=10, rows=30))
    origin, right, down = axes.transData.transform([(0, 0), (100, 0), (0, 100)])
    assert right[0] - origin[0] == pytest.approx(origin[1] - down[1])


def test_dots_just_touch_on_a_lattice_and_stay_visible():
    assert dot_diameter(lattice(10, 10, step=10), points_per_unit=0.5) == pytest.approx(5)
    assert dot_diameter(lattice(10, 10, step=1), points_per_unit=0.01) == 0.8
    assert dot_diameter(lattice(2, 2, step=1000), points_per_unit=1) == 14
    # the same spot twice is no distance
    doubled = np.vstack([lattice(10, 10), lattice(10, 10)])
    assert dot_diameter(doubled, points_per_unit=0.5) == pytest.approx(5)


@pytest.mark.parametrize(("width", "length"), [(1000, 200), (4000, 1000), (3999, 500), (0.9, 0.2), (20, 5)])
def test_bar_is_a_round_number_below_a_quarter(width, length):
    assert bar_length(width) == pytest.approx(length)


def test_only_micrometres_are_trusted():
    assert bar_label(200, "um") == "200 µm"
    assert bar_label(2000, "um") == "2 mm"
    assert bar_label(200, "unknown") == "200 coordinate units (unknown)"
    assert bar_label(200, "pixel") == "200 coordinate units (unknown)"


def test_patients_take_turns_on_the_sheet():
    sections = [section(f"s{i}", patient) for i, patient in enumerate("aaabbc")]
    chosen = [(s.sample, s.patient) for s in choose_sections(sections, 4)]
    assert chosen == [("s0", "a"), ("s1", "a"), ("s3", "b"), ("s5", "c")]
    assert len(choose_sections(sections, 99)) == 6
    assert choose_sections(sections, 0) == []


@pytest.mark.parametrize("n", [1, 5])
def test_sheet_has_all_sections_and_a_legend_of_all_niches(tmp_path, n):
    write_thumbnails([section(f"s{i}") for i in range(n)], [1, 2, 3], tmp_path / "sheet.png")
    picture = imread(tmp_path / "sheet.png")
    # niche 3 is in no section: its colour stands in the legend, at the bottom
    assert np.argwhere(pixels(picture, 3))[:, 0].min() > 0.8 * len(picture)
    areas = [pixels(picture, niche).sum() for niche in (1, 2)]
    panel = (2.6 * 150) ** 2 * np.pi / 4 / 2 / 1.06**2
    np.testing.assert_allclose(areas, n * panel, rtol=0.2)


@pytest.mark.parametrize(
    "xy",
    [[(0.0, 0.0)], [(0.0, 0.0), (5.0, 0.0), (9.0, 0.0)], [(3.0, 1.0), (3.0, 1.0)], [(1e7, 1e7), (1e7 + 1e-3, 1e7)]],
    ids=["one cell", "a line", "one spot", "far from the origin"],
)
def test_odd_shapes_are_drawn(tmp_path, xy):
    odd = SectionMap("odd", "p", np.array(xy), np.ones(len(xy), dtype=int), "unknown")
    write_map(odd, tmp_path)
    write_thumbnails([odd], [1], tmp_path / "sheet.png")
    assert pixels(imread(tmp_path / "odd.niches.png"), 1).sum() > 50
    assert pixels(imread(tmp_path / "sheet.png"), 1).sum() > 50


def test_several_threads_write_the_same_maps(tmp_path):
    sections = [section(f"s{i}", columns=5, rows=5) for i in range(3)]
    write_maps(sections, tmp_path / "one", threads=1)
    write_maps(sections, tmp_path / "two", threads=2)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_maps_are_shared_out_to_copies_that_know_the_names_of_niches(tmp_path):
    sections = [section(f"s{i}", columns=5, rows=5) for i in range(2)]
    write_maps(sections, tmp_path / "numbers", threads=2)
    with named_niches({1: "Rim"}):
        write_maps(sections, tmp_path / "one", threads=1)
        write_maps(sections, tmp_path / "two", threads=2)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert path.read_bytes() != (tmp_path / "numbers" / path.name).read_bytes()


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 2), (9, 4)])
def test_maps_take_no_more_processes_than_granted_and_tell_their_progress(tmp_path, monkeypatch, caplog, threads, most):
    def map_of(section, outdir, caution):
        time.sleep(0.1)
        (outdir / section.sample).write_text(str(os.getpid()))

    monkeypatch.setattr(niche_maps, "write_map", map_of)
    monkeypatch.setattr("semanticst.progress.EVERY", 0.02)
    caplog.set_level(logging.INFO)
    write_maps([section(f"s{i}", columns=2, rows=2) for i in range(4)], tmp_path, threads)
    processes = {path.read_text() for path in tmp_path.iterdir()}
    assert 1 <= len(processes) <= most
    assert (str(os.getpid()) in processes) is (threads == 1)
    assert caplog.messages[0].startswith("niche maps: 0 of 4")


def test_more_niches_than_colours_differ_in_shape():
    told = {(niche_colour(k), niche_marker(k)) for k in range(1, 61)}
    assert len(told) == 60
