"""The niche step: embedding of all cells in, niches of all cells out."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from semanticst.constants import DISCOVERY, NICHE_STARTS, OTHER_NUMBER, SUPPORTED, UNS, VALIDATION, Obs, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.niche.added import AddedNiches, add_niches
from semanticst.niche.alternatives import alternative_clusterings, alternative_counts
from semanticst.niche.base_clusterings import assign_parts, base_clustering_counts, fit_base_clusterings
from semanticst.niche.bootstrap import (
    LEFT_OUT,
    Bootstraps,
    agreement_of,
    bootstrap_niches,
    stability_table,
    tell_expectation,
)
from semanticst.niche.choose_k import (
    about_as_stable,
    choose_number,
    not_supported,
    number_curve,
    parse_numbers,
    report_curve,
    too_many_niches,
    unjudged,
)
from semanticst.niche.consensus import Consensus, numbered_by_size, vote, weights_of_majority, whole_partition
from semanticst.niche.deciding_cells import deciding_cells, mark_deciding_cells
from semanticst.niche.fit import learn_fit, tell_fit, tell_small
from semanticst.niche.mapped_section import report_fit, report_mapping, report_own_fit
from semanticst.niche.mixture import Mixture
from semanticst.niche.neighbourhood_spread import add_spread
from semanticst.niche.niche_model import NicheModel, graph_settings
from semanticst.niche.rare.rare_section import rare_cautions, report_rare_tissue
from semanticst.niche.rare.rare_tissue import find_rare_tissue
from semanticst.niche.representations import (
    Representation,
    fit_representations,
    is_reference,
    middle_representation,
    representation_weights,
)
from semanticst.niche.spatial_refinement import Hmrf, HmrfInputs, fit_hmrf, hmrf_inputs
from semanticst.niche.tissue_halves import trial_cells
from semanticst.wording import plural
from semanticst.writing import write_json, write_table

log = logging.getLogger(__name__)

SHRINKAGE = 0.1
REFERENCE_SHRINKAGE = 0.0
"""The released package shares a covariance between parts as it is (mclust's EEE)."""


@threadpool_limits.wrap(limits=1)  # many small products: threads work on different ones, and change no digit
def cluster_niches(
    embedding: Path,
    outdir: Path,
    *,
    niche_k: str = "auto",
    starts: int = NICHE_STARTS,
    refinement: bool = True,
    bootstraps: int = 20,
    model: dict | None = None,
    additional: int = 0,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Write the niches and what they are made of.

    ``niches.csv.gz``, ``niche_mixture.npz``, ``niche_k.csv``, ``niche_stability.csv``, ``niche_fit.csv``,
    ``niche_member_counts.csv``, ``niche_cautions.json``, ``niches_by_k.csv.gz`` for a list of k, ``rare_tissue.csv``
    where it was looked for.

    Parameters
    ----------
    embedding
        The object of all cells that ``model_embed.py`` writes.
    outdir
        An existing folder.
    niche_k
        ``auto``, a number of niches, or several between commas.
    starts
        First partitions from which each mixture is fitted.
    refinement
        Whether the consensus is refined, see `semanticst.niche.spatial_refinement`.
    bootstraps
        Number of bootstraps for the niches' Jaccard index; never with ``model``, whose niches are given.
    model
        Content of ``model.pt``, onto whose niches the cells are mapped; refined or not as it was made.
    additional
        Niches that mapped cells which fit none of the model's are clustered into, numbered behind these.
    seed
        Of starts, halves and bootstraps.
    threads
        Of the processor; they change nothing in the result.

    Raises
    ------
    BadInput
        When there are fewer cells than niches.

    Examples
    --------
    ``folder`` has ``cohort.embedding.h5ad`` of 480 cells of two samples, each of two kinds of tissue.

    >>> cluster_niches(folder / "cohort.embedding.h5ad", folder, niche_k="2", starts=1, refinement=False, bootstraps=0)
    >>> pd.read_csv(folder / "niches.csv.gz")["niche"].nunique()
    2
    """
    whole = ad.read_h5ad(embedding)
    given = None if model is None else NicheModel.from_arrays(model["mixture"])
    if given is None or given.has_spread:
        add_spread(whole)
    decided = _discovery(whole) if given is None else np.ones(whole.n_obs, dtype=bool)
    adata = whole if decided.all() else whole[decided].copy()
    jaccard, left_out, others, rare, cautions = None, {}, {}, None, []
    if given is not None:
        niches = given
        if niches.fit is None:
            raise BadInput(Problem("the model", "does not say what fits it; give integration/model.pt of a run"))
        labels, stability = niches.assign(adata)
        reference, fit = niches.fit, niches.fit.cells(adata)
        log.info("%d cells mapped to the %d niches of the model", adata.n_obs, niches.k)
        curve = unjudged([niches.k]).assign(supported=bool(niches.quality.get(SUPPORTED, np.ones(1)).all()))
        chosen = niches.k
    else:
        wanted = parse_numbers(niche_k)
        mark_deciding_cells(adata, seed)
        n_deciding = len(adata.obs_names[deciding_cells(adata)])
        if niche_k != "auto" and (problem := too_many_niches(max(wanted), n_deciding)):
            raise BadInput(Problem(embedding, problem))
        representations = fit_representations(adata)
        curve, chosen = _choose(adata, representations, wanted, seed, threads)
        inputs = hmrf_inputs(adata, seed) if refinement else None
        numbers = wanted if niche_k != "auto" else [chosen]
        mixtures = fit_base_clusterings(
            adata, representations, numbers, shrinkage=shrinkage_of(adata), starts=starts, seed=seed, threads=threads
        )
        found = {k: consensus_niches(adata, representations, mixtures[k], inputs) for k in numbers}
        niches, consensus = found[chosen]
        labels, stability = consensus.labels, consensus.stability
        if bootstraps:
            reference_of = representations[consensus.reference]
            drawn = _bootstraps(adata, reference_of, consensus.consensus_labels, chosen, bootstraps, seed, threads)
            jaccard, left_out = drawn.jaccard, drawn.left_out
        reference, fit = learn_fit(adata, seed)
        rare = find_rare_tissue(adata, representations, labels)
        report_rare_tissue(adata, rare, outdir)
        niches = replace(niches, fit=reference)
        others = {f"{OTHER_NUMBER}{k}": c.labels for k, (_, c) in sorted(found.items()) if k != chosen}
        others |= alternative_clusterings(
            adata, representations, chosen, found, shrinkage=shrinkage_of(adata), starts=starts, seed=seed,
            threads=threads,
        )  # fmt: skip
        if len(found) > 1:
            cells = adata.obs[[Obs.SAMPLE, Obs.CELL_ID]].astype(str).reset_index(drop=True)
            write_table(
                outdir / "niches_by_k.csv.gz",
                cells.assign(**{f"k{k}": c.labels + 1 for k, (_, c) in found.items()}),
            )
    curve["chosen"] = curve["k"] == chosen
    curve["about_as_stable"] = about_as_stable(curve, chosen)
    if unsupported := not_supported(curve, "the tissue" if given is None else "the tissue of the model"):
        log.warning("%s; each test of them is a test of arbitrary cuts", unsupported)
    write_table(outdir / "niche_k.csv", curve)
    report_curve(curve, outdir)
    if model is None:
        by_niche = stability_table(labels, stability, jaccard, niches.k)
        agreed = {LEFT_OUT: np.sort(list(left_out.values()))} if left_out else {}
        niches = replace(niches, quality=_quality(curve, by_niche) | agreed)
    niches.save(outdir / "niche_mixture.npz")
    by_niche = stability_table(labels, stability, jaccard, niches.k)
    under_others = alternative_counts(adata.obs[Obs.SAMPLE].astype(str).to_numpy(), labels, others)
    kinds = np.full(whole.n_obs, np.nan)
    if rare is not None:
        kinds[decided] = rare.kind
        write_table(outdir / "rare_tissue.csv", rare.patches)
    if not decided.all():
        validation = whole[~decided].copy()
        of_validation = (*niches.assign(validation), reference.cells(validation))
        labels, stability, fit = (
            _together(decided, *both) for both in zip((labels, stability, fit), of_validation, strict=True)
        )
        adata = whole
    of_samples = reference.samples(adata, fit)
    own = set(whole.obs[Obs.SAMPLE][decided].astype(str)) if model is None else set()
    agreement = agreement_of(of_samples["sample"], {s: left_out.get(s, np.nan) for s in own}, niches.quality)
    of_samples.insert(of_samples.columns.get_loc("fits"), "left_out_agreement", agreement)
    write_table(outdir / "niche_fit.csv", of_samples)
    tell_fit(of_samples)
    if model is not None or not decided.all():
        tell_expectation(niches.quality)
        tell_small(of_samples[~of_samples["sample"].isin(own)])
    if model is not None:
        cautions = report_mapping(adata, fit, of_samples, niches, model, outdir)
    elif not decided.all():
        validated = set(whole.obs[Obs.SAMPLE][~decided].astype(str))
        cautions = report_fit(adata, fit, of_samples[of_samples["sample"].isin(validated)], niches, outdir)
    else:
        report_own_fit(adata, fit, of_samples, outdir)
    write_json(outdir / "niche_cautions.json", cautions + rare_cautions(rare))
    added = AddedNiches.none(niches.k)
    if model is not None and additional:
        added = add_niches(adata, niches, fit, additional, seed)
        labels, stability = added.labels(labels), added.stability(stability)
        by_niche = stability_table(labels, stability, jaccard, niches.k + added.n)
    if model is not None:
        of_model = niches.quality.get("jaccard", np.empty(0))
        by_niche["jaccard"] = pd.Series(of_model).reindex(by_niche.index).round(4)
    if SUPPORTED in niches.quality:
        by_niche["supported"] = bool(niches.quality[SUPPORTED].all())
    write_table(outdir / "niche_stability.csv", by_niche)
    write_table(
        outdir / "niches.csv.gz", niche_table(adata, labels, stability, by_niche["jaccard"].to_numpy(), fit, kinds)
    )
    samples = adata.obs[Obs.SAMPLE].astype(str).to_numpy()
    names = [r.name for r in niches.representations]
    partitions = [added.labels(part) for part in niches.partitions(adata)]
    members = base_clustering_counts(samples, partitions, added.mapping(niches.mapping), names)
    counts = pd.concat([members, under_others]) if others else members
    write_table(outdir / "niche_member_counts.csv", counts.assign(model_digest=niches.digest()))


def _discovery(adata: ad.AnnData) -> np.ndarray:
    """Which cells (n,) niches are found on: all but those of a validation, which are mapped onto these."""
    if Obs.STUDY_PART not in adata.obs:
        return np.ones(adata.n_obs, dtype=bool)
    return (adata.obs[Obs.STUDY_PART].astype(str) != VALIDATION).to_numpy()


def _together(decided: np.ndarray, discovery: np.ndarray, validation: np.ndarray) -> np.ndarray:
    """Values of all cells (n,), in their order, from those of the two parts."""
    both = np.empty(len(decided), dtype=discovery.dtype)
    both[decided], both[~decided] = discovery, validation
    return both


def _quality(curve: pd.DataFrame, by_niche: pd.DataFrame) -> dict[str, np.ndarray]:
    """What a model remembers of how well its niches are supported."""
    names = ("k", "bic", "stability", "stability_sd", "zero")
    of_curve = {f"curve_{name}": curve[name].to_numpy(float) for name in names}
    chosen = curve[curve["chosen"]]
    if chosen["zero"].notna().all():
        of_curve[SUPPORTED] = chosen["supported"].to_numpy(float)
    return of_curve | {name: by_niche[name].to_numpy(float) for name in ("n_cells", "stability", "jaccard")}


def fit_niches(
    adata: ad.AnnData,
    representations: Sequence[Representation],
    k: int,
    inputs: HmrfInputs | None,
    starts: int,
    seed: int,
    threads: int = 1,
) -> tuple[NicheModel, Consensus]:
    """A mixture of ``k`` parts on each representation, and their consensus, refined unless ``inputs`` is None."""
    mixtures = fit_base_clusterings(
        adata, representations, [k], shrinkage=shrinkage_of(adata), starts=starts, seed=seed, threads=threads
    )
    return consensus_niches(adata, representations, mixtures[k], inputs)


def consensus_niches(
    adata: ad.AnnData,
    representations: Sequence[Representation],
    mixtures: Sequence[Mixture],
    inputs: HmrfInputs | None,
) -> tuple[NicheModel, Consensus]:
    """The consensus of ``mixtures``, one on each representation, refined unless ``inputs`` is None."""
    k = len(mixtures[0].weights)
    partitions = assign_parts(adata, representations, mixtures)
    weights = representation_weights(representations, int(adata.uns[UNS].get("train_networks", 1)))
    consensus = vote(partitions, k, weights, deciding_cells(adata))
    if consensus.n_niches < k:
        decides = whole_partition(partitions, k)
        log.warning("%d niches: by votes alone one has no cell, %s decides", k, representations[decides].name)
        weights = weights_of_majority(weights, decides)
        consensus = vote(partitions, k, weights, deciding_cells(adata))
    log.info("%d niches from %d base clusterings, reference %s, mean stability %.2f, %d to %d cells",
             k, len(representations), representations[consensus.reference].name, consensus.stability.mean(),
             *(f(np.bincount(consensus.labels, minlength=k)) for f in (np.min, np.max)))  # fmt: skip
    consensus, hmrf = (consensus, None) if inputs is None else refine_labels(inputs, consensus)
    model = NicheModel(list(representations), list(mixtures), consensus.mapping, weights, graph_settings(adata), hmrf)
    return model, consensus


def refine_labels(inputs: HmrfInputs, consensus: Consensus) -> tuple[Consensus, Hmrf | None]:
    """The consensus after spatial refinement, and its field; as it was, and None, where a niche would be lost."""
    hmrf = fit_hmrf(inputs, consensus.votes)
    labels = hmrf.refine_inputs(inputs, consensus.votes)
    lost = np.setdiff1d(consensus.labels, labels) + 1
    if len(lost):
        log.warning("no spatial refinement: niche %s would lose all its cells", ", ".join(map(str, lost)))
        return consensus, None
    log.info("spatial refinement: %.1f %% of the cells changed their niche; a cell's own state counts %.2f",
             100 * (labels != consensus.labels).mean(), hmrf.weight)  # fmt: skip
    stability = consensus.votes[np.arange(len(labels)), labels]
    consensus, order = numbered_by_size(replace(consensus, labels=labels, stability=stability))
    return consensus, hmrf.renumbered(order)


def shrinkage_of(adata: ad.AnnData) -> float:
    """Shrinkage of the mixtures' covariance: none in reference mode."""
    return REFERENCE_SHRINKAGE if is_reference(adata) else SHRINKAGE


def niche_table(
    adata: ad.AnnData, labels: np.ndarray, stability: np.ndarray, jaccard: np.ndarray, fit: np.ndarray, rare: np.ndarray
) -> pd.DataFrame:
    """One row per cell: sample, cell_id, x, y, niche (from 1), patient, stability, niche_jaccard, unit, fit, rare.

    ``jaccard`` (k,) is that of each niche; the cell gets its niche's. ``fit`` (n,) as in `semanticst.niche.fit`.
    ``rare`` (n,): kind of rare tissue, 0 for none, NaN where it was not looked for.
    """
    xy = np.asarray(adata.obsm[Obsm.SPATIAL])
    unit, decided = str(adata.uns[UNS]["spatial_unit"]), _discovery(adata)
    parts = {"study_part": np.where(decided, DISCOVERY, VALIDATION)} if not decided.all() else {}
    return pd.DataFrame(
        {
            "sample": adata.obs[Obs.SAMPLE].astype(str).to_numpy(),
            "cell_id": adata.obs[Obs.CELL_ID].astype(str).to_numpy(),
            "x": xy[:, 0],
            "y": xy[:, 1],
            "niche": labels + 1,
            "patient": adata.obs[Obs.PATIENT].astype(str).to_numpy(),
            "stability": np.round(stability, 4),
            "niche_jaccard": jaccard[labels],
            "coordinate_unit": np.where(decided, unit, str(adata.uns[UNS].get("validation_unit", unit))),
            "fit": np.round(fit, 4),
            "rare_tissue": pd.array(rare, dtype="Int64"),
            **parts,
        }
    )


def _bootstraps(
    adata: ad.AnnData,
    representation: Representation,
    labels: np.ndarray,
    k: int,
    bootstraps: int,
    seed: int,
    threads: int,
) -> Bootstraps:
    """Niches drawn anew in the representation that agrees best with the others."""
    patients, samples = (adata.obs[name].astype(str).to_numpy() for name in (Obs.PATIENT, Obs.SAMPLE))
    X, shrinkage, rows = representation.matrix(adata), shrinkage_of(adata), deciding_cells(adata)
    drawn = bootstrap_niches(
        X[rows], labels[rows], patients[rows], samples[rows], k,
        shrinkage=shrinkage, bootstraps=bootstraps, seed=seed, threads=threads,
    )  # fmt: skip
    log.info("Jaccard index of the niches over %d bootstraps: %s",
             bootstraps, ", ".join(f"{value:.2f}" for value in drawn.jaccard.mean(0)))  # fmt: skip
    return drawn


def _choose(
    adata: ad.AnnData, representations: Sequence[Representation], wanted: list[int], seed: int, threads: int
) -> tuple[pd.DataFrame, int]:
    """The curve over the wanted numbers and the chosen one; a single number is taken as it is."""
    trial = trial_cells(adata, middle_representation(representations), seed)
    curve = number_curve(trial, wanted, shrinkage=shrinkage_of(adata), seed=seed, threads=threads)
    if len(wanted) == 1:
        return curve if len(curve) else unjudged(wanted), wanted[0]
    return curve, chosen_of(curve, adata)


def chosen_of(curve: pd.DataFrame, adata: ad.AnnData) -> int:
    """The number of niches of the cells ``adata`` that their `number_curve` gives.

    Raises BadInput where they are too few for a curve.
    """
    if curve.empty:
        n_samples = adata.obs[Obs.SAMPLE].nunique()
        message = (
            f"{adata.n_obs} cells in {plural(n_samples, 'sample')} are too few to choose a number of niches, which "
            "takes different halves of their tissue; give it with --niche_k"
        )
        raise BadInput(Problem("the cohort", message))
    return choose_number(curve)
