"""Discovery and validation of a study, as the records of its samples tell them."""

import pandas as pd

from semanticst.constants import DISCOVERY, VALIDATION


def study_parts(used: pd.DataFrame) -> dict[str, dict[str, int]] | None:
    """Samples and patients of the discovery and of the validation; None where the study has no validation.

    used : rows of ``qc.csv`` of samples that are used.
    """
    if "study_part" not in used or not (used["study_part"] == VALIDATION).any():
        return None
    parts = {name: used[used["study_part"] == name] for name in (DISCOVERY, VALIDATION)}
    return {name: {"samples": len(p), "patients": int(p["patient"].nunique())} for name, p in parts.items()}
