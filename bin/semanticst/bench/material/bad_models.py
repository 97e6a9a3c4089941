"""Files of models that are damaged, partial, or none."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch


def _cut(whole: Path, bad: Path) -> None:
    bad.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def _random_bytes(whole: Path, bad: Path) -> None:
    """2,000 random bytes within the largest array."""
    content = bytearray(whole.read_bytes())
    with zipfile.ZipFile(whole) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    start = largest.header_offset + 1_000
    content[start : start + 2_000] = np.random.default_rng(0).bytes(2_000)
    bad.write_bytes(content)


def _directory(whole: Path, bad: Path) -> None:
    """An attribute of an array in the archive's directory, which no checksum of the archive covers."""
    content = bytearray(whole.read_bytes())
    with zipfile.ZipFile(whole) as archive:
        start, largest = archive.start_dir, max(archive.infolist(), key=lambda entry: entry.file_size)
    name = largest.filename.encode()
    content[content.index(name, start) - 46 + 38] ^= 255
    bad.write_bytes(content)


def _changed(change: Callable[[dict], object]) -> Callable[[Path, Path], None]:
    def write(whole: Path, bad: Path) -> None:
        stored = torch.load(whole, map_location="cpu", weights_only=True)
        change(stored)
        torch.save(stored, bad)

    return write


def _nan_weight(stored: dict) -> None:
    next(iter(stored["network"]["weights"].values())).view(-1)[0] = float("nan")


def _nan_loading(stored: dict) -> None:
    stored["basis"]["loadings"].view(-1)[0] = float("nan")


def _other_width(stored: dict) -> None:
    stored["basis"]["loadings"] = stored["basis"]["loadings"][:, :-1].clone()


class _Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('a model file was executed')",)


def _text(_: Path, bad: Path) -> None:
    bad.write_text("sample,patient\n")


def _other_archive(_: Path, bad: Path) -> None:
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("results/report.html", "<html></html>")


BAD_MODELS: dict[str, Callable[[Path, Path], object]] = {
    "cut in half": _cut,
    "2,000 random bytes in the middle": _random_bytes,
    "without its first bytes": lambda whole, bad: bad.write_bytes(whole.read_bytes()[100:]),
    "a byte of the archive's directory": _directory,
    "empty": lambda _, bad: bad.write_bytes(b""),
    "a table": _text,
    "another archive": _other_archive,
    "a pickle that runs code": lambda _, bad: bad.write_bytes(pickle.dumps(_Hostile())),
    "a torch file that runs code": lambda _, bad: torch.save({"network": _Hostile()}, bad),
    "NaN among the weights": _changed(_nan_weight),
    "NaN among the loadings": _changed(_nan_loading),
    "format 99": _changed(lambda stored: stored.update(format=99)),
    "format of text": _changed(lambda stored: stored.update(format="two")),
    "another version": _changed(lambda stored: stored["network"].update(version="9.9.9")),
    "the network alone": _changed(lambda stored: [stored.pop(part) for part in ("basis", "mixture")]),
    "without features": _changed(lambda stored: stored.pop("basis")),
    "without niches": _changed(lambda stored: stored.pop("mixture")),
    "without loadings": _changed(lambda stored: stored["basis"].pop("loadings")),
    "without a mixture's means": _changed(
        lambda stored: stored["mixture"].pop(next(name for name in stored["mixture"] if name.endswith("/means")))
    ),
    "without the depth": _changed(lambda stored: stored["basis"].pop("depth")),
    "number of samples as text": _changed(lambda stored: stored["basis"].update(n_samples="many")),
    "one number changed": _changed(lambda stored: stored["basis"]["mean"].view(-1)[:1].add_(1e-3)),
    "without a checksum": _changed(lambda stored: stored.pop("checksum")),
    "network as a list": _changed(lambda stored: stored.update(network=[1, 2])),
    "fewer components than the network": _changed(_other_width),
}
"""How each is written: from the path of a whole model to that of the bad one."""
OF_A_NETWORK = ("NaN among the weights",)
"""What only a model with a network can have."""
TOLD_ONLY = ("another version",)
"""What is a warning and no reason to refuse."""
