"""Sections of the report about what lies beside what: borders between niches, contexts of the network."""

from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, Section
from semanticst.plotting.palette import given_names, niche_name

_CONTEXT_WORDS = {
    "spatial": "the cells next to it",
    "expression": "cells of the same sample with similar expression",
    "domain": "cells of the same sample with similar neighbourhoods",
}


def recognised(overview: pd.DataFrame) -> dict[int, str]:
    """Names of niches with what they are known by: a name that was given, else the first cell type or marker.

    overview : ``niche_overview``.
    """
    known = overview["cell_types"] if "cell_types" in overview else overview["markers"]
    # "T cell 40 %, B cell 9 %" or "CD3E, VIM"
    first = known.fillna("").str.split(", ").str[0].str.replace(r" \d+ %$", "", regex=True)
    named = given_names()
    return {
        niche: niche_name(niche) if niche in named or not word else f"{niche_name(niche)}: {word}"
        for niche, word in zip(overview["niche"], first)
    }


def contact_section(outdir: Path, contacts: pd.DataFrame, names: dict[int, str], over: str = "") -> None:
    """Heat map of which niche borders on which. contacts : ``niche_contacts``. names : `recognised`. over : samples."""
    frame = border_proportions(contacts)
    frame.columns = [niche_name(niche) for niche in frame.index]
    frame.index = frame.index.map(names)
    section = Section(
        "niche_contacts",
        NICHES,
        "Which niche lies beside which",
        "Of the contacts that a niche (row) has with other niches, the proportion that is with each of them (column); "
        "a row sums to 1. Cells inside a niche are left out: a niche touches itself most, since it is a region." + over,
        help=multiqc.emphasised(
            "Each cell is joined to its 6 nearest cells of the same sample; edges between two niches are summed over "
            "samples. A large niche has more border and so a darker column. Neighbourhood enrichment, log2 of the "
            "edges over those of shuffled cells, is in <code>niches/niche_contacts.csv</code> for every sample."
        ),
    )
    words = "Proportion of the contacts with other niches"
    multiqc.heatmap(
        outdir, section, frame, "Beside", "Niche", words, low=0, high=float(np.nanmax([*frame.max(), 0.01]))
    )


def border_proportions(contacts: pd.DataFrame) -> pd.DataFrame:
    """Of the edges that leave a niche (row) the proportion to each other one (column), NaN for itself.

    contacts : ``niche_contacts``, one row per sample and pair. A niche without such edges has NaN in its row.
    """
    pooled = contacts.groupby(["niche_a", "niche_b"], as_index=False)["edges"].sum()
    mirrored = pooled.rename(columns={"niche_a": "niche_b", "niche_b": "niche_a"})
    frame = pd.concat([pooled, mirrored]).drop_duplicates(["niche_a", "niche_b"])
    frame = frame.pivot_table(index="niche_a", columns="niche_b", values="edges", dropna=False).astype(float)
    values = frame.to_numpy(copy=True)
    np.fill_diagonal(values, np.nan)
    total = np.nansum(values, axis=1, keepdims=True)
    return pd.DataFrame(values / np.where(total > 0, total, np.nan), frame.index, frame.columns)


def attention_section(outdir: Path, scores: pd.DataFrame, names: dict[int, str], over: str = "") -> None:
    """Heat map of attention weights. scores : ``niche_scores``. names : of `recognised`. over : which samples."""
    frame = scores.pivot_table(index="niche", columns="context", values="mean", sort=False)
    frame.index = frame.index.map(names)
    meanings = [f"<b>{name}</b>: {_CONTEXT_WORDS[name]}" for name in frame.columns if name in _CONTEXT_WORDS]
    if not meanings:
        meanings = ["The contexts are learned weights of the same spatial neighbours and have a number only"]
    section = Section(
        "niche_scores",
        NICHES,
        "Attention weights",
        multiqc.emphasised(
            "The network sees each cell in several contexts and learns how much each of them counts. Mean weight "
            f"(attention) of each context in each niche; a row sums to 1. {'; '.join(meanings)}.{over} Another seed "
            "can give other weights, even another order of niches: look at several before you make something of them."
        ),
    )
    multiqc.heatmap(outdir, section, frame, x="Context", y="Niche", z="Mean attention", low=0, high=1)
