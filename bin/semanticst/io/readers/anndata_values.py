"""The matrix of an AnnData object that holds the counts: X, raw, or a layer. h5py and zarr alike."""

import re

import numpy as np

from semanticst.constants import LAYER_COUNTS, FeatureType
from semanticst.io.readers.base import ReadError
from semanticst.io.readers.corrected_counts import why_corrected
from semanticst.io.values import strange_frequencies, whole

COUNTS_NAME = re.compile(r"count|raw|umi", re.IGNORECASE)
"""Layers that may hold counts."""
NO_COUNTS_NAME = re.compile(r"log|norm|scaled|binar|mask|unspliced|ambiguous|smooth|imput|denois", re.IGNORECASE)
"""Of these, layers that do not, whole as their numbers may be."""
SAMPLED = 1 << 20
"""Values that are looked at."""


def values_of(group, stated: str) -> tuple[str, list[str]]:
    """Where the values are that are read, and a note when it is not X.

    Counts decide on every threshold, and objects come with logarithms in X and counts in ``raw`` (CELLxGENE, Seurat's
    converters) or in a layer of any name. stated : feature type of the samplesheet; intensities stay where they are.
    """
    layers = list(group["layers"]) if "layers" in group else []
    usual = [f"layers/{LAYER_COUNTS}"] if LAYER_COUNTS in layers else []
    usual += ["X"] if "X" in group else []
    others = ["raw/X"] if "raw" in group and "X" in group["raw"] and "var" in group["raw"] else []
    named = [name for name in layers if _may_hold_counts(name)]
    others += [f"layers/{name}" for name in named]
    if not usual + others:
        raise ReadError("there is no X and no layers['counts']")
    candidates = usual + others
    if stated in ("", FeatureType.COUNTS):
        # what is all 0 and 1 may be a mask beside the counts; it may also be counts of few molecules
        of = [path for path in candidates if holds_counts(group[path])]
        of.sort(key=lambda path: bool(why_corrected(group, path)))  # behind what was counted
        counts = next((path for path in of if holds_counts(group[path], least=2)), next(iter(of), None))
    else:
        counts = None
    taken = counts or candidates[0]
    if taken == "X":
        return taken, []
    if taken == f"layers/{LAYER_COUNTS}" or counts is None:
        return taken, [f"{taken} is taken, not X"]
    return taken, [f"{taken} is taken, not {usual[0] if usual else 'X'}: it holds whole numbers (counts)"]


def _may_hold_counts(layer: str) -> bool:
    return layer != LAYER_COUNTS and bool(COUNTS_NAME.search(layer)) and not NO_COUNTS_NAME.search(layer)


def perhaps_counts(group, taken: str, stated: str) -> list[str]:
    """A warning where the values that are read are no counts, and a layer whose name says nothing may hold them."""
    if stated not in ("", FeatureType.COUNTS) or "layers" not in group or holds_counts(group[taken]):
        return []
    found = [name for name in group["layers"] if holds_counts(group[f"layers/{name}"], least=2)]
    return [
        f"layers/{name} holds whole numbers, {taken} none: if these are the counts, call the layer counts"
        for name in found
    ]


def other_counts(group, taken: str, stated: str) -> list[str]:
    """A warning where a layer of counts is read, and others, whose names say so too, hold other ones."""
    if stated not in ("", FeatureType.COUNTS) or not taken.startswith("layers/") or not holds_counts(group[taken]):
        return []
    names = [name for name in group["layers"] if name == LAYER_COUNTS or _may_hold_counts(name)]
    paths = [f"layers/{name}" for name in names if f"layers/{name}" != taken]
    others = [path for path in paths if holds_counts(group[path], least=2) and _differ(group[path], group[taken])]
    if not others:
        return []
    return [
        f"several layers hold counts: {taken} is taken, not {', '.join(others)}; if another holds what was counted, "
        "call it counts"
    ]


def corrected_counts(group, taken: str, stated: str) -> list[str]:
    """A warning where the counts that are read are, or may be, those that sctransform corrected."""
    if stated not in ("", FeatureType.COUNTS) or not holds_counts(group[taken]):
        return []
    why = why_corrected(group, taken)
    if not why:
        return []
    return [
        f"{taken} may hold counts that sctransform corrected and no measured ones: {why}; put the counts of the assay "
        "that was measured (RNA, Spatial, Xenium) into layers['counts']"
    ]


def _differ(one, other) -> bool:
    """Whether two stored matrices of one form differ in the first of their values."""
    if is_array(one) != is_array(other) or one.attrs.get("encoding-type") != other.attrs.get("encoding-type"):
        return True
    a, b = (stored if is_array(stored) else stored["data"] for stored in (one, other))
    rows = max(1, SAMPLED // max(1, int(np.prod(a.shape[1:]))))
    return a.shape != b.shape or not np.array_equal(a[:rows], b[:rows])


def holds_counts(stored, least: float = 0) -> bool:
    """Whether whole numbers above 0 are stored, of which one reaches ``least``, and which are no rounded logarithms.

    Looks at the first and the last of many values.
    """
    values = stored if is_array(stored) else stored.get("data")
    if values is None or values.dtype.kind not in "biuf" or not np.prod(values.shape):
        return False
    rows = max(1, SAMPLED // max(1, int(np.prod(values.shape[1:]))))
    pieces = [whole(np.asarray(values[:rows]))]
    if values.shape[0] > 2 * rows:
        pieces.append(whole(np.asarray(values[-rows:])))
    # an empty layer is none of counts
    return any(piece.any() and piece.max() >= least for piece in pieces) and all(
        piece.dtype.kind == "b"
        or bool((piece >= 0).all() and (piece == np.floor(piece)).all() and not strange_frequencies(piece))
        for piece in pieces
    )


def is_array(stored) -> bool:
    """Whether this is an array, and no group (a sparse matrix)."""
    return hasattr(stored, "shape")
