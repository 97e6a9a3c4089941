"""Model files: what is damaged, partial or of another kind is bad input, and names of people are not in them."""

import zipfile

import numpy as np
import pytest
import torch

from helpers import invoke
from semanticst.errors import BadInput
from semanticst.model.network import NetworkShape, build_network
from semanticst.model.store import (
    PARTS,
    assemble_model,
    load_model,
    load_network,
    model_digest,
    save_model,
    save_network,
)
from semanticst.qc.model_kind import kind_of_model

BATCHES = {"Smith-1951": 0, "Jones-1948": 1}


def network_file(folder, **changes):
    path = folder / "network.pt"
    network = build_network(NetworkShape(5, 5, 2, n_latent=4, n_communities=2), 1.0, seed=0)
    save_network(path, network, BATCHES, {"steps": 1})
    if changes:
        stored = torch.load(path, weights_only=True)
        stored["network"] |= changes
        torch.save(stored, path)
    return path


@pytest.fixture
def model(tmp_path):
    """A whole model, its network real, the rest only arrays."""
    np.savez(tmp_path / "basis.npz", features=np.array(["g1", "g2"]), mean=np.arange(2.0), cofactor=np.ones(2))
    np.savez(tmp_path / "mixture.npz", **{"mapping": np.eye(2), "quality/jaccard": np.array([np.nan, 0.5])})
    path = tmp_path / "model.pt"
    assemble_model(tmp_path / "basis.npz", network_file(tmp_path), tmp_path / "mixture.npz", path)
    return path


def rewritten(path, change):
    stored = torch.load(path, weights_only=True)
    change(stored)
    torch.save(stored, path)
    return path


def test_no_name_of_a_batch_is_in_a_model(model):
    content = model.read_bytes()
    assert not any(name.encode() in content for name in BATCHES)
    assert load_model(model, PARTS)["network"]["n_batches"] == 2
    # network.pt, which stays in the work folder, is decoded batch by batch
    assert load_model(model.parent / "network.pt")["network"]["batches"] == BATCHES


def test_model_of_a_gpu_opens_on_a_cpu(model, tmp_path):
    """A file as torch writes it of tensors on a GPU: it names the device of each tensor's storage."""
    of_gpu, cpu, cuda = tmp_path / "gpu.pt", b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
    with zipfile.ZipFile(model) as read, zipfile.ZipFile(of_gpu, "w") as written:
        for entry in read.infolist():
            content = read.read(entry)
            if entry.filename.endswith("/data.pkl"):
                assert cpu in content
                content = content.replace(cpu, cuda)
            written.writestr(entry.filename, content)
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="CUDA"):
            torch.load(of_gpu, weights_only=True)
    here, there = (load_model(path, PARTS) for path in (model, of_gpu))
    assert {str(w.device) for w in there["network"]["weights"].values()} == {"cpu"}
    for name, weight in here["network"]["weights"].items():
        torch.testing.assert_close(there["network"]["weights"][name], weight, rtol=0, atol=0)


def test_bytes_that_were_changed_are_found(model):
    content = bytearray(model.read_bytes())
    with zipfile.ZipFile(model) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    middle = content.find(largest.filename.encode()) + len(largest.filename) + 64
    content[middle : middle + 16] = bytes(16 * [171])
    model.write_bytes(content)
    for read in (load_model, kind_of_model):
        with pytest.raises(BadInput, match="damaged"):
            read(model)


def test_half_a_file_is_found(model):
    model.write_bytes(model.read_bytes()[: model.stat().st_size // 2])
    with pytest.raises(BadInput, match="not a trained model, or damaged"):
        load_model(model)


@pytest.mark.parametrize(("byte", "value"), [(8, 1), (10, 8), (10, 12), (10, 14), (10, 99)])
def test_changed_byte_of_the_directory_is_found(model, byte, value):
    """It says that the first entry is encrypted, or packed by deflate, bz2, lzma, or in no known way."""
    content = bytearray(model.read_bytes())
    content[content.index(b"PK\x01\x02") + byte] = value
    model.write_bytes(content)
    for read in (load_model, kind_of_model):
        with pytest.raises(BadInput, match="damaged"):
            read(model)


@pytest.mark.parametrize(
    ("part", "key"), [("basis", "mean"), ("basis", "cofactor"), ("mixture", "mapping"), ("network", "weights")]
)
def test_values_that_are_not_finite_are_found(model, part, key):
    def break_it(stored):
        values = stored[part][key]
        (next(iter(values.values())) if isinstance(values, dict) else values).view(-1)[0] = float("nan")

    with pytest.raises(BadInput, match=f"not finite in {part}/{key}"):
        load_model(rewritten(model, break_it))


def test_what_was_not_computed_may_be_nan(model):
    assert np.isnan(load_model(model, PARTS)["mixture"]["quality/jaccard"][0])


@pytest.mark.parametrize(("part", "words"), [("basis", "its features"), ("mixture", "its niches")])
def test_part_of_a_model_is_no_model(model, part, words):
    with pytest.raises(BadInput, match=f"is a part of a model, without {words}"):
        load_model(rewritten(model, lambda stored: stored.pop(part)), PARTS)


def test_network_is_no_whole_model(tmp_path):
    with pytest.raises(BadInput, match="without its features and its niches"):
        load_model(network_file(tmp_path), PARTS)


@pytest.mark.parametrize("found", [1, 99, "two", None, [2]])
def test_format_that_is_not_known_is_refused(model, found):
    with pytest.raises(BadInput, match="format"):
        load_model(rewritten(model, lambda stored: stored.update(format=found)))


@pytest.mark.parametrize(
    "change",
    [
        {"shape": {}},
        {"shape": [1, 2]},
        {"weights": {}},
        {"mode": "reference"},
        {"format": None},
        {"weights": None},
    ],
)
def test_network_that_does_not_fit_together_is_bad_input(tmp_path, change):
    with pytest.raises(BadInput):
        load_network(network_file(tmp_path, **change))


@pytest.mark.parametrize("content", [{"network": [1]}, {"network": {}}, [1, 2], {"format": 2}])
def test_other_content_is_bad_input(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(BadInput):
        load_model(tmp_path / "model.pt", PARTS)


def test_model_that_was_mapped_onto_stays_the_same_file(model, tmp_path):
    assemble_model(tmp_path / "basis.npz", model, tmp_path / "mixture.npz", tmp_path / "again.pt")
    assert model_digest(tmp_path / "again.pt") == model_digest(model)
    save_model(tmp_path / "other.pt", {k: v for k, v in load_model(model).items() if k in PARTS} | {"more": {}})
    assert model_digest(tmp_path / "other.pt") != model_digest(model)


def test_commands_end_with_bad_input(model, tmp_path):
    sample = tmp_path / "s.h5ad"
    sample.write_bytes(b"")
    for command, option in (("cohort_features", "--model"), ("niche_cluster", "--model")):
        result = invoke(command, sample, option, tmp_path / "network.pt", "--outdir", tmp_path / "out")
        assert result.exit_code == 3
        assert "without its features and its niches" in result.stderr
