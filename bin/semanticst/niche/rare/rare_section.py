"""Sections of the report on rare tissue: a row for each patch, and maps."""

import logging
import tempfile
from pathlib import Path

import anndata as ad
import numpy as np
import scipy.sparse as sp

from semanticst.constants import UNS, Context, Obs, Obsm, graph_key
from semanticst.graph.contexts import cells_averaged
from semanticst.mqc.multiqc import NICHES, Column, Section, emphasised, gallery, table
from semanticst.niche.rare.rare_tissue import CELLS_OF_A_PATCH, LARGEST, PATIENTS, RareTissue
from semanticst.niche.representations import is_reference
from semanticst.plotting.marked_cells import draw_marked
from semanticst.units import percent
from semanticst.wording import plural

log = logging.getLogger(__name__)

MAPS = 6
"""Samples that are drawn, those with the most cells of rare tissue."""


def report_rare_tissue(adata: ad.AnnData, found: RareTissue | None, outdir: Path) -> None:
    """Log what was found, and write the sections where something was; ``found`` as `find_rare_tissue` gives it."""
    if found is None:
        log.info("no rare tissue was looked for: that takes %d patients, and a neighbourhood profile", PATIENTS)
        return
    for told in _common(found):
        log.info("%s", told)
    if found.patches.empty:
        if not found.common:
            log.info("no rare tissue: no patches in several patients are alike and like no blend of niches")
        return
    for kind, patches in found.patches.groupby("rare_tissue"):
        log.info("rare tissue %d: %d cells in %d patches of %d patients, like none of the niches",
                 kind, patches["n_cells"].sum(), len(patches), patches["patient"].nunique())  # fmt: skip
    _table(found, len(found.kind), str(adata.uns[UNS]["spatial_unit"]), outdir)
    _maps(adata, found, outdir)


def smallest_niche(adata: ad.AnnData) -> str:
    """Which size of tissue can be a niche of its own in this cohort; empty in reference mode, which averages nothing.

    The simulated cohorts are in docs/benchmarks.md ("Rare niches").
    """
    if is_reference(adata):
        return ""
    several = adata.obs[Obs.PATIENT].nunique() >= PATIENTS
    rare = (
        " Small patches that look alike in several patients are looked for by themselves: they are in the section on "
        "rare tissue, which is there where some was found."
    )
    hops = int(adata.uns[UNS]["graph_hops"])
    cells = cells_averaged(sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)]), hops)
    low, high = (f"{cells[hop - 1]:.0f}" for hop in (min(2, hops), hops))
    return (
        f" <b>Small niches:</b> niches are found on averages over about {low if low == high else f'{low} to {high}'} "
        "cells (or spots) around each, and patches that are smaller than this mostly get the niche of what surrounds "
        "them. In simulated cohorts where every third patient had one patch of a rare niche, and averages were over "
        "23 to 42 cells, patches of 70 cells, 4 % of all, had a niche of their own; most cells of patches of 20, 1 % "
        "of all, shared one with about as many others; patches of 30 and 50 cells that were 0.4 % of all were found by "
        "chance only, and of 7 cells not. About four in ten of the cells in patches of 20 and 7 were red there, so "
        f"this is where to look for them.{rare if several else ''}"
    )


def rare_cautions(found: RareTissue | None) -> list[dict]:
    """For the summary of the run, ``text`` and ``section``: that no result is of the rare tissue, and what the niches
    do not explain though it is common; none without any."""
    if found is None:
        return []
    common = [{"text": f"{told}.", "section": "niche_overview"} for told in _common(found)]
    if found.patches.empty:
        return common
    n = found.patches["rare_tissue"].nunique()
    cells = f"{found.patches['n_cells'].sum():,d} cells in {plural(found.patches['patient'].nunique(), 'patient')}"
    verb, counts = ("is", "it counts") if n == 1 else ("are", "each counts")
    text = f"{plural(n, 'kind')} of rare tissue ({cells}) {verb} like none of the niches: {counts} in that which is"
    return [*common, {"text": f"{text} nearest; look at the images.", "section": "rare_tissue"}]


def _common(found: RareTissue) -> list[str]:
    """A sentence for each kind of tissue that the niches do not explain, and that is not rare."""
    return [
        f"{n:,d} cells ({percent(n / len(found.kind))}) in {plural(patients, 'patient')} look alike, and like none of "
        "the niches nor a blend of niches: too many to be rare tissue, try more niches (--niche_k)"
        for n, patients in found.common
    ]


def _table(found: RareTissue, n_cells: int, unit: str, outdir: Path) -> None:
    patches = found.patches
    kinds = plural(patches["rare_tissue"].nunique(), "kind")
    section = Section(
        "rare_tissue",
        NICHES,
        "Rare tissue",
        emphasised(
            f"{kinds} of rare tissue, {patches['n_cells'].sum():,d} of {n_cells:,d} cells: patches of "
            f"{CELLS_OF_A_PATCH} cells and more that look alike in at least {PATIENTS} patients, and like none of the "
            "niches nor a blend of niches, as it is where they meet. Each of these cells has the niche that is nearest "
            "all the same, and counts there in all results: none of them is of rare tissue. <b>Gain</b>: how much "
            "nearer the patch is to its kind than to any blend of niches (squared distance, in standard deviations of "
            f"the inside of niches). What is in more than {percent(LARGEST)} of the cells is not rare: that takes more "
            "niches (<code>--niche_k</code>). The edge of a section, a fold or damage that looks alike in several "
            "patients is found as well, and at times a part of a common niche: look at the images. All cells: "
            "<code>rare_tissue</code> in <code>niches/niches.csv.gz</code>; patches: "
            "<code>niches/rare_tissue.csv</code>."
        ),
    )
    length = "" if unit == "unknown" else f", {unit}"
    columns = {
        "rare_tissue": Column("Kind", "Kinds that are in more patients have a lower number", format="{:d}"),
        "sample": Column("Sample", ""),
        "patient": Column("Patient", ""),
        "n_cells": Column("Cells", "Cells (or spots) of the patch", format="{:,d}"),
        "x": Column("x", f"Middle of the patch{length}", format="{:,.0f}"),
        "y": Column("y", f"Middle of the patch{length}", format="{:,.0f}"),
        "nearest_niche": Column("Niche", "Niche that most of its cells have", format="{:d}"),
        "gain": Column("Gain", "How much nearer to its kind than to any blend of niches", format="{:.1f}"),
    }
    rows = patches.set_index(np.arange(1, len(patches) + 1).astype(str))
    table(outdir, section, rows, columns, row_title="Patch")


def _maps(adata: ad.AnnData, found: RareTissue, outdir: Path) -> None:
    section = Section(
        "rare_tissue_maps",
        NICHES,
        "Where the rare tissue is",
        f"Cells of rare tissue are red, the others grey, in the samples with most of them (at most {MAPS}).",
    )
    cells = found.patches.groupby("sample")["n_cells"].sum().sort_values(ascending=False, kind="stable")
    samples, xy = adata.obs[Obs.SAMPLE].astype(str).to_numpy(), np.asarray(adata.obsm[Obsm.SPATIAL])
    unit = str(adata.uns[UNS]["spatial_unit"])
    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        for number, (sample, n_cells) in enumerate(cells.head(MAPS).items()):
            rows, png = np.flatnonzero(samples == sample), Path(folder) / f"{number}.png"
            draw_marked(xy[rows], found.kind[rows] > 0, unit, png)
            pictures.append((f"{sample}: {plural(n_cells, 'cell')} of rare tissue", png))
        gallery(outdir, section, pictures)
