"""Cohorts of niche counts with a known answer, for the tests of the association."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.association.associate import Association, examine
from semanticst.association.design.tables import Contrast


@dataclass
class Cohort:
    """Sections (index sample, all text), cells per section and niche, and the columns that are clinical."""

    sections: pd.DataFrame
    counts: pd.DataFrame
    clinical: list[str]

    def ask(
        self,
        type: str,
        permutations: int = 499,
        seed: int = 0,
        kinds=("proportion",),
        log_cells="false",
        with_checks: bool = True,
        **contrast,
    ) -> Association:
        """Test one contrast in memory, not adjusted for numbers of cells: closed forms do not know of them."""
        asked = Contrast("c", type, **contrast)
        options = {"permutations": permutations, "seed": seed, "log_cells": log_cells, "with_checks": with_checks}
        return examine(asked, self.sections, self.counts, kinds=kinds, **options)

    def write(self, folder: Path, contrasts: str) -> dict[str, Path]:
        """Write the tables as the pipeline does; returns the options of the command."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = {name: folder / f"{name}.csv" for name in ("contrasts", "clinical", "samplesheet", "counts")}
        paths["contrasts"].write_text(contrasts)
        clinical = self.sections[["patient", *self.clinical]].drop_duplicates("patient")
        clinical.to_csv(paths["clinical"], index=False)
        self.sections.drop(columns=self.clinical).assign(path="x.h5ad").to_csv(paths["samplesheet"])
        long = self.counts.melt(ignore_index=False, var_name="niche", value_name="n_cells").reset_index()
        long["n_cells_sample"] = long["sample"].map(self.counts.sum(axis=1))
        long.assign(patient=long["sample"].map(self.sections["patient"])).to_csv(paths["counts"], index=False)
        return paths


def make_cohort(
    sizes: tuple[int, ...] = (8, 8),
    n_sections: int = 1,
    n_niches: int = 5,
    effect: float = 0.0,
    section_effect: float = 0.0,
    planted: int = 2,
    seed: int = 0,
) -> Cohort:
    """Patients in groups g0, g1, ... whose niche ``planted`` is ``exp(effect)`` times as frequent from group to group.

    Log shares vary between patients (SD 0.8) and between sections of a patient (SD 0.5); cells come in patches, and
    sections differ in size. Sections alternate between sides s0 and s1 (``section_effect`` in s1). Also: age, sex,
    a number x, time and event (70 % censored), none of which has to do with niches.
    """
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    group = np.repeat(np.arange(len(sizes)), sizes)
    level = np.linspace(1, -1, n_niches) + 0.8 * rng.normal(size=(n, n_niches))
    level[:, planted - 1] += effect * group
    age, sex = rng.integers(30, 80, n), rng.choice(["f", "m"], n)
    x, lifetime = rng.normal(size=n), rng.exponential(size=n)
    censoring = np.quantile(lifetime, 0.3) * rng.uniform(0.5, 1.7, n)
    rows, counts = [], []
    for i in range(n):
        for s in range(n_sections):
            log_share = level[i] + 0.5 * rng.normal(size=n_niches)
            log_share[planted - 1] += section_effect * (s % 2)
            share = np.exp(log_share) / np.exp(log_share).sum()
            n_cells = int(np.exp(rng.normal(6, 0.8))) + 50
            counts.append(rng.multinomial(n_cells, rng.dirichlet(40 * share)))
            row = {"sample": f"p{i:02d}_{s}", "patient": f"p{i:02d}", "batch": f"b{i % 2}", "side": f"s{s % 2}"}
            row |= {"group": f"g{group[i]}", "age": age[i], "sex": sex[i], "x": x[i]}
            row |= {"time": min(lifetime[i], censoring[i]), "event": int(lifetime[i] <= censoring[i])}
            rows.append(row)
    sections = pd.DataFrame(rows).astype(str).set_index("sample")
    table = pd.DataFrame(counts, index=sections.index, columns=pd.RangeIndex(1, n_niches + 1, name="niche"))
    return Cohort(sections, table, ["group", "age", "sex", "x", "time", "event"])


def row_of(result: Association, niche: int | str, comparison: str | None = None) -> pd.Series:
    """The row of a niche; of one comparison where there are several."""
    table = result.table[(result.table["niche"] == str(niche))]
    if comparison:
        table = table[table["comparison"] == comparison]
    assert len(table) == 1
    return table.iloc[0]


def clr(cohort: Cohort, by: str = "patient") -> pd.DataFrame:
    """Centred log-ratios per patient, computed the long way round."""
    summed = cohort.counts.groupby(cohort.sections[by]).sum()
    logs = np.log(summed.to_numpy() / summed.to_numpy().sum(axis=1)[:, None] + 0.001)
    return pd.DataFrame(logs - logs.mean(axis=1)[:, None], index=summed.index, columns=summed.columns)
