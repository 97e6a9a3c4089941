"""The integrated object in memory: cells as a table, features in blocks of rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import CONTEXTS, NUMBER_SUPPORTED, UNS, FeatureType, Modality, Obs, Obsm, TrainMode
from semanticst.errors import BadInput, Problem
from semanticst.io.internal import read_anndata

_BLOCK = 50_000


@dataclass(frozen=True)
class Cohort:
    """All cells of a cohort with their niches; row order of every member is that of the file."""

    path: Path
    cells: pd.DataFrame
    """n_cells rows: sample, patient (str), niche (int, from 1); where given stability, niche_jaccard (float),
    cell_type (str), annotated_region (str, empty where in none) and rare_tissue (float, 0 for none, NaN where it was
    not looked for)."""
    xy: np.ndarray
    """float64, n_cells x 2, in ``spatial_unit``."""
    spatial_unit: str
    scores: pd.DataFrame | None
    """n_cells x contexts: attention of each cell to each context; None when the file has none."""
    features: pd.Index
    symbols: np.ndarray
    """str, n_features: what a reader calls them. ``var['symbol']`` where it is given and unique, else the feature."""
    feature_type: FeatureType
    modality: Modality = Modality.FEATURE
    """What the features are; ``gene`` where they are counts."""
    protein_names: tuple[str, ...] = ()
    """Of proteins that were measured beside the features, see `proteins`."""
    protein_type: FeatureType = FeatureType.CONTINUOUS
    number_supported: bool = True
    """Whether the tissue supports the number of niches; True where that is not known."""
    validation_samples: tuple[str, ...] = ()
    features_lacking: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of each sample of a validation that lacks features of the discovery: these; its values of them are 0."""
    file_rows: np.ndarray | None = None
    """int, ascending: the rows of the file that these cells are; None = all."""

    def proteins(self) -> "Cohort | None":
        """The cells in which proteins were measured beside genes, with these as the features; None without any."""
        if not self.protein_names:
            return None
        with h5py.File(self.path) as stored:
            measured = np.flatnonzero(~np.isnan(stored[f"obsm/{Obsm.PROTEIN}"][:, 0]))
        if not len(measured):
            return None
        return replace(
            self,
            cells=self.cells.iloc[measured].reset_index(drop=True),
            xy=self.xy[measured],
            scores=None,
            features=pd.Index(self.protein_names, dtype=object),
            symbols=np.array(self.protein_names, dtype=object),
            feature_type=self.protein_type,
            modality=Modality.PROTEIN,
            protein_names=(),
            features_lacking={},
            file_rows=measured,
        )

    @cached_property
    def decided(self) -> np.ndarray:
        """Whether cells (n,) are of those on which everything is decided: all but those of a validation."""
        return ~self.cells[Obs.SAMPLE].isin(self.validation_samples).to_numpy()

    @property
    def over_all(self) -> str:
        """A sentence for what is made of all samples of a study of two parts; empty where there are none."""
        n, validation = len(self.samples), len(self.validation_samples)
        return f" Over all {n} samples, the {validation} of the validation among them." if validation else ""

    @property
    def over_discovery(self) -> str:
        """The same for what the discovery alone says."""
        n = len(self.samples) - len(self.validation_samples)
        return f" From the {n} samples of the discovery alone." if self.validation_samples else ""

    @cached_property
    def niches(self) -> list[int]:
        """All niches from 1 to the largest, without gaps."""
        return list(range(1, int(self.cells[Obs.NICHE].max()) + 1))

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per sample, sorted by sample: sample, patient, n_cells."""
        sizes = self.cells.groupby([Obs.SAMPLE, Obs.PATIENT], as_index=False).size()
        return sizes.rename(columns={"size": "n_cells"}).sort_values(Obs.SAMPLE, ignore_index=True)

    def sample_rows(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each sample with the numbers of its rows, sorted by sample."""
        rows = self.cells.groupby(Obs.SAMPLE, sort=True).indices
        for sample in sorted(rows):
            yield sample, rows[sample]

    def blocks(self) -> Iterator[tuple[slice, sp.csr_matrix]]:
        """Yield ``X`` as CSR blocks (float64) of up to 50,000 cells, so that memory does not grow with the cohort."""
        n = len(self.cells)
        yield from self._read(slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))

    def values_by_sample(self) -> Iterator[sp.csr_matrix]:
        """Yield ``X`` of the cells of each sample as CSR (float64), sorted by sample."""
        samples = [rows for _, rows in self.sample_rows()]
        for rows, (span, values) in zip(samples, self._read(slice(r.min(), r.max() + 1) for r in samples)):
            yield values[rows - span.start]

    def _read(self, spans: Iterable[slice]) -> Iterator[tuple[slice, sp.csr_matrix]]:
        backed = ad.read_h5ad(self.path, backed="r")
        try:
            for rows in spans:
                yield rows, self._values(backed, rows)
        finally:
            backed.file.close()

    def _values(self, backed: ad.AnnData, rows: slice) -> sp.csr_matrix:
        if self.file_rows is None:
            return sp.csr_matrix(backed.X[rows], dtype=np.float64)
        chosen = self.file_rows[rows]
        span = slice(int(chosen[0]), int(chosen[-1]) + 1)
        stored = backed.obsm[Obsm.PROTEIN] if self.modality is Modality.PROTEIN else backed.X
        return sp.csr_matrix(stored[span][chosen - span.start], dtype=np.float64)


