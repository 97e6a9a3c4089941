"""The graph without its work: every process, bundles, -resume after edits, all with stubs."""

from collections import Counter
from pathlib import Path

import pytest

from engine_helpers import copy_of_pipeline, pipeline, write_sheet
from pipeline_helpers import modules

pytestmark = pytest.mark.engine

# what the report of a run always contains anew: its own record of the code that ran
RECORD = {"REPORT_MULTIQC"}
SWITCHED_OFF = [part for name in ("explorer", "export_xenium_explorer", "export_loupe", "export_qupath")
                for part in (f"--{name}", "false")]  # fmt: skip
TEST = ("-profile", "test", "-stub-run", "--train_denoised")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the pipeline: tests edit it, and nobody else does."""
    return copy_of_pipeline(tmp_path_factory.mktemp("checkout") / "pipeline")


@pytest.fixture(scope="module")
def stub(tmp_path_factory, checkout):
    """A stub run of the test profile: its folder and the run."""
    folder = tmp_path_factory.mktemp("stub")
    return folder, pipeline(folder, *TEST, checkout=checkout).ok()


def test_every_process_runs_once(stub):
    _, run = stub
    once = {module.name: 1 for module in modules()}
    assert run.executed == once | {"NICHE_ASSOCIATE": 2}
    assert "WARN" not in run.output
    assert "multiqc_report.html" in run.output


@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        ("bin/report_qc.py", {"REPORT_QC": 1}),
        # the check of the tables builds the designs of the contrasts
        (
            "bin/semanticst/association/__init__.py",
            {
                "SAMPLESHEET_CHECK": 1,
                "NICHE_ASSOCIATE": 2,
                "NICHE_COLLECT": 1,
                "REPORT_PLANTED": 1,
                "REPORT_SUMMARY": 1,
                "EXPLORER_BUILD": 1,
            },
        ),
        (
            "bin/semanticst/niche/mixture.py",
            {
                "NICHE_CLUSTER": 1,
                "COHORT_ASSEMBLE": 1,
                "COHORT_MIXING": 1,
                "NICHE_DESCRIBE": 1,
                "REPORT_PLANTED": 1,
                "EXPORT_WRITE": 1,
                "EXPLORER_BUILD": 1,
            },
        ),
    ],
)
def test_an_edited_byte_of_code_reruns_exactly_the_steps_that_use_it(stub, checkout, edited, expected):
    folder, _ = stub
    path = checkout / edited
    before = path.read_bytes()
    path.write_bytes(before + b"#")
    try:
        run = pipeline(folder, *TEST, "-resume", checkout=checkout).ok()
    finally:
        path.write_bytes(before)
    # stubs write the same tables again: what goes by content (contrasts, methods) is not repeated after them
    assert run.executed == Counter(expected) | Counter(RECORD)


# the parser that will be the engine's default
STRICT = {"NXF_SYNTAX_PARSER": "v2"}
MANY = ("-stub-run", "--input", "samplesheet.csv", "--clinical", "clinical.csv", "--contrasts", "contrasts.csv",
        "--train_mode", "none")  # fmt: skip


GROUPS = {"type": "groups", "contrast": "groups", "column": "group"}


@pytest.fixture(scope="module")
def many(tmp_path_factory, checkout):
    """A stub run of 120 small samples with a clinical table and a contrast: folder, rows of the sheet and run."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "samples").mkdir()
    rows = []
    for i in range(120):
        (folder / f"samples/s{i:03}.h5ad").write_bytes(b"0" * 1000)
        rows.append({"sample": f"s{i:03}", "patient": f"p{i // 10}", "path": f"samples/s{i:03}.h5ad"})
    write_sheet(folder / "samplesheet.csv", rows)
    write_sheet(folder / "clinical.csv", [{"patient": f"p{i}", "group": "ab"[i % 2]} for i in range(12)])
    write_sheet(folder / "contrasts.csv", [GROUPS])
    return folder, rows, pipeline(folder, *MANY, checkout=checkout, **STRICT).ok()


def test_many_small_samples_share_tasks(many):
    _, _, run = many
    # of 120, at most 16 in a task, halved until they fit
    assert run.executed["SAMPLE_INGEST"] == run.executed["SAMPLE_QC"] == run.executed["GRAPH_BUILD"]
    assert run.executed["SAMPLE_INGEST"] == 11
    assert run.executed["NICHE_ASSOCIATE"] == run.executed["MODEL_EMBED"] == run.executed["COHORT_ASSEMBLE"] == 1
    assert run.executed["MODEL_TRAIN"] == 0
    assert run.executed["COHORT_SIMULATE"] == run.executed["REPORT_PLANTED"] == run.executed["MODEL_DENOISE"] == 0


