"""Lists of genes under names, of a CSV with one gene a row: sets of genes, markers of cell types."""

import re
from collections.abc import Collection
from pathlib import Path

from semanticst.errors import BadInput, Problem
from semanticst.tables.delimited import clean_value, read_table
from semanticst.tables.missing_values import ERRORS


def read_gene_lists(path: Path, column: str, noun: str, taken: Collection[str] = ()) -> dict[str, list[str]]:
    """Genes of each name, in the order of the file, each once.

    column : of the names; genes are in the column ``gene``, one or several (joined by , ; or |) a row. noun : what a
    name is, for messages. taken : names, in lower case, that mean something else.

    Raises BadInput for other columns, a row that lacks one of the two, a name that is taken, or a file without names.
    """
    table = read_table(path, (column, "gene"))
    spelled = {_plain(name): name for name in reversed(table.columns)}  # "Cell type" is cell_type
    absent = [name for name in (column, "gene") if _plain(name) not in spelled]
    if absent:
        message = f"this column must exist, one gene a row; the columns are {', '.join(table.columns[:6])}"
        raise BadInput([Problem(path, message, row=1, column=name) for name in absent])
    found: dict[str, list[str]] = {}
    problems = []
    for number, row in zip(table.lines, table.rows):
        name = row[spelled[_plain(column)]]
        genes = [gene.strip() for gene in re.split("[,;|]", row[spelled["gene"]]) if gene.strip() not in {"", *ERRORS}]
        if not clean_value(name) or not genes:
            problems.append(Problem(path, f"both the {noun} and the gene are needed", row=number))
        elif name.casefold() in taken:
            problems.append(Problem(path, "cells that no marker tells are called so", number, value=name))
        else:
            known = found.setdefault(name, [])
            known += [gene for gene in dict.fromkeys(genes) if gene not in known]
    if not found and not problems:
        problems.append(Problem(path, f"holds no {noun}"))
    if problems:
        raise BadInput(problems)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
