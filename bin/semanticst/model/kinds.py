"""Kinds of network that a stored model can hold."""

from typing import TYPE_CHECKING

from semanticst.constants import TrainMode
from semanticst.model.ensemble import Ensemble
from semanticst.model.network import SemanticNetwork

if TYPE_CHECKING:  # only the reference mode needs its layers, which take 2 s to import
    from semanticst.model.reference import ReferenceNetwork

    Network = SemanticNetwork | Ensemble | ReferenceNetwork


def network_of(state: dict) -> "Network":
    """The network, of the kind that was trained, from its stored ``state``."""
    kind: type[Network]
    if state.get("mode", TrainMode.SEMANTIC) == TrainMode.REFERENCE:
        from semanticst.model.reference import ReferenceNetwork

        kind = ReferenceNetwork
    else:
        kind = Ensemble if state["shape"].get("n_networks", 1) > 1 else SemanticNetwork
    network = kind.from_stored(state["shape"])
    network.load_state_dict(state["weights"])
    return network.eval()
