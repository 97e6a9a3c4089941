"""Summary of how a sample was read, in words: format, matrix, kind of values, coordinates, parts left out."""

from collections.abc import Mapping

SOURCES = {"samplesheet": "stated", "values": "from the values", "cohort": "as in the other samples"}
_LEFT_OUT = ("left out", "set apart")


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
