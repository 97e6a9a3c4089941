"""``cohort_annotate.py``: columns of the tables, names, and what became of earlier niches."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from helpers import ASSETS, invoke, make_internal
from semanticst.plotting.palette import niche_colour


@pytest.fixture
def run(tmp_path):
    """Folder with an object of two samples in three niches and its tables, and the command on it."""
    parts = [make_internal(sample=f"s{i}", patient=f"p{i}", n_cells=60, seed=i) for i in range(2)]
    cohort = ad.concat(parts)
    cohort.obs["cell_id"] = cohort.obs_names.astype(str)
    cohort.obs_names = cohort.obs["sample"].astype(str) + ":" + cohort.obs["cell_id"]
    niche = np.arange(120) % 3 + 1
    cohort.obs["niche"] = pd.Categorical(niche.astype(str))
    cohort.uns["semanticst"] = {"feature_type": "counts"}
    cohort.uns["niche_colors"] = [niche_colour(k) for k in (1, 2, 3)]
    cohort.write_h5ad(tmp_path / "cohort.h5ad")
    niches = cohort.obs[["sample", "cell_id"]].assign(niche=niche, patient=cohort.obs["patient"], stability=1.0)
    niches.to_csv(tmp_path / "niches.csv.gz", index=False)
    pd.DataFrame({"niche": [1, 2, 3], "n_cells": 40, "stability": 1.0}).to_csv(tmp_path / "stability.csv", index=False)
    (tmp_path / "sheet.csv").write_text(
        "sample,patient,path,batch,slide,timepoint,stability,qc_mads\ns0,p0,a,b,x,week 6,u,3\ns1,p1,b,b,x,,v,3\n"
    )
    (tmp_path / "clinical.csv").write_text("patient,age,arm,a/b,empty\np0,50,A,1,\np1,NA,B,2,\n")

    def command(*arguments):
        given = ("--niches", tmp_path / "niches.csv.gz", "--stability", tmp_path / "stability.csv", "--samplesheet",
                 tmp_path / "sheet.csv", "--clinical", tmp_path / "clinical.csv", "--schema-dir", ASSETS)  # fmt: skip
        return invoke("cohort_annotate", tmp_path / "cohort.h5ad", *given, "--outdir", tmp_path / "out", *arguments)

    command.folder = tmp_path
    return command


def test_columns_of_the_tables(run):
    result = run()
    assert result.exit_code == 0, result.stderr
    before, after = (ad.read_h5ad(run.folder / name) for name in ("cohort.h5ad", "out/cohort.h5ad"))
    added = [c for c in after.obs if c not in before.obs]
    assert added == ["slide", "timepoint", "stability", "age", "arm", "a_b"]
    first = after.obs["sample"] == "s0"
    assert after.obs.loc[first, "age"].eq(50).all()
    assert after.obs.loc[~first, "age"].isna().all()
    assert after.obs["arm"].cat.categories.tolist() == ["A", "B"]
    assert after.obs.loc[~first, "timepoint"].isna().all()
    pd.testing.assert_frame_equal(after.obs[before.obs.columns], before.obs)
    np.testing.assert_array_equal(after.X.toarray(), before.X.toarray())
    legend = pd.read_csv(run.folder / "out/niche_names.csv")
    assert legend["name"].tolist() == ["Niche 1", "Niche 2", "Niche 3"]
    assert legend["colour"].tolist() == list(after.uns["niche_colors"])


def test_a_taken_name_gets_a_prefix(run):
    (run.folder / "clinical.csv").write_text("patient,total_counts,niche\np0,1,x\np1,2,y\n")
    with_total = ad.read_h5ad(run.folder / "cohort.h5ad")
    with_total.obs["total_counts"] = 7.0
    with_total.write_h5ad(run.folder / "cohort.h5ad")
    assert run().exit_code == 0
    obs = ad.read_h5ad(run.folder / "out/cohort.h5ad").obs
    assert obs["total_counts"].eq(7).all()
    assert obs["clinical_total_counts"].tolist() == [1] * 60 + [2] * 60
    assert obs["clinical_niche"].cat.categories.tolist() == ["x", "y"]


def test_nothing_clinical_is_shared(run):
    assert run("--no-share-clinical").exit_code == 0
    added = set(ad.read_h5ad(run.folder / "out/cohort.h5ad").obs) - set(ad.read_h5ad(run.folder / "cohort.h5ad").obs)
    assert added == {"slide"}


def test_clinical_columns_that_cells_had_before_are_not_shared(run):
    path = run.folder / "cohort.h5ad"
    given = ad.read_h5ad(path)
    for name in ("Age", "arm", "clinical_total_counts", "a_b", "input_timepoint", "slide"):
        given.obs[name] = pd.Categorical(["x"] * given.n_obs)
    given.obs["armour"] = given.obs["total_counts"] = 1
    given.uns["arm_colors"] = ["#000000"]
    given.write_h5ad(path)
    clinical = run.folder / "clinical.csv"
    clinical.write_text("patient,age,arm,a/b,empty,total_counts,niche\np0,50,A,1,,1,x\np1,NA,B,2,,2,y\n")
    result = run("--no-share-clinical")
    assert result.exit_code == 0, result.stderr
    after = ad.read_h5ad(run.folder / "out/cohort.h5ad")
    gone = ["Age", "arm", "clinical_total_counts", "a_b", "input_timepoint"]
    assert [c for c in given.obs if c not in after.obs] == gone
    assert {"armour", "slide", "niche", "total_counts"} <= set(after.obs)
    assert "arm_colors" not in after.uns
    assert f"are called so: {', '.join(gone)}" in result.stderr


def test_an_object_that_has_the_columns_loses_them(run):
    assert run().exit_code == 0
    (run.folder / "out/cohort.h5ad").rename(run.folder / "cohort.h5ad")
    assert run("--no-share-clinical").exit_code == 0
    assert not {"age", "arm", "a_b", "timepoint"} & set(ad.read_h5ad(run.folder / "out/cohort.h5ad").obs)


def test_names_of_this_run_and_of_an_earlier_one(run):
    (run.folder / "names.csv").write_text("niche,name\n1,Border\n")
    (run.folder / "before.csv").write_text("niche,name,colour\n2,Follicle,#000000\n1,Niche 1,#000000\n")
    (run.folder / "earlier").mkdir()
    niches = pd.read_csv(run.folder / "niches.csv.gz")
    # two niches before: 2 was what is niche 1 now and half of niche 3; 30 cells are of a sample that is gone
    here = niches.assign(niche=np.where((niches["niche"] == 1) | ((niches["niche"] == 3) & (niches.index < 60)), 2, 1))
    pd.concat([here, here.head(30).assign(sample="gone")]).to_csv(run.folder / "earlier/niches.csv.gz", index=False)
    result = run("--niche-names", run.folder / "names.csv", "--niche-earlier", run.folder / "earlier/niches.csv.gz",
                 "--earlier-names", run.folder / "before.csv")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    changes = pd.read_csv(run.folder / "out/niche_changes.csv", keep_default_na=False)
    expected = [(1, "", 2, "", 40, 40 / 60, 1.0, 40 / 60, True), (1, "", 3, "", 20, 20 / 60, 0.5, 0.25, False),
                (2, "Follicle", 1, "Border", 40, 40 / 60, 1.0, 40 / 60, True),
                (2, "Follicle", 3, "", 20, 20 / 60, 0.5, 0.25, False)]  # fmt: skip
    names = ["earlier_niche", "earlier_niche_name", "niche", "niche_name", "n_shared", "share_of_earlier",
             "share_of_niche", "jaccard", "counterpart"]  # fmt: skip
    pd.testing.assert_frame_equal(changes, pd.DataFrame(expected, columns=names), atol=1e-4)
    assert pd.read_csv(run.folder / "out/niches.csv.gz", keep_default_na=False)["niche_name"].iloc[:2].tolist() == [
        "Border",
        "",
    ]
    cohort = ad.read_h5ad(run.folder / "out/cohort.h5ad")
    assert cohort.obs["niche_name"].cat.categories.tolist() == ["Border", "Niche 2", "Niche 3"]
    assert (run.folder / "out/niche_changes_mqc.json").exists()


def test_an_earlier_run_of_other_cells(run):
    other = pd.read_csv(run.folder / "niches.csv.gz").assign(sample="x")
    other.to_csv(run.folder / "other.csv.gz", index=False)
    result = run("--niche-earlier", run.folder / "other.csv.gz")
    assert result.exit_code == 3
    assert "no cell of it is in this run (samples there: x ...; here: s0, s1 ...)" in result.stderr
    assert not list((run.folder / "out").iterdir())


def test_an_unknown_niche_ends_with_its_row(run):
    (run.folder / "names.csv").write_text("niche,name\n4,Border\n")
    result = run("--niche-names", run.folder / "names.csv")
    assert result.exit_code == 3
    assert "names.csv, row 2" in result.stderr
    assert "this run has 1 to 3" in result.stderr
