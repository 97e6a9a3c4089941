"""A simulated cohort with a known answer, written as a user would bring one."""

import logging
from dataclasses import asdict
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst import __version__
from semanticst.progress import progress
from semanticst.simulate.expression import (
    draw_batch,
    draw_counts,
    draw_intensities,
    draw_types,
    niche_mixes,
    paired_mixes,
    type_programmes,
)
from semanticst.simulate.outcome import REFERENCE, TARGET, clinical_table, draw_groups, draw_log_areas, section_shares
from semanticst.simulate.settings import Settings, Tissue
from semanticst.simulate.tissue import GEOMETRIES, cell_positions, clumps, draw_niches, draw_rare, draw_thin
from semanticst.writing import write_h5ad, write_json, write_table

log = logging.getLogger(__name__)

RARE_EVERY = 3
"""Every so many patients have the rare niche, if there is one."""
GROUP_CONTRAST, SURVIVAL_CONTRAST = "response", "survival"


def simulate_cohort(settings: Settings, outdir: Path) -> None:
    """Write ``samplesheet.csv, clinical.csv, contrasts.csv, planted.json, domains.csv.gz`` and ``samples/*.h5ad``.

    The same settings give the same files. Each section draws from its own random stream.
    """
    plan_rng, outcome_rng, panel_rng, batch_rng, section_root = (
        np.random.default_rng(s) for s in np.random.SeedSequence(settings.seed).spawn(5)
    )
    outcome_niche = int(plan_rng.integers(settings.niches))
    groups = draw_groups(settings.patients, plan_rng)
    rare_niche = (outcome_niche + 1) % settings.niches if settings.rare else None
    log_area, enlarged = draw_log_areas(groups, outcome_niche, settings, plan_rng, rare_niche)
    sheet = plan_sections(settings, groups, plan_rng)

    mixes = mixes_of_tissue(settings.tissue, niche_mixes(settings.niches))
    programmes = type_programmes(mixes.shape[1], settings.genes, panel_rng)
    batches = [
        draw_batch(settings.genes, settings.batch_depth, settings.batch_shift, settings.batch_dropout, batch_rng)
        for _ in range(settings.n_batches)
    ]
    domains = []
    streams = section_root.spawn(len(sheet))
    for section, rng in progress(zip(sheet.itertuples(), streams), "sections", len(sheet)):
        points = cell_positions(section.n_cells, rng)
        shares = section_shares(log_area[section.patient_index], rng)
        if settings.tissue == Tissue.THIN:
            niche = draw_thin(points, settings.niches, rng)
        else:
            niche = draw_niches(points, shares, section.geometry, outcome_niche, rng)
        if rare_niche is not None and section.patient_index % RARE_EVERY == 0:
            niche = draw_rare(points, niche, rare_niche, settings.rare, rng)
        cell_type = draw_types(niche, mixes, rng)
        if settings.tissue == Tissue.ARRANGED:
            cell_type = in_clumps(points, niche, cell_type, rng)
        elif settings.tissue == Tissue.SHUFFLED:
            cell_type = rng.permutation(cell_type)
        values = draw_counts(cell_type, programmes, batches[section.batch_index], settings.debris, rng)
        if settings.intensities:
            values = draw_intensities(values, rng)
        adata = as_anndata(section.sample, values, points, niche, cell_type, mixes.shape)
        write_h5ad(outdir / section.path, adata)
        domains.append(
            pd.DataFrame(
                {"sample": section.sample, "cell_id": adata.obs_names, "domain": adata.obs["domain"].to_numpy(str)}
            )
        )

    truth = pd.concat(domains, ignore_index=True)
    names = domain_names(settings.niches)
    patient_of = sheet.set_index("sample")["patient"]
    niche_cells = pd.crosstab(truth["sample"].map(patient_of), truth["domain"]).reindex(columns=names, fill_value=0)
    clinical = clinical_table(
        list(niche_cells.index), groups, niche_cells.to_numpy(), outcome_niche, settings.hazard, outcome_rng
    )
    write_table(outdir / "domains.csv.gz", truth)
    write_table(outdir / "samplesheet.csv", sheet[["sample", "patient", "path", "platform", "batch", "slide"]])
    write_table(outdir / "clinical.csv", clinical)
    write_table(outdir / "contrasts.csv", contrasts_table())
    write_json(
        outdir / "planted.json", planted_answer(settings, names, outcome_niche, mixes, sheet, niche_cells, enlarged)
    )
    log.info(
        "%d patients, %d sections, %d cells, %d genes; planted: %s",
        settings.patients, len(sheet), len(truth), settings.genes,
        f"{names[outcome_niche]} is associated with the outcome" if settings.effect or settings.hazard else "no effect",
    )  # fmt: skip


def mixes_of_tissue(tissue: Tissue, mixes: np.ndarray) -> np.ndarray:
    """Share of each cell type in each niche, n_niches x n_types; ``mixes`` are those of ordinary niches."""
    if tissue == Tissue.ARRANGED:
        return paired_mixes(mixes)
    if tissue == Tissue.RANDOM:
        return np.tile(mixes.mean(axis=0), (len(mixes), 1))
    if tissue == Tissue.UNIFORM:
        return np.tile(np.eye(mixes.shape[1])[0], (len(mixes), 1))
    return mixes


