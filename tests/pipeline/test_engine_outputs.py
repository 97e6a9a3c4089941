"""What stands in the output folder is what the run says: there and back, cut files, left-overs, two runs, odd paths.

One folder sees all of it, and every path that a user brings has every awkward sign in it.
"""

import csv
import json
import os
import re
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine_helpers import Run, copy_of_pipeline, nextflow, pipeline, write_sheet
from launcher.verify import verify

pytestmark = pytest.mark.engine

NAME = """a [1] {x,y} (z) #é $HOME 'q' "d" & """ + "end"
# Nextflow itself cannot run tasks in a folder with $ or {x,y}, nor find scripts in one with "
WORK = "work [1] (z) #é 'q' &"
PROJECT = "pipeline [1] {x,y} #é 'q' &"

SAMPLES = ("s0", "s1", "s2")
CONTRASTS = ("age", "response")


@dataclass(frozen=True)
class Seen:
    """A finished run and the output folder as it was then: bytes and time of every result."""

    run: Run
    files: dict[str, bytes]
    times: dict[str, int]
    verified: tuple[int, str]


def seen(run: Run) -> Seen:
    paths = {p.relative_to(run.outdir).as_posix(): p for p in sorted(run.outdir.rglob("*")) if p.is_file()}
    paths = {name: p for name, p in paths.items() if not re.search(r"/(execution_|pipeline_dag)", name)}
    lines: list[str] = []
    code = verify([str(run.outdir)], lines.append)
    times = {name: path.stat().st_mtime_ns for name, path in paths.items()}
    return Seen(run, {name: path.read_bytes() for name, path in paths.items()}, times, (code, "\n".join(lines)))


class Cohort:
    """A cohort whose paths have all signs, given by relative paths, and the runs on it."""

    def __init__(self, top: Path) -> None:
        self.folder = top / NAME
        self.folder.mkdir()
        (top / WORK).mkdir()
        self.arguments = ("-stub-run", "-work-dir", f"../{WORK}", "--clinical", f"clinical {NAME}.csv")
        self.arguments += ("--input", f"sheet {NAME}.csv", "--contrasts", f"contrasts {NAME}.csv")
        self.arguments += ("--model", f"model {NAME}.pt", "--clinical_gene_sets", f"sets {NAME}.gmt")
        self.checkout = copy_of_pipeline(top / PROJECT)
        stub = self.checkout / "modules/local/niche/cluster/main.nf"
        text = stub.read_text()
        # stubs make empty files: here one that says what it was asked for
        assert "touch niche_mixture.npz niche_k.csv" in text
        stub.write_text(
            text.replace(
                "touch niche_mixture.npz niche_k.csv", "echo '${task.ext.args}' > niche_k.csv; touch niche_mixture.npz"
            )
        )
        for name in (f"model {NAME}.pt", f"sets {NAME}.gmt"):
            (self.folder / name).touch()
        for sample in SAMPLES:
            (self.folder / f"{sample} {NAME}.h5ad").write_bytes(sample.encode() * 500)
        # a plain path, which the engine follows to the odd one
        (top / "link.h5ad").symlink_to(self.folder / f"{SAMPLES[-1]} {NAME}.h5ad")
        # what `[1]` means to a shell: a file that must not be taken for the sample
        decoy = top / NAME.replace("[1]", "1")
        decoy.mkdir()
        for sample in SAMPLES:
            (decoy / f"{sample} {NAME.replace('[1]', '1')}.h5ad").write_bytes(b"decoy")
        write_sheet(
            self.folder / f"clinical {NAME}.csv",
            [{"patient": s, "response": "ab"[i % 2], "age": f"{50 + i}"} for i, s in enumerate(SAMPLES)],
        )

    def tables(self, samples: tuple[str, ...], contrasts: tuple[str, ...]) -> None:
        rows = [{"sample": s, "patient": s, "path": f"{s} {NAME}.h5ad"} for s in samples]
        rows[-1]["path"] = "../link.h5ad" if rows[-1]["sample"] == SAMPLES[-1] else rows[-1]["path"]
        write_sheet(self.folder / f"sheet {NAME}.csv", rows)
        rows = [{"contrast": c, "type": "continuous" if c == "age" else "groups", "column": c} for c in contrasts]
        write_sheet(self.folder / f"contrasts {NAME}.csv", rows)

    def run(self, *arguments: object, outdir: str = f"out {NAME}") -> Run:
        return pipeline(self.folder, *self.arguments, *arguments, checkout=self.checkout, outdir=outdir)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Cohort:
    return Cohort(tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="module")
def first(cohort) -> Seen:
    cohort.tables(SAMPLES, CONTRASTS)
    return seen(cohort.run("--niche_k", "3").ok())


@pytest.fixture(scope="module")
def there(cohort, first) -> tuple[Seen, int, str]:
    """Fewer samples and contrasts, another parameter; while it goes on, another run wants the same folder."""
    cohort.tables(SAMPLES[:2], CONTRASTS[:1])
    other = cohort.folder.parent / "other"
    other.mkdir()
    # the suffix sorts before every date: the trace of this folder stays that of the run that worked
    wanted = ("run", cohort.checkout, "--simulate", "-stub-run", "--outdir", first.run.outdir)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(cohort.run, "--niche_k", "4", "-resume")
        holder = pid_in(first.run.outdir / "pipeline_info/running.json", running)
        os.kill(holder, signal.SIGSTOP)  # it holds the folder until the other has had its answer
        try:
            code, said = nextflow(other, *wanted, "--trace_report_suffix", "0")
        finally:
            os.kill(holder, signal.SIGCONT)
        run = running.result().ok()
    return seen(run), code, said


