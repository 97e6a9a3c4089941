"""Spellings of a missing value in tables of users: the one list, for all that reads them."""

ERRORS = frozenset({
    "#N/A", "#NA", "#NV", "#N/D", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#CALC!", "#SPILL!",
    "#FIELD!", "#GETTING_DATA", "#WERT!", "#BEZUG!", "#ZAHL!", "#VALEUR!", "#NOM?", "#NOMBRE!", "#¡VALOR!", "#¡REF!",
    "#¡DIV/0!", "#¡NUM!", "#¿NOMBRE?", "Err:502", "Err:504", "Err:508",
})  # fmt: skip
"""What spreadsheets write where a formula or a lookup found nothing."""

MISSING = frozenset({
    "", "NA", "N/A", "n/a", "NaN", "nan", "<NA>", "null", "NULL", "(null)", "(NULL)", "[null]", "[NULL]", "\\N",
}) | ERRORS  # fmt: skip
"""What stands for a missing value in any column. ``None`` is not in the list: it is a level of a treatment."""

_WORDS = frozenset({
    "unknown", "missing", "not available", "not known", "not reported", "not recorded", "not provided",
    "not applicable", "not evaluated", "not collected", "not assessed", "not specified", "n.a.", "na", "n/a", "nan",
    "null",
})  # fmt: skip
_SIGNS = frozenset({"-", "--", ".", "?"})
_BRACKETED = frozenset({"discrepancy", "completed", "pending", "not allowed to collect"})
"""Words of TCGA that are a missing value in its brackets only: [Completed]."""


def is_missing_word(text: str) -> bool:
    """Is this, in any case, a word for a missing value of a variable (``unknown``, ``[Not Available]``, ``-``)?

    Not ``none``, which is a level of a treatment.
    """
    word = " ".join(text.casefold().split())
    if word[:1] + word[-1:] in ("[]", "()", "<>"):
        inside = word[1:-1].strip()
        return inside in _WORDS or inside in _BRACKETED and word[0] == "["
    return word in _WORDS or word in _SIGNS
