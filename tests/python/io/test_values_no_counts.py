"""Whole numbers that are no counts, and counts of few features that are."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers import make_sample, real_data
from semanticst.constants import UNS
from semanticst.io.ingest import ingest_sample, read_raw
from semanticst.io.read_check import look_at_samples
from semanticst.io.values import _too_even, look_stained, strange_frequencies, why_no_counts

CHANGES = {
    "log(1 + x)": lambda X, total: np.log1p(X),
    "log of scaled": lambda X, total: np.log1p(X * 1e4 / total),
    "log2 of scaled": lambda X, total: np.log2(X * 1e4 / total + 1),
    "times 3": lambda X, total: X * 3,
    "times 1.7": lambda X, total: X * 1.7,
    "halved": lambda X, total: X / 2,
    "to 10,000": lambda X, total: X * 1e4 / total,
}


def counts(kind: str, seed: int = 0) -> np.ndarray:
    """float64, cells x features: a panel of imaging, one of few abundant genes, a transcriptome of spots."""
    draw = np.random.default_rng(seed)
    depth = draw.lognormal(0, 0.5, (1500, 1))
    if kind == "panel":
        return draw.poisson(depth * draw.gamma(0.3, 1.0, (1500, 120))).astype(float)
    if kind == "few genes":
        return draw.poisson(depth * draw.gamma(2, 5, (1500, 8))).astype(float)
    if kind == "one rate":  # the least that counts can vary
        return draw.poisson(3.0, (1500, 20)).astype(float)
    return draw.poisson(depth[:400] * draw.gamma(2, 0.5, (400, 600)) * draw.lognormal(-0.5, 1.2, 600)).astype(float)


KINDS = ("panel", "few genes", "one rate", "spots")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_counts_are_counts(kind, seed):
    assert why_no_counts(sp.csr_matrix(counts(kind, seed))) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES)
def test_rounded_logarithms_and_scaled_counts_are_none(kind, change):
    X = counts(kind)
    changed = np.rint(CHANGES[change](X, np.maximum(X.sum(axis=1, keepdims=True), 1)))
    assert why_no_counts(sp.csr_matrix(changed)) != ""


def test_counts_scaled_to_the_median_total_and_roots_are_none():
    few, spots = counts("few genes"), counts("spots")
    for X, told in ((few, "the totals of the cells are nearly the same"), (spots, "have no 1, which")):
        total = X.sum(axis=1, keepdims=True)
        assert told in why_no_counts(sp.csr_matrix(np.rint(X * np.median(total) / total)))
    assert why_no_counts(sp.csr_matrix(np.rint(np.sqrt(spots)))).endswith("as in rounded logarithms")
    even = np.rint(np.sqrt(np.random.default_rng(0).poisson(9.0, (1500, 8))))
    assert _too_even(sp.csr_matrix(np.hstack([even, counts("panel")]))) == (
        "the variance of 8 features is below their mean, as in rounded roots or logarithms"
    )


def test_counts_drawn_to_one_total_are_counts():
    draw = np.random.default_rng(0)
    X = np.array([draw.multinomial(400, rates / rates.sum()) for rates in draw.gamma(0.3, 1.0, (800, 120))])
    assert why_no_counts(sp.csr_matrix(X.astype(float))) == ""


@pytest.mark.parametrize(("highest", "bits"), [(255, True), (4000, False)])
def test_whole_numbers_with_a_background_are_asked_about(tmp_path, highest, bits):
    draw = np.random.default_rng(0)
    table = np.clip(draw.gamma(1.5, highest / 6, (300, 6)), 0, highest).round()
    sample = make_sample(n_cells=300, n_features=6)
    sample.X = sp.csr_matrix(table.astype(np.float32))
    sample.write_h5ad(tmp_path / "s.h5ad")
    row = {"sample": "s1", "patient": "p1", "path": str(tmp_path / "s.h5ad")}
    (warning,) = [w for w in ingest_sample(row).uns[UNS]["warnings"] if w.startswith("are these counts?")]
    assert "6 of 6 features are above 0 in nearly all cells" in warning
    assert ("none is above 255 (8 bits)" in warning) == bits
    for more in ({"platform": "mif"}, {"feature_type": "counts"}, {"platform": "merfish"}):
        assert not any("are these counts?" in w for w in ingest_sample(row | more).uns[UNS]["warnings"])


@pytest.mark.filterwarnings("error")
def test_half_floats_are_looked_at_as_others():
    values = np.arange(1, 500)
    assert strange_frequencies(values.astype(np.float16)) == strange_frequencies(values.astype(np.float32)) == ""
    assert strange_frequencies(4 * values.astype(np.float16)) == strange_frequencies(4 * values)


def test_what_is_told():
    assert why_no_counts(sp.csr_matrix(counts("panel") * 3)) == (
        "all are multiples of 3, as counts that were multiplied by it"
    )
    assert why_no_counts(sp.csr_matrix(np.rint(np.log1p(counts("few genes"))))).endswith("as in rounded logarithms")


@pytest.mark.parametrize("values", [np.eye(200), np.zeros((200, 3)), np.full((5, 5), 7.0), np.full((200, 5), 0.5)])
def test_nothing_is_said_of_other_values(values):
    assert why_no_counts(sp.csr_matrix(values)) == ""


@pytest.mark.parametrize(("platform", "stated"), [("", ""), ("xenium", ""), ("", "counts"), ("codex", "")])
def test_they_are_continuous_with_a_warning(tmp_path, platform, stated):
    sample = make_sample(n_cells=1500, n_features=8)
    sample.X = sp.csr_matrix(np.rint(np.log1p(counts("few genes"))).astype(np.float32))
    sample.write_h5ad(tmp_path / "s.h5ad")
    row = {"sample": "s1", "patient": "p1", "path": str(tmp_path / "s.h5ad"), "platform": platform}
    own = ingest_sample(row | {"feature_type": stated}).uns[UNS]
    assert own["feature_type"] == (stated or "continuous")
    warned = [text for text in own["warnings"] if text.startswith("the values are whole numbers and no counts: ")]
    assert len(warned) == (platform != "codex")
    assert [("counts are stated" in text) for text in warned] == [bool(stated)] * len(warned)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("dlpfc_br8100/samples/151673.h5ad", ""), ("her2st_4/samples/C1.h5ad", ""), ("st_breast_4layers.h5ad", ""),
        ("starmap_mpfc/samples/20180417_BZ5_control.h5ad", ""), ("vendor/xenium_mouse_brain_subset", "xenium"),
        ("vendor/cosmx_lung", "cosmx"), ("vendor/visium_spaceranger_1.0.0", "visium"),
    ],
)  # fmt: skip
def test_real_counts_keep_their_kind(name, platform):
    raw, _ = read_raw({"path": str(real_data(name)), "platform": platform})
    assert why_no_counts(sp.csr_matrix(raw.X)) == ""
    assert look_stained(sp.csr_matrix(raw.X)) == ""


@pytest.mark.parametrize(("platform", "n"), [("xenium", 1), ("codex", 0), ("", 0)])
def test_the_check_warns_of_logarithms_as_quality_control_does(tmp_path, platform, n):
    sample = make_sample()
    sample.X = sp.csr_matrix(np.log1p(sample.X.toarray() * 1.7))
    sample.write_h5ad(tmp_path / "s.h5ad")
    row = {"sample": "s1", "patient": "p1", "path": "s.h5ad", "platform": platform}
    ((told,), problems) = look_at_samples([row], tmp_path / "sheet.csv")
    assert problems == []
    assert sum(f"though {platform} counts molecules: logarithms?" in text for text in told["warnings"]) == n


@pytest.mark.parametrize(
    ("n_cells", "factor", "told"),
    [
        (60, 1, ""),
        (60, 0, "all values are 0: quality control will leave out all of its cells"),
        (5, 1, "fewer than 20 cells: it will fail quality control, unless --qc_min_cells is lower"),
    ],
)
def test_a_sample_that_will_fail_is_told_before_the_run(tmp_path, n_cells, factor, told):
    sample = make_sample(n_cells=60)[:n_cells].copy()
    sample.X = sample.X * factor
    sample.write_h5ad(tmp_path / "s.h5ad")
    row = {"sample": "s1", "patient": "p1", "path": "s.h5ad", "platform": "xenium"}
    ((found,), problems) = look_at_samples([row], tmp_path / "sheet.csv")
    assert problems == []
    assert [text for text in found["warnings"] if "quality control" in text] == [told] * bool(told)
