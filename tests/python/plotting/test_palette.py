"""Colours of niches."""

import json

import pandas as pd
import pytest

from semanticst.describe.niche_sections import _composition
from semanticst.plotting.palette import bar_colour, niche_colour
from semanticst.report.summary_figures import _composition as composition_figure


def test_bars_of_many_niches_differ():
    assert [bar_colour(k) for k in range(1, 21)] == [niche_colour(k) for k in range(1, 21)]
    assert len({bar_colour(k) for k in range(1, 61)}) == 60
    light = [[sum(bytes.fromhex(bar_colour(k + step)[1:])) for step in (40, 0, 20)] for k in range(1, 21)]
    assert all(darker < own < paler for darker, own, paler in light)
    with pytest.raises(ValueError, match="numbered from 1"):
        bar_colour(0)


def test_composition_of_many_niches_has_no_colour_twice(tmp_path):
    counts = pd.DataFrame({"sample": "s", "niche": range(1, 31), "n_cells": 5})
    _composition(tmp_path, counts)
    [path] = tmp_path.glob("*_mqc.json")
    pieces = json.loads(path.read_text())["categories"].values()
    assert {piece["name"]: piece["color"] for piece in pieces} == {f"Niche {k}": bar_colour(k) for k in range(1, 31)}
    bars = composition_figure(counts)[1].axes[0].patches
    assert len({(bar.get_facecolor(), bar.get_hatch()) for bar in bars}) == 30
