"""Section of the report on samples that were mapped onto a model: which model, and how well each sample fits it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.constants import QUALITY, SUPPORTED, UNS, Obs, Obsm, has_network
from semanticst.mqc.multiqc import INTEGRATION, NICHES, Column, Section, emphasised, gallery, lines, table
from semanticst.niche.bootstrap import DEPENDABLE, LEFT_OUT, expectation, expected
from semanticst.niche.fit import FEW_SAMPLES
from semanticst.niche.fit_of_samples import ENOUGH_CELLS, OUTSIDE, Limits, unchecked
from semanticst.niche.niche_model import NicheModel
from semanticst.niche.rare.rare_section import smallest_niche
from semanticst.plotting.marked_cells import draw_marked
from semanticst.plotting.palette import niche_name
from semanticst.units import percent
from semanticst.wording import ARBITRARY_CUTS, joined, listed, plural

MAPS = 12
"""Samples that are drawn, those with the most cells outside."""
CHECKS = len(Limits._fields)
TOLD_WHY = 2
"""Samples up to which a caution says why each of them does not fit."""
OWN_MAPS = 6
"""The same of the samples that niches were found on."""
TIMES_AS_MANY = 3
"""How many times the proportion of all other batches one has to have, so that its cells outside are its own."""
CUTS = f"they are {ARBITRARY_CUTS}"
"""Of niches whose number the tissue does not support."""


def report_mapping(
    adata: ad.AnnData, of_cells: np.ndarray, of_samples: pd.DataFrame, niches: NicheModel, model: dict, outdir: Path
) -> list[dict]:
    """Write the sections: the model, its curve and niches, the fit of each sample, maps of the cells outside.

    of_cells : fit (n,). of_samples : ``FitReference.samples``. model : content of ``model.pt``, with its ``digest``.
    Returns cautions for the summary of the run: ``text`` and ``section``.
    """
    _model(niches, model, outdir)
    _curve(niches, outdir)
    _niches(niches, outdir)
    return report_fit(adata, of_cells, of_samples, niches, outdir)


def report_fit(
    adata: ad.AnnData, of_cells: np.ndarray, of_samples: pd.DataFrame, niches: NicheModel, outdir: Path
) -> list[dict]:
    """Write the fit of the mapped samples ``of_samples``, and maps of those with the most cells outside; cautions."""
    _samples(of_samples, niches, outdir)
    section = Section(
        "mapped_maps",
        INTEGRATION,
        "Cells outside of the model",
        f"Cells whose fit is below {OUTSIDE:g} are red, the others grey; {_with_most(len(of_samples), MAPS)}. "
        "Patches of red are tissue that no sample of the model had.",
    )
    _maps(adata, of_cells, of_samples, section, outdir, MAPS)
    return [{"text": f"{text}.", "section": "mapped_fit"} for text in cautions(of_samples, niches)]


def report_own_fit(adata: ad.AnnData, of_cells: np.ndarray, of_samples: pd.DataFrame, outdir: Path) -> None:
    """Write maps of the cells of a cohort that fit least, of the samples with most of them; arguments as above."""
    several = len(of_samples) > 1
    measured = "each sample measured against the others" if several else "of this one sample"
    if several and len(of_samples) < FEW_SAMPLES:
        measured = f"each sample measured against all {len(of_samples)}, itself among them"
    whose = "that other samples do not have" if several else "that is rare in the sample"
    worst = of_samples.sort_values(["outside", "sample"], ascending=[False, True]).iloc[0]
    batch, gathered = gathers_in(adata.obs, of_cells)
    section = Section(
        "niche_fit",
        NICHES,
        "Cells that are like no others",
        emphasised(
            f"Red: cells whose neighbourhood is less usual than those of 95 % of all cells ({measured}; fit below "
            f"{OUTSIDE:g}), so 5 % are red on average, and {percent(worst['outside'])} in "
            "{sample}. "
            f"Patches of red may be tissue {whose}: whatever their niche is called, read it with care."
            + gathered
            + " Shown: "
            f"{_with_most(len(of_samples), OWN_MAPS)}; all are in "
            "<code>niches/niche_fit.csv</code>." + smallest_niche(adata),
            sample=worst["sample"],
            batch=batch,
        ),
    )
    _maps(adata, of_cells, of_samples, section, outdir, OWN_MAPS)


def gathers_in(cells: pd.DataFrame, fit: np.ndarray) -> tuple[str, str]:
    """The batch in which cells outside gather, and the sentence that says so; both empty where there is none.

    cells : batch, sample and patient of each cell (n rows). fit : (n,). What one sample or patient causes may be its
    tissue: a batch counts by the proportion that is left without the one with most of these cells. The sentence has
    ``{batch}`` where the name of the batch, a word of the user, belongs.
    """
    if Obs.BATCH not in cells:
        return "", ""
    names = [name for name in (Obs.BATCH, Obs.SAMPLE, Obs.PATIENT) if name in cells]
    known = cells[names].astype(str).assign(outside=fit < OUTSIDE)
    found = known.groupby(Obs.BATCH)["outside"].agg(["sum", "size"])
    least = pd.concat([_without_the_worst(known, name) for name in names[1:]], axis=1, join="inner").min(axis=1)
    if least.empty or len(found) < 2:
        return "", ""
    most = least.idxmax()
    others = found.drop(index=most).sum()
    share, other = found.loc[most, "sum"] / found.loc[most, "size"], others["sum"] / others["size"]
    if least[most] <= OUTSIDE or least[most] < TIMES_AS_MANY * other:
        return "", ""
    return str(most), (
        " They gather in batch {batch} "
        f"({percent(share)} of its cells, {percent(other)} of all others): that speaks "
        "of the batch, its depth or its preparation, rather than of tissue."
    )


def _without_the_worst(known: pd.DataFrame, name: str) -> pd.Series:
    """Proportion of cells outside of each batch without its sample or patient that has most; none of a single one."""
    found = known.groupby([Obs.BATCH, name])["outside"].agg(["sum", "size"])
    left = found.drop(index=found.groupby(Obs.BATCH)["sum"].idxmax()).groupby(Obs.BATCH).sum()
    return left["sum"] / left["size"]


def cautions(of_samples: pd.DataFrame, niches: NicheModel) -> list[str]:
    """What a reader must know of mapped samples (rows of ``niche_fit.csv``) before anything is said of them."""
    bad, said = of_samples[~of_samples["fits"]], []
    if len(bad):
        which = bad["sample"] + (" (" + bad["why"] + ")" if len(bad) <= TOLD_WHY else "")
        said = [f"{_that_do_not_fit(len(bad), len(of_samples))}, whatever the stability: {listed(which, 5)}"]
    if (mean := expected(niches.quality)) < DEPENDABLE:
        said += [
            "Niches of samples that are mapped onto this model are not dependable, whether they fit or not: its own "
            f"samples, left out of bootstraps, agreed with it by {mean:.2f}, at least {DEPENDABLE:g} is wanted"
        ]
    return said


def model_card(model: dict) -> dict[str, str]:
    """What a model is, as names and values for a reader; ``model`` is the content of ``model.pt``."""
    basis, network, mixture = model["basis"], model["network"], model["mixture"]
    card = {
        "Model (SHA-256)": str(model.get("digest", "")),
        "Written by version": str(network.get("version", "")),
        "Samples": f"{int(basis['n_samples']):,d}",
        "Cells": f"{int(basis['n_cells']):,d}",
        "Batches": str(batches) if (batches := _batches(model)) else "",
        "Platforms": ", ".join(map(str, np.atleast_1d(basis["platforms"]))) or "not stated",
        "Units of coordinates": ", ".join(map(str, np.atleast_1d(basis["spatial_units"]))) or "unknown",
        "Kind of values": str(basis["feature_type"]),
        "Features": f"{len(np.atleast_1d(basis['features'])):,d}",
        "Components": str(np.shape(basis["loadings"])[1]),
        "Depth (counts of a cell)": f"{float(basis['depth']):,.0f}" if str(basis["feature_type"]) == "counts" else "",
        "Batch correction": _correction(model),
        "Network": f"{network.get('mode', '')}, contexts {', '.join(map(str, network['shape'].get('contexts', [])))}"
        if has_network(model)
        else "none",
        "Niches": str(np.shape(mixture["mapping"])[1]),
        "Number of niches": {None: "", True: "supported by the tissue", False: f"not supported by the tissue: {CUTS}"}[
            supported_of(mixture, QUALITY + SUPPORTED)
        ],
        "Base clusterings": str(np.shape(mixture["mapping"])[0]),
        "To be expected": expectation({LEFT_OUT: mixture[QUALITY + LEFT_OUT]} if QUALITY + LEFT_OUT in mixture else {}),
    }
    settings = {name: str(int(value)) for name, value in mixture.items() if name.startswith("graph_")}
    return {name: value for name, value in (card | settings).items() if value}


def _batches(model: dict) -> int:
    """Batches of the model's own samples; 0: a model of before, without a network, does not say."""
    return int(model["basis"].get("n_batches", model["network"].get("n_batches", 0)))


