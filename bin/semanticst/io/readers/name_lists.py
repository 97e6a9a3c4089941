"""Lists of names beside a matrix (barcodes.tsv, features.tsv), as 10x Genomics, R and spreadsheets write them."""

import csv
import io
import re
from itertools import islice
from pathlib import Path
from typing import Literal

import pandas as pd

from semanticst.io.readers.assembly import row_numbers_from
from semanticst.io.readers.files import open_text, reading
from semanticst.io.several_sections import plain

HEADERS = frozenset({
    "", "x", "v1", "barcode", "barcodes", "cell", "cells", "cellid", "cellids", "cellname", "cellnames", "cellbarcode",
    "spot", "spots", "bead", "beads", "gene", "genes", "geneid", "geneids", "genename", "genenames", "genesymbol",
    "symbol", "symbols", "ensembl", "ensemblid", "feature", "features", "featureid", "featurename", "id", "ids", "name",
    "names", "index",
})  # fmt: skip
"""What the first column may be called; as `semanticst.io.several_sections.plain` writes it."""
LOOKED_AT = 1000
ALIKE = 0.9
"""Share of the names that are built in one way, as barcodes and ids of Ensembl are: what is not is a header."""


def read_names(file: Path) -> pd.DataFrame:
    """Texts of a list, header and all; columns 0, 1, ...

    Quotes around a value (R) or a line (spreadsheets) are taken away; others are letters, as in a gene called 5".
    """
    separator = "," if ".csv" in file.name.lower() else "\t"
    with reading(file, "a list of names"):
        with open_text(file) as opened, io.TextIOWrapper(opened, encoding="utf-8", newline="") as lines:
            first = list(islice(lines, 2))
        # the header of a table of R lacks the names of the rows
        n = max((len(line) for line in csv.reader(first, delimiter=separator, quoting=_quoting(separator))), default=1)
        with open_text(file) as opened:
            table = pd.read_csv(
                opened, sep=separator, header=None, names=list(range(n)), index_col=False, dtype=str,
                quoting=_quoting(separator), keep_default_na=False,
            ).fillna("")  # fmt: skip
    if not len(table):
        return table
    last = n - 1
    if table[0].str.startswith('"').all() and table[last].str.endswith('"').all():
        alone = ~(table[0].str.endswith('"') & (table[0].str.len() > 1))
        if n > 1 and alone.all():
            table[0], table[last] = table[0].str[1:], table[last].str[:-1]
    return table.apply(lambda column: column.str.replace(r'^"(.*)"$', _unquoted, regex=True))


def without_header(names: pd.DataFrame, n: int) -> pd.DataFrame:
    """The ``n`` names of a list without a header before them, and without a column of row numbers.

    As it is where the first of ``n`` + 1 names is built as the others are: then one is too many, and any may be.
    """
    if len(names) == n + 1 and _is_header(str(names.iloc[0, 0]), names.iloc[1 : 1 + LOOKED_AT, 0]):
        names = names.iloc[1:].reset_index(drop=True)
    if names.shape[1] > 1 and names[1].is_unique and row_numbers_from(pd.Index(names[0])) is not None:
        names = names.drop(columns=0).set_axis(range(names.shape[1] - 1), axis=1)
    return names


def _is_header(first: str, others: pd.Series) -> bool:
    if plain(first) in HEADERS and first not in set(others):
        return True
    built = others.map(_built)
    return bool(len(built)) and _built(first) not in set(built) and built.value_counts(normalize=True).iloc[0] >= ALIKE


def _built(name: str) -> str:
    """How a name is built: capitals, small letters and digits in runs. AACG-1 is A-9."""
    return re.sub(r"\d+", "9", re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", name)))


def _quoting(separator: str) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if separator == "," else csv.QUOTE_NONE


def _unquoted(found: re.Match) -> str:
    return found[1].replace('""', '"')
