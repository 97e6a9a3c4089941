"""Sensitivity of a finding to the clustering, and representative sections."""

import numpy as np
import pandas as pd
import pytest

from clinical_helpers import Cohort, make_cohort, row_of
from semanticst.association.associate import examine
from semanticst.association.design.tables import Contrast
from semanticst.association.features.composition import read_member_counts
from semanticst.association.output.figures import draw_figures
from semanticst.association.output.representative_sections import (
    draw_representative_sections,
    read_sections_of,
    representative_sections,
)
from semanticst.association.output.summary_text import paragraph
from semanticst.niche.base_clusterings import base_clustering_counts

GROUPS = Contrast("c", "groups", column="group")


def ask(cohort: Cohort, base_clusterings=None, contrast=GROUPS):
    return examine(contrast, cohort.sections, cohort.counts, base_clusterings=base_clusterings, permutations=199)


def test_base_clusterings_are_counted_under_the_numbers_of_the_niches():
    samples = np.array(["b", "a", "a", "b"])
    partitions = [np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])]
    table = base_clustering_counts(samples, partitions, np.array([[0, 1], [1, 0]]), ["one", "two"])
    wide = table.pivot_table(index=["member", "sample"], columns="niche", values="n_cells")
    assert wide.loc["one"].equals(wide.loc["two"]), "the second numbers its parts the other way round"
    assert wide.loc[("one", "a")].tolist() == [1, 1]


def test_a_finding_of_all_base_clusterings_and_one_of_none():
    cohort = make_cohort((10, 10), effect=2.5)
    rng = np.random.default_rng(0)
    shuffled = cohort.counts.apply(lambda row: rng.permutation(row), axis=1, result_type="broadcast")
    swapped = cohort.counts.rename(columns={2: 3, 3: 2}).sort_index(axis=1)
    row = row_of(ask(cohort, {"a": cohort.counts, "b": cohort.counts, "c": shuffled, "d": swapped}), 2)
    assert row["n_members"] == 4
    assert row["members_significant"] == 0.5
    assert 0.5 <= row["members_same_sign"] <= 1
    assert row_of(ask(cohort), 2)[["n_members", "members_same_sign"]].isna().all()


def test_a_finding_that_other_base_clusterings_contradict_is_pointed_out():
    cohort = make_cohort((10, 10), effect=2.5)
    turned = cohort.counts.iloc[::-1].set_axis(cohort.counts.index)
    assert "Sensitive to the clustering" not in paragraph(ask(cohort, {"a": cohort.counts, "b": cohort.counts}))
    text = paragraph(ask(cohort, {"a": cohort.counts, "b": turned}))
    assert "Sensitive to the clustering (another sign in some base clusterings): Niche 2" in text


def test_base_clusterings_are_asked_for_survival_and_many_groups_too():
    cohort = make_cohort((6, 6, 6), effect=3.0)
    row = row_of(ask(cohort, {"a": cohort.counts, "b": cohort.counts}), 2, "omnibus")
    assert (row["n_members"], row["members_significant"]) == (2, 1)
    assert np.isnan(row["members_same_sign"]), "an omnibus test has no direction"
    survival = Contrast("s", "survival", time="time", event="event", event_value="1")
    counts = make_cohort((20,)).counts
    rows = ask(make_cohort((20,)), {"a": counts, "b": counts}, survival).primary
    assert (rows["members_same_sign"] == 1).all()


def test_a_single_base_clustering_confirms_nothing():
    cohort = make_cohort((10, 10), effect=2.5)
    row = row_of(ask(cohort, {"a": cohort.counts}), 2)
    assert row[["n_members", "members_same_sign"]].isna().all()


def test_member_counts_are_read_per_base_clustering(tmp_path):
    path = tmp_path / "niche_member_counts.csv"
    path.write_text("member,sample,niche,n_cells\nx,a,1,5\nx,a,2,7\ny,a,1,12\ny,a,2,0\n")
    found = read_member_counts(path)
    assert {name: table.loc["a"].tolist() for name, table in found.items()} == {"x": [5, 7], "y": [12, 0]}


@pytest.fixture
def niches(tmp_path):
    """Cells of all sections of a cohort, as the niche step writes them."""
    cohort = make_cohort((4, 4), n_sections=2, effect=3.0)
    rng = np.random.default_rng(0)
    parts = []
    for sample, counts in cohort.counts.iterrows():
        niche = np.repeat(counts.index, counts)
        xy = rng.uniform(0, 100, (len(niche), 2))
        patient = cohort.sections.loc[sample, "patient"]
        cells = pd.DataFrame({"sample": sample, "x": xy[:, 0], "y": xy[:, 1], "niche": niche, "patient": patient})
        parts.append(cells.assign(coordinate_unit="um"))
    pd.concat(parts).to_csv(tmp_path / "niches.csv.gz", index=False)
    return cohort, tmp_path / "niches.csv.gz"


def test_extreme_patients_are_those_with_most_and_least_of_the_strongest_niche(niches):
    cohort, path = niches
    result = ask(cohort)
    most, least = representative_sections(result)
    share = result.features.shown["proportion", "2"]
    assert [e.share for e in most] == sorted(share, reverse=True)[:3]
    assert [e.share for e in least] == sorted(share)[:3]
    assert all("g1" in e.title for e in most)
    patient = most[0].section.split("_")[0]
    sizes = cohort.counts.sum(axis=1)
    assert sizes[most[0].section] == sizes[sizes.index.str.startswith(patient)].max(), "the largest section"
    sections = read_sections_of(path, {most[0].section})
    assert list(sections) == [most[0].section]
    assert len(sections[most[0].section].niche) == sizes[most[0].section]
    figure = draw_representative_sections(result, path)
    assert len(figure.axes) == 6
    assert "Niche 2" in figure.get_suptitle()
    assert [[text.get_text() for text in ax.texts] for ax in figure.axes] == [["20 \N{MICRO SIGN}m"]] * 6, "scale bars"


def test_maps_are_drawn_where_something_was_tested_only(niches, tmp_path):
    cohort, path = niches
    assert draw_figures(ask(cohort), tmp_path, "c", path) == [
        "forest",
        "patients",
        "composition",
        "representative_sections",
    ]
    untestable = Contrast("c", "groups", column="group", subset="patient == p00|p01|p04|p05")
    assert draw_figures(ask(cohort, contrast=untestable), tmp_path, "u", path) == ["forest", "patients"]
