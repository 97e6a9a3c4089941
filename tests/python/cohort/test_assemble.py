"""What becomes one where sections are joined."""

import pandas as pd

from semanticst.cohort.assemble import _with_one_spelling
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
