"""Annotated regions as a variable within the section: parts of sections, one per region of a pathologist.

A contrast that names the column `REGION`, which neither table has, is one of parts of sections. A part is called
``{sample} | {region}``, has what is known of its section, and its cells are those of the section in this region. So
regions are compared within patients, as sections before and after a treatment are, and a subset of one region compares
patients in it alone.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from semanticst.association.design.tables import Contrast, contrast_columns, read_text_table
from semanticst.constants import Obs
from semanticst.errors import BadInput, Problem

REGION = Obs.ANNOTATION.value
BETWEEN = " | "
"""Between sample and region. No name of a sample holds a space."""
BY_REGION = ("proportion", "entropy")
"""Features that are known of parts of sections."""


def is_by_region(contrast: Contrast, sections: pd.DataFrame) -> bool:
    """Whether a contrast is one of parts of sections. Raises BadInput when its subset cannot be read."""
    return REGION in contrast_columns(contrast) and REGION not in sections.columns


def split_by_region(sections: pd.DataFrame, regions: Mapping[str, list[str]]) -> pd.DataFrame:
    """A row per region of each section, with its name in the column `REGION`.

    sections : indexed by sample. regions : of each sample. A section without a region stays as it is, with None.
    """
    rows = [(sample, region) for sample in sections.index for region in regions.get(sample) or [""]]
    parts = sections.loc[[sample for sample, _ in rows]]
    names = [f"{sample}{BETWEEN}{region}" if region else sample for sample, region in rows]
    named = pd.Series([region or None for _, region in rows], index=names, dtype=object)
    return parts.set_axis(pd.Index(names, name=sections.index.name), axis=0).assign(**{REGION: named})


def samples_of(parts: pd.Index) -> pd.Index:
    """The sample that each part is of; sections as they are."""
    return pd.Index([str(name).partition(BETWEEN)[0] for name in parts], dtype=object)


def read_region_counts(path: Path) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Cells per part and niche of ``niche_regions.csv`` (int64, columns niches), and the regions of each sample.

    Raises BadInput when a count is not a whole number or a row is repeated.
    """
    table = read_text_table(path, ("sample", REGION, "niche", "n_cells"))
    numeric = table[["niche", "n_cells"]].apply(pd.to_numeric, errors="coerce")
    wrong = numeric.isna().any(axis=1) | (numeric % 1 != 0).any(axis=1) | (numeric < 0).any(axis=1)
    wrong |= table.duplicated(["sample", REGION, "niche"])
    if wrong.any():
        message = "expected one row per sample, region and niche, with whole numbers for niche and n_cells"
        raise BadInput(Problem(path, message, row=int(wrong.index[wrong][0]) + 2))
    table = table.assign(part=table["sample"] + BETWEEN + table[REGION], **numeric.astype(int))
    wide = table.pivot_table(index="part", columns="niche", values="n_cells", aggfunc="sum", fill_value=0)
    regions = {str(sample): sorted(rows[REGION].unique()) for sample, rows in table.groupby("sample")}
    return wide.sort_index().sort_index(axis=1), regions
