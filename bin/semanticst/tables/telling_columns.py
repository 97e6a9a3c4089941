"""Columns of the cohort's tables that tell who a patient is, and those that say nothing of one patient alone."""

import re
from collections.abc import Iterable

import pandas as pd

from semanticst.tables.spellings import has_decimal_comma, is_number, variable_value

FEW = 12
"""Most levels of a text column that is no free text."""
_LONG_NUMBER = 5
"""Digits from which a whole number that each patient has for itself is taken for one of a hospital."""
_YEAR, _MONTH, _DAY = r"(?:1[89]|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_NAME = (
    "(?:jan|gen|feb|fév|mar|mär|mae|mrz|apr|avr|may|mai|mag|jun|juin|giu|jul|juil|lug|aug|aoû|ago|sep|set|oct|okt|ott"
    r"|nov|dec|déc|dez|dic)[^\W\d_]*"
)
_DATE = re.compile(
    rf"(?<![^\W_])(?:{_YEAR}[-/.]{_MONTH}(?:[-/.]{_DAY})?|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    rf"|{_DAY}[-/.] ?{_DAY}[-/.] ?(?:{_YEAR}|\d\d)|{_MONTH}[-/.]{_YEAR}"
    rf"|{_DAY}[-. ]*{_NAME}[-., ]*(?:{_YEAR}|\d\d)|{_NAME}[-., ]*(?:{_DAY}[-., ]+)?{_YEAR})"
    r"(?:[T ]\d{1,2}:\d\d.*)?(?![^\W_])",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\b(?:dr|prof|herrn?|frau|mrs?|ms|mme|monsieur|madame)\b\.?\s*[^\W\d_]|[^\s@]+@[^\s@]+\.\w|\+\d[\d /()-]{7,}",
    re.IGNORECASE,
)
"""A title with a name after it, an address of mail, an international number of a telephone."""
_TELLING_HEADINGS = frozenset({
    "name", "fullname", "initials", "initialen", "kürzel", "mrn", "pid", "hospitalnumber", "hospitalid",
    "medicalrecordnumber", "nhsnumber", "ssn", "ahv", "dob", "geb", "gebdatum", "street", "city",
    "plz", "zip", "zipcode", "ort", "wohnort", "phone", "handy", "fax", "mail", "contact", "kontakt", "fall",
    "fallzahl", "case", "caseno", "casenr", "caseid", "note", "notes", "notiz", "notizen", "remark", "remarks",
    "beruf", "occupation", "physician", "surgeon",
})  # fmt: skip
"""Headings, without signs and spaces, of columns that tell who a patient is, whatever they hold."""
_TELLING_PARTS = (
    "surname", "lastname", "familyname", "firstname", "forename", "givenname", "patientname", "nameofpatient",
    "nachname", "vorname", "familienname", "patientenname", "prenom", "prénom", "patientid", "patientno", "patientnr",
    "patientnumber", "patientenn", "patientenid", "dateofbirth", "birthdate", "birthday", "geburtsdatum", "geburtstag",
    "comment", "kommentar", "bemerkung", "anmerkung", "freitext", "freetext", "telefon", "telephone", "phonen",
    "mobilephone", "adresse", "address", "strasse", "straße", "postcode", "postalcode", "postleitzahl", "email",
    "casenumber", "fallnummer", "fallnr", "fallid", "insurance", "versicher", "socialsecurity", "accession", "hausarzt",
    "aktenzeichen", "einsendenummer", "journalnummer",
)  # fmt: skip
"""The same of which a heading may have more, before or after (``Telefon_privat``)."""
_PLAIN = re.compile(
    r"[^\W\d_]|yes|no|true|false|ja|nein|oui|non|male|female|man|woman|mann|frau|weiblich|männlich|divers|other|none"
    r"|pos|neg|positive|negative|positiv|negativ|low|medium|intermediate|high|wild-?type|wt|mut|mutated|mutant"
    r"|(?:grade|stage|g|r|l|v|pn|ecog)? ?\d[a-e]?|(?:grade|stage)? ?(?:iv|i{1,3})[a-e]?\d?"
    r"|[cpyr]{0,3}[tnm][0-4x](?:[a-e]|is|mi)?\d?",
    re.IGNORECASE,
)
"""Values that are of a patient alone by chance, and tell nothing: an answer, a sex, a stage, a letter."""
_MEASURED = re.compile(r"[<>≤≥~]?=?\s*(.*?)\s*%?")