def _correction(model: dict) -> str:
    """Whether batches of the model's own samples were corrected, and what happens to those that are mapped."""
    if "harmony_centres" not in model["basis"]:
        return "no, nor of mapped samples"
    if _batches(model) == 1:
        return "none was made (one batch); mapped samples are moved onto it"
    return "yes"


def supported_of(stored: Mapping[str, np.ndarray], name: str = SUPPORTED) -> bool | None:
    """Whether the tissue of a model supports its number of niches, as it has ``stored``; None: not known."""
    return bool(np.all(stored[name])) if name in stored else None


def niche_quality(niches: NicheModel) -> pd.DataFrame:
    """Per niche of the model: n_cells, stability, jaccard, as they were where it was trained."""
    columns = {
        name: niches.quality.get(name, np.full(niches.k, np.nan)) for name in ("n_cells", "stability", "jaccard")
    }
    table = pd.DataFrame(columns, index=pd.RangeIndex(1, niches.k + 1, name="niche"))
    return table.astype({"n_cells": "Int64"})


def curve_of_model(niches: NicheModel, of: str = "stability") -> dict[float, float]:
    """Stability of each number of niches that was tried where the model was trained, or its ``zero`` line; empty where
    the number was given, and where there is no such line, as in models of before."""
    k, values = (np.atleast_1d(niches.quality.get(f"curve_{name}", np.empty(0))) for name in ("k", of))
    known: dict[float, float] = {int(n): float(v) for n, v in zip(k, values) if np.isfinite(v)}
    return known if len(known) > 1 else {}


