"""Integration is shown: the map of cells, how batches mix against what composition alone leads to."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from helpers import invoke, make_internal
from report_helpers import make_cohort_object
from semanticst.cohort.assemble import assemble_cohort, has_harmony
from semanticst.cohort.mixing import Drawn, draw_cells, first_of_the_same, mixing, reached_of
from semanticst.cohort.mixing_sections import FAR_BELOW, MOST_NAMED, NEARLY_ALL, map_figure, mixing_sentence
from semanticst.errors import BadInput

SAMPLES = {"s1": "p1", "s2": "p1", "s3": "p2"}


def integrated(shift: float = 6.0) -> ad.AnnData:
    """Three samples; niches lie apart, s3 (a batch of its own) is shifted before the correction and not after it."""
    cohort = make_cohort_object(SAMPLES, side=12)
    rng = np.random.default_rng(0)
    niche = cohort.obs["niche"].to_numpy().astype(int)
    after = np.eye(4)[niche] * 8 + rng.normal(size=(cohort.n_obs, 4))
    before = after + shift * (cohort.obs["sample"] == "s3").to_numpy()[:, None] * np.array([0, 1, 1, 1])
    cohort.obs["batch"] = np.where(cohort.obs["sample"] == "s3", "b2", "b1")
    cohort.obsm["X_pca"], cohort.obsm["X_pca_harmony"] = before.astype("float32"), after.astype("float32")
    return cohort


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixing")
    integrated().write_h5ad(folder / "cohort.h5ad")
    result = invoke("cohort_mixing", folder / "cohort.h5ad", "--outdir", folder / "out")
    assert result.exit_code == 0, result.stderr
    return folder / "out"


def test_batches_mix_after_the_correction_as_composition_allows(made):
    table = pd.read_csv(made / "integration_mixing.csv").set_index(["label", "stage"])
    before, after = (table.loc["batch", stage] for stage in ("before", "after"))
    assert before["lisi"] < 1.1 < after["lisi"]
    assert after["lisi"] == pytest.approx(after["lisi_expected"], rel=0.1)
    assert before["other"] < 0.02
    assert after["other"] == pytest.approx(after["other_expected"], abs=0.05)
    # two thirds and a third: 2 * 2/3 * 1/3 of the neighbours are of the other batch
    assert after["other_expected"] == pytest.approx(4 / 9, abs=0.04)
    # cell types are niches here, and lie apart at both stages
    assert table.loc["cell_type", "after"]["lisi"] < 2


def test_tissue_that_one_batch_has_alone_is_not_said_to_mix_badly():
    rng = np.random.default_rng(0)
    niche = np.repeat([1, 2], 150)
    cells = pd.DataFrame({"sample": "s", "patient": "p", "batch": np.where(niche == 1, "a", "b"), "niche": niche})
    points = (niche[:, None] * 9 + rng.normal(size=(300, 3))).astype("float32")
    [row] = mixing(Drawn(cells, {"before": points})).to_dict("records")
    assert row["label"] == "batch"
    assert row["lisi"] == pytest.approx(1, abs=0.01)
    assert row["lisi_expected"] == pytest.approx(1, abs=0.01)


def test_cells_of_one_type_that_are_one_point_mix():
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b", "c"], 200)
    points = np.eye(3, dtype="float32")[rng.integers(0, 3, 600)]
    cells = pd.DataFrame({"sample": "s", "patient": "p", "batch": batch, "niche": 1})
    [row] = mixing(Drawn(cells, {"before": points})).to_dict("records")
    assert row["lisi"] == pytest.approx(row["lisi_expected"], rel=0.05)


def test_map_and_its_section(made):
    table = pd.read_csv(made / "integration_map.csv.gz")
    assert len(table) == 3 * 144
    assert {"sample", "patient", "batch", "cell_id", "niche", "before_1", "before_2", "after_1", "after_2"} <= set(
        table
    )
    centres = {s: table.groupby("batch")[[f"{s}_1", f"{s}_2"]].mean() for s in ("before", "after")}
    spread = {s: table[[f"{s}_1", f"{s}_2"]].std().mean() for s in centres}
    apart = {s: np.linalg.norm(c.loc["b1"] - c.loc["b2"]) / spread[s] for s, c in centres.items()}
    assert apart["after"] < apart["before"]
    section = json.loads((made / "integration_map_mqc.json").read_text())
    assert "All cells" in section["description"]
    assert "data:image/webp" in section["data"]
    shown = json.loads((made / "integration_mixing_mqc.json").read_text())
    assert "Batch&#44; before correction" in shown["data"]
    assert shown["description"].startswith("After the correction batches mix as composition allows (LISI 1.")
    assert f"below {FAR_BELOW:.0%} is far below it".replace("%", " %") in shown["description"]


def mixed(label: str, *lisi: float, expected: float = 3.0) -> pd.DataFrame:
    """A row per stage."""
    rows = [(stage, label, 4, value, expected, reached_of(value, expected))
            for stage, value in zip(("before", "after"), lisi)]  # fmt: skip
    return pd.DataFrame(rows, columns=["stage", "label", "n_values", "lisi", "lisi_expected", "reached"])


@pytest.mark.parametrize(
    ("reached", "word"),
    [
        (NEARLY_ALL, "as"),
        (NEARLY_ALL - 0.01, "less than"),
        (FAR_BELOW, "less than"),
        (FAR_BELOW - 0.01, "far less than"),
    ],
)
def test_whether_batches_mix_is_said_with_numbers(reached, word):
    said = mixing_sentence(mixed("batch", 1.4, 1 + 2 * reached))
    assert said.startswith(
        f"After the correction batches mix {word} composition allows (LISI {1 + 2 * reached:.2f} of 4 batches, 3.00 by "
        f"composition, which is {100 * reached:.0f} % of what could be reached; before the correction 20 %)."
    )
    assert ("They still lie apart" in said) is (reached < FAR_BELOW)


def test_mixing_without_correction_with_one_batch_and_with_nothing_to_mix():
    assert mixing_sentence(mixed("batch", 3.0)).startswith("Without a batch correction batches mix as composition")
    assert mixing_sentence(mixed("patient", 3.0)).startswith("There is one batch. Without a batch correction patients")
    assert "composition leaves nothing that could mix" in mixing_sentence(mixed("batch", 1.0, 1.0, expected=1.01))
    assert mixing_sentence(mixed("cell_type", 3.0)) == "There is one sample, so nothing can mix."


def test_where_nothing_could_mix_before_the_correction_no_share_of_it_is_said():
    table = mixed("batch", 1.0, 2.8)
    table.loc[table["stage"] == "before", "reached"] = reached_of(1.0, 1.01)
    said = mixing_sentence(table)
    assert "which is 90 % of what could be reached)." in said
    assert "nan" not in said


def test_maps_are_apart_and_say_how_many_patients_have_no_name():
    rng = np.random.default_rng(0)
    n = 20 * (MOST_NAMED + 1)
    cells = pd.DataFrame({"niche": rng.integers(1, 4, n), "batch": "b1", "patient": np.arange(n) % (MOST_NAMED + 1)})
    cells[["before_1", "before_2", "after_1", "after_2"]] = rng.normal(size=(n, 4))
    axes = map_figure(cells).axes
    assert len(axes) == 6
    for ax, stage in zip(axes, ["before"] * 3 + ["after"] * 3):
        assert all(spine.get_visible() for spine in ax.spines.values())
        for k, (low, high) in enumerate((ax.get_xlim(), ax.get_ylim()), start=1):
            place = cells[f"{stage}_{k}"]
            room = 0.04 * np.ptp(place)
            assert low < place.min() - room
            assert place.max() + room < high
    assert axes[2].get_title("left") == f"Patient ({MOST_NAMED + 1}), before correction"
    assert [ax.get_legend() is not None for ax in axes] == [False, False, False, True, False, False]


def test_many_niches_are_told_apart_in_the_map():
    n = 30 * 6
    cells = pd.DataFrame({"niche": np.arange(n) % 30 + 1, "batch": "b1", "patient": "p1"})
    cells[["before_1", "before_2"]] = (
        np.random.default_rng(0).normal(scale=0.1, size=(n, 2)) + 3 * cells[["niche"]].to_numpy()
    )
    axes = map_figure(cells).axes[0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == [f"Niche {k}" for k in range(1, 31)]
    assert [text.get_text() for text in axes.texts] == [str(k) for k in range(1, 31)]
    for text in axes.texts:
        # at a cell of the niche
        own = cells.loc[cells["niche"] == int(text.get_text()), ["before_1", "before_2"]].to_numpy()
        assert (own == text.get_position()).all(axis=1).any()
    dots = [(len(handle.get_paths()[0].vertices), tuple(handle.get_facecolor()[0]))
            for handle in axes.get_legend().legend_handles]  # fmt: skip
    assert len(set(dots)) == 30
    few = map_figure(cells[cells["niche"] <= 8]).axes[0]
    assert not few.texts


def test_few_cells_are_drawn_and_the_same_each_time(tmp_path):
    cohort = integrated(0)
    cohort.obsm["X_pca"] = cohort.obsm["X_pca_harmony"]
    cohort.write_h5ad(tmp_path / "cohort.h5ad")
    drawn = draw_cells(tmp_path / "cohort.h5ad", most=50)
    assert len(drawn.cells) == 50
    # not corrected: one stage
    assert list(drawn.stages) == ["before"]
    assert drawn.cells.equals(draw_cells(tmp_path / "cohort.h5ad", most=50).cells)
    # too few to judge
    assert mixing(drawn).empty


@pytest.mark.parametrize("corrected", [True, False, None])
def test_a_correction_that_moved_nothing_is_told_from_none(tmp_path, corrected):
    """Cell types at random: Harmony runs, and finds nothing to move."""
    cohort = integrated(0)
    cohort.obsm["X_pca"] = cohort.obsm["X_pca_harmony"]
    if corrected is not None:
        cohort.uns["semanticst"]["batch_corrected"] = corrected
    cohort.write_h5ad(tmp_path / "cohort.h5ad")
    assert invoke("cohort_mixing", tmp_path / "cohort.h5ad", "--outdir", tmp_path).exit_code == 0
    drawn, mixes = (
        json.loads((tmp_path / f"integration_{name}_mqc.json").read_text())["description"] for name in ("map", "mixing")
    )
    assert ("There was no batch correction." in drawn) is not corrected
    assert ("The batch correction moved none of them." in drawn) is bool(corrected)
    head = "After the correction, which moved none of these cells," if corrected else "Without a batch correction"
    assert mixes.startswith(f"{head} batches mix ")


def assembled(tmp_path, harmony=True, batches=2, **columns):
    """``cohort.h5ad`` of two samples of 30 cells; ``columns`` are further ones of ``niches.csv.gz``."""
    parts = [make_internal(sample=f"s{i}", patient=f"p{i}", n_cells=30, seed=i) for i in range(2)]
    for i, part in enumerate(parts):
        part.obs["batch"] = f"b{i % batches}"
        part.write_h5ad(tmp_path / f"s{i}.qc.h5ad")
    cells = pd.concat([part.obs[["sample", "patient"]].assign(cell_id=part.obs_names) for part in parts])
    niches = cells.assign(niche=1, stability=1.0, niche_jaccard=1.0, fit=0.5, **columns)
    niches.to_csv(tmp_path / "niches.csv", index=False)
    embedding = make_internal(n_cells=60)
    embedding.obs_names = cells["sample"].astype(str) + ":" + cells["cell_id"].astype(str)
    embedding.obsm["X_pca"] = embedding.obsm["X_pca_harmony"] = np.ones((60, 2), np.float32)
    embedding.uns["semanticst"] |= {"train_mode": "none", "graph_hops": 2, "spatial_unit": "um"}
    embedding.write_h5ad(tmp_path / "embedding.h5ad")
    np.savez(tmp_path / "basis.npz", **({"harmony_centres": np.zeros((1, 1, 2))} if harmony else {"mean": np.zeros(2)}))
    assemble_cohort(
        [tmp_path / f"s{i}.qc.h5ad" for i in range(2)], tmp_path / "embedding.h5ad", tmp_path / "niches.csv",
        tmp_path / "cohort.h5ad", harmony=has_harmony(tmp_path / "basis.npz"),
    )  # fmt: skip
    return ad.read_h5ad(tmp_path / "cohort.h5ad", backed="r")


@pytest.mark.parametrize(("harmony", "batches", "told"), [(True, 2, True), (True, 1, False), (False, 2, False)])
def test_the_cohort_knows_whether_batches_were_corrected(tmp_path, harmony, batches, told):
    assert bool(assembled(tmp_path, harmony, batches).uns["semanticst"]["batch_corrected"]) is told


def test_cells_of_the_cohort_have_their_kind_of_rare_tissue(tmp_path):
    kinds = np.repeat([0, 1, np.nan], (28, 2, 30))
    found = assembled(tmp_path, rare_tissue=pd.array(kinds, dtype="Int64")).obs["rare_tissue"]
    assert found.cat.categories.tolist() == ["0", "1"]
    assert found.astype(object).where(found.notna(), "").tolist() == ["0"] * 28 + ["1"] * 2 + [""] * 30


@pytest.mark.parametrize("columns", [{}, {"rare_tissue": pd.array([pd.NA] * 60, dtype="Int64")}])
def test_rare_tissue_that_was_not_looked_for_is_no_column(tmp_path, columns):
    assert "rare_tissue" not in assembled(tmp_path, **columns).obs


def test_an_object_of_others_is_bad_input(tmp_path):
    make_cohort_object().write_h5ad(tmp_path / "other.h5ad")
    with pytest.raises(BadInput, match="lacks X_pca"):
        draw_cells(tmp_path / "other.h5ad")


def test_labels_that_group_cells_alike_are_judged_once():
    labels = pd.DataFrame(
        {"batch": list("aabc"), "patient": list("xxyz"), "sample": list("pqrs"), "type": list("babc")}
    )
    assert first_of_the_same(labels) == {"batch": "batch", "patient": "batch", "sample": "sample", "type": "type"}


def test_a_label_of_the_same_groups_has_the_same_mixing():
    rng = np.random.default_rng(0)
    batch = rng.choice(["b1", "b2"], 300)
    cells = pd.DataFrame({"batch": batch, "patient": batch, "sample": rng.choice(["s1", "s2"], 300), "niche": 1})
    table = mixing(Drawn(cells, {"before": rng.normal(size=(300, 5)).astype(np.float32)})).set_index("label")
    assert (table.loc["batch"] == table.loc["patient"]).all()
    assert table.loc["batch", "lisi"] != table.loc["sample", "lisi"]
