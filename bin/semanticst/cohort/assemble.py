"""The integrated object: every kept cell with its values, embedding and niche."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import read_elem

from semanticst import __version__
from semanticst.cohort.shared_proteins import join_proteins
from semanticst.constants import BATCH_CORRECTED, NUMBER_SUPPORTED, QUALITY, SUPPORTED, UNS, VALIDATION, Obs, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.features.harmonise import common_names
from semanticst.io.regions.region_names import spelled_alike, told
from semanticst.model.sample_graphs import sorted_by_sample
from semanticst.plotting.palette import niche_colour
from semanticst.tables.spellings import one_value
from semanticst.wording import plural
from semanticst.writing import write_h5ad

log = logging.getLogger(__name__)

KEPT_OBSM = (Obsm.COMPONENTS, Obsm.HARMONY, Obsm.EMBEDDING, Obsm.SCORES)


def assemble_cohort(
    paths: Sequence[Path],
    embedding: Path,
    niches: Path,
    out: Path,
    supported: bool | None = None,
    harmony: bool = False,
) -> None:
    """Write all kept cells with their values as they came in, embedding and semantic scores (with a network), niche.

    Values stay sparse; features that a sample lacks are absent from the joint object (intersection), and so are
    proteins (`join_proteins`). With a validation the features are those of the discovery: in what samples of the
    validation lack they have 0, and ``uns['semanticst']['features_lacking']`` names it. ``supported``: whether the
    tissue supports the number of niches, None where that is not known. ``harmony``: whether the components have a
    reference of Harmony, which corrects batches where there are several. Raises BadInput when embedding or niches do
    not cover exactly the cells of the samples.
    """
    parts = []
    for path in sorted_by_sample(paths):
        part = ad.read_h5ad(path)
        part.obs[Obs.CELL_ID] = part.obs_names.astype(str)
        part.obs_names = part.obs[Obs.SAMPLE].astype(str) + ":" + part.obs[Obs.CELL_ID]
        parts.append(part)
    proteins = join_proteins(parts)
    for part in parts:
        part.obsm.pop(Obsm.PROTEIN, None)
    parts, lacking = _with_features_of_discovery(parts)
    cohort = ad.concat(parts, join="inner", merge="same")
    # obs columns that only some samples have are kept: they are the user's
    cohort.obs = pd.concat([p.obs for p in parts]).loc[cohort.obs_names]
    embedded = _read_embedding(embedding)
    table = pd.read_csv(niches, dtype={"sample": str, "cell_id": str, "patient": str, "rare_tissue": "Int64"})
    table.index = table["sample"] + ":" + table["cell_id"]
    for name, index in ((embedding, embedded.obs_names), (niches, table.index)):
        if len(index) != cohort.n_obs or len(index.intersection(cohort.obs_names)) != cohort.n_obs:
            raise BadInput(Problem(name, f"covers {len(index)} cells, the samples hold {cohort.n_obs} (other) cells; "
                                         "give the files of one run"))  # fmt: skip
    order = embedded.obs_names.get_indexer(cohort.obs_names)
    for key in (k for k in KEPT_OBSM if k in embedded.obsm):
        cohort.obsm[key] = embedded.obsm[key][order]
    niche = table.loc[cohort.obs_names, "niche"].to_numpy(dtype=np.int32)
    numbers = range(1, int(niche.max()) + 1)
    cohort.obs[Obs.NICHE] = pd.Categorical.from_codes(niche - 1, [str(number) for number in numbers])
    if "symbol" not in cohort.var:
        cohort.var["symbol"] = cohort.var_names.astype(str)
    cohort.obs[Obs.STABILITY] = table.loc[cohort.obs_names, "stability"].to_numpy(dtype=np.float32)
    cohort.obs[Obs.NICHE_JACCARD] = table.loc[cohort.obs_names, "niche_jaccard"].to_numpy(dtype=np.float32)
    cohort.obs[Obs.FIT] = table.loc[cohort.obs_names, "fit"].to_numpy(dtype=np.float32)
    if (rare := table.get("rare_tissue")) is not None and rare.notna().any():
        cohort.obs[Obs.RARE_TISSUE] = _kinds_of_rare_tissue(rare.loc[cohort.obs_names])
    validation = table.loc[table.get(Obs.STUDY_PART, pd.Series("", table.index)) == VALIDATION, "sample"].unique()
    cohort.obs = _without_types_of_validation_alone(cohort.obs, validation)
    cohort.obs = _with_one_spelling(_storable(cohort.obs), validation)
    own = {
        **{k: embedded.uns[UNS][k] for k in ("train_mode", "graph_hops", "spatial_unit", "feature_type")},
        **{k: embedded.uns[UNS][k] for k in ("contexts",) if k in embedded.uns[UNS]},
        "version": __version__,
        "samples": sorted(cohort.obs[Obs.SAMPLE].astype(str).unique()),
    }
    moved = not np.array_equal(cohort.obsm[Obsm.COMPONENTS], cohort.obsm[Obsm.HARMONY])
    own[BATCH_CORRECTED] = moved or (harmony and len(cohort.obs[Obs.BATCH].unique()) > 1)
    if supported is not None:
        own[NUMBER_SUPPORTED] = supported
    if Obs.STUDY_PART in table:
        own["validation_samples"] = sorted(validation)
        own["features_lacking"] = lacking
    if proteins is not None:
        # the parts stand in the cohort one after the other
        cohort.obsm[Obsm.PROTEIN], own["protein_names"] = proteins[:2]
        own["protein_type"] = proteins[2].value
    # where scanpy and squidpy look for the colours of a category
    colours = [niche_colour(number) for number in numbers]
    cohort.uns = {UNS: own, f"{Obs.NICHE}_colors": colours}
    write_h5ad(out, cohort)
    log.info("%d cells x %d features of %s", cohort.n_obs, cohort.n_vars, plural(len(parts), "sample"))


def _kinds_of_rare_tissue(kinds: pd.Series) -> pd.Categorical:
    """``kinds`` (n,), nullable integers, as the categories ``0``, ``1``, ...; missing where it was not looked for."""
    numbers = range(int(kinds.max()) + 1)
    return pd.Categorical.from_codes(kinds.fillna(-1).to_numpy(dtype=np.int32), [str(number) for number in numbers])


def _read_embedding(path: Path) -> ad.AnnData:
    """What is kept of the cells' embedding: the profiles of all cells, and their graphs, would take as much again."""
    with h5py.File(path) as stored:
        obsm = {key: read_elem(stored["obsm"][key]) for key in KEPT_OBSM if key in stored["obsm"]}
        return ad.AnnData(obs=read_elem(stored["obs"]), obsm=obsm, uns=read_elem(stored["uns"]))


