"""Files of the network and of the whole trained model. Tensors and plain values only: no pickled code."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from semanticst import __version__
from semanticst.errors import BadInput, Problem
from semanticst.writing import atomic

if TYPE_CHECKING:  # layers take seconds to import, and steps that only store a model make none
    from semanticst.model.kinds import Network

FORMAT = 1
"""Raised when a stored model can no longer be read by older code."""


def network_state(network: "Network", batches: dict[str, int], settings: dict) -> dict:
    """Everything of a trained network as a plain dict."""
    return {
        "format": FORMAT,
        "version": __version__,
        "mode": str(network.mode),
        "shape": network.shape.as_dict(),
        "weights": network.state_dict(),
        "batches": dict(batches),
        "settings": settings,
    }


def save_network(path: Path, network: "Network", batches: dict[str, int], settings: dict) -> None:
    _save(path, {"network": network_state(network, batches, settings)})


def save_model(path: Path, parts: dict[str, dict]) -> None:
    """Write ``model.pt``: ``network``, ``basis`` (with Harmony reference) and ``mixture``; arrays become tensors."""
    _save(path, {"format": FORMAT, "version": __version__, **{k: _to_tensors(v) for k, v in parts.items()}})


def _save(path: Path, content: dict) -> None:
    # an open file has no name for torch to call the archive's root after: the same model gives the same bytes
    with atomic(path) as partial, partial.open("wb") as opened:
        torch.save(content, opened)


def load_model(path: Path) -> dict:
    """Read ``network.pt`` or ``model.pt``; arrays come back as numpy, the network's weights stay tensors.

    Raises BadInput when the file is not such a model or was written by a newer format.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch raises many kinds here; all mean the same to the user
        raise BadInput(
            Problem(path, f"is not a trained model ({type(error).__name__}); give integration/model.pt")
        ) from error
    if not isinstance(stored, dict) or "network" not in stored:
        raise BadInput(Problem(path, "is not a trained model; give integration/model.pt of a finished run"))
    found = stored["network"]["format"]
    if found > FORMAT:
        raise BadInput(
            Problem(path, f"was written in format {found}, this version reads up to {FORMAT}; update the pipeline")
        )
    return {k: v if k == "network" else _to_arrays(v) for k, v in stored.items()}


def load_network(path: Path) -> tuple["Network", dict]:
    """The network, of the kind that was trained, of a ``network.pt`` or ``model.pt`` and its stored state."""
    from semanticst.model.kinds import network_of

    state = load_model(path)["network"]
    return network_of(state), state


def _to_tensors(value):
    if isinstance(value, dict):
        return {k: _to_tensors(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "US":
            # a tensor holds numbers only: names are stored as text
            return [str(v) for v in value] if value.ndim else str(value)
        # ascontiguousarray alone would turn a single number into a list of one
        return torch.from_numpy(np.ascontiguousarray(value).reshape(value.shape))
    return value.item() if isinstance(value, np.generic) else value


def _to_arrays(value):
    if isinstance(value, dict):
        return {k: _to_arrays(v) for k, v in value.items()}
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, list):
        return np.array(value)
    return value


def assemble_model(basis: Path, network: Path, mixture: Path, out: Path) -> None:
    """Write ``model.pt``: weights, feature list, loadings, scaling, Harmony reference, niche mixtures, parameters."""
    parts = {"network": load_model(network)["network"]}
    for name, path in (("basis", basis), ("mixture", mixture)):
        with np.load(path, allow_pickle=False) as stored:
            parts[name] = dict(stored)
    save_model(out, parts)