def in_clumps(points: np.ndarray, niche: np.ndarray, cell_type: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cell types (n_cells,) that lie in clumps of one type in every second niche: each clump has the type that one of
    its cells was drawn, so that proportions stay what they are."""
    found = cell_type.copy()
    for k in range(1, niche.max() + 1, 2):
        rows = np.flatnonzero(niche == k)
        if len(rows):
            _, first, of_clump = np.unique(clumps(points[rows], rng), return_index=True, return_inverse=True)
            found[rows] = cell_type[rows][first][of_clump]
    return found


def domain_names(n_niches: int) -> list[str]:
    """Names of the true niches: D1, D2, ..."""
    return [f"D{k + 1}" for k in range(n_niches)]


def plan_sections(settings: Settings, groups: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """One row per section: names, size, geometry and batch.

    Each number of sections is as frequent as the others. Batches take turns within each group of patients and over the
    sections of a patient, so that batch and outcome are not confounded; with ``own_batches`` the patient is the batch.
    """
    low, high = settings.sections
    n_sections = rng.permutation(np.resize(np.arange(low, high + 1), settings.patients))
    width = len(str(settings.patients))
    turn_of_group = dict.fromkeys(np.unique(groups), 0)
    rows = []
    for index, (group, n) in enumerate(zip(groups, n_sections)):
        patient = f"P{index + 1:0{width}d}"
        for section in range(n):
            batch = index if settings.own_batches else turn_of_group[group] % settings.batches
            turn_of_group[group] += 1
            rows.append(
                {
                    "sample": f"{patient}_S{section + 1}",
                    "patient": patient,
                    "patient_index": index,
                    "path": f"samples/{patient}_S{section + 1}.h5ad",
                    "platform": "simulated",
                    "batch": f"B{batch + 1}",
                    "batch_index": batch,
                    "slide": f"B{batch + 1}",
                }
            )
    sheet = pd.DataFrame(rows)
    smallest = 10 * settings.niches
    sheet["n_cells"] = np.maximum((settings.cells * np.exp(rng.normal(0, 0.15, len(sheet)))).round(), smallest)
    sheet.loc[sheet["patient_index"] == settings.patients - 1, "n_cells"] *= settings.large
    sheet["n_cells"] = sheet["n_cells"].astype(int)
    sheet["geometry"] = rng.permutation(np.resize(GEOMETRIES, len(sheet)))
    return sheet


def as_anndata(sample, values, points, niche, cell_type, shape) -> ad.AnnData:
    """One section: X counts or intensities, ``obs`` cell_type and domain, ``obsm['spatial']`` in micrometres."""
    n_niches, n_types = shape
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical.from_codes(cell_type, [f"T{t + 1}" for t in range(n_types)]),
            "domain": pd.Categorical.from_codes(niche, domain_names(n_niches)),
        },
        index=[f"{sample}_{i + 1}" for i in range(len(points))],
    )
    width = len(str(values.shape[1]))
    var = pd.DataFrame(index=[f"GENE{g + 1:0{width}d}" for g in range(values.shape[1])])
    return ad.AnnData(values, obs=obs, var=var, obsm={"spatial": points}, uns={"spatial_unit": "um"})


def contrasts_table() -> pd.DataFrame:
    """The contrasts to test: response (two groups) and survival."""
    columns = "contrast,type,column,reference,target,levels,time,event,event_value,covariates,strata,block,subset"
    rows = [
        {"contrast": GROUP_CONTRAST, "type": "groups", "column": "group", "reference": REFERENCE, "target": TARGET},
        {"contrast": SURVIVAL_CONTRAST, "type": "survival", "time": "time", "event": "event", "event_value": "1"},
    ]
    return pd.DataFrame(rows, columns=columns.split(",")).fillna("")


def planted_answer(settings, names, outcome_niche, mixes, sheet, niche_cells, enlarged) -> dict:
    """What a perfect analysis would find; the content of ``planted.json``."""
    outcome = names[outcome_niche]
    types = [f"T{t + 1}" for t in range(mixes.shape[1])]
    absent = [[p, d] for p in niche_cells.index for d in names if niche_cells.loc[p, d] == 0]

    def direction(effect: float) -> list[dict]:
        if effect == 0:
            return []
        return [{"domain": outcome, "direction": "up" if effect > 0 else "down"}]

    closure = (
        "Proportions of a section sum to 1: when one niche takes more, the others take less. On the centred log-ratio "
        f"the outcome niche changes by effect * (1 - 1/{settings.niches}) and each other niche by -effect / "
        f"{settings.niches}. Beyond that the other niches do not go with the outcome."
    )
    return {
        "version": __version__,
        "settings": asdict(settings),
        "seed": settings.seed,
        "domains": names,
        "outcome_domain": outcome,
        "contrasts": {
            GROUP_CONTRAST: {
                "type": "groups",
                "column": "group",
                "reference": REFERENCE,
                "target": TARGET,
                "domains": [
                    d | {"log_area_ratio": settings.effect, "clr_difference": settings.effect * (1 - 1 / len(names))}
                    for d in direction(settings.effect)
                ],
                "clr_difference_of_others": -settings.effect / len(names),
            },
            SURVIVAL_CONTRAST: {
                "type": "survival",
                "time": "time",
                "event": "event",
                "event_value": "1",
                "domains": [
                    d | {"log_hazard_ratio_per_sd_of_clr": settings.hazard} for d in direction(settings.hazard)
                ],
            },
        },
        "direction": (
            "groups: up = larger area in the target group; survival: up = the larger the area, the higher the hazard"
        ),
        "closure": closure,
        "cell_types": {name: dict(zip(types, mix.round(4))) for name, mix in zip(names, mixes)},
        "geometry": dict(zip(sheet["sample"], sheet["geometry"])),
        "enlarged": dict(zip(niche_cells.index, [names[k] for k in enlarged])) if settings.imbalance > 1 else {},
        "absent": absent,
    }