def number_supported(mixture: Path) -> bool | None:
    """Whether the tissue supports the number of niches of ``niche_mixture.npz``; None where that is not known."""
    with np.load(mixture, allow_pickle=False) as stored:
        name = QUALITY + SUPPORTED
        return bool(stored[name].all()) if name in stored else None


def has_harmony(basis: Path) -> bool:
    """Whether ``cohort.basis.npz`` has a reference of Harmony, onto which cells were moved."""
    with np.load(basis, allow_pickle=False) as stored:
        return "harmony_centres" in stored


def _without_types_of_validation_alone(obs: pd.DataFrame, validation: Collection[str]) -> pd.DataFrame:
    """``obs`` without cell types where samples of a ``validation`` alone have them: they would become tests of the
    others, whose cells have none."""
    if Obs.CELL_TYPE not in obs or not len(validation):
        return obs
    discovery = ~obs[Obs.SAMPLE].astype(str).isin(validation)
    if obs.loc[discovery, Obs.CELL_TYPE].notna().any():
        return obs
    log.warning("only samples of the validation have cell types: they are left out, niches are described as in the "
                "discovery")  # fmt: skip
    return obs.drop(columns=[Obs.CELL_TYPE])


def _with_one_spelling(obs: pd.DataFrame, validation: Collection[str] = ()) -> pd.DataFrame:
    """Annotated regions that sections spell in several ways (Tumor, TUMOR) under one name; those of samples of a
    ``validation`` under that of the others, where these have it."""
    if Obs.ANNOTATION not in obs:
        return obs
    names = obs[Obs.ANNOTATION].astype(str)
    by_section = names.groupby(obs[Obs.SAMPLE].astype(str).to_numpy()).unique().to_dict()
    decide = {sample: found for sample, found in by_section.items() if sample not in validation}
    renamed = spelled_alike(decide)
    known = {renamed.get(name, name) for found in decide.values() for name in found}
    for same in one_value(name for found in by_section.values() for name in found if name):
        usual = next((name for name in same if name in known), same[0])
        renamed |= {name: usual for name in same if name != usual}
    if renamed:
        log.warning(told(renamed))
        obs[Obs.ANNOTATION] = pd.Categorical(names.map(lambda name: renamed.get(name, name)))
    return obs


def _with_features_of_discovery(parts: list[ad.AnnData]) -> tuple[list[ad.AnnData], dict[str, np.ndarray]]:
    """Samples under common names of their features, those of a validation with the features that the others share,
    and the names of the features that each of the validation lacks, where it lacks any."""
    theirs = [str(part.uns[UNS].get("study_part", "")) == VALIDATION for part in parts]
    names = common_names({str(number): part.var for number, part in enumerate(parts)})
    # names of the validation's features may be read by those of the discovery, never the reverse
    names |= common_names({str(number): part.var for number, part in enumerate(parts) if not theirs[number]})
    for number, part in enumerate(parts):
        part.var_names = names[str(number)]
    if not any(theirs):
        return parts, {}
    own = [ad.AnnData(var=part.var) for part, validation in zip(parts, theirs) if not validation]
    features, lacking = ad.concat(own, join="inner", merge="same").var, {}
    for number, validation in enumerate(theirs):
        if validation:
            sample = str(parts[number].uns[UNS]["sample"])
            parts[number], missing = _on_features(parts[number], features)
            if len(missing):
                lacking[sample] = missing
                log.warning("%s: lacks %d of the %d features that the discovery shares: 0 in cohort.h5ad",
                            sample, len(missing), len(features))  # fmt: skip
    return parts, lacking


def _on_features(part: ad.AnnData, features: pd.DataFrame) -> tuple[ad.AnnData, np.ndarray]:
    """Cells of ``part`` with ``features`` (``var``), 0 in those that it lacks, and the names of these."""
    there = features.index.isin(part.var_names)
    columns = sp.csr_matrix(
        (np.ones(there.sum(), part.X.dtype), (np.arange(there.sum()), np.flatnonzero(there))),
        shape=(there.sum(), len(features)),
    )
    X = sp.csr_matrix(part[:, features.index[there]].X) @ columns
    moved = ad.AnnData(X, obs=part.obs, var=features, obsm=dict(part.obsm), uns=part.uns)
    return moved, features.index[~there].to_numpy(str)


def _storable(obs: pd.DataFrame) -> pd.DataFrame:
    """Columns of mixed kinds (a column that one sample lacks) as text, so that h5ad can hold them."""
    for column in obs.select_dtypes("object").columns:
        obs[column] = obs[column].astype(str).where(obs[column].notna(), "")
    return obs
