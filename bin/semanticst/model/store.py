"""Files of the network and of the whole trained model. Tensors and plain values only: no pickled code."""

import hashlib
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from semanticst import __version__
from semanticst.constants import QUALITY, TrainMode, has_network
from semanticst.errors import BadInput, Problem
from semanticst.writing import atomic

if TYPE_CHECKING:  # layers take seconds to import, and steps that only store a model make none
    from semanticst.model.kinds import Network

log = logging.getLogger(__name__)

FORMAT = 3
"""Raised when a stored model can no longer be read by other code. 3: a model has a checksum of its content."""
CHECKSUM = "checksum"
"""SHA-256 of the content of a stored model. Those of the archive do not cover its directory, nor what was taken out."""
MS_DOS_FOLDER = 0x10
"""The bit of an entry's attributes in a zip archive that says that it is a folder."""
PARTS = ("network", "basis", "mixture")
"""What a whole model consists of."""
OF_PART = {"network": "its network", "basis": "its features", "mixture": "its niches"}


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
    content = content | {CHECKSUM: checksum(content)}
    # an open file has no name for torch to call the archive's root after: the same model gives the same bytes
    with atomic(path) as partial, partial.open("wb") as opened:
        torch.save(content, opened)


def load_model(path: Path, parts: tuple[str, ...] = ("network",)) -> dict:
    """Read ``network.pt`` or ``model.pt``; arrays come back as numpy, the network's weights stay tensors.

    parts : what of ``PARTS`` the file must hold.

    Raises BadInput when the file is damaged, is not such a model, lacks a part, holds values that are not finite, was
    changed since it was written, or was written in another format.
    """
    _check_archive(path)
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch raises many kinds here; all mean the same to the user
        raise BadInput(
            Problem(path, f"is not a trained model ({type(error).__name__}); give integration/model.pt")
        ) from error
    if not isinstance(stored, dict) or not isinstance(stored.get("network"), dict):
        raise BadInput(Problem(path, "is not a trained model; give integration/model.pt of a finished run"))
    for found in (stored["network"].get("format"), stored.get("format", FORMAT)):
        _check_format(path, found)
    missing = [OF_PART[part] for part in parts if not isinstance(stored.get(part), dict)]
    if missing:
        message = (
            f"is a part of a model, without {' and '.join(missing)}, such as network.pt of the training is; "
            "give integration/model.pt of a finished run"
        )
        raise BadInput(Problem(path, message))
    written = str(stored["network"].get("version"))
    if written != __version__:
        log.warning("%s was written by version %s, this is %s", path.name, written, __version__)
    broken = sorted(set(_not_finite(stored)))
    if broken:
        message = f"holds values that are not finite in {', '.join(broken[:3])}; give it as the run wrote it"
        raise BadInput(Problem(path, message))
    if stored.get(CHECKSUM) != checksum(stored):
        message = "is not as the run wrote it: its content does not have its checksum; copy integration/model.pt again"
        raise BadInput(Problem(path, message))
    return {k: v if k == "network" else _to_arrays(v) for k, v in stored.items()}


