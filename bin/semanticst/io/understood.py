"""Summary of how a sample was read, in words: format, matrix, kind of values, coordinates, parts left out."""

from collections.abc import Iterable, Mapping

SOURCES = {"samplesheet": "stated", "values": "from the values", "cohort": "as in the other samples"}
_LEFT_OUT = ("left out", "set apart")
CELLS, FEATURES = "cells", "features"
NUMBERS = {"n_cells_left_out": CELLS, "n_features_left_out": FEATURES}
"""Keys of ``uns['semanticst']`` with the numbers of what the input has and the matrix does not."""


class LeftOut(str):
    """A note about cells or features of the input that are not in the matrix, with their number."""

    n: int
    what: str


class UnitUnknown(str):
    """A note that the input does not say its unit, which goes when the samplesheet does."""


def cells_left_out(n: int, text: str) -> LeftOut:
    """A note about ``n`` cells, spots or bins of the input."""
    return _left_out(n, CELLS, text)


def features_left_out(n: int, text: str) -> LeftOut:
    """A note about ``n`` features of the input."""
    return _left_out(n, FEATURES, text)


def _left_out(n: int, what: str, text: str) -> LeftOut:
    note = LeftOut(text)
    note.n, note.what = int(n), what
    return note


def numbers_left_out(notes: Iterable[str]) -> dict[str, int]:
    """`NUMBERS` over all notes."""
    counted = [note for note in notes if isinstance(note, LeftOut)]
    return {key: sum(note.n for note in counted if note.what == what) for key, what in NUMBERS.items()}


def understood(own: Mapping) -> dict[str, str]:
    """Texts about a sample, of its ``uns['semanticst']``; empty where nothing is known.

    ``left_out`` are the notes that tell what is not in the matrix, with its number; ``notes`` the others.
    """
    kind, source = str(own["feature_type"]), str(own.get("feature_type_source", ""))
    unit = str(own["spatial_unit"])
    scale, told = float(own.get("um_per_unit", 0) or 0), str(own.get("um_per_unit_source", ""))
    converted = f"1 unit of the file = {scale:g} um" if scale not in (0, 1) else ""
    how = ", ".join(text for text in (converted, told) if text)
    proteins = own.get("protein_names", ())
    notes = [str(note) for note in own.get("notes", ())]
    left_out = [note for note in notes if any(words in note for words in _LEFT_OUT)]
    return {
        "format": str(own.get("format", "")),
        "matrix": str(own.get("matrix", "")),
        "values": f"{kind} ({SOURCES[source]})" if source in SOURCES else kind,
        "proteins": f"{len(proteins)} ({own['protein_type']})" if len(proteins) else "",
        "unit": f"{unit} ({how})" if how else unit,
        "left_out": "; ".join(left_out),
        "notes": "; ".join(note for note in notes if note not in left_out),
    }


def facts_of(own: Mapping, n_cells: int, n_features: int) -> dict:
    """What was understood of a sample: the texts of `understood`, numbers, and warnings. own : its ``uns``."""
    return {
        "sample": str(own["sample"]),
        **understood(own),
        "n_cells": n_cells,
        "n_features": n_features,
        **{key: int(own.get(key, 0)) for key in NUMBERS},
        "warnings": [str(warning) for warning in own.get("warnings", ())],
    }


def in_a_line(told: Mapping) -> str:
    """The facts of a sample as one line."""
    n_proteins, _, kind = told["proteins"].partition(" ")
    proteins = f" and {n_proteins} proteins {kind}" if n_proteins else ""
    parts = [
        f"{told['format']}, values from {told['matrix']}",
        told["values"],
        f"coordinates in {told['unit']}",
        f"{told['n_cells']} cells x {told['n_features']} features{proteins}",
        *(f"{told[key]} {what if told[key] > 1 else what[:-1]} left out" for key, what in NUMBERS.items() if told[key]),
        *(told[name] for name in ("left_out", "notes") if told[name]),
        *(f"WARNING: {warning}" for warning in told["warnings"]),
    ]
    return f"{told['sample']}: {'; '.join(parts)}"