def test_order_of_rows_changes_nothing_and_a_further_contrast_runs_alone(many, checkout):
    folder, rows, _ = many
    write_sheet(folder / "samplesheet.csv", rows[::-1])
    write_sheet(folder / "contrasts.csv", [GROUPS | {"contrast": "before"}, GROUPS])
    run = pipeline(folder, *MANY, "-resume", checkout=checkout, **STRICT).ok()
    # what gathers contrasts goes by content, and a stub has none
    assert run.executed == {"SAMPLESHEET_CHECK": 1, "NICHE_ASSOCIATE": 1, "EXPLORER_BUILD": 1}
    assert [task["name"].split(" ")[1] for task in run.trace if "NICHE_ASSOCIATE" in task["name"] and
            task["status"] == "COMPLETED"] == ["(before)"]  # fmt: skip


def test_large_samples_folders_and_a_trained_model(tmp_path, checkout):
    (tmp_path / "folder").mkdir()
    (tmp_path / "large.h5ad").write_bytes(b"0" * 3 * 1024**2)
    (tmp_path / "model.pt").touch()
    rows = [{"sample": name, "patient": "p", "path": name} for name in ("folder", "large.h5ad")]
    for i in range(4):
        (tmp_path / f"small {i}.h5ad").write_bytes(b"0" * 400 * 1024)
        rows.append({"sample": f"t{i}", "patient": "p", "path": f"small {i}.h5ad"})
    sheet = write_sheet(tmp_path / "sheet.csv", rows)
    arguments = ("-stub-run", "--input", sheet, "--sample_bundle_mb", "1", "--model", "model.pt", "--train_denoised")
    run = pipeline(tmp_path, *arguments, *SWITCHED_OFF, checkout=checkout).ok()
    tags = {task["name"].split(" ")[1] for task in run.trace if "SAMPLE_INGEST" in task["name"]}
    further = {tag.strip("()").partition("+")[0]: int(tag.strip("()").partition("+")[2] or 0) for tag in tags}
    assert further.pop("large.h5ad") == 0
    # of four times 400 KB two fit into a megabyte; the folder is empty
    assert sum(further.values()) + len(further) == 5
    assert all(more <= (2 if first == "folder" else 1) for first, more in further.items())
    assert run.executed["MODEL_TRAIN"] == 0
    assert run.executed["MODEL_DENOISE"] == 1
    assert run.executed["MODEL_EMBED"] == run.executed["COHORT_ASSEMBLE"] == 1
    assert run.executed["NICHE_ASSOCIATE"] == 0
    assert "Association: skipped" in run.output
    # all that opens elsewhere is switched off
    assert run.executed["EXPLORER_BUILD"] == run.executed["EXPORT_WRITE"] == 0
    assert not {"explorer", "exports"} & {path.name for path in run.outdir.iterdir()}


def test_a_further_sample_runs_its_own_steps_and_those_of_the_cohort(tmp_path, checkout):
    rows = []
    for i in range(4):
        (tmp_path / f"s{i}.h5ad").write_bytes(b"0" * 1000)
        rows.append({"sample": f"s{i}", "patient": f"p{i}", "path": f"s{i}.h5ad"})
    arguments = ("-stub-run", "--input", "sheet.csv", "--sample_bundle_size", "1")
    write_sheet(tmp_path / "sheet.csv", rows[:3])
    pipeline(tmp_path, *arguments, checkout=checkout).ok()
    write_sheet(tmp_path / "sheet.csv", rows)
    run = pipeline(tmp_path, *arguments, "-resume", checkout=checkout).ok()
    assert run.executed["SAMPLE_INGEST"] == run.executed["SAMPLE_QC"] == 1
    assert run.executed["COHORT_FEATURES"] == run.executed["MODEL_TRAIN"] == run.executed["NICHE_CLUSTER"] == 1
    # graphs go by the content of components, which stubs leave as they were, and so does mapping onto a model:
    # test_a_further_mapped_sample_leaves_the_others_as_they_are
    assert run.executed["GRAPH_BUILD"] == 1


def test_a_file_written_anew_in_a_folder_is_read_again(tmp_path, checkout):
    rows = []
    for name in ("one", "two"):
        (tmp_path / name / "spatial").mkdir(parents=True)
        (tmp_path / name / "matrix.h5").write_bytes(b"0" * 1000)
        (tmp_path / name / "spatial" / "positions.csv").write_text("1,2")
        rows.append({"sample": name, "patient": "p", "path": name})
    sheet = write_sheet(tmp_path / "sheet.csv", rows)
    arguments = ("-stub-run", "--input", sheet, "--sample_bundle_size", "1")
    assert pipeline(tmp_path, *arguments, checkout=checkout).ok().executed["SAMPLE_INGEST"] == 2
    assert pipeline(tmp_path, *arguments, "-resume", checkout=checkout).ok().executed.total() == 0
    # in place, so that neither the folder nor its own time changes
    (tmp_path / "two" / "spatial" / "positions.csv").write_text("3,4")
    run = pipeline(tmp_path, *arguments, "-resume", checkout=checkout).ok()
    assert run.executed["SAMPLE_INGEST"] == 1
    assert {task["name"].split(" ")[1] for task in run.trace if task["status"] == "COMPLETED"} >= {"(two)"}