def _cuts(niches: NicheModel) -> str:
    """What is said of niches whose number is not supported; empty where it is, or where that is not known."""
    if supported_of(niches.quality) is not False:
        return ""
    return f" <b>The tissue of the model does not support its {plural(niches.k, 'niche')}: {CUTS}.</b>"


def _model(niches: NicheModel, model: dict, outdir: Path) -> None:
    section = Section(
        "mapped_model",
        INTEGRATION,
        "Mapped onto a model",
        emphasised(
            "Nothing was trained: the samples were mapped onto the niches of an existing model, which is described "
            "here. Runs with the same digest of the niches have the same niches under the same numbers; it is the "
            "column <code>model_digest</code> of the association tables." + _cuts(niches)
        ),
    )
    card = model_card(model) | {"Niches (digest)": niches.digest()}
    frame = pd.DataFrame({"value": list(card.values())}, index=list(card))
    table(outdir, section, frame, {"value": Column("Value")}, "Model")


def _curve(niches: NicheModel, outdir: Path) -> None:
    drawn = curve_of_model(niches)
    if not drawn:
        return
    data, line = {"Stability": drawn}, ""
    if zero := curve_of_model(niches, "zero"):
        data["Zero line"] = zero
        line = " Zero line: the same after the cells of each sample changed places at random."
    section = Section(
        "mapped_curve",
        INTEGRATION,
        "Number of niches of the model",
        emphasised(
            f"Stability of the numbers that were tried where the model was trained; it has {niches.k} niches.{line}"
            f"{_cuts(niches)}"
        ),
    )
    lines(outdir, section, data, x="Number of niches", y="Stability")


def _niches(niches: NicheModel, outdir: Path) -> None:
    section = Section(
        "mapped_niches",
        INTEGRATION,
        "Niches of the model",
        emphasised(
            "How reproducible the niches were where the model was trained: stability is the mean assignment "
            "confidence, the Jaccard index that over bootstraps of its patients, or of the cells of a single one "
            "(below 0.5: not reproducible). Neither says anything of the new samples." + _cuts(niches)
        ),
    )
    frame = niche_quality(niches)
    frame.index = pd.Index([niche_name(n) for n in frame.index])
    frame["n_cells"] = frame["n_cells"].fillna(0).astype(int)
    columns = {
        "n_cells": Column("Cells", "Cells of the model's own samples", "{:,d}"),
        "stability": Column("Stability", "Mean assignment confidence", "{:.2f}"),
        "jaccard": Column("Jaccard", "Bootstrap Jaccard index", "{:.2f}"),
    }
    table(outdir, section, frame, columns, "Niche")


