"""Several networks that differ in their first weights only, used as one.

Where training ends depends on where it starts: on four tumours the niches of single networks ranged from a joint ARI
of 0.13 to 0.30 by seed. Side by side, what the embeddings have in common makes the leading principal components, and
what is one network's own does not.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from semanticst.constants import TrainMode
from semanticst.model.edges import EdgeSet
from semanticst.model.network import NetworkShape, SemanticNetwork
from semanticst.model.sample_graphs import SampleGraphs


class Ensemble(nn.Module):
    """Networks of one shape; embeddings stand side by side, everything else is their mean."""

    mode = TrainMode.SEMANTIC

    def __init__(self, networks: Sequence[SemanticNetwork]):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.shape: NetworkShape = replace(networks[0].shape, n_networks=len(networks))

    @classmethod
    def from_stored(cls, shape: dict) -> "Ensemble":
        stored = NetworkShape.from_dict(shape)
        return cls([SemanticNetwork(replace(stored, n_networks=1)) for _ in range(stored.n_networks)])

    def _each(self) -> list[SemanticNetwork]:
        return [cast(SemanticNetwork, network) for network in self.networks]

    def read(self, path: Path) -> SampleGraphs:
        """What the networks need of one ``{sample}.graphs.h5ad``."""
        return self._each()[0].read(path)

    def embed(self, x: torch.Tensor, edges: dict[str, EdgeSet]):
        """Fused embeddings (m, networks * latent), mean semantic scores (m, contexts), context embeddings (contexts,
        m, networks * latent), mean edge weights."""
        fused, scores, z, weights = zip(*(network.embed(x, edges) for network in self._each()))
        mean_weights = {context: torch.stack([w[context] for w in weights]).mean(0) for context in weights[0]}
        return torch.cat(fused, dim=1), torch.stack(scores).mean(0), torch.cat(z, dim=2), mean_weights

    def decode(self, fused: torch.Tensor, batch: int | None) -> torch.Tensor:
        """Mean of what the networks decode, (m, p), of cells given by ``fused`` (m, networks * latent)."""
        parts = fused.split(self.shape.n_latent, dim=1)
        return torch.stack([network.decode(part, batch) for network, part in zip(self._each(), parts)]).mean(0)
