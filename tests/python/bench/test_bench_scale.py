"""The benchmark of size: a cohort of 20,000 cells, what the engine wrote of its tasks, and how time grows."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers import BIN, invoke
from semanticst.bench import scale
from semanticst.bench.measuring.measured_command import Measured
from semanticst.bench.measuring.trace import by_step, megabytes, seconds

TRACE = """\
task_id\tname\tstatus\trealtime\t%cpu\tpeak_rss
1\tSEMANTICST:SAMPLE_PREPARE:SAMPLE_QC (s0+5)\tCOMPLETED\t2s\t150.0%\t100 MB
2\tSEMANTICST:SAMPLE_PREPARE:SAMPLE_QC (s6+5)\tCOMPLETED\t500ms\t100.0%\t200 MB
3\tSEMANTICST:COHORT_INTEGRATE:NICHE_CLUSTER (cohort)\tFAILED\t9m\t100.0%\t9 GB
4\tSEMANTICST:COHORT_INTEGRATE:NICHE_CLUSTER (cohort)\tCOMPLETED\t1m 12s\t50.0%\t1 GB
5\tSEMANTICST:COHORT_REPORT:REPORT_QC (cohort)\tCOMPLETED\t0ms\t-\t-
"""


def test_tasks_are_added_up_by_step(tmp_path):
    (tmp_path / "trace.txt").write_text(TRACE)
    table = by_step(tmp_path / "trace.txt").set_index("step")
    assert table.index.tolist() == ["SAMPLE_QC", "NICHE_CLUSTER", "REPORT_QC"]
    assert table["tasks"].tolist() == [2, 1, 1]
    assert table["cpu_s"].tolist() == pytest.approx([3.5, 36, 0])
    assert table["wall_s"].tolist() == pytest.approx([2.5, 72, 0])
    assert table["peak_mb"].tolist() == pytest.approx([200 * 1.048576, 1073.741824, 0])


def test_the_engines_words_for_time_and_memory():
    assert seconds("1h 2m 3s") == 3723
    assert seconds("1d 1ms") == pytest.approx(86400.001)
    assert (megabytes("2 KB"), megabytes("0"), megabytes("-")) == (2048 / 1e6, 0, 0)


def test_growth_is_the_exponent_of_cpu_time():
    rows = [scale.Row(n, "graphs", cpu_s=c) for n, c in ((100, 2.0), (400, 8.0), (800, 32.0))]
    rows += [scale.Row(100, "BANKSY", cpu_s=1.0), scale.Row(400, "BANKSY", failed="took more than 60 s")]
    assert scale.exponents(rows) == {"graphs": [(100, 400, pytest.approx(1)), (400, 800, pytest.approx(2))]}
    assert "| 400 | BANKSY | | failed: took more than 60 s | | |" in scale.tables(rows)


def test_a_cohort_of_20000_cells(tmp_path, monkeypatch):
    """Everything is real but the run: simulation, preparation, floor and yardstick at their sizes."""
    asked = []

    def run_engine(command, place, limits):
        asked.extend(map(str, command))
        info = place / "results" / "pipeline_info"
        info.mkdir(parents=True)
        (info / "execution_trace_now.txt").write_text(TRACE)
        return Measured(80.0, 42.0, 300.0)

    monkeypatch.setattr(scale, "run_engine", run_engine)
    result = invoke(scale.bench_scale, "--cells", 20_000, "--method", "none", "--folder", tmp_path)
    assert result.exit_code == 0, result.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in result.stdout.splitlines()[2:]]
    steps = {row[1]: row for row in rows}
    assert {row[0] for row in rows} == {"20,000"}
    assert list(steps) == ["yardstick", "SAMPLE_QC", "NICHE_CLUSTER", "REPORT_QC", scale.ENGINE, scale.ALL, "floor"]
    assert steps[scale.ENGINE][4] == "2"  # 42 s of which the tasks took 39.5
    assert steps[scale.ALL][2:] == ["4", "80", "42", "1,074"]
    assert float(steps["floor"][4]) > 0
    assert asked[asked.index("run") + 1] == "--input"
    assert list(tmp_path.iterdir()) == []


ENDED = """
import sys
from pathlib import Path
from semanticst.bench.measuring.measured_command import measured
measured(["/bin/sh", "-c", "echo $$ > pid; sleep 60 & wait"], Path("log"))
"""


@pytest.mark.parametrize("ignores", [False, True])
def test_a_benchmark_that_is_ended_ends_what_it_measures(tmp_path, ignores):
    script = ENDED.replace("echo", "trap '' TERM; echo") if ignores else ENDED
    script = script.replace("measured([", "measured_command.GRACE_S = 1; measured([").replace(
        "import sys", "import sys; from semanticst.bench.measuring import measured_command"
    )
    running = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(BIN)})
    for _ in range(200):
        if (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text().strip():
            break
        time.sleep(0.1)
    measured_pid = int((tmp_path / "pid").read_text())
    running.terminate()
    assert running.wait(20) == 128 + signal.SIGTERM
    state = Path(f"/proc/{measured_pid}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z", "it goes on"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--folder", "/dev/null/there"), "cannot be made: Not a directory"),
        (("--max-minutes", "nan"), "a number is expected"),
        (("--max-gb", "inf"), "a number is expected"),
        (("--method", "BANKSY"), "give one or the other"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, said):
    result = invoke(scale.bench_scale, "--cells", 2000, "--method", "none", *options)
    assert result.exit_code == 2
    assert said in result.stderr.replace("\n", " ")


@pytest.mark.parametrize(("step", "code"), [(scale.ALL, 1), ("BANKSY", 0)])
def test_a_run_of_the_pipeline_that_fails_is_an_exit_code(monkeypatch, step, code):
    monkeypatch.setattr(scale, "cohort_rows", lambda *_: iter([scale.Row(2000, step, failed="took more than 1 s")]))
    result = invoke(scale.bench_scale, "--cells", 2000)
    assert result.exit_code == code, result.stderr
    assert "failed: took more than 1 s" in result.stdout


def test_the_folder_for_cohorts_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "cohort_rows", lambda *_: iter([scale.Row(2000, "floor", cpu_s=1.0)]))
    result = invoke(scale.bench_scale, "--cells", 2000, "--method", "none", "--folder", tmp_path / "a" / "b")
    assert result.exit_code == 0, result.stderr
    assert list((tmp_path / "a" / "b").iterdir()) == []
