"""Lists of genes under names, of a CSV with one gene a row: sets of genes, markers of cell types."""

from collections.abc import Collection
from pathlib import Path

from semanticst.errors import BadInput, Problem
from semanticst.tables.delimited import read_table


def read_gene_lists(path: Path, column: str, noun: str, taken: Collection[str] = ()) -> dict[str, list[str]]:
    """Genes of each name, in the order of the file, each once.

    column : of the names; genes are in the column ``gene``. noun : what a name is, for messages. taken : names, in
    lower case, that mean something else.

    Raises BadInput for other columns, a row that lacks one of the two, a name that is taken, or a file without names.
    """
    table = read_table(path, (column, "gene"))
    absent = [name for name in (column, "gene") if name not in table.columns]
    if absent:
        raise BadInput([Problem(path, "this column must exist", row=1, column=name) for name in absent])
    found: dict[str, list[str]] = {}
    problems = []
    for number, row in zip(table.lines, table.rows):
        name, gene = row[column], row["gene"]
        if not name or not gene:
            problems.append(Problem(path, f"both the {noun} and the gene are needed", row=number))
        elif name.casefold() in taken:
            problems.append(Problem(path, "cells that no marker tells are called so", number, value=name))
        elif gene not in found.setdefault(name, []):
            found[name].append(gene)
    if not found and not problems:
        problems.append(Problem(path, f"holds no {noun}"))
    if problems:
        raise BadInput(problems)
    return found