def read_cohort(path: Path) -> Cohort:
    """Read everything but ``X`` from ``cohort.h5ad``.

    Raises BadInput when the file is no AnnData file, or lacks niches, samples, patients, positions or the kind of its
    features.
    """
    backed = read_anndata(path, backed="r")
    try:
        problems = _problems(path, backed)
        if problems:
            raise BadInput(problems)
        settings = backed.uns[UNS]
        cells = pd.DataFrame(
            {
                Obs.SAMPLE: backed.obs[Obs.SAMPLE].astype(str).to_numpy(),
                Obs.PATIENT: backed.obs[Obs.PATIENT].astype(str).to_numpy(),
                Obs.NICHE: backed.obs[Obs.NICHE].astype(int).to_numpy(),
            }
        )
        # one mixture alone has nobody to agree with
        if Obs.STABILITY in backed.obs and settings.get("train_mode") != TrainMode.REFERENCE:
            cells[Obs.STABILITY] = backed.obs[Obs.STABILITY].to_numpy(dtype=float)
        if Obs.NICHE_JACCARD in backed.obs and backed.obs[Obs.NICHE_JACCARD].notna().any():
            cells[Obs.NICHE_JACCARD] = backed.obs[Obs.NICHE_JACCARD].to_numpy(dtype=float)
        if Obs.RARE_TISSUE in backed.obs:
            cells[Obs.RARE_TISSUE] = backed.obs[Obs.RARE_TISSUE].astype(float).to_numpy()
        if Obs.CELL_TYPE in backed.obs:
            types = backed.obs[Obs.CELL_TYPE].astype(object)
            # of samples without types, among others with them, the cells have an empty text
            cells[Obs.CELL_TYPE] = types.where(types.notna() & (types != ""), "not given").astype(str).to_numpy()
        if Obs.ANNOTATION in backed.obs:
            region = backed.obs[Obs.ANNOTATION].astype(object)
            cells[Obs.ANNOTATION] = region.where(region.notna(), "").astype(str).to_numpy()
        return Cohort(
            path=path,
            cells=cells,
            xy=np.asarray(backed.obsm[Obsm.SPATIAL], dtype=np.float64)[:, :2],
            spatial_unit=str(settings.get("spatial_unit", "unknown")),
            scores=_scores(backed),
            features=backed.var_names.copy(),
            symbols=_symbols(backed.var),
            feature_type=FeatureType(settings["feature_type"]),
            modality=Modality.GENE if settings["feature_type"] == FeatureType.COUNTS else Modality.FEATURE,
            protein_names=tuple(str(name) for name in settings.get("protein_names", ())),
            number_supported=bool(settings.get(NUMBER_SUPPORTED, True)),
            validation_samples=tuple(str(name) for name in settings.get("validation_samples", ())),
            features_lacking={
                str(sample): frozenset(str(name) for name in np.atleast_1d(names))
                for sample, names in settings.get("features_lacking", {}).items()
            },
            protein_type=FeatureType(str(settings.get("protein_type", FeatureType.CONTINUOUS))),
        )
    finally:
        backed.file.close()


def _problems(path: Path, backed: ad.AnnData) -> list[Problem]:
    problems = [
        Problem(path, "obs lacks this column; is it the object that cohort_assemble wrote?", column=column)
        for column in (Obs.SAMPLE, Obs.PATIENT, Obs.NICHE)
        if column not in backed.obs
    ]
    if Obsm.SPATIAL not in backed.obsm:
        problems.append(Problem(path, f"obsm lacks '{Obsm.SPATIAL}': niches cannot be mapped without positions"))
    else:
        placed = np.isfinite(np.asarray(backed.obsm[Obsm.SPATIAL], dtype=np.float64)[:, :2]).all(axis=1)
        if not placed.all():
            problems.append(
                Problem(
                    path,
                    f"{(~placed).sum()} cells have no place in obsm['{Obsm.SPATIAL}']: two numbers are expected",
                    value=str(backed.obs_names[~placed][0]),
                )
            )
    kind = backed.uns.get(UNS, {}).get("feature_type")
    if kind not in list(FeatureType):
        kinds = ", ".join(FeatureType)
        problems.append(Problem(path, f"uns['{UNS}']['feature_type'] must be one of {kinds}", value=kind))
    if backed.n_obs == 0:
        problems.append(Problem(path, "holds no cells"))
    elif Obs.NICHE in backed.obs:
        niche = pd.to_numeric(backed.obs[Obs.NICHE].astype(object), errors="coerce")
        wrong = ~((niche >= 1) & (niche % 1 == 0))
        if wrong.any():
            problems.append(
                Problem(
                    path,
                    f"{wrong.sum()} cells have no niche; niches are whole numbers from 1",
                    column=Obs.NICHE,
                    value=str(backed.obs[Obs.NICHE][wrong].iloc[0]),
                )
            )
    return problems


def _symbols(var: pd.DataFrame) -> np.ndarray:
    names = var.index.to_numpy(dtype=object)
    if "symbol" not in var:
        return names
    symbols = var["symbol"].astype(object)
    usable = symbols.notna() & (symbols != "") & ~symbols.duplicated(keep=False)
    return np.where(usable, symbols, names)


def _scores(backed: ad.AnnData) -> pd.DataFrame | None:
    if Obsm.SCORES not in backed.obsm:
        return None
    values = np.asarray(backed.obsm[Obsm.SCORES], dtype=np.float64)
    names = [str(name) for name in backed.uns[UNS].get("contexts", CONTEXTS[: values.shape[1]])]
    return pd.DataFrame(values, columns=names)


def n_cells_of(path: Path) -> int:
    """Cells of ``cohort.h5ad``, without reading them."""
    backed = ad.read_h5ad(path, backed="r")
    try:
        return int(backed.n_obs)
    finally:
        backed.file.close()
