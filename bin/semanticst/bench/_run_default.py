"""One run of the pipeline's own chain, as ``_methods`` wants it: ``python -m semanticst.bench._run_default FOLDER``."""

import json
import logging
import sys
import time
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.bench._ablations import Variant, default_niches, embed, parts_of
from semanticst.cli import start_logging
from semanticst.constants import NICHE_STARTS, Obsm
from semanticst.errors import BadInput
from semanticst.niche.choose_k import AUTO_RANGE, number_curve
from semanticst.niche.cluster import SHRINKAGE, chosen_of
from semanticst.niche.rare.rare_tissue import find_rare_tissue
from semanticst.niche.representations import fit_representations, middle_representation
from semanticst.niche.spatial_refinement import HmrfInputs, hmrf_inputs
from semanticst.niche.tissue_halves import trial_cells
from semanticst.threads import limit_threads
from semanticst.writing import write_json

log = logging.getLogger(__name__)


def run(folder: Path) -> None:
    """Do what ``job.json`` says; see ``_methods``."""
    job = json.loads((folder / "job.json").read_text())
    variant = Variant(**job["variant"])
    starts, seed = job.get("starts", NICHE_STARTS), job["seed"]
    cohort = embed([Path(p) for p in job["samples"]], variant, seed, folder)
    inputs = hmrf_inputs(cohort, seed)
    consensus = default_niches(cohort, job["k"], inputs, starts, seed)
    labels = {"niche": consensus.labels}
    finished = time.process_time()
    if job["parts"]:
        labels |= {"without refinement": consensus.consensus_labels} | parts_of(cohort, job["k"], inputs, starts, seed)
    if row := job.get("with_rare_tissue"):
        labels[row] = with_rare_tissue(cohort, consensus.labels)
    if job["own"]:
        try:
            labels["own"] = of_own_number(cohort, inputs, starts, seed)
        except BadInput as few:
            # the niches of the number that was given are there
            log.warning("%s", few)
    pd.DataFrame(labels, index=pd.Index(cohort.obs_names, name="cell")).to_csv(folder / "labels.csv")
    if Obsm.EMBEDDING in cohort.obsm:
        np.savez(folder / "embedding.npz", X=cohort.obsm[Obsm.EMBEDDING])
    write_json(folder / "report.json", {"beyond": time.process_time() - finished})


def with_rare_tissue(cohort: ad.AnnData, labels: np.ndarray) -> np.ndarray:
    """Niches (n,) in which each kind of rare tissue has a number of its own."""
    found = find_rare_tissue(cohort, fit_representations(cohort), labels)
    return labels if found is None else np.where(found.kind > 0, labels.max() + found.kind, labels)


def of_own_number(cohort: ad.AnnData, inputs: HmrfInputs | None, starts: int, seed: int) -> np.ndarray:
    """Niches (n,) with the number of them that ``--niche_k auto`` takes. Raises BadInput where cells are too few."""
    trial = trial_cells(cohort, middle_representation(fit_representations(cohort)), seed)
    k = chosen_of(number_curve(trial, AUTO_RANGE, shrinkage=SHRINKAGE, seed=seed), cohort)
    return default_niches(cohort, k, inputs, starts, seed).labels


if __name__ == "__main__":
    start_logging("own")
    with limit_threads(1):
        run(Path(sys.argv[1]))
