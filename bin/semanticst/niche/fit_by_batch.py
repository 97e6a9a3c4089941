"""Cells that are like no others, by batch: those that gather in one batch speak of it, not of tissue."""

import numpy as np
import pandas as pd

from semanticst.constants import Obs
from semanticst.niche.fit_of_samples import OUTSIDE
from semanticst.units import percent

TIMES_AS_MANY = 3
"""How many times the proportion of all other batches one has to have, so that its cells outside are its own."""


def gathers_in(cells: pd.DataFrame, fit: np.ndarray) -> tuple[str, str]:
    """The batch in which cells outside gather, and the sentence that says so; both empty where there is none.

    cells : batch and sample of each cell (n rows). fit : (n,). A batch of one sample may be tissue of that sample. The
    sentence has ``{batch}`` where the name of the batch, a word of the user, belongs.
    """
    if Obs.BATCH not in cells:
        return "", ""
    known = pd.DataFrame({"batch": cells[Obs.BATCH].astype(str).to_numpy(), "outside": fit < OUTSIDE})
    found = known.groupby("batch")["outside"].agg(["sum", "size"])
    most = (found["sum"] / found["size"]).idxmax()
    others = found.drop(index=most).sum()
    share, other = found.loc[most, "sum"] / found.loc[most, "size"], others["sum"] / max(others["size"], 1)
    of_batch = cells.loc[(known["batch"] == most).to_numpy(), Obs.SAMPLE]
    if not others["size"] or of_batch.nunique() < 2 or share <= OUTSIDE or share < TIMES_AS_MANY * other:
        return "", ""
    return str(most), (
        f" They gather in batch {{batch}} ({percent(share)} of its cells, {percent(other)} of all others): that speaks "
        "of the batch, its depth or its preparation, rather than of tissue."
    )
