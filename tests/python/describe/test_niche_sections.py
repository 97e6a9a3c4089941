"""Sections about niches: what a niche is known by, advice, and the dot plot of markers."""

import json

import numpy as np
import pandas as pd
import pytest

from report_helpers import make_cohort_object, write_cohort
from semanticst.describe.contact_sections import recognised
from semanticst.describe.describe_niches import describe_niches
from semanticst.describe.marker_dots import LARGEST, draw_marker_dots
from semanticst.describe.niche_sections import advice
from semanticst.plotting.palette import named_niches


def test_a_niche_is_known_by_its_name_its_cell_type_or_its_marker():
    overview = pd.DataFrame({"niche": [1, 2, 3], "markers": ["KRT8, EPCAM", "", "CD3E"]})
    assert recognised(overview) == {1: "Niche 1: KRT8", 2: "Niche 2", 3: "Niche 3: CD3E"}
    types = overview.assign(cell_types=["T cell 40 %, B cell 9 %", "", "Tumour 90 %"])
    with named_niches({3: "Border"}):
        assert recognised(types) == {1: "Niche 1: T cell", 2: "Niche 2", 3: "Niche 3 (Border)"}


def test_niches_that_dissolve_come_with_advice():
    overview = pd.DataFrame({"niche": [1, 2, 3], "reading": ["high", "low", "not reproducible"]})
    assert "Do not interpret niches 2 and 3" in advice(overview)
    assert "--niche_k" in advice(overview)
    assert advice(overview.iloc[:1]) == advice(overview[["niche"]]) == ""


@pytest.mark.parametrize(
    ("samples", "validation", "mapped", "drawn", "others"),
    [
        ({"s1": "p1", "s2": "p2"}, [], False, "Jaccard index: patients are drawn", True),
        ({"s1": "p1", "s2": "p1"}, [], False, "Jaccard index: cells of the one patient are drawn", False),
        # niches are found on the discovery alone
        ({"s1": "p1", "s2": "p2"}, ["s2"], False, "Jaccard index: cells of the one patient are drawn", False),
        ({"s1": "p1"}, [], True, "Jaccard index: patients (of a single patient, cells) are drawn", False),
    ],
)
def test_reproducibility_with_other_patients_needs_other_patients(tmp_path, samples, validation, mapped, drawn, others):
    adata = make_cohort_object(samples=samples, side=8)
    adata.obs["niche_jaccard"] = np.float32(0.3)
    adata.uns["semanticst"]["validation_samples"] = np.array(validation, dtype=str)
    describe_niches(write_cohort(tmp_path, adata), tmp_path, mapped=mapped)
    table = json.loads((tmp_path / "niche_overview_mqc.json").read_text())
    assert drawn in table["headers"]["jaccard"]["description"]
    assert ("other patients may not show them again" in table["description"]) is others
    confidence = json.loads((tmp_path / "niche_stability_mqc.json").read_text())["description"]
    assert ("reproducibility of a niche with other patients" in confidence) is others


@pytest.mark.parametrize(
    ("samples", "ranked"),
    [
        ({"s1": "p1", "s2": "p2"}, "within each patient|spread between patients|high in one patient only"),
        ({"s1": "p1", "s2": "p1"}, "within each sample|spread between samples|high in one sample only"),
        ({"s1": "p1"}, "within each sample|Markers are ranked by the difference."),
    ],
)
def test_markers_are_ranked_by_the_replicates_that_there_are(tmp_path, samples, ranked):
    describe_niches(write_cohort(tmp_path, make_cohort_object(samples=samples, side=8)), tmp_path)
    section = json.dumps(json.loads((tmp_path / "niche_markers_mqc.json").read_text()))
    assert all(words in section for words in ranked.split("|"))
    assert ("spread between" in section) is (len(samples) > 1)


def test_sections_say_of_which_part_of_the_study_they_are(tmp_path):
    adata = make_cohort_object(samples={"s1": "p1", "s2": "p2", "s3": "p3"}, side=8)
    adata.uns["semanticst"]["validation_samples"] = np.array(["s3"])
    said = {}
    for name, one in (("two", adata), ("one", make_cohort_object(samples={"s1": "p1", "s2": "p2"}, side=8))):
        (tmp_path / name).mkdir()
        describe_niches(write_cohort(tmp_path / name, one), tmp_path / name)
        said[name] = {p.name: p.read_text() for p in (tmp_path / name).glob("niche_*_mqc.json")}
    every = "Over all 3 samples, the 1 of the validation among them."
    over = {name.removesuffix("_mqc.json") for name, text in said["two"].items() if every in text}
    sections = {"overview", "composition", "cell_types", "stability", "contacts", "scores"}
    assert {f"niche_{name}" for name in sections} <= over
    assert "From the 2 samples of the discovery alone." in said["two"]["niche_markers_mqc.json"]
    assert not [name for name, text in said["one"].items() if "validation" in text or "discovery" in text]


def test_dots_are_as_large_as_the_mean(tmp_path, monkeypatch):
    rows = [(1, "A", 4.0, 2.0), (1, "B", 1.0, -1.0), (2, "A", 1.0, -2.0), (2, "B", 2.0, 1.0)]
    markers = pd.DataFrame(rows, columns=["niche", "symbol", "mean_in", "log2_fold_change"])
    drawn = []
    monkeypatch.setattr("semanticst.describe.marker_dots.save", lambda figure, path, dpi: drawn.append((figure, path)))
    draw_marker_dots(markers, ["B", "A"], "log2 fold change", tmp_path / "niche_markers")
    assert [path.name for _, path in drawn] == ["niche_markers.png", "niche_markers.pdf"]
    dots = drawn[0][0].axes[0].collections[0]
    assert (dots.get_sizes() / LARGEST).tolist() == [0.5, 1.0, 1.0, 0.25]
    assert dots.get_array().tolist() == [-1.0, 2.0, 1.0, -2.0]
    assert dots.get_clim() == (-2.0, 2.0)
