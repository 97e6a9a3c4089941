"""The calibration bench in small: fixed seed, bounds that fit the number of cohorts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers import invoke
from semanticst.association.associate import examine
from semanticst.association.design.tables import Contrast
from semanticst.bench import _rival_tests, calibration
from semanticst.bench._docs_tables import replace_between_marks
from semanticst.bench.hard_cohorts.hard_rows import HARD
from semanticst.bench.hard_cohorts.hard_tests import PERMUTATIONS, chunk, judge, one
from semanticst.bench.material.simulated_counts import PLANTED, Layout, draw

N = 200


@pytest.mark.parametrize(
    "layout",
    [d for d in calibration.DESIGNS if d.kind not in ("survival", "joint") and d.covariates == 0 and not d.batches],
    ids=lambda d: d.name,
)
def test_few_false_positives_where_cells_or_sections_have_many(layout):
    row = calibration.false_positives(layout, 120, seed=1)
    # small and unequal groups may be below: p is the larger of two there
    assert 0.01 < row["pipeline"] < 0.06 + 3 * row["error"]
    assert row["cells"] > 0.5
    if "sections" in row and layout.kind != "paired":
        assert row["sections"] > 0.15
    if "mixed_t" in row:
        assert row["mixed_t"] < 0.11
        assert row["mixed_failed"] < 0.05


def test_survival_without_an_effect():
    row = calibration.false_positives(Layout("s", "survival", (33,)), 100, seed=2)
    assert abs(row["pipeline"] - 0.05) < 0.01 + 3 * row["error"]
    assert row["cells"] > 0.5


def test_planted_niche_is_found_first_and_covered():
    row = calibration.planted(Layout("16 + 16", "groups", (16, 16)), 2.0, N, seed=3)
    assert row["power_q"] > 0.95
    assert row["first"] > 0.95
    assert 0.92 <= row["coverage"] <= 0.97
    weaker = calibration.planted(Layout("8 + 8", "groups", (8, 8)), 1.0, N, seed=3)
    assert weaker["power_q"] < weaker["power"] < row["power"]


@pytest.mark.parametrize("kind", ["groups", "paired", "continuous"])
def test_the_bench_tests_what_the_pipeline_tests(kind):
    """Effect and interval are those of a whole association of the same counts."""
    layout = Layout("x", kind, (9,) if kind != "groups" else (4, 5), (4,))
    cohort = draw(layout, 1, seed=5, effect=1.0)[0]
    samples = [f"s{i:02d}" for i in range(len(cohort.counts))]
    x = cohort.x if kind == "paired" else cohort.x[layout.patient]
    sections = pd.DataFrame(
        {"patient": [f"p{p:02d}" for p in layout.patient], "x": [f"{v:.17g}" for v in x]}, index=samples
    )
    counts = pd.DataFrame(cohort.counts, index=samples, columns=range(1, cohort.counts.shape[1] + 1))
    contrast = Contrast("c", "continuous" if kind == "continuous" else "groups", column="x")
    table = examine(
        contrast, sections, counts, permutations=_rival_tests.PERMUTATIONS, log_cells="false"
    ).primary.set_index("niche")
    found = _rival_tests.linear(cohort, seed=0)
    row = table.loc[str(PLANTED + 1)]
    assert row["effect"] == pytest.approx(found.effect[PLANTED])
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((found.ci_low[PLANTED], found.ci_high[PLANTED]), rel=1e-6)
    assert row["p"] == pytest.approx(found.p[PLANTED])


def test_cohorts_have_the_wanted_share_of_events_and_repeat_with_the_seed():
    layout = Layout("s", "survival", (40,), events=0.3)
    first, again = draw(layout, 3, seed=4), draw(layout, 3, seed=4)
    assert [c.event.sum() for c in first] == [12, 12, 12]
    assert (first[2].counts == again[2].counts).all()
    assert not (first[0].counts == first[1].counts).all()


def test_command_writes_table_and_figure_into_the_documentation(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "DESIGNS", calibration.DESIGNS[1:2])
    monkeypatch.setattr(calibration, "PLANTED_DESIGNS", calibration.PLANTED_DESIGNS[:1])
    monkeypatch.setattr(calibration, "SURVIVAL_DESIGNS", calibration.SURVIVAL_DESIGNS[:1])
    monkeypatch.setattr(
        calibration, "HARD", [d for d in calibration.HARD if d.name in ("3 + 3", "SD 1.2 and 0.4, 8 + 8")]
    )
    monkeypatch.setattr(calibration, "EFFECTS", (2.0,))
    monkeypatch.setattr(calibration, "LOG_HAZARDS", (1.0,))
    monkeypatch.setattr(calibration, "CHUNK", 10)
    command = (calibration.calibration, "--cohorts", 20, "--docs", tmp_path, "--kept", tmp_path / "kept")
    result = invoke(*command)
    assert result.exit_code == 0, result.output
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| two groups, 8 + 8, 5 sections each | 20 | 0.0" in text
    assert "| 3 + 3 | 20 | 0.0" in text
    assert "| SD 1.2 and 0.4, 8 + 8: whole composition | 20 | 0." in text
    for name in ("calibration", "calibration_hard"):
        assert (tmp_path / "images" / f"{name}.png").stat().st_size > 10_000
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()}
    assert len(kept) == 3 + 2 * 2
    # cut short: what is there is not made again, and the table says of how many cohorts it is
    lost = next(p for p in kept if "hard: 3 + 3, 10" in p.read_text())
    lost.unlink()
    assert invoke(*command, "--max-minutes", 0).exit_code == 0
    del kept[lost]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()} == kept
    assert "| 3 + 3 | 10 | 0.0" in (tmp_path / "benchmarks.md").read_text()


def test_only_what_stands_between_the_marks_is_replaced(tmp_path):
    path = tmp_path / "benchmarks.md"
    path.write_text("# Benchmarks\n\nby hand\n\n<!-- a: begin -->\nold\n<!-- a: end -->\n\nalso by hand\n")
    replace_between_marks(path, "a", "unused", "new")
    replace_between_marks(path, "b", "Another", "more")
    text = path.read_text()
    assert "old" not in text
    assert text.index("by hand") < text.index("new") < text.index("also by hand") < text.index("## Another")
    assert np.all([text.count(f"<!-- {m}: begin -->") == 1 for m in "ab"])


@pytest.mark.parametrize(
    "name",
    ["3 + 3, niches present or absent", "own courses, 8 patients, 5 times", "nested batches, 5 of 4 patients a group"],
)
def test_hard_cohorts_in_small(name, capsys):
    """The rows of ``bench calibration`` that need the most of a test; their seconds are printed."""
    found = judge(next(d for d in calibration.HARD if d.name == name), 30, seed=3)
    print(f"{name}: {found['seconds']:.0f} s")
    assert found["pipeline"] < 0.05 + 0.01 + 3 * found["error"]
    assert found["any_q"] <= 0.14, "more than four of thirty cohorts"
    assert found["coverage"] > 0.9


def test_all_hard_designs_in_small(capsys):
    """Every row of ``bench calibration`` that something else than the outcome goes with, 12 cohorts each."""
    found = [chunk(design, 0, 12, seed=11) for design in HARD]
    rates, any_q, joint = (np.array([v for part in found for v in part[k]]) for k in ("rates", "any_q", "joint"))
    print(f"{len(HARD)} designs: {sum(part['seconds'] for part in found):.0f} s of the processor")
    assert rates.mean() < 0.05 + 3 * rates.std() / np.sqrt(len(rates))
    assert any_q.mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(any_q))
    assert (joint <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(joint))
    assert sum(part["covered"] for part in found) / sum(part["intervals"] for part in found) > 0.94
    worst = max(found, key=lambda part: np.mean(part["any_q"]))
    assert np.sum(worst["any_q"]) <= 4, "of twelve: one in three cohorts with a finding is no chance"


@pytest.mark.parametrize("name", ["cells 200 v 5,000, 12 + 12", "nested batches, 5 of 4 patients a group", "6 pairs"])
def test_hard_cohorts_are_judged_by_the_p_of_the_association(name):
    design = next(d for d in HARD if d.name == name)
    question = design.draw(np.random.default_rng(4))
    table = examine(
        question.contrast, question.sections, question.counts, permutations=PERMUTATIONS, seed=9, with_checks=False
    ).table
    judged = one(replace(design, joint=True), np.random.default_rng(4), 9)
    primary = table[table["family"] == "primary"].sort_values("niche")
    np.testing.assert_allclose(np.sort(judged.p), np.sort(primary["p"]), rtol=1e-9)
    joint = table.loc[table["family"] == "composition", "p"].iloc[0]
    assert judged.joint == joint or np.isnan([judged.joint, joint]).all()
    assert sum(judged.covered) == ((primary["ci_low"] <= 0) & (primary["ci_high"] >= 0)).sum()
