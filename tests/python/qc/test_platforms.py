"""Floors of the platforms: every name is one of the samplesheet's, and no platform's ordinary sample is emptied."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers import ROOT
from semanticst.constants import FeatureType
from semanticst.qc.platforms import GENERIC, PLATFORMS, platform_defaults
from semanticst.qc.thresholds import QcSettings, thresholds


def kept(platform, total, features, mito=np.nan):
    table = pd.DataFrame({"total_counts": total, "n_features": features, "mito_share": mito})
    limits = thresholds(table, FeatureType.COUNTS, QcSettings(), platform_defaults(platform, 5000))
    return (~np.any([limit.fails(table) for limit in limits], axis=0)).mean()


def test_every_row_is_a_platform_of_the_samplesheet():
    schema = json.loads((ROOT / "assets/schema_input.json").read_text())
    assert set(PLATFORMS) <= set(schema["items"]["properties"]["platform"]["enum"])
    assert platform_defaults("", 5000) is platform_defaults("codex", 40) is GENERIC


@pytest.mark.parametrize("name", PLATFORMS)
def test_numbers_make_sense_and_have_a_reason(name):
    row = PLATFORMS[name]
    assert row.floor_counts >= row.floor_features >= 1
    assert 0 < row.ceiling_mito <= 1
    assert len(row.reason) > 40


@pytest.mark.parametrize(
    ("platform", "median_counts", "median_features"),
    [("visium", 60, 40), ("visium_hd", 2, 2), ("stereoseq", 4, 4), ("slideseq", 60, 45), ("xenium", 60, 30),
     ("cosmx", 60, 40), ("osmfish", 25, 8), ("starmap", 40, 12), ("", 30, 15)],
)  # fmt: skip
def test_a_shallow_sample_is_not_emptied(platform, median_counts, median_features):
    rng = np.random.default_rng(0)
    total = np.maximum(rng.lognormal(np.log(median_counts), 0.4, 5000).round(), 1)
    assert kept(platform, total, np.maximum(np.minimum(total, median_features), 1)) > 0.97


def test_mitochondrial_share_of_a_panel_is_not_cut():
    mito = np.r_[np.full(50, 0.1), 0.9]
    assert kept("xenium", np.full(51, 200.0), np.full(51, 50), mito) == 1
    assert kept("visium", np.full(51, 200.0), np.full(51, 50), mito) < 1


def test_a_small_gene_set_of_a_whole_transcriptome_platform_has_the_generic_floor():
    assert platform_defaults("visium", 7319).floor_counts == 20
    few = platform_defaults("visium", 100)
    assert (few.floor_counts, few.floor_features) == (GENERIC.floor_counts, GENERIC.floor_features)
    assert few.kind == "spots, few features"
    assert platform_defaults("xenium", 248) is PLATFORMS["xenium"]
