"""Names of regions: one in several spellings (Tumor, tumor, TUMOR) is one region, in a section and in a cohort."""

from collections.abc import Iterable, Mapping

from semanticst.tables.spellings import one_value


def usual_spelling(names: Iterable[str]) -> dict[str, str]:
    """For each name that others spell otherwise, the most frequent spelling (of several the first by letter)."""
    return {name: same[0] for same in one_value(names) for name in same[1:]}


def spelled_alike(regions: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """`usual_spelling` over the sections of a cohort. regions : names of those in each section, each once."""
    return usual_spelling(name for names in regions.values() for name in names if name)


def told(renamed: Mapping[str, str]) -> str:
    """What `usual_spelling` found, in words: ``tumor is Tumor``."""
    return "regions spelled in several ways are one: " + ", ".join(f"{old} is {new}" for old, new in renamed.items())
