"""Annotated regions as a variable within the section: in the test, and in the check before a run."""

import json

import numpy as np
import pandas as pd
import pytest

from clinical_helpers import make_cohort
from helpers import invoke
from report_helpers import make_cohort_object, write_cohort
from semanticst.association.associate import associate
from semanticst.association.design.region_parts import read_region_counts, samples_of, split_by_region
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe.composition import niche_regions

N_PATIENTS = 10
HEADER = "contrast,type,column,reference,target,block,subset\n"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Patients with two sections: niche 2 is far more common in the tumour; patients of group b have more of niche 3 in
    it. One section has no annotation."""
    folder = tmp_path_factory.mktemp("regions")
    rng = np.random.default_rng(0)
    sheet, whole, regions, clinical = [], [], [], []
    for i in range(N_PATIENTS):
        clinical.append({"patient": f"p{i}", "arm": "ab"[i % 2]})
        for j in range(2):
            sample, both = f"p{i}s{j}", np.zeros(3, int)
            sheet.append({"sample": sample, "patient": f"p{i}"})
            for region in ("stroma", "tumour"):
                rates = np.array([60.0, 90.0 if region == "tumour" else 20.0, 30.0]) * rng.gamma(30, 1 / 30, 3)
                rates[2] *= 3 if region == "tumour" and i % 2 else 1
                n = rng.poisson(rates)
                both += n
                if sample != "p0s0":
                    regions += [(sample, f"p{i}", region, k + 1, n[k]) for k in range(3)]
            whole += [(sample, f"p{i}", k + 1, both[k], both.sum()) for k in range(3)]
    pd.DataFrame(sheet).to_csv(folder / "samplesheet.csv", index=False)
    pd.DataFrame(clinical).to_csv(folder / "clinical.csv", index=False)
    names = ["sample", "patient", "niche", "n_cells", "n_cells_sample"]
    pd.DataFrame(whole, columns=names).to_csv(folder / "counts.csv", index=False)
    names = ["sample", "patient", "annotated_region", "niche", "n_cells"]
    pd.DataFrame(regions, columns=names).to_csv(folder / "regions.csv", index=False)
    (folder / "contrasts.csv").write_text(
        HEADER
        + "where,groups,annotated_region,stroma,tumour,patient,\n"
        + "inside,groups,arm,a,b,,annotated_region == tumour\n"
        + "outside,groups,arm,a,b,,annotated_region == stroma\n"
    )
    return folder


def ask(folder, contrast, **options):
    names = {name: folder / f"{name}.csv" for name in ("contrasts", "clinical", "samplesheet", "counts")}
    return associate(contrast, **names, regions=folder / "regions.csv", permutations=499, **options)


def test_regions_are_compared_within_patients(tables):
    found = ask(tables, "where")
    assert found.design.within_patient
    assert len(found.design.units) == 2 * N_PATIENTS
    row = found.primary.set_index("niche").loc["2"]
    assert row["n_patients"] == N_PATIENTS
    assert row["q"] < 0.05
    assert row["effect"] > 0.3
    # of the section without an annotation nobody knows a part
    assert found.design.dropped.sections["no annotated_region"] == 1
    counts, _ = read_region_counts(tables / "regions.csv")
    whole = counts.loc[[f"p3s{j} | tumour" for j in range(2)]].sum()
    assert found.features.shown["proportion"].loc["p3 | tumour", "2"] == pytest.approx(whole[2] / whole.sum())


def test_patients_are_compared_in_one_region(tables):
    inside, outside = (ask(tables, name).primary.set_index("niche").loc["3"] for name in ("inside", "outside"))
    assert inside["p"] < 0.02
    assert inside["effect"] > 0.5
    assert outside["p"] > 0.05


def test_what_is_not_known_of_parts_is_not_tested(tables, caplog):
    found = ask(tables, "where", kinds=("contacts", "entropy"))
    assert set(found.primary["feature"]) == {"entropy"}
    assert "not known of parts of sections, and not tested: contacts" in caplog.text


def test_the_command_writes_samples_and_maps_of_them(tables, tmp_path):
    rng = np.random.default_rng(0)
    sheet = pd.read_csv(tables / "samplesheet.csv")
    cells = sheet.loc[sheet.index.repeat(12)].assign(niche=rng.integers(1, 4, 12 * len(sheet)), coordinate_unit="um")
    cells = cells.assign(x=rng.random(len(cells)), y=rng.random(len(cells)), cell_id=range(len(cells)))
    cells.to_csv(tmp_path / "niches.csv.gz", index=False)
    arguments = [f"--{name}={tables / f'{name}.csv'}" for name in ("contrasts", "clinical", "samplesheet", "counts")]
    result = invoke(
        "niche_associate", "--contrast", "where", *arguments, "--regions", tables / "regions.csv",
        "--niches", tmp_path / "niches.csv.gz", "--clinical-permutations", 99, "--outdir", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "where.association.json").read_text())
    assert record["n_sections"] == len(record["sections"]) == 2 * N_PATIENTS - 1
    assert set(record["section_values"].values()) == {"stroma and tumour"}
    assert (tmp_path / "where_representative_sections.png").exists()


def test_cells_by_region_sample_and_niche(tmp_path):
    adata = make_cohort_object()
    adata.obs["annotated_region"] = np.where(adata.obsm["spatial"][:, 0] < 30, "fold", "")
    adata.obs.loc[adata.obs["sample"] == "s3", "annotated_region"] = ""
    cohort = read_cohort(write_cohort(tmp_path, adata))
    table = niche_regions(cohort)
    assert table.columns.tolist() == ["sample", "patient", "annotated_region", "niche", "n_cells"]
    fold = adata.obs[adata.obs["annotated_region"] == "fold"]
    assert len(table) == 2 * 3
    for row in table.itertuples():
        assert row.n_cells == ((fold["sample"] == row.sample) & (fold["niche"] == row.niche)).sum()
    adata.obs["annotated_region"] = ""
    assert niche_regions(read_cohort(write_cohort(tmp_path, adata))) is None


def test_parts_have_what_is_known_of_their_section():
    sections = make_cohort((3, 3)).sections
    parts = split_by_region(sections, {sections.index[0]: ["a b", "c"]})
    assert len(parts) == len(sections) + 1
    assert parts["annotated_region"].tolist()[:2] == ["a b", "c"]
    assert parts["annotated_region"].isna().sum() == len(sections) - 1
    assert (parts["patient"].to_numpy() == sections["patient"].reindex(samples_of(parts.index)).to_numpy()).all()


def outline(names):
    ring = [[0, 0], [9, 0], [9, 9], [0, 0]]
    return json.dumps([
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"name": name}}
        for name in names
    ])  # fmt: skip


def check(folder, *arguments):
    rows = [f"s{i},p{i},s{i}.h5ad,s{i}.geojson" for i in range(4)]
    for i in range(4):
        (folder / f"s{i}.h5ad").touch()
        (folder / f"s{i}.geojson").write_text(outline(["tumour", "stroma"]))
    (folder / "sheet.csv").write_text("\n".join(["sample,patient,path,annotation", *rows]) + "\n")
    return invoke("samplesheet_check", folder / "sheet.csv", "--contrasts", folder / "contrasts.csv", *arguments,
                  "--outdir", folder / "out")  # fmt: skip


def test_the_check_knows_the_regions_of_the_outlines(tmp_path):
    (tmp_path / "contrasts.csv").write_text(HEADER + "where,groups,annotated_region,stroma,tumour,patient,\n")
    result = check(tmp_path, "--preview", "json")
    assert result.exit_code == 0, result.output
    (contrast,) = json.loads(result.stdout)["contrasts"]
    assert contrast["within_patients"]
    assert contrast["groups"] == {name: {"patients": 4, "sections": 4} for name in ("stroma", "tumour")}
    assert check(tmp_path).exit_code == 0


def test_a_region_that_nobody_outlined_is_told(tmp_path):
    (tmp_path / "contrasts.csv").write_text(HEADER + "where,groups,annotated_region,stroma,tumor,patient,\n")
    result = check(tmp_path)
    assert result.exit_code == 3
    assert "no sample has 'tumor' in 'annotated_region'; values found: stroma, tumour; did you mean" in result.output


def test_outlines_that_are_not_at_hand_are_a_caution(tmp_path):
    # as in a task, which is given the tables alone
    (tmp_path / "contrasts.csv").write_text(HEADER + "where,groups,annotated_region,stroma,tumour,patient,\n")
    check(tmp_path)
    for file in tmp_path.glob("*.geojson"):
        file.unlink()
    result = invoke("samplesheet_check", tmp_path / "sheet.csv", "--contrasts", tmp_path / "contrasts.csv",
                    "--no-check-files", "--outdir", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "its regions are seen when the outlines are read" in result.output


def test_without_any_annotation_there_is_no_such_column(tmp_path):
    (tmp_path / "contrasts.csv").write_text(HEADER + "where,groups,annotated_region,stroma,tumour,patient,\n")
    (tmp_path / "s.h5ad").touch()
    (tmp_path / "sheet.csv").write_text("sample,patient,path\ns,p,s.h5ad\n")
    result = invoke("samplesheet_check", tmp_path / "sheet.csv", "--contrasts", tmp_path / "contrasts.csv",
                    "--outdir", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 3
    assert "no such column in the samplesheet or the clinical table" in result.output