def pid_in(lock: Path, running: Future) -> int:
    """Process that holds the output folder, as soon as there is one."""
    while not running.done():
        try:
            return json.loads(lock.read_text())["pid"]
        except (FileNotFoundError, ValueError):  # not there, or half written
            time.sleep(0.1)
    raise AssertionError(f"the run ended without a lock: {running.result().output}")


@pytest.fixture(scope="module")
def back(cohort, there) -> Seen:
    """As the first, after a file was cut short and the engine of a run was killed."""
    (there[0].run.outdir / "niches/niches.csv.gz").write_bytes(b"\x1f\x8b")
    dead = {"run": "dead_run", "host": os.uname().nodename, "pid": os.getpid(), "process_start": "long ago"}
    (there[0].run.outdir / "pipeline_info/running.json").write_text(json.dumps(dead))
    cohort.tables(SAMPLES, CONTRASTS)
    return seen(cohort.run("--niche_k", "3", "-resume").ok())


def listed(found: Seen) -> set[str]:
    return {row["file"] for row in csv.DictReader(found.files["pipeline_info/outputs.csv"].decode().splitlines())}


def test_the_list_names_every_file_of_the_run(first):
    assert first.files.keys() - listed(first) == {"pipeline_info/outputs.csv"}
    assert listed(first) <= first.files.keys()
    assert {"qc/maps/s2.qc_map.png", "association/age.csv", "pipeline_info/params.json"} <= listed(first)
    assert first.verified[0] == 0
    assert "Left over" not in first.verified[1]
    assert "WARN" not in first.run.output


def test_every_file_of_a_real_run_is_listed(small):
    """With what stubs do not make: data of the report, figures, gene sets."""
    found = seen(small)
    assert found.verified == (0, f"Whole: the {len(found.files) - 1} files that the run left in {small.outdir}.")


def test_samples_are_those_of_the_sheet_and_no_look_alikes(cohort, first):
    (task,) = [task for task in first.run.trace if "SAMPLE_INGEST" in task["name"]]
    (folder,) = (cohort.folder.parent / WORK).glob(f"{task['hash']}*")
    contents = sorted(path.read_bytes() for path in folder.glob("inputs/*/*"))
    assert contents == [sample.encode() * 500 for sample in SAMPLES]


def test_what_an_earlier_run_left_is_named_and_not_listed(cohort, there):
    found, _, _ = there
    left = {"qc/maps/s2.qc_map.png", "qc/cells/s2.qc_cells.csv.gz", "association/response.csv"}
    assert left <= found.files.keys() - listed(found)
    assert found.verified[0] == 0
    (task,) = [task for task in found.run.trace if "MULTIQC" in task["name"]]
    (folder,) = (cohort.folder.parent / WORK).glob(f"{task['hash']}*")
    (section,) = folder.glob("reports/*/left_over_mqc.yaml")
    for name in sorted(left):
        assert f"\n  {name}" in found.run.output
        assert f"\n  {name}" in found.verified[1]
        assert f"<code>{name}</code>" in section.read_text()
    assert json.loads(found.files["pipeline_info/params.json"])["niche_k"] == "4"
    assert b"--niche-k 4" in found.files["niches/niche_k.csv"]


def test_a_second_run_into_the_same_folder_is_refused_by_the_name_of_the_first(there):
    found, code, said = there
    name = re.search(r"run name +: (\w+)", found.run.output)[1]
    assert code == 2
    assert f"Another run writes into {found.run.outdir}: '{name}'" in said
    assert "Submitted process" not in said


def test_there_and_back_is_the_first_folder_again_and_what_was_cut_is_whole(first, back):
    assert back.run.executed.total() == 0
    assert back.files == first.files
    assert back.verified == first.verified


def test_what_is_the_same_is_not_copied_again(first, back):
    same = [name for name in first.times if first.times[name] == back.times[name]]
    assert {"integration/cohort.h5ad", "qc/maps/s2.qc_map.png", "niches/maps/stub.niches.png"} <= set(same)


def test_no_run_is_left_in_the_folder(back):
    assert "pipeline_info/running.json" not in back.files


def test_a_list_that_cannot_be_written_is_no_success(cohort, back):
    """A folder stands in its way here; mostly it is a full disk. No step has to run again."""
    (cohort.folder / "full/pipeline_info/.outputs.csv.partial").mkdir(parents=True)
    run = cohort.run("--niche_k", "3", "-resume", outdir="full")
    assert run.code == 1
    assert "Not finished: the steps are done, the output folder is not whole" in run.output
    assert "pipeline_info/outputs.csv cannot be written: " in run.output
    assert "Failed to invoke" not in run.output
    assert run.executed.keys() <= {"REPORT_METHODS", "REPORT_MULTIQC"}  # which name the folder
    assert not (run.outdir / "pipeline_info/running.json").exists()
    assert verify([str(run.outdir)], lambda line: None) == 3