def checksum(content: dict) -> str:
    """SHA-256 of all names, texts and numbers of a model, but for its own and the version that wrote it."""
    found = hashlib.sha256()
    for name, value in _leaves({k: v for k, v in content.items() if k != CHECKSUM}):
        if isinstance(value, torch.Tensor):
            array = value.detach().cpu().contiguous().numpy()
            found.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
        elif name.split("/")[-1] != "version":
            found.update(f"{name} {value!r}\n".encode())
    return found.hexdigest()


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """What is below ``value`` that is no dictionary, by its names joined by a slash, in the order of these."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _leaves(value[key], f"{name}/{key}")
    else:
        yield name, value


def load_whole_model(path: Path) -> dict:
    """The same of a ``model.pt`` with all of ``PARTS``, and its ``digest``."""
    return load_model(path, PARTS) | {"digest": model_digest(path)}


def model_digest(path: Path) -> str:
    """SHA-256 of a ``model.pt``: runs with the same digest have the same niches."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _check_archive(path: Path) -> None:
    """Raise BadInput for a file that is no archive, or one whose contents do not have their checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip() or _marked_folder(archive)
    except MemoryError:
        raise
    except Exception as error:  # one changed bit can say that an entry is encrypted, or packed in any way
        message = f"is not a trained model, or damaged ({error}); give integration/model.pt as the run wrote it"
        raise BadInput(Problem(path, message)) from error
    if broken is not None:
        message = f"is damaged: {broken} in it is not as it was written; copy integration/model.pt of the run again"
        raise BadInput(Problem(path, message))


def _marked_folder(archive: zipfile.ZipFile) -> str | None:
    """The first entry that a changed byte marks as a folder: torch reads nothing there, and takes memory as it lies."""
    return next((entry.filename for entry in archive.infolist() if entry.external_attr & MS_DOS_FOLDER), None)


def _check_format(path: Path, found: object) -> None:
    if not isinstance(found, int):
        message = "does not say in which format it was written; give integration/model.pt of a finished run"
        raise BadInput(Problem(path, message, value=found))
    if found > FORMAT:
        message = f"was written in format {found}, this version reads format {FORMAT}; update the pipeline"
        raise BadInput(Problem(path, message))
    if found < FORMAT:
        message = f"was written in format {found}, this version reads format {FORMAT}; train it again"
        raise BadInput(Problem(path, message))


def _not_finite(value: object, name: str = "") -> Iterator[str]:
    """Names of the numbers below ``value`` that are not finite."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not str(key).startswith(QUALITY):
                yield from _not_finite(inner, f"{name}/{key}" if name else str(key))
    elif isinstance(value, torch.Tensor):
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            yield name
    elif isinstance(value, float) and not np.isfinite(value):
        yield name


_NO_NETWORK = "was made without a network (--train_mode none): there is nothing to denoise with"


def load_network(path: Path) -> tuple["Network", dict]:
    """The network, of the kind that was trained, of a ``network.pt`` or ``model.pt`` and its stored state.

    Raises BadInput when there is none, or its parts do not fit together.
    """
    found = network_if_any(path)
    if found is None:
        raise BadInput(Problem(path, _NO_NETWORK))
    return found


def refuse_to_denoise(path: Path, stored: dict) -> None:
    """Raise BadInput for a model at ``path``, as `load_whole_model` read it, that has no network to denoise with."""
    if not has_network(stored):
        raise BadInput(Problem(path, f"{_NO_NETWORK}; leave --train_denoised out"))


def network_if_any(path: Path) -> tuple["Network", dict] | None:
    """As `load_network`, but None of a model that was made without a network."""
    from semanticst.model.kinds import network_of

    stored = load_model(path)
    if not has_network(stored):
        return None
    state = stored["network"]
    try:
        return network_of(state), state
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        message = f"holds no network that fits together ({type(error).__name__}); give it as the run wrote it"
        raise BadInput(Problem(path, message)) from error


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


def assemble_model(basis: Path, network: Path | None, mixture: Path, out: Path) -> None:
    """Write ``model.pt``: weights, feature list, loadings, scaling, Harmony reference, niche mixtures, parameters.

    ``network`` that is a whole model already, onto which samples were mapped, is written as it is, byte by byte; None:
    the model says that it has none. Names of batches, which may be those of patients, stay behind.
    """
    none = {"format": FORMAT, "version": __version__, "mode": str(TrainMode.NONE)}
    state: dict[str, dict] = {"network": none} if network is None else load_model(network)
    if network is not None and set(PARTS) <= set(state):
        with atomic(out) as partial:
            partial.write_bytes(network.read_bytes())
        return
    parts = {"network": state["network"]}
    if network is not None:
        parts["network"]["n_batches"] = len(state["network"].pop("batches", {}))
    for name, path in (("basis", basis), ("mixture", mixture)):
        with np.load(path, allow_pickle=False) as stored:
            parts[name] = dict(stored)
    save_model(out, parts)
