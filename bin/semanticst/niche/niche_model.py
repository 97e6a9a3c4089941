"""The niches of a cohort as a model: what gives new cells the same niches, and how it is stored."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import anndata as ad
import numpy as np

from semanticst.constants import GRAPH_SETTINGS, QUALITY, UNS, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.niche.base_clusterings import assign_parts
from semanticst.niche.consensus import count_votes
from semanticst.niche.fit import FitReference
from semanticst.niche.mixture import Mixture
from semanticst.niche.representations import Representation
from semanticst.niche.spatial_refinement import Hmrf
from semanticst.writing import write_arrays

HMRF_ARRAYS = ("composition", "states_all", "weight")
"""What is stored of the field, beside cell states."""


@dataclass(frozen=True)
class NicheModel:
    """Everything needed to give new cells the same niches: representations, a mixture on each, how their parts
    vote, the random field that refines the consensus (None: the votes alone), and what fits them."""

    representations: list[Representation]
    mixtures: list[Mixture]
    mapping: np.ndarray
    weights: np.ndarray
    graph: dict[str, int]
    hmrf: Hmrf | None = None
    fit: FitReference | None = None
    quality: dict[str, np.ndarray] = field(default_factory=dict)
    """The curve over numbers of niches (``curve_*``), and per niche ``n_cells``, ``stability``, ``jaccard``; NaN: not
    computed."""

    @property
    def k(self) -> int:
        return self.mapping.shape[1]

    @property
    def has_spread(self) -> bool:
        """Whether the spread of neighbourhoods is among its representations: earlier models have none."""
        return any(representation.source == Obsm.SPREAD for representation in self.representations)

    def assign(self, adata: ad.AnnData) -> tuple[np.ndarray, np.ndarray]:
        """Niche (n,) 0..K-1 and stability (n,) of the cells of ``adata``.

        Raises BadInput when their neighbours and profiles were made in another way than the model's (``graph_*``).
        """
        other = [
            Problem("the cohort", f"the model was trained with --{name.replace('_', '-')} {self.graph[name]}; "
                    "map new samples with the same", column=name, value=value)
            for name, value in graph_settings(adata).items() if self.graph.get(name, value) != value
        ]  # fmt: skip
        if other:
            raise BadInput(other)
        votes = count_votes(self.partitions(adata), self.mapping, self.weights, self.k)
        labels = votes.argmax(1) if self.hmrf is None else self.hmrf.refine(adata, votes)
        return labels, votes[np.arange(len(labels)), labels]

    def partitions(self, adata: ad.AnnData) -> list[np.ndarray]:
        """Part (n,) of each cell in every base clustering's own numbering."""
        return assign_parts(adata, self.representations, self.mixtures)

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays, for ``niche_mixture.npz`` and ``model.pt``."""
        stored = {
            "mapping": self.mapping,
            "weights": self.weights,
            **{name: np.array(value) for name, value in self.graph.items()},
            "representations": np.array([v.name for v in self.representations]),
        }
        for representation, mixture in zip(self.representations, self.mixtures):
            stored |= _arrays(representation, mixture)
        if self.hmrf is not None:
            stored |= _arrays(self.hmrf.representation, self.hmrf.states)
            stored |= {f"hmrf/{name}": np.asarray(getattr(self.hmrf, name)) for name in HMRF_ARRAYS}
        if self.fit is not None:
            stored |= self.fit.arrays()
        return stored | {QUALITY + name: values for name, values in self.quality.items()}

    @classmethod
    def from_arrays(cls, stored: dict[str, np.ndarray]) -> "NicheModel":
        """A model from what ``arrays`` gave. Raises BadInput when something of it is missing."""
        try:
            representations, mixtures = zip(*(_from_arrays(str(name), stored) for name in stored["representations"]))
            hmrf = None
            if any(name.startswith("hmrf/") for name in stored):
                composition, states_all, weight = (stored[f"hmrf/{name}"] for name in HMRF_ARRAYS)
                hmrf = Hmrf(*_from_arrays("states", stored), composition, states_all, float(weight))
            mapping, weights = stored["mapping"], stored["weights"]
            graph = {name: int(stored[name]) for name in GRAPH_SETTINGS if name in stored}
            if mapping.shape[0] != len(mixtures) or len(weights) != len(mixtures):
                raise ValueError(f"{len(mixtures)} base clusterings, votes of {len(weights)}")
            fit = FitReference.from_arrays(stored) if any(name.startswith("fit/") for name in stored) else None
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as missing:
            message = f"has niches without {missing}; give integration/model.pt of a finished run, as it was written"
            raise BadInput(Problem("the model", message)) from missing
        quality = {n.removeprefix(QUALITY): np.atleast_1d(v) for n, v in stored.items() if n.startswith(QUALITY)}
        return cls(list(representations), list(mixtures), mapping, weights, graph, hmrf, fit, quality)

    def digest(self) -> str:
        """16 hexadecimal digits: the same niches under the same numbers, whoever mapped onto them."""
        found = hashlib.sha256()
        for name, values in sorted(self.arrays().items()):
            values = np.ascontiguousarray(values)
            content = "\n".join(values.ravel()).encode() if values.dtype.kind == "U" else values.tobytes()
            found.update(f"{name} {values.shape} ".encode() + content)
        return found.hexdigest()[:16]

    def save(self, path: Path) -> None:
        write_arrays(path, self.arrays())


def _arrays(representation: Representation, mixture: Mixture) -> dict[str, np.ndarray]:
    named = {
        "source": np.array([representation.source]),
        "columns": np.array(representation.columns),
        "mean": representation.mean,
        "loadings": representation.loadings,
        "weights": mixture.weights,
        "means": mixture.means,
        "covariance": mixture.covariance,
    }
    return {f"{representation.name}/{name}": value for name, value in named.items()}


def _from_arrays(name: str, stored: dict[str, np.ndarray]) -> tuple[Representation, Mixture]:
    start, stop = (int(c) for c in stored[f"{name}/columns"])
    representation = Representation(
        name, str(stored[f"{name}/source"][0]), (start, stop), stored[f"{name}/mean"], stored[f"{name}/loadings"]
    )
    mixture = Mixture(stored[f"{name}/weights"], stored[f"{name}/means"], stored[f"{name}/covariance"])
    d = representation.loadings.shape[1]
    shapes = representation.mean.shape, mixture.means.shape, mixture.covariance.shape
    if shapes != ((stop - start,), (len(mixture.weights), d), (d, d)):
        raise ValueError(f"what fits together in {name}: {shapes}")
    return representation, mixture


def graph_settings(adata: ad.AnnData) -> dict[str, int]:
    """How the neighbours and profiles of the cells were made."""
    return {name: int(adata.uns[UNS][name]) for name in GRAPH_SETTINGS if name in adata.uns[UNS]}
