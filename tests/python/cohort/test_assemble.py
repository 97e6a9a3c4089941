"""What becomes one where sections are joined."""

import numpy as np
import pandas as pd
import pytest

from semanticst.cohort.assemble import _with_one_spelling, _without_types_of_validation_alone, number_supported
from semanticst.qc.sample import in_regions


def test_regions_that_sections_spell_in_several_ways_are_one():
    obs = pd.DataFrame(
        {
            "sample": ["a", "a", "b", "b", "b", "b", "c"],
            "annotated_region": ["Tumor", "", "TUMOR", "TUMOR", "TUMOR", "", "Tumor"],
        }
    )
    assert list(_with_one_spelling(obs.copy())["annotated_region"]) == ["Tumor", "", *["Tumor"] * 3, "", "Tumor"]
    assert list(in_regions(obs, ("tumor",))) == [name != "" for name in obs["annotated_region"]]
    assert not in_regions(obs, ("tumour",)).any()


def test_regions_of_a_validation_are_spelled_as_those_of_the_discovery():
    """By frequency alone the validation would rename the regions of the discovery."""
    obs = pd.DataFrame({"sample": list("abcde"), "annotated_region": ["Tumor", "TUMOR", "TUMOR", "rim", "Rim"]})
    found = list(_with_one_spelling(obs.copy(), ["b", "c", "d", "e"])["annotated_region"])
    assert found == ["Tumor", "Tumor", "Tumor", "Rim", "Rim"]
    assert list(_with_one_spelling(obs, ["d", "e"])["annotated_region"])[:3] == ["TUMOR"] * 3


@pytest.mark.parametrize(("validation", "kept"), [(["c"], False), ([], True), (["b"], True)])
def test_cell_types_of_a_validation_alone_are_no_types_of_the_discovery(validation, kept):
    """Else every cell of the discovery is of a type "not given", which is tested."""
    obs = pd.DataFrame({"sample": list("abc"), "cell_type": [None, None, "T"]})
    assert ("cell_type" in _without_types_of_validation_alone(obs, validation)) is kept


@pytest.mark.parametrize(
    ("stored", "told"), [({"quality/supported": [1.0]}, True), ({"quality/supported": [0.0]}, False), ({}, None)]
)
def test_whether_the_number_of_niches_is_supported_comes_with_the_mixture(tmp_path, stored, told):
    np.savez(tmp_path / "niche_mixture.npz", mapping=np.zeros((1, 2)), **stored)
    assert number_supported(tmp_path / "niche_mixture.npz") is told
