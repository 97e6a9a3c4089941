"""Random codes in place of the ids of patients and samples, and the key that tells which is whose.

Ids are replaced once, where the tables of the cohort have been checked: all later steps, and all that is published,
know the codes only. The exception is the reading of the samples, whose files may have the ids in them (`hide_ids`).
"""

import logging
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from semanticst.constants import CELL_AREA, UNS, Obs
from semanticst.errors import BadInput, Problem, ReadError
from semanticst.tables.conditions import ORDER, parse_condition, split_conditions
from semanticst.tables.delimited import read_table
from semanticst.tables.signs import one_form
from semanticst.tables.telling_columns import telling_columns

if TYPE_CHECKING:
    import anndata as ad

    from semanticst.plotting.picture import Picture

log = logging.getLogger(__name__)

KEY_COLUMNS = ("kind", "id", "code")
KINDS = {"patient": "P", "sample": "S"}
"""First letter of the codes of each kind."""
PLACES = {"batch": "B", "slide": "L", "region": "R"}
"""The same of columns that stay, and have codes only where their values tell who it is (a date, a pathology number)."""
KEPT = frozenset(Obs) | {CELL_AREA}
"""Columns of cells that the pipeline makes or uses. Any other may hold an id under another name."""
_SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_LENGTH = 6
_TRIES = 1000
_SURE = 4
"""Letters from which an id is no chance find in the id of a cell."""
_BASES = re.compile("[acgtn]+")


def new_code(letter: str, ids: Iterable[str], taken: Iterable[str]) -> str:
    """A code such as ``P7K2MX9`` that says nothing of whose it is: not drawn before, and without an id in it.

    Not from the seed of the run, which is published.
    """
    inside = [one.casefold() for one in ids if len(one) > 1]
    taken = set(taken)
    code = ""
    for _ in range(_TRIES):
        code = letter + "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH))
        if code not in taken and not any(one in code.casefold() for one in inside):
            return code
    return code


def ids_in(ids: Iterable[str]) -> re.Pattern[str] | None:
    """Where these ids stand in a text: as a whole, so that ``P1`` is not found in ``P12``. None for none.

    Short numbers are left out: an id ``12`` cannot be told from an age.
    """
    told = sorted({one for one in ids if len(one) > 1 and not (one.isdigit() and len(one) < 5)}, key=len, reverse=True)
    parts = [_start(one) + re.escape(one) + _end(one) for one in told]
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


def _start(text: str) -> str:
    return r"(?<!\d)" if text[0].isdigit() else r"(?<![^\W\d_])" if text[0].isalpha() else ""


def _end(text: str) -> str:
    return r"(?!\d)" if text[-1].isdigit() else r"(?![^\W\d_])" if text[-1].isalpha() else ""


