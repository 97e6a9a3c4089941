"""Sections of the report about what niches are made of: markers and cell types."""

from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import FeatureType
from semanticst.describe.marker_dots import draw_marker_dots
from semanticst.describe.markers import effect_name
from semanticst.describe.overview import top_markers
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, Section
from semanticst.plotting.palette import niche_name
from semanticst.wording import figure_caution

_HEATMAP_FEATURES = 40
_EFFECT_WORDS = {"log2_fold_change": "log2 fold change", "difference": "Difference, inside minus outside"}


def marker_section(
    outdir: Path, cohort: Cohort, markers: pd.DataFrame, name: str, title: str, names: dict[int, str], over: str = ""
) -> None:
    """Heat map and dot plot of the best markers of each niche, of one modality.

    name : id of the section. names : of `contact_sections.recognised`. over : a sentence of which samples.
    """
    effect = effect_name(cohort.feature_type)
    each = int(np.clip(_HEATMAP_FEATURES // len(cohort.niches), 2, 6))
    chosen = dict.fromkeys(
        name for niche in cohort.niches for name in top_markers(markers, niche, each, cohort.feature_type)
    )
    frame = markers.pivot_table(index="niche", columns="symbol", values=effect)
    frame = frame.reindex(columns=list(chosen))
    if frame.empty or not len(chosen):
        return
    frame.index = frame.index.map(names)
    what = {
        FeatureType.COUNTS: "log2 fold change, 1 is twice as much inside the niche as outside, -1 half as much",
        FeatureType.CONTINUOUS: "difference of the mean arcsinh(value / typical size), 0.6 is about twice the value",
    }.get(cohort.feature_type, "proportion of positive cells inside the niche minus the proportion outside it")
    n_replicates = int(markers["n_replicates"].max())
    n_patients = cohort.samples["patient"].nunique()
    replicates = "patients" if n_patients > 1 else "samples of the one patient"
    kind = "patient" if n_patients > 1 else "sample"
    ranked = (
        f"Markers are ranked by the average difference divided by its spread between {kind}s, so that a feature that "
        f"is high in one {kind} only does not come first."
        if n_replicates > 1
        else "Markers are ranked by the difference."
    )
    section = Section(
        name,
        NICHES,
        title,
        multiqc.emphasised(
            f"The best {each} markers of each niche; red is higher inside the niche, blue is lower. Colour: {what}. "
            "All features are in <code>niches/niche_markers.csv</code>." + over
        ),
        help=f"Inside and outside are compared within each {kind} and then averaged (here over up to {n_replicates} "
        f"{replicates}). {ranked} Niches were made from the same data, therefore no p-values are given here.",
    )
    multiqc.heatmap(outdir, section, frame, x="Feature", y="Niche", z=_EFFECT_WORDS[effect], diverging=True)
    dots = outdir / "maps" / name
    draw_marker_dots(
        markers, list(chosen), _EFFECT_WORDS[effect].lower(), dots, figure_caution(cohort.number_supported)
    )
    section = Section(
        f"{name}_dots",
        NICHES,
        f"{title}: dot plot",
        multiqc.emphasised(
            "The same markers as a figure to print (<code>niches/maps</code>: PNG, PDF). Size: mean inside the niche, "
            "of the largest mean in any niche. Colour: the difference from all other cells." + over
        ),
    )
    multiqc.image(outdir, section, dots.with_suffix(".png"), f"Dot plot of the {title.lower()} of each niche")


def cell_type_section(outdir: Path, types: pd.DataFrame, over: str = "") -> None:
    """Heat map of the cell types of niches. types : ``niche_cell_types``. over : a sentence of which samples."""
    frame = types.pivot_table(index="niche", columns="cell_type", values="share", fill_value=0)
    common = types.drop_duplicates("cell_type").set_index("cell_type")["share_all"]
    frame = frame[common.sort_values(ascending=False, kind="stable").index[:_HEATMAP_FEATURES]]
    frame.index = [niche_name(niche) for niche in frame.index]
    section = Section(
        "niche_cell_types",
        NICHES,
        "Cell types of niches",
        "Proportion of each cell type among the cells of a niche; a row sums to 1. Cell types are those of the input."
        + over,
    )
    multiqc.heatmap(outdir, section, frame, x="Cell type", y="Niche", z="Proportion of the niche's cells", low=0)
