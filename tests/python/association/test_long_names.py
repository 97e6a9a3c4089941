"""Names as long as they may be fit into figures."""

from itertools import combinations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from clinical_helpers import make_cohort
from figure_helpers import drawn, texts_of
from semanticst.association.output.composition_plot import composition
from semanticst.association.output.forest_plot import forest
from semanticst.association.output.kaplan_meier import survival_curves
from semanticst.association.output.patient_plot import patients
from semanticst.describe.marker_dots import draw_marker_dots
from semanticst.plotting import style
from semanticst.plotting.style import font_families, wrapped


@pytest.fixture(scope="module")
def groups():
    return make_cohort((8, 8), effect=2.5).ask("groups", column="group")


def test_in_the_forest(groups):
    figure = drawn(forest, groups)
    assert figure.axes[0].get_position().width > 0.4
    names = [place for text, place in texts_of(figure).items() if text.startswith("Niche")]
    assert len(names) == 5
    assert not any(a.overlaps(b) for a, b in combinations(names, 2))


def test_above_the_points_of_patients(groups):
    titles = [place for text, place in texts_of(drawn(patients, groups)).items() if "q\N{NO-BREAK SPACE}" in text]
    assert len(titles) == 5
    assert not any(a.overlaps(b) for a, b in combinations(titles, 2))


def test_beside_the_bars(groups):
    figure = drawn(composition, groups)
    assert figure.axes[0].get_position().width > 0.2


def test_above_the_bars():
    cohort = make_cohort((4, 8), effect=2.5)
    levels = {"g0": "partial or no response by RECIST 1.1", "g1": "complete response that lasted six months"}
    cohort.sections["group"] = cohort.sections["group"].map(levels)
    figure = drawn(composition, cohort.ask("groups", column="group", with_checks=False, permutations=99))
    texts = texts_of(figure)
    titles = [texts[ax.get_title(loc="left")] for ax in figure.axes]
    beside = [place for text, place in texts.items() if text.startswith("Niche") or text == "B cells"]
    assert len(titles) == 2
    assert len(beside) == 5
    assert not any(a.overlaps(b) for a, b in combinations([*titles, *beside], 2))


def test_above_survival_curves():
    asked = {"time": "time", "event": "event", "event_value": "1"}
    result = make_cohort((12, 12), effect=1.0).ask("survival", **asked)
    drawn(survival_curves, result)


def test_in_the_dots_of_markers(tmp_path, monkeypatch):
    rows = [(k, gene, 1.0, 1.0) for k in (1, 2, 3) for gene in "AB"]
    markers = pd.DataFrame(rows, columns=["niche", "symbol", "mean_in", "log2_fold_change"])
    figures = []
    monkeypatch.setattr("semanticst.describe.marker_dots.save", lambda figure, path, dpi: figures.append(figure))

    def draw(_) -> Figure:
        draw_marker_dots(markers, ["A", "B"], "log2 fold change", tmp_path / "dots")
        return figures[0]

    drawn(draw, None)


def test_wide_letters_take_twice_the_room():
    assert wrapped("a" * 20, 10).splitlines() == ["a" * 10] * 2
    assert wrapped("\N{CJK UNIFIED IDEOGRAPH-533A}" * 10, 10).splitlines() == ["\N{CJK UNIFIED IDEOGRAPH-533A}" * 5] * 2
    assert wrapped("", 10) == ""


def test_a_font_with_other_signs_is_asked_where_it_is_installed(monkeypatch):
    class Font:
        name = "WenQuanYi Zen Hei"

    assert font_families()[0] == "DejaVu Sans"
    monkeypatch.setattr(style.fontManager, "ttflist", [Font()])
    assert font_families() == ["DejaVu Sans", "WenQuanYi Zen Hei"]
    monkeypatch.setattr(style.fontManager, "ttflist", [])
    assert font_families() == ["DejaVu Sans"]
