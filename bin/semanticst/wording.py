"""Numbers and lists as a reader sees them, in messages, sentences and figures."""

from collections.abc import Iterable, Mapping, Sequence

from semanticst.constants import AUTO_LARGEST, none_supported

ARBITRARY_CUTS = "arbitrary cuts, not to be interpreted"
"""What niches are whose number the tissue does not support."""
AT_RANDOM = "the cells lie in their samples as at random"
"""Why no number of niches is supported, where nothing is arranged."""
CUTS_IN_FIGURE = f"Niches: {ARBITRARY_CUTS}"
"""In a figure of such niches, which may be shown alone."""
CUTS_IN_SECTION = f" These niches are {ARBITRARY_CUTS}: see the table of the niches."
"""At the end of a section of the report about such niches."""


def figure_caution(supported: bool) -> str:
    """What stands in a figure of niches whose number is not ``supported``; empty where it is."""
    return "" if supported else CUTS_IN_FIGURE


def at_random(numbers: Mapping) -> bool:
    """Whether the table ``niche_k.csv`` (columns by name) says that the cells lie as at random; those of before do not
    say."""
    return "arranged" in numbers and not all(numbers["arranged"])


def no_number(tried: Sequence[int], supported: Sequence[bool], tissue: str = "the tissue") -> str:
    """Of several numbers of niches ``tried`` (n,), that none is ``supported`` (n,); empty where one is.

    ``tissue``: whose. None of all from 2 up is none from 3 up, see `semanticst.constants.none_supported`.
    """
    if none_supported(tried, supported):
        if supported[0]:
            return f"No number of niches from 3 up is supported by {tissue}, but 2 are (--niche_k 2)"
        return f"No number of niches is supported by {tissue}"
    if len(tried) > 1 and not any(supported):
        return f"No number of niches among {spans(tried)} is supported by {tissue}"
    return ""


def two_are_better(tried: Sequence[int], stability: Sequence[float], chosen: int) -> str:
    """That 2 niches, which were asked for among others, are more stable than the chosen ones; empty elsewhere.

    tried, stability : (n,). All numbers from 2 to ``AUTO_LARGEST`` are ``auto``, with which nobody asked for 2.
    """
    known = dict(zip(tried, stability, strict=True))
    auto = list(known) == list(range(2, AUTO_LARGEST + 1))
    if auto or 2 not in known or not known[2] > known.get(chosen, float("inf")):
        return ""
    return (
        f"2 niches are more stable ({known[2]:.2f}, {chosen} niches {known[chosen]:.2f}), and taken only where they "
        "are asked for alone (--niche_k 2)."
    )


def plural(n: int, noun: str, several: str = "") -> str:
    """``1 patient``, ``33 patients``."""
    return f"{n} {noun}" if n == 1 else f"{n} {several or noun + 's'}"


def joined(names: Sequence[str]) -> str:
    """``A, B and C``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def spans(numbers: Iterable[int]) -> str:
    """``3 to 5, 7 and 9``: ascending numbers, three and more in a row as a span."""
    runs: list[list[int]] = []
    for number in sorted(int(n) for n in numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [[f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(n) for n in run] for run in runs]
    return joined([text for run in texts for text in run])


def listed(values: Iterable[object], most: int) -> str:
    """The first ``most`` values, joined by commas, and how many more there are; ``none`` where there are none."""
    texts = [str(value) for value in values]
    return (", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")) or "none"


def numbered(niches: Sequence[object]) -> str:
    """``niche 4``, ``niches 4 and 6``."""
    return f"{'niche' if len(niches) == 1 else 'niches'} {joined([str(n) for n in niches])}"
