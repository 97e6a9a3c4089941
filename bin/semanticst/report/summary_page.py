"""The first page of the report, of the facts of `semanticst.report.summary_facts`."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from semanticst.association.output.summary_text import p_text
from semanticst.association.stats.results import NOT_TESTABLE
from semanticst.mqc import blocks, multiqc
from semanticst.mqc.multiqc import SUMMARY, Html, Section
from semanticst.report.summary_sentences import are_arbitrary_cuts
from semanticst.wording import plural

MOST_FINDINGS, MOST_CAUTIONS = 5, 6
"""Of a contrast, of the run: the page is to be printed on one sheet."""
MOST_CONTRASTS = 2
"""Contrasts that are told one by one; more stand in a table."""
EXPLORER = "../explorer/index.html"
"""Of the same run, seen from the folder of the report."""
SECTION = Section("summary_page", SUMMARY, "The answer in one page")
DOWN = (("qc", "Quality control"), ("integration", "Integration"), ("niche_overview", "Niches"),
        ("niche_maps", "Maps"), ("association", "All tests"), ("methods", "Methods"))  # fmt: skip


def write_page(outdir: Path, summary: dict, figures: Sequence[tuple[str, Path]], explorer: bool = False) -> None:
    """Write the section of the report. figures : caption and PNG of each. explorer : findings lead there."""
    text = summary["text"]
    said = ["cohort", "samples", "niches"]
    if are_arbitrary_cuts(summary["niches"]):
        said = ["niches", "cohort", "samples"]
    parts = [
        *(blocks.sentences(text[name], name.capitalize()) for name in said),
        *_answers(summary, explorer),
        blocks.pictures(figures),
        *_cautions(summary["cautions"]),
        _down(summary),
    ]
    multiqc.page(outdir, SECTION, parts)


def _answers(summary: dict, explorer: bool) -> list[Html]:
    contrasts = summary["contrasts"]
    if not contrasts:
        return []
    head = blocks.sentences(summary["text"]["findings"], "Findings")
    if len(contrasts) > MOST_CONTRASTS:
        return [head, _all_contrasts(contrasts, explorer)]
    return [head, *(block for contrast in contrasts for block in _answer(contrast, explorer))]


def _answer(contrast: dict, explorer: bool) -> list[Html]:
    """A contrast in a few lines: who was compared, what was found, or what would have been."""
    said = [_told(finding, contrast, explorer) for finding in contrast["findings"][:MOST_FINDINGS]]
    more = contrast["n_found"] - len(said)
    if more:
        said.append(blocks.joined([f"{more} more:", blocks.link(contrast["section"], "the table")]))
    who, said = contrast["who"], said or [nothing(contrast)]
    if contrast["validation"]:
        who = f"In the discovery {who}"
        said.append(_of_validation(contrast["validation"]))
    return [blocks.sentences(who, f"Contrast {contrast['contrast']}"), blocks.bullets(said)]


def _of_validation(validation: dict) -> str:
    if validation["not_testable"]:
        return validation["said"]
    return f"Validation ({plural(validation['n_patients'], 'patient')}): {validation['said']}"


def _told(finding: dict, contrast: dict, explorer: bool) -> str:
    """A finding in words, with the way to its sections where there is an explorer."""
    said = _with_caveat(finding)
    if finding.get("confirmed") is not None:
        said += f" {'Confirmed' if finding['confirmed'] else 'Not confirmed'} in the validation."
    if not explorer:
        return said
    of = (contrast["contrast"], finding["niche"], finding["feature"], finding["comparison"])
    where = quote("/".join(map(str, of)), safe="")
    return blocks.joined([said, blocks.outside(f"{EXPLORER}#finding={where}", "see the sections")])


def nothing(contrast: dict) -> str:
    """Why there is no finding, and what would have been one."""
    if contrast["nearest"] is None:
        return f"Nothing could be tested: {contrast['not_testable'].removeprefix(NOT_TESTABLE)}."
    return f"Nothing passed. {_would_have_been_found(contrast)} Smallest q: {_with_caveat(contrast['nearest'])}"


def _would_have_been_found(contrast: dict) -> str:
    would = contrast["detectable"] or "what would have been found is not known for this kind of test"
    return f"{would[:1].upper()}{would[1:]}."


def _with_caveat(finding: dict) -> str:
    return f"{finding['sentence']} {finding['caveat']}".strip()


def _all_contrasts(contrasts: Sequence[dict], explorer: bool) -> Html:
    rows = []
    for contrast in contrasts:
        first = next(iter(contrast["findings"]), None)
        told = nothing(contrast)
        if first:
            told = _told(first, contrast, explorer)
        elif contrast["nearest"]:
            # that nothing passed, and the smallest q, stand beside it
            told = f"{_would_have_been_found(contrast)} Nearest: {_with_caveat(contrast['nearest'])}"
        if contrast["validation"]:
            told = blocks.joined([told, _of_validation(contrast["validation"])])
        smallest = "" if contrast["smallest_q"] is None else p_text(contrast["smallest_q"], "q")
        rows.append(
            (
                blocks.link(contrast["section"], contrast["contrast"]),
                f"{contrast['n_patients']}",
                f"{contrast['n_found']} of {contrast['n_tests']}",
                smallest,
                told,
            )
        )
    return blocks.small_table(
        rows, ("Contrast", "Patients", "Found", "Smallest q", "The strongest, or what would have been found")
    )


def _cautions(cautions: Sequence[dict]) -> list[Html]:
    if not cautions:
        return []
    items = [blocks.joined([c["text"], blocks.link(c["section"], "see")]) for c in cautions[:MOST_CAUTIONS]]
    if more := len(cautions) - len(items):
        items.append(multiqc.emphasised(f"{plural(more, 'caution')} more are in <code>summary.json</code>."))
    return [blocks.sentences("What limits these results", "Cautions"), blocks.bullets(items)]


def _down(summary: dict) -> Html:
    links = [blocks.link(anchor, words) for anchor, words in DOWN if _is_there(anchor, summary)]
    return Html(f'<p class="summary-links">Further down: {" &middot; ".join(links)}</p>')


def _is_there(anchor: str, summary: dict) -> bool:
    if anchor == "association":
        return bool(summary["contrasts"])
    return anchor in ("qc", "methods") or summary["niches"] is not None