def telling_columns(table: pd.DataFrame, known: Iterable[str]) -> list[str]:
    """Columns that tell who a row is about.

    Dates (all but a year alone), also if some are shared, and if only some values are one; headings that say so
    (``mrn``, ``Nachname``); names with a title, addresses; the row's own id; texts, and whole numbers as long as those
    of a hospital, of which nearly every patient, or every row, has its own. Measured values, which are short or have
    decimals, are none of them. ``known``: columns that are not looked at.
    """
    known, table = {*known, "patient", "sample"}, table.reset_index(drop=True)
    return [column for column in table if column not in known and _tells(table, column)]


def columns_to_leave_out(table: pd.DataFrame, known: Iterable[str]) -> list[str]:
    """`telling_columns`, and every text of which a patient may have his or her own.

    What is left are numbers, and at most `FEW` levels that two patients or more share (or that are answers, sexes and
    stages). ``known``: columns that stay in any case.
    """
    known, table = {*known, "patient", "sample"}, table.reset_index(drop=True)
    return [
        c for c in table if c not in known and (_tells(table, c) or not (_is_measured(table[c]) or _shared(table, c)))
    ]


def _given(values: pd.Series) -> pd.Series:
    values = values.map(variable_value)
    return values[values != ""]


def _is_number(text: str) -> bool:
    plain = _MEASURED.fullmatch(text)
    return plain is not None and (is_number(plain[1]) or has_decimal_comma(plain[1]))


def _is_measured(values: pd.Series) -> bool:
    return all(map(_is_number, _given(values)))


def _shared(table: pd.DataFrame, column: str) -> bool:
    values = _given(table[column])
    of = table.loc[values.index, "patient"] if "patient" in table else pd.Series(values.index, values.index)
    patients = of.groupby(values).nunique()
    return len(patients) <= FEW and all(n >= 2 or _PLAIN.fullmatch(str(level)) for level, n in patients.items())


def _telling_heading(column: str) -> bool:
    heading = re.sub(r"[\W_]+", "", column).casefold()
    return heading in _TELLING_HEADINGS or any(part.casefold() in heading for part in _TELLING_PARTS)


def _tells(table: pd.DataFrame, column: str) -> bool:
    values = _given(table[column])
    if values.empty:
        return False
    texts = values[~values.map(_is_number)]
    numbers = values.drop(texts.index)
    if _telling_heading(column) or any(_DATE.search(text) or _PERSON.search(text) for text in texts):
        return True
    if len(numbers) and numbers.str.fullmatch(_DATE).mean() > 0.5:
        return True
    if any((table.loc[values.index, kind] == values).mean() > 0.5 for kind in ("patient", "sample") if kind in table):
        return True
    # sections of a patient repeat what tells of the patient
    of = table.loc[values.index, "patient"] if "patient" in table else values.index
    pairs = pd.DataFrame({"of": of, "value": values}).drop_duplicates()
    if pairs["value"].nunique() <= 0.9 * len(pairs):
        return False
    whole = values.str.fullmatch(r"\d+(\.0+)?")
    digits = values[whole].str.replace(r"\.0+$", "", regex=True)
    numbered = whole.mean() > 0.5 and len(pairs) >= 2
    if numbered and ((digits.str.len() >= _LONG_NUMBER).mean() > 0.5 or digits.str.match("0\\d").any()):
        return True
    return len(pairs) >= 5 and pd.to_numeric(values, errors="coerce").isna().mean() > 0.5
