"""Cells that are like no others, where they gather in one batch."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from semanticst.constants import UNS
from semanticst.niche.mapped_section import gathers_in, report_own_fit


def cells(outside: dict[str, float], samples_of: dict[str, int]) -> tuple[pd.DataFrame, np.ndarray]:
    """100 cells a sample, ``outside`` of each batch unusual."""
    rows, fit = [], []
    for batch, n in samples_of.items():
        for s in range(n):
            rows += [(batch, f"{batch}_{s}")] * 100
            fit.append(np.where(np.arange(100) < 100 * outside[batch], 0.01, 0.6))
    return pd.DataFrame(rows, columns=["batch", "sample"]), np.concatenate(fit)


@pytest.mark.parametrize(
    ("outside", "samples", "batch"),
    [
        ({"b{1}": 0.12, "b2": 0.02, "b3": 0.03}, {"b{1}": 3, "b2": 3, "b3": 3}, "b{1}"),
        # of one sample it may be tissue; as frequent in others; nowhere frequent; one batch only
        ({"b1": 0.12, "b2": 0.02}, {"b1": 1, "b2": 3}, ""),
        ({"b1": 0.12, "b2": 0.06}, {"b1": 3, "b2": 3}, ""),
        ({"b1": 0.04, "b2": 0.0}, {"b1": 3, "b2": 3}, ""),
        ({"b1": 0.12}, {"b1": 3}, ""),
    ],
)
def test_a_batch_of_its_own_is_told(outside, samples, batch):
    named, said = gathers_in(*cells(outside, samples))
    assert named == batch
    assert ("in batch {batch} (12 % of its cells, 2 % of all others)" in said) is bool(batch)


def test_one_sample_or_patient_is_no_batch():
    """126 cells of a batch were told as its preparation, and 96 of them were one sample's."""
    table, fit = cells({"b1": 0.06, "b2": 0.01}, {"b1": 4, "b2": 4})
    assert gathers_in(table, fit)[0] == "b1"
    fit[:100] = np.where(np.arange(100) < 32, 0.01, 0.6)
    assert gathers_in(table, fit)[0] == "b1"  # the others of the batch have it too
    fit[100:400] = np.tile(np.where(np.arange(100) < 3, 0.01, 0.6), 3)
    assert gathers_in(table, fit) == ("", "")
    # two sections of one patient
    table, fit = cells({"b1": 0.2, "b2": 0.01}, {"b1": 4, "b2": 4})
    fit[200:400] = 0.6
    patients = table.assign(patient=table["sample"].replace({"b1_1": "b1_0"}))
    assert gathers_in(table, fit)[0] == "b1"
    assert gathers_in(patients, fit) == ("", "")
    assert gathers_in(table.assign(patient=table["batch"]), fit) == ("", "")


def test_nothing_is_said_without_batches():
    table, fit = cells({"b1": 0.12, "b2": 0.0}, {"b1": 3, "b2": 3})
    assert gathers_in(table.drop(columns="batch"), fit) == ("", "")


@pytest.mark.parametrize(
    ("samples", "measured", "whose"),
    [
        (1, "of this one sample", "tissue that is rare in the sample"),
        (2, "each sample measured against all 2, itself among them", "tissue that other samples do not have"),
        (3, "each sample measured against all 3, itself among them", "tissue that other samples do not have"),
        (4, "each sample measured against the others", "tissue that other samples do not have"),
    ],
)
def test_the_section_says_against_what_samples_are_measured(tmp_path, samples, measured, whose):
    table, fit = cells({"b": 0.1}, {"b": samples})
    adata = ad.AnnData(obs=table.set_index(table.index.astype(str)))
    adata.obsm["spatial"] = np.random.default_rng(0).random((len(table), 2))
    adata.uns[UNS] = {"spatial_unit": "um", "train_mode": "reference"}
    of_samples = pd.DataFrame({"sample": table["sample"].unique(), "outside": 0.1})
    report_own_fit(adata, fit, of_samples, tmp_path)
    said = json.loads((tmp_path / "niche_fit_mqc.json").read_text())["description"]
    assert f"({measured}; fit below" in said
    assert f"Patches of red may be {whose}: whatever" in said


def test_the_section_names_the_batch_as_a_word(tmp_path):
    table, fit = cells({"b<1>": 0.12, "b2": 0.02}, {"b<1>": 2, "b2": 2})
    adata = ad.AnnData(obs=table.set_index(table.index.astype(str)))
    adata.obsm["spatial"] = np.random.default_rng(0).random((400, 2))
    adata.uns[UNS] = {"spatial_unit": "um", "train_mode": "reference"}
    of_samples = pd.DataFrame({"sample": table["sample"].unique(), "outside": [0.12, 0.12, 0.02, 0.02]})
    report_own_fit(adata, fit, of_samples, tmp_path)
    said = json.loads((tmp_path / "niche_fit_mqc.json").read_text())["description"]
    assert "They gather in batch b&lt;1&gt; (12 % of its cells, 2 % of all others)" in said
