"""Thresholds read from the data of a sample."""

import numpy as np
import pandas as pd
import pytest

from semanticst.constants import FeatureType
from semanticst.qc.platforms import GENERIC, PLATFORMS
from semanticst.qc.thresholds import QcSettings, scaled_mad, thresholds


def metrics(total, n_features=None, mito=np.nan) -> pd.DataFrame:
    total = np.asarray(total, float)
    return pd.DataFrame(
        {"total_counts": total, "n_features": total if n_features is None else n_features, "mito_share": mito}
    )


def by_name(table, kind=FeatureType.COUNTS, platform=GENERIC, **settings):
    return {t.name: t for t in thresholds(table, kind, QcSettings(**settings), platform)}


@pytest.mark.parametrize("seed", range(4))
def test_scaled_mad_is_the_deviation_of_a_normal_distribution(seed):
    values = np.random.default_rng(seed).normal(3, 2.5, 20_000)
    assert scaled_mad(values) == pytest.approx(2.5, rel=0.05)


@pytest.mark.parametrize("mads", [3.0, 5.0])
def test_limit_lies_so_many_deviations_below_the_median_on_the_log_scale(mads):
    logs = np.random.default_rng(0).normal(6, 0.5, 20_000)
    limit = by_name(metrics(np.expm1(logs)), mads=mads)["min_counts"]
    assert np.log1p(limit.value) == pytest.approx(6 - mads * 0.5, abs=0.05)
    assert limit.source == f"median - {mads:g} MADs"


def test_no_spread_means_the_floor():
    limit = by_name(metrics([100.0] * 50 + [60, 140]))["min_counts"]
    assert (limit.value, limit.source) == (GENERIC.floor_counts, "floor (cells)")
    assert not limit.fails(metrics([60, 100])).any()


def test_empty_cells_do_not_move_the_median():
    cells = np.expm1(np.random.default_rng(0).normal(6, 0.5, 500))
    alone = by_name(metrics(cells))["min_counts"].value
    assert by_name(metrics(np.r_[cells, np.zeros(2000)]))["min_counts"].value == pytest.approx(alone)


def test_all_empty():
    assert by_name(metrics(np.zeros(30)))["min_counts"].source == "floor (cells)"


def test_mitochondrial_limit_is_never_strict_by_itself():
    low = by_name(metrics(np.full(100, 50), mito=np.linspace(0.01, 0.02, 100)))["max_mito"]
    assert low.value == GENERIC.ceiling_mito
    high = by_name(metrics(np.full(100, 50), mito=np.linspace(0.4, 0.5, 100)))["max_mito"]
    assert high.value > 0.5
    assert "max_mito" not in by_name(metrics(np.full(100, 50)))


def test_cells_without_a_mitochondrial_share_pass():
    limit = by_name(metrics([50, 50], mito=[0.9, np.nan]), max_mito=0.5)["max_mito"]
    assert limit.fails(metrics([50, 50], mito=[0.9, np.nan])).tolist() == [True, False]


def test_overrides_are_named_as_in_the_samplesheet():
    assert QcSettings().overridden({"qc_min_counts": 3.0}) == QcSettings(min_counts=3.0)
    with pytest.raises(ValueError, match="no such setting: min_count"):
        QcSettings().overridden({"qc_min_count": 3.0})


def with_area(area, control=0.0):
    return metrics(np.full(len(area), 200.0)).assign(cell_area=np.asarray(area, np.float32), control_share=control)


def test_fragments_and_merged_cells_lie_beyond_both_limits_of_the_area():
    area = np.random.default_rng(0).lognormal(4, 0.3, 4000)
    limits = by_name(with_area(area), platform=PLATFORMS["xenium"])
    assert np.log(limits["min_area"].value) == pytest.approx(4 - 5 * 0.3, abs=0.05)
    assert np.log(limits["max_area"].value) == pytest.approx(4 + 5 * 0.3, abs=0.05)
    odd = with_area([1.0, 54.0, 900.0, np.nan])
    assert limits["min_area"].fails(odd).tolist() == [True, False, False, False]
    assert limits["max_area"].fails(odd).tolist() == [False, False, True, False]


def test_areas_are_judged_on_imaging_platforms_or_when_a_limit_is_given():
    area = np.random.default_rng(0).lognormal(4, 0.3, 400)
    assert not {"min_area", "max_area"} & set(by_name(with_area(area)))
    assert by_name(with_area(area), min_area=30)["min_area"].source == "given"
    assert set(by_name(with_area(area), FeatureType.ONEHOT, min_area=30)) == {"min_area"}
    assert "min_area" not in by_name(metrics(area), min_area=30)
    assert "min_area" not in by_name(with_area([80.0] * 50), platform=PLATFORMS["xenium"])


def test_controls_are_limited_on_imaging_platforms():
    table = with_area([50.0, 50.0], control=np.array([0.05, 0.2], np.float32))
    assert by_name(table, platform=PLATFORMS["cosmx"])["max_control"].fails(table).tolist() == [False, True]
    assert "max_control" not in by_name(table)
    assert by_name(table, max_control=0.01)["max_control"].fails(table).all()


def test_a_limit_of_the_samplesheet_or_the_run_goes_before_the_floor():
    limit = by_name(metrics([3.0] * 40), platform=PLATFORMS["visium"], min_counts=2)["min_counts"]
    assert (limit.value, limit.source) == (2, "given")
