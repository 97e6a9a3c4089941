"""The design of a contrast as it is tested: units, changes of patients, batch and clusters; no cell is needed for it."""

import pandas as pd

from semanticst.association.design.batch import BatchCheck, account_for_batch
from semanticst.association.design.design import Design, build_design
from semanticst.association.design.tables import Contrast
from semanticst.association.stats.changes import design_of_changes
from semanticst.association.stats.clusters import account_for_clusters, cluster_of_units


def design_as_tested(
    contrast: Contrast, sections: pd.DataFrame, usable: pd.Series | None = None
) -> tuple[Design, Design, BatchCheck]:
    """The design of the contrast itself, that of the test, and how batch and contrast go together.

    The two differ where changes within patients are compared (``Contrast.change`` of the second says which), and by
    batch and cluster. Parameters and BadInput as of `build_design`, `design_of_changes` and `cluster_of_units`.
    """
    inner = build_design(contrast, sections, usable=usable)
    asks_for_changes = contrast.interaction and not inner.untestable
    design, batch = account_for_batch(design_of_changes(contrast, inner, sections) if asks_for_changes else inner)
    if contrast.cluster and not design.untestable:
        design = account_for_clusters(design, cluster_of_units(design, sections))
    return inner, design, batch