def _samples(of_samples: pd.DataFrame, niches: NicheModel, outdir: Path) -> None:
    limits = niches.fit.limits if niches.fit is not None else Limits(*(np.nan,) * len(Limits._fields))
    bad = of_samples.loc[~of_samples["fits"], "sample"].tolist()
    doubtful = of_samples.loc[of_samples["fits"] & (of_samples["why"] != ""), "sample"].tolist()
    said = (
        f"{_that_do_not_fit(len(bad), len(of_samples))}, whatever the stability: {listed(bad, 5)}."
        if bad
        else "All samples fit the model."
    )
    if doubtful:
        said += f" To be looked at: {listed(doubtful, 5)}."
    section = Section(
        "mapped_fit",
        INTEGRATION,
        "Fit to the model",
        emphasised(" ".join(["{said}", _rule(limits), _fewer(of_samples), _expected(niches)]), said=said),
    )
    frame = of_samples.set_index("sample")
    frame["verdict"] = np.where(frame["fits"], np.where(frame["why"] == "", "fits", "look at it"), "does not fit")
    frame["checked"] = [f"{len(checks.split(', '))} of {CHECKS}" for checks in frame["checked"]]
    columns = {
        "verdict": Column("Verdict", "Whether the sample fits the model"),
        "outside": Column(
            "Outside", "Proportion of the cells with a fit below the limit", "{:.2f}", scale="Reds", low=0, high=1
        ),
        "shift": Column("Shift", "How far batch correction moved it, of the spread of the model's cells", "{:.2f}"),
        "change": Column("Change", "Of the variances of the components: mean of |log ratio| to the model's", "{:.2f}"),
        "coexpression": Column(
            "Coexpression", "Correlation of the correlations between features with the model's", "{:.2f}"
        ),
        "moran": Column("Moran's I", "Of the components: 0 where cells lie as at random", "{:.3f}"),
        "exchanged": Column(
            "Names", "Gain of exchanging names of features: 0 where each is most like itself", "{:.3f}"
        ),
        "left_out_agreement": Column(
            "Expected", "Agreement (adjusted Rand index) of the model's own samples when left out, mean", "{:.2f}"
        ),
        "mean_fit": Column("Mean fit", "Of its cells; 0.5 is usual", "{:.2f}"),
        "n_cells": Column("Cells", "Cells that were mapped", "{:,d}"),
        "checked": Column("Checks", "How many of the checks it could be judged by; which: niches/niche_fit.csv"),
        "why": Column("Why", "What is beyond a limit, or to be looked at"),
    }
    table(outdir, section, frame, columns)


def _rule(limits: Limits) -> str:
    """By what a sample is judged, with the limits of this model."""
    fits = [] if np.isnan(limits.outside) else [f"at most {percent(limits.outside)} of its cells outside"]
    fits += [
        f"a shift by batch correction of at most {limits.shift:.2f} of the spread of the model's cells",
        f"variances of the components that change by at most {limits.change:.2f} (mean of |log ratio|)",
    ]
    if not np.isnan(limits.coexpression):
        least = f"{limits.coexpression:.2f}"
        fits.append(f"correlations between features that correlate with the model's by at least {least}")
    names = f"exchanging these gains Fisher's z of its rows at most {limits.exchanged:.3f}"
    names = "" if np.isnan(limits.exchanged) else f"; where features look as under the names of others, {names}"
    random = f" Moran's I below {limits.moran:.3f} is a reason to look at it: its cells lie as at random."
    return (
        "The fit of a cell is the proportion of the model's own cells whose neighbourhood is less usual: below "
        f"{OUTSIDE:g} it counts as outside. A sample fits with {joined(fits)}{names}."
        f"{'' if np.isnan(limits.moran) else random} Correlations, exchanged names and Moran's I are judged from "
        f"{ENOUGH_CELLS} cells on, names not of cell types or panels of a few features. {unchecked(limits)}".rstrip()
    )


def _expected(niches: NicheModel) -> str:
    words = expectation(niches.quality)
    return f"<b>{words}.</b>" if words else ""


def _fewer(of_samples: pd.DataFrame) -> str:
    """How many samples were judged by fewer checks than others are."""
    n = of_samples["checked"].str.split(", ").str.len()
    if (n == CHECKS).all():
        return "All samples were judged by all checks."
    least = f"{n.min()} of {CHECKS} checks" if n.min() == n.max() else f"fewer than {CHECKS} checks"
    return f"{(n < CHECKS).sum()} of {len(n)} samples could be judged by {least} only (column Checks)."


def _with_most(samples: int, shown: int) -> str:
    return "the sample" if samples == 1 else f"the {min(samples, shown)} samples with most of them"


def _that_do_not_fit(n: int, of: int) -> str:
    whose = "does not fit the model, and its" if n == 1 else "do not fit the model, and their"
    return f"{n} of {plural(of, 'sample')} {whose} niches may mean nothing"


def _maps(
    adata: ad.AnnData, of_cells: np.ndarray, of_samples: pd.DataFrame, section: Section, outdir: Path, most: int
) -> None:
    rows_of = {str(s): r for s, r in adata.obs.groupby(Obs.SAMPLE, observed=True, sort=True).indices.items()}
    worst = of_samples.sort_values(["outside", "sample"], ascending=[False, True]).head(most)
    xy, unit = np.asarray(adata.obsm[Obsm.SPATIAL]), str(adata.uns[UNS]["spatial_unit"])
    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        for number, row in enumerate(worst.itertuples()):
            cells, png = rows_of[row.sample], Path(folder) / f"{number}.png"
            draw_marked(xy[cells], of_cells[cells] < OUTSIDE, unit, png)
            pictures.append((f"{row.sample}: {percent(row.outside)} of the cells", png))
        gallery(outdir, section, pictures)
