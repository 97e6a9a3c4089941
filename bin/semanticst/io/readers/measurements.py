"""Measurements of one marker by several statistics and in several compartments, of which one is taken.

QuPath writes "Nucleus: CD3 mean" or "CD3: Nucleus: Mean", inForm "Entire Cell CD3 (Opal 520) Mean (Normalized Counts,
Total Weighting)", HALO "CD3 Cell Intensity" and, as 0 and 1, "CD3 Positive Classification", MCMICRO with several masks
"CD3_cellMask" or "CD3_cellRingMask", ark "CD3_nuclear", CellProfiler "Intensity_MeanIntensity_CD3" or
"Cells_Intensity_MeanIntensity_CD3".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

COMPARTMENT = re.compile(r"^(cell|nucleus|cytoplasm|membrane)\s*:\s*", re.IGNORECASE)
"""How QuPath begins the name of a measurement."""
COMPARTMENTS = ("cell", "", "nucleus", "cytoplasm", "membrane")
"""The best first: a marker may be in any compartment of a cell."""
STATISTICS = ("mean", "", "median", "sum", "call", "other")
"""The best first; without a word it is the mean. A call says whether the cell is positive."""
_PART = {
    r"(entire|whole)?[ _]?cells?([ _]?ring)?([ _]?mask)?": "cell",
    r"nucle(us|i|ar)([ _]?ring)?([ _]?mask)?": "nucleus",
    r"cyto(plasm)?(ic)?([ _]?ring)?([ _]?mask)?": "cytoplasm",
    r"membrane([ _]?mask)?": "membrane",
}
_STATISTIC = {
    r"mean|average|avg|intensity|od": "mean",
    r"median": "median",
    r"sum|total|integrated": "sum",
    r"min(imum)?|max(imum)?|range|std\.?[ _]?dev\.?|std|sd|variance|gini([ _]index)?|percentile[ _:]*\d+(\.\d+)?"
    r"|\d+(\.\d+)?(st|nd|rd|th)?[ _]percentile": "other",
}
_PERCENTILE = re.compile(r"(?P<before>.+?)[\s:_]+p\d+", re.IGNORECASE)
"""A percentile (CD3_p95), or a marker that is called so: p16, p53, p63."""
_WEIGHTED = re.compile(r"\s*\([^()]*(weighting|counts|pixels)[^()]*\)$", re.IGNORECASE)
"""What inForm adds behind the statistic."""
_CALL = re.compile(
    r"(?P<marker>.+?)[ _]positive(?:[ _](?P<part>nucleus|cytoplasm|membrane|cell))?(?P<halo>[ _]classification)?",
    re.IGNORECASE,
)
_CELLPROFILER = re.compile(r"(?:([A-Za-z]+)_)?Intensity_([A-Za-z]+?)(?:Intensity)?(Edge)?_(.+)")


@dataclass(frozen=True)
class Measurement:
    """What a column measures. ``compartment`` and ``statistic`` are empty where the name does not say them."""

    marker: str
    compartment: str
    statistic: str

    @property
    def rank(self) -> tuple[int, int]:
        return STATISTICS.index(self.statistic), COMPARTMENTS.index(self.compartment)


def repeated_markers(columns: Iterable[str]) -> tuple[list[str], set[str]]:
    """Columns that measure a marker once more than is needed, and the best ones of tables that name all they measure.

    The latter are columns that say both statistic and compartment (or are of CellProfiler); empty where fewer than two
    do, and columns that say less may be features.
    """
    best: dict[str, tuple[Measurement, list[str]]] = {}
    worse: list[str] = []
    named: dict[str, str] = {}
    for column, found in _measurements(columns).items():
        if found.compartment and found.statistic:
            named[column] = found.statistic
        marker = found.marker
        if marker not in best:
            best[marker] = found, [column]
        elif found == best[marker][0]:
            best[marker][1].append(column)
        elif found.rank < best[marker][0].rank:
            worse += best[marker][1]
            best[marker] = found, [column]
        else:
            worse.append(column)
    if any(statistic != "call" for statistic in named.values()):  # a marker of 0 and 1 is none beside intensities
        named = {column: statistic for column, statistic in named.items() if statistic != "call"}
    return worse, named.keys() - set(worse) if len(named) > 1 else set()


def _measurements(columns: Iterable[str]) -> dict[str, Measurement]:
    """What each column measures. ``p95`` at the end is a percentile where what is before it is measured otherwise, too.

    Else it is a marker, as are p16, p53 and p63.
    """
    found = {column: measured for column in columns if (measured := measurement_of(column))}
    markers = {measured.marker for measured in found.values() if measured.statistic not in ("", "call")}
    for column, measured in found.items():
        percentile = None if measured.statistic else _PERCENTILE.fullmatch(measured.marker)
        of = measurement_of(percentile["before"]) if percentile else None
        if of and of.marker in markers and not _told(of.marker, _PART):
            found[column] = Measurement(of.marker, of.compartment or measured.compartment, "other")
    return found


def measurement_of(column: str) -> Measurement | None:
    """Marker, compartment and statistic that a name says; None where nothing is left for a marker."""
    if found := _CELLPROFILER.fullmatch(column):
        objects, statistic, edge, channel = found.groups()
        kind = "other" if edge else _told(statistic, _STATISTIC) or "other"
        return Measurement(channel, _told(objects or "cell", _PART) or "cell", kind)
    if found := _CALL.fullmatch(column):
        part = found["part"] or ("cell" if found["halo"] else "")  # the word alone is written by anybody
        return Measurement(found["marker"], part.lower(), "call")
    rest, compartment, statistic = _WEIGHTED.sub("", column).strip(), "", ""
    while True:
        rest, part = _peeled(rest, _PART)
        shorter, kind = _peeled(rest, _STATISTIC)
        if not part and not kind:
            break
        # "Max Intensity" is no mean
        compartment, statistic, rest = part or compartment, max(kind, statistic, key=_how_special), shorter
    front = re.match(r"(entire cell|whole cell|cell|nucleus|cytoplasm|membrane)(\s*:\s*|\s+)(?=\S)", rest, re.I)
    if front and (":" in front[2] or statistic):
        compartment, rest = _told(front[1], _PART), rest[front.end() :]
    if statistic == "sum" and not compartment:  # "S6 total" is a protein beside "S6 phosphorylated"
        return Measurement(column, "", "")
    return Measurement(rest, compartment, statistic) if rest else None


def _how_special(statistic: str) -> int:
    return ("", "mean", "sum", "median", "other").index(statistic)


def _peeled(name: str, words: dict[str, str]) -> tuple[str, str]:
    """The name without one of ``words`` at its end, and what that word means (empty where there is none)."""
    for pattern, meaning in words.items():
        if found := re.search(rf"(?<=.)[\s:_]+({pattern})$", name, re.IGNORECASE):
            return name[: found.start()].strip(), meaning
    return name, ""


def _told(word: str, words: dict[str, str]) -> str:
    return next((meaning for pattern, meaning in words.items() if re.fullmatch(pattern, word, re.IGNORECASE)), "")
