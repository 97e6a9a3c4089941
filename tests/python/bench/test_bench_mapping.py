"""The benchmark of mapping: its tables, and that every bad case is a change."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from chain_helpers import two_tissues
from helpers import make_internal
from semanticst.bench import mapping
from semanticst.bench.mapping import leave_out_table, row_of
from semanticst.bench.material import fit_told, mapped_parts
from semanticst.bench.material.bad_cases import BAD_CASES, BAD_SETTINGS
from semanticst.bench.material.bad_models import BAD_MODELS, TOLD_ONLY
from semanticst.bench.material.left_out import Mapped, train
from semanticst.bench.material.same_sign import as_joint, same_sign
from semanticst.constants import has_network
from semanticst.errors import BadInput, ExitCode
from semanticst.features.mapped import model_parts
from semanticst.io.internal import read_sample
from semanticst.model.store import load_network, load_whole_model
from semanticst.niche.niche_model import NicheModel


def mapped(niches, told="", seconds=1.0, fits=True):
    index = pd.Index([f"s:c{i}" for i in range(len(niches))])
    cells = pd.DataFrame({"sample": "s", "niche": niches, "stability": 1.0, "fit": 0.5}, index=index)
    samples = pd.DataFrame({"sample": ["s"], "outside": [0.02], "fits": [fits]})
    return Mapped(cells, samples, seconds, told)


def test_scores_are_of_the_cells_that_were_left_out():
    joint = mapped([1, 1, 2, 2, 3, 3])
    truth = pd.Series(["a", "a", "b", "b", "c", "c"], index=joint.cells.index)
    trained = mapped([3, 3, 1, 1, 1, 1], seconds=40.0)
    row = row_of("p1", mapped([2, 2, 1, 1]), joint, trained, truth, alone=mapped([1, 1, 1, 2]))
    assert (row["agreement"], row["truth"], row["truth joint"], row["alone"]) == (1, 1, 1, 0)
    assert row["ceiling"] == pytest.approx(4 / 9)
    text = leave_out_table(pd.DataFrame([row]), 0.93)
    assert "| p1 | 1.000 | 0.444 (0.444 to 0.444) | 0.000 | 1.000 / 1.000 | 1.0 / 40 | 0.020 | - |" in text
    assert "NO" not in text
    assert "the same of the 0 of 1 whose ceiling is as high: not known" in text


def test_the_ceiling_is_within_samples():
    """Two samples of a niche each, each cut in two at another place in the other training: pooled, they agree."""
    cells = pd.DataFrame({"sample": list("aaaabbbb"), "niche": [1, 1, 2, 2, 3, 3, 4, 4]}, index=list("12345678"))
    within = mapping.agreement_within(cells, pd.Series([1, 2, 1, 2, 3, 3, 4, 4], index=cells.index))
    assert within.to_dict() == {"a": pytest.approx(-0.5), "b": 1.0}
    said = mapping.again_line(Mapped(cells, cells, 1.0, ""), Mapped(cells.assign(niche=[1, 2] * 4), cells, 1.0, ""), 1)
    assert said == "Joint training with seed 1: agreement -0.273, within samples -0.500 (-0.500 to -0.500)"


def test_what_is_wanted_and_does_not_hold_is_said():
    joint = mapped([1, 1, 2, 2])
    truth = pd.Series("NA", index=joint.cells.index)
    bad = row_of("p1", mapped([1, 2, 1, 2], seconds=9.0, fits=False), joint, mapped([1], seconds=10.0), truth)
    text = leave_out_table(pd.DataFrame([bad]), 0.85)
    assert "agreement at least 0.85: NO" in text
    assert "truth within 0.03: not known" in text
    assert "at most 0.05 of the time: NO" in text
    assert "95 % of the samples fit: NO" in text


def of_unit(unit, first, n=100):
    """Niches of ``n`` cells, ``first`` of them of niche 1."""
    return pd.Series([1] * first + [2] * (n - first), index=[f"{unit}:c{i}" for i in range(n)])


def test_signs_of_mapped_units_are_compared_under_the_numbers_of_the_joint_training():
    joint = {unit: of_unit(unit, first) for unit, first in {"a": 20, "b": 24, "c": 70, "d": 76}.items()}
    together = pd.concat(joint.values())
    other_numbers = {1: 2, 2: 1}
    trained, mapped = together.map(other_numbers), {u: cells.map(other_numbers) for u, cells in joint.items()}
    found = {u: as_joint(cells, trained, together) for u, cells in mapped.items()}
    assert all(found[u].equals(joint[u]) for u in joint)
    strong, same, r = same_sign(found, together)
    assert (strong, same, r) == (2, 2, pytest.approx(1))
    assert same_sign(mapped, together)[1] == 0


def test_groups_that_are_given_are_compared_and_no_halves():
    joint = {unit: of_unit(unit, first) for unit, first in {"a": 20, "b": 70, "c": 24, "d": 76, "e": 90}.items()}
    groups = {"a": "low", "b": "high", "c": "low", "d": "high", "e": "alone"}
    together = pd.concat(joint.values())
    assert same_sign(joint, together, groups) == (2, 2, pytest.approx(1))
    turned = joint | {unit: joint[unit].map({1: 2, 2: 1}) for unit in ("b", "d")}
    assert same_sign(turned, together, groups)[:2] == (2, 2)
    assert same_sign({u: cells.map({1: 2, 2: 1}) for u, cells in joint.items()}, together, groups)[:2] == (2, 0)
    said = mapping.sign_line(joint, together, groups, "class")
    assert "between class (1 alone, 2 high, 2 low), joint training: 2 of 2" in said


def test_halves_of_many_units_are_drawn():
    joint = {f"u{i}": of_unit(f"u{i}", 20 + i) for i in range(20)}
    assert np.isfinite(same_sign(joint, pd.concat(joint.values()))[2])


@pytest.mark.parametrize("name", BAD_CASES)
def test_a_bad_case_changes_what_it_says(name):
    adata, before = make_internal(), make_internal()
    found = BAD_CASES[name](adata)
    same = (
        found.shape == before.shape
        and found.var_names.equals(before.var_names)
        and list(found.var) == list(before.var)
        and np.array_equal(found.X.toarray(), before.X.toarray())
        and np.array_equal(found.obsm["spatial"], before.obsm["spatial"])
        and found.uns["semanticst"]["platform"] == before.uns["semanticst"]["platform"]
    )
    assert same == (name == "clean")


SMALL = {"starts": 1, "steps": 15, "latent": 8, "communities": 4}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    for sample in ("s0", "s2", "s3"):
        two_tissues(sample, sample, int(sample[1])).write_h5ad(folder / f"{sample}.qc.h5ad")
    _, model = train([folder / "s0.qc.h5ad", folder / "s2.qc.h5ad"], 2, 0, folder / "model", **SMALL)
    return folder, model


def test_models_of_an_earlier_run_are_taken(trained):
    folder, model = trained
    samples, before = [folder / "s0.qc.h5ad", folder / "s2.qc.h5ad"], model.stat().st_mtime_ns
    again, _ = train(samples, 2, 0, folder / "model", **SMALL)
    assert model.stat().st_mtime_ns == before
    assert len(again.cells) == 400


def test_a_network_is_trained_where_the_pipeline_trains_one(trained, tmp_path):
    samples = []
    for sample in ("s0", "s2"):
        adata = two_tissues(sample, sample, int(sample[1]))
        adata.X = (adata.X > 3).astype(np.float32)
        adata.uns["semanticst"]["feature_type"] = "binary"
        samples.append(tmp_path / f"{sample}.qc.h5ad")
        adata.write_h5ad(samples[-1])
    _, model = train(samples, 2, 0, tmp_path / "model", **SMALL)
    _, asked = train([trained[0] / "s0.qc.h5ad"], 2, 0, tmp_path / "asked", network=False, **SMALL)
    assert [has_network(load_whole_model(found)) for found in (model, asked, trained[1])] == [False, False, True]
    assert len(mapping.map_onto(samples[:1], model, tmp_path / "mapped").cells) == 200


def test_parts_are_samples_of_their_own_and_compared_with_a_training_that_has_them(trained, tmp_path, monkeypatch):
    folder, model = trained
    units = {sample: [folder / f"{sample}.qc.h5ad"] for sample in ("s0", "s2", "s3")}
    adata = ad.read_h5ad(units["s3"][0])
    truth = pd.concat([pd.Series(a.obs["truth"].to_numpy(str), index=s + ":" + a.obs_names)
                       for s, (path,) in units.items() for a in [ad.read_h5ad(path)]])  # fmt: skip
    joint = Mapped(pd.DataFrame({"niche": (truth == "left") + 1}), pd.DataFrame(), 1.0, "")
    asked = []

    def trained_on(samples, folder):
        asked.append(sorted(path.name.removesuffix(".qc.h5ad") for path in samples))
        parts = [read_sample(path) for path in samples if ".part" in path.name]
        assert all(
            part.n_obs == 25 and (part.obs["sample"] == part.uns["semanticst"]["sample"]).all() for part in parts
        )
        cells = [f"{part.uns['semanticst']['sample']}:{cell}" for part in parts for cell in part.obs_names]
        return Mapped(pd.DataFrame({"niche": 1}, index=cells), pd.DataFrame(), 1.0, ""), model

    monkeypatch.setattr(mapped_parts, "PARTS", {"25 cells": mapped_parts.PARTS["25 cells, 6 crops"]})
    text = mapped_parts.part_table(units, {"s3": model}, joint, truth, trained_on, tmp_path)
    assert asked == [["s0", "s2", *(f"s3.part{i}" for i in range(6))]]
    found = [float(value) for value in text.splitlines()[2].split(" | ")[2].split(" / ")]
    assert found[0] > 0.5, "mapped"
    assert found[1:] == [0, 1], "one niche in the training with the parts, the truth in that with the whole"
    assert adata.uns["semanticst"]["batch"] == "s3"
    assert read_sample(tmp_path / "0-s3" / "s3.part2.qc.h5ad").uns["semanticst"]["batch"] == "s3.part2"


def opened(path):
    """As the steps open a model, one after the other."""
    model = load_whole_model(path)
    model_parts(model)
    load_network(path)
    NicheModel.from_arrays(model["mixture"])


@pytest.mark.parametrize("name", BAD_MODELS)
def test_bad_model_files_are_refused(trained, tmp_path, name, caplog):
    _, model = trained
    bad = tmp_path / "bad.pt"
    BAD_MODELS[name](model, bad)
    if name in TOLD_ONLY:
        opened(bad)
        assert "bad.pt was written by version 9.9.9" in caplog.text
    else:
        opened(model)
        with pytest.raises(BadInput):
            opened(bad)


def test_what_the_bad_cases_end_with_is_a_row_each(trained, monkeypatch):
    folder, model = trained
    few = ("clean", "features and cells in another order", "Ensembl ids", "25 cells")
    monkeypatch.setattr(mapping, "BAD_CASES", {name: BAD_CASES[name] for name in few})
    monkeypatch.setattr(mapping, "BAD_MODELS", {"cut in half": BAD_MODELS["cut in half"]})
    text = mapping.bad_case_table(folder / "s3.qc.h5ad", model, folder / "bad")
    rows = {row.split(" | ")[0].removeprefix("| "): row.split(" | ") for row in text.splitlines()[2:]}
    assert list(rows) == [*few, *BAD_SETTINGS, "model: cut in half"]
    assert [row[4] for row in rows.values()] == ["0", "0", "3", "0", *("0" for _ in BAD_SETTINGS), "3"]
    assert "refused" in rows["Ensembl ids"][5]
    assert "damaged" in rows["model: cut in half"][5]
    for name in ("features and cells in another order", "graph_k_spatial 30"):
        assert rows[name][1] == "1.000"


def test_what_is_told_of_own_new_and_changed_samples_is_counted(trained, tmp_path, monkeypatch):
    folder, _ = trained
    units = {sample: [folder / f"{sample}.qc.h5ad"] for sample in ("s0", "s2", "s3")}
    fitting = pd.DataFrame({"sample": ["s"], "fits": [True], "why": [np.nan]})
    asked = []

    def mapped_by_name(samples, model, place):
        asked.append(samples[0].parent.name)
        if asked[-1] == "noise":
            return Mapped(pd.DataFrame(), pd.DataFrame(), 1.0, "refused: it", ExitCode.BAD_INPUT)
        doubt = fitting.assign(fits=asked[-1] != "permuted", why=np.nan if asked[-1] == "new" else "far away")
        return Mapped(pd.DataFrame(), doubt, 1.0, "")

    def of_two(samples, *_, **__):
        return Mapped(pd.DataFrame(), pd.concat([fitting] * len(samples)), 1.0, ""), tmp_path

    monkeypatch.setattr(fit_told, "map_onto", mapped_by_name)
    monkeypatch.setattr(fit_told, "train", of_two)
    text = fit_told.told_table(units, 2, 2, 0, tmp_path)
    assert asked == 2 * list(fit_told.CASES)
    assert text.splitlines()[-1] == "| 2 | 0 of 4 | 0 of 2 | 2 of 2 | 2 of 2 | 2 of 2 (2 refused) | 2 of 2 | 2 of 2 |"