@dataclass
class Pseudonyms:
    """The key of a cohort: id -> code of patients and of samples, and of what tells who it is in `PLACES`."""

    patient: dict[str, str] = field(default_factory=dict)
    sample: dict[str, str] = field(default_factory=dict)
    batch: dict[str, str] = field(default_factory=dict)
    slide: dict[str, str] = field(default_factory=dict)
    region: dict[str, str] = field(default_factory=dict)

    @classmethod
    def for_cohort(cls, frames: Iterable[pd.DataFrame], key: Path | None) -> "Pseudonyms":
        """Codes for all ids in the columns ``patient`` and ``sample``: those of ``key``, and new ones for the others.

        Raises BadInput when the key cannot be read or gives one code twice.
        """
        found = read_key(key) if key else cls()
        frames = list(frames)
        ids = {kind: sorted({one for f in frames if kind in f for one in f[kind] if one}) for kind in KINDS}
        every = [*ids["patient"], *ids["sample"], *found.patient, *found.sample]
        for kind, letter in KINDS.items():
            codes: dict[str, str] = getattr(found, kind)
            for one in ids[kind]:
                if one not in codes:
                    codes[one] = new_code(letter, every, [*found.patient.values(), *found.sample.values()])
        for kind, letter in PLACES.items():
            found._add_places(kind, letter, [frame for frame in frames if kind in frame], every)
        return found

    def _add_places(self, kind: str, letter: str, frames: list[pd.DataFrame], ids: list[str]) -> None:
        codes: dict[str, str] = getattr(self, kind)
        tells = any(telling_columns(f[[*(c for c in KINDS if c in f), kind]], ()) for f in frames)
        values = sorted({one for f in frames for one in f[kind] if one} - set(ids) - set(codes))
        for one in values if tells or codes else ():
            codes[one] = new_code(letter, [*ids, *values], codes.values())

    def table(self) -> pd.DataFrame:
        """The key, as it is written: columns kind, id, code."""
        rows = [(kind, one, code) for kind in (*KINDS, *PLACES) for one, code in getattr(self, kind).items()]
        return pd.DataFrame(rows, columns=list(KEY_COLUMNS))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return ids_in([*self.patient, *self.sample])

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {one.casefold(): code for one, code in [*self.patient.items(), *self.sample.items()]}

    def hidden(self, text: str) -> str:
        """``text`` with every id in it replaced; one of a patient and a sample becomes the sample's code."""
        exact = self.sample.get(text) or self.patient.get(text)
        if exact and not text.isdigit():
            return exact
        text = one_form(text)
        return self._pattern.sub(lambda found: self._folded[found[0].casefold()], text) if self._pattern else text

    def frame(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table with codes in ``patient`` and ``sample``, and without ids in its other texts; rows by code.

        ``batch``, ``slide`` and ``region`` that are an id, number or not, become its code, or one of their own.
        """
        hidden = table.copy()
        for column in hidden:
            if column in KINDS:
                codes: dict[str, str] = getattr(self, column)
                hidden[column] = [codes.get(one, one) for one in table[column]]
            elif column in PLACES:
                codes = self._codes_of(column)
                hidden[column] = [codes.get(v) or self.hidden(v) for v in table[column]]
            else:
                hidden[column] = hidden[column].map(self.hidden)
        order = [column for column in ("sample", "patient") if column in hidden]
        return hidden.sort_values(order, ignore_index=True) if order else hidden

    def _codes_of(self, column: str) -> dict[str, str]:
        """Codes of the values of a column of samples; of one that is an id of both kinds the sample's."""
        if column in KINDS:
            return getattr(self, column)
        return {**getattr(self, column), **self.patient, **self.sample} if column in PLACES else {}

    def contrast(self, question: Mapping[str, str]) -> dict[str, str]:
        """A row of the contrasts: values and conditions about ids ask for the codes."""
        of_column = self._codes_of(question.get("column", ""))
        hidden = {
            name: of_column.get(value) or self.hidden(value) for name, value in question.items() if name != "subset"
        }
        subset = [self._condition(text) for text in split_conditions(question.get("subset", ""))]
        return {name: " & ".join(subset) if name == "subset" else hidden[name] for name in question}

    def _condition(self, text: str) -> str:
        asked = parse_condition(text)
        if asked.sign in ORDER:
            return text
        codes = self._codes_of(asked.column)
        values = [codes.get(value) or self.hidden(value) for value in asked.alternatives]
        return f"{asked.column} {asked.sign} {'|'.join(values)}"


def read_key(path: Path) -> Pseudonyms:
    """The key that an earlier run wrote. Raises BadInput when it is none, or gives one code to two ids."""
    table = read_table(path, KEY_COLUMNS)
    if lacking := [column for column in KEY_COLUMNS if column not in table.columns]:
        raise BadInput([
            Problem(path, "this column is missing; a key has kind, id and code", table.header_line, column)
            for column in lacking
        ])  # fmt: skip
    found, problems, seen = Pseudonyms(), [], dict[str, int]()
    kinds = (*KINDS, *PLACES)
    for line, row in zip(table.lines, table.rows):
        kind, one, code = (row[column] for column in KEY_COLUMNS)
        if kind not in kinds:
            problems.append(Problem(path, f"one of {', '.join(kinds)} is expected", line, "kind", kind))
        elif not one or one in getattr(found, kind):
            problems.append(Problem(path, "each patient and each sample has one row", line, "id", one))
        elif not re.fullmatch("[A-Za-z0-9]+", code) or code in seen:
            before = f"; row {seen[code]} has it" if code in seen else ""
            problems.append(
                Problem(path, f"a code of its own, of letters and digits, is expected{before}", line, "code", code)
            )
        else:
            getattr(found, kind)[one] = code
            seen[code] = line
    if problems:
        raise BadInput(problems)
    return found


def _codes_in(row: Mapping[str, str]) -> dict[str, str]:
    """Code of each own id of a sample; one of both kinds becomes the sample's."""
    own = [(row.get("own_patient", ""), row["patient"]), (row.get("own_sample", ""), row["sample"])]
    return {one.casefold(): code for one, code in own if one}


def hide_ids(texts: Iterable[str], row: Mapping[str, str]) -> list[str]:
    """Texts about a sample without its own ids (``own_sample``, ``own_patient``) and the name of its file."""
    codes = _codes_in(row)
    pattern = ids_in(codes)
    path = Path(row["path"])
    plain = row["sample"] + "".join(path.suffixes[-1:])
    told = [one_form(text.replace(path.name, plain)) for text in texts]
    return [pattern.sub(lambda found: codes[found[0].casefold()], text) for text in told] if pattern else told


def hide_in_cells(names: Iterable[str], row: Mapping[str, str]) -> list[str]:
    """Ids of cells without the ids of their sample and patient, also amid letters and digits (``xMueller12``).

    Shorter ids than `_SURE`, and those that a barcode may hold by chance, are sought amid letters only where every cell
    has them.
    """
    codes, names = _codes_in(row), [one_form(name) for name in names]
    folded = [name.casefold() for name in names]

    def anywhere(one: str) -> bool:
        if one.isdigit() or len(one) < 2:
            return False
        return (len(one) >= _SURE and not _BASES.fullmatch(one)) or all(one in name for name in folded)

    told = sorted(filter(anywhere, codes), key=len, reverse=True)
    if told:
        pattern = re.compile("|".join(map(re.escape, told)), re.IGNORECASE)
        names = [pattern.sub(lambda found: codes[found[0].casefold()], name) for name in names]
    return hide_ids(
        names, {**row, **{k: "" for k in ("own_sample", "own_patient") if row.get(k, "").casefold() in told}}
    )


def anonymous(adata: "ad.AnnData", row: Mapping[str, str]) -> "ad.AnnData":
    """The sample as `ingest` made it, without ids in the names of its cells, its categories and the notes about it.

    row : of the manifest, with ``own_sample`` and ``own_patient``, the ids that the codes stand for. Columns of the
    input that the pipeline does not know are left out. Raises ReadError when ids of cells are no longer unique by it.
    """
    left_out = [column for column in adata.obs if column not in KEPT]
    adata.obs = adata.obs.drop(columns=left_out)
    cells = pd.Index(hide_in_cells(adata.obs_names, row))
    if cells.has_duplicates:
        raise ReadError("some ids of its cells differ in the case of the sample's name only; rename them")
    adata.obs_names = cells
    for column in (Obs.CELL_TYPE.value, Obs.ANNOTATION.value):
        if column in adata.obs:
            adata.obs[column] = _hidden_categories(adata.obs[column], row)
    own = dict(adata.uns[UNS])
    for name in ("source", "matrix", "um_per_unit_source", "format"):
        own[name] = hide_ids([str(own[name])], row)[0]
    for name in ("notes", "warnings"):
        own[name] = hide_ids(own[name], row)
    if left_out:
        own["notes"].append(f"{len(left_out)} columns of the input left out, since they may tell who it is")
    adata.uns[UNS] = own
    return adata


def _hidden_categories(values: pd.Series, row: Mapping[str, str]) -> pd.Categorical:
    given = values.astype(object)
    told = given.dropna().astype(str)
    return pd.Categorical(pd.Series(hide_ids(told, row), told.index).reindex(given.index))


def anonymous_picture(picture: "Picture", row: Mapping[str, str]) -> "Picture":
    """The picture of the tissue, said to be of a file whose name tells nothing."""
    levels = tuple(replace(level, source=hide_ids([level.source or ""], row)[0]) for level in picture.levels)
    return replace(picture, source=hide_ids([picture.source], row)[0], levels=levels)
