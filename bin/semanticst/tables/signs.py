"""Signs that look alike: the one form in which texts of users are read, and what counts as one spelling."""

import unicodedata

_NO_SIGNS = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
"""Spaces without a width, marks of byte order and soft hyphens: what is copied along from web pages and Word."""
_LIKE = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
)
"""Dashes and curly quotes that programs write for - ' and "."""


def one_form(text: str) -> str:
    """The text with each letter as one sign (Unicode NFC; macOS writes an accent behind its letter), and without signs
    that nobody sees."""
    return text if text.isascii() else unicodedata.normalize("NFC", without_hidden(text))


def without_hidden(text: str) -> str:
    """The text without signs that nobody sees; its letters as they are, as for names of files."""
    return text.translate(_NO_SIGNS)


def alike(text: str) -> str:
    """What two spellings of one text have in common: case, widths of spaces, dashes and quotes do not count."""
    return " ".join(one_form(text).translate(_LIKE).casefold().strip("\"' \t").split())
