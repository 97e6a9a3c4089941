"""Profiles, configurations from outside, and a run that is interrupted."""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter

import pytest

from engine_helpers import QUICK, engine, nextflow, pipeline
from helpers import ROOT
from pipeline_helpers import ON_REQUEST, modules
from semanticst import __version__

pytestmark = pytest.mark.engine

UNTIL_TRAINING = {
    "COHORT_SIMULATE",
    "SAMPLESHEET_CHECK",
    "SAMPLE_INGEST",
    "SAMPLE_QC",
    "REPORT_QC",
    "COHORT_FEATURES",
    "GRAPH_BUILD",
}


@pytest.mark.parametrize(("profile", "of_training"), [("test", "torch"), ("test,gpu", "torch-cuda")])
def test_inspect_lists_every_image(tmp_path, profile, of_training):
    code, output = nextflow(tmp_path, "inspect", ROOT, "-profile", profile, "-format", "json")
    assert code == 0, output
    listed = json.loads(output[output.index("{") : output.rindex("}") + 1])["processes"]
    images = {process["name"].split(":")[-1]: process["container"] for process in listed}
    assert images.keys() == {module.name for module in modules()}
    assert images["MODEL_TRAIN"] == f"nf-semanticst/{of_training}:{__version__}"
    rest = Counter(image for name, image in images.items() if name != "MODEL_TRAIN")
    assert rest.keys() == {f"nf-semanticst/base:{__version__}", f"nf-semanticst/torch:{__version__}"}


# Stand in for programs that are not here: what they are asked for is in .command.run, and the task runs without them
CONTAINER = """#!/bin/bash
while (($#)) && [[ $1 != /bin/bash ]]; do shift; done
exec "$@"
"""
SBATCH = """#!/bin/bash
bash "${@: -1}" > /dev/null 2>&1 < /dev/null &
echo Submitted batch job $RANDOM
"""


@pytest.mark.parametrize(
    ("profile", "wanted"),
    [
        ("test,docker,gpu", ["--gpus all", "nf-semanticst/torch-cuda:"]),
        (
            "test,slurm,singularity,gpu",
            [" --nv ", "nf-semanticst-torch-cuda-", "--gres=gpu:1", "#SBATCH -p gpus", " --qos=short"],
        ),
    ],
)
def test_training_and_nothing_else_gets_a_gpu(tmp_path, profile, wanted):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {
        "docker": CONTAINER,
        "singularity": CONTAINER,
        "sbatch": SBATCH,
        "squeue": "#!/bin/sh\n",
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    for image in ("base", "torch", "torch-cuda"):
        (tmp_path / f"nf-semanticst-{image}-{__version__}.img").touch()
    (tmp_path / "quick.config").write_text("executor { pollInterval = '1 sec'; submitRateLimit = null }\n")
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "NXF_SINGULARITY_LIBRARYDIR": str(tmp_path)}
    cluster = ("--cluster_queue", "cpus", "--cluster_queue_gpu", "gpus", "--cluster_options=--qos=short")
    run = pipeline(tmp_path, "-profile", profile, "-stub-run", "-c", "quick.config", *cluster, **variables).ok()
    for task in run.trace:
        folder = next(tmp_path.glob(f"work/{task['hash']}*"))
        command = (folder / ".command.run").read_text()
        found = [text for text in wanted if text in command]
        common = [text for text in wanted if "qos" in text]
        assert found == (wanted if "MODEL_TRAIN" in task["name"] else common), task["name"]


def test_configuration_of_an_institution(small):
    """The example of the documentation changes resources and arguments of one step, and only what follows reruns."""
    folder = small.outdir.parent
    # its nodes are larger than this machine
    (folder / "local.config").write_text("process.resourceLimits = [cpus: 1, memory: 6.GB]\n")
    configurations = ("-c", ROOT / "docs/institution.config", "-c", "local.config")
    arguments = ("-profile", "test", "-resume", "-name", "institution", *configurations)
    run = pipeline(folder, *arguments, outdir="institution").ok()
    assert re.search(
        r"configuration +: Example institute, Slurm, Singularity, nodes of 32 cores and 256 GB\n", run.output
    )
    assert run.executed["REPORT_SUMMARY"] == 1
    assert run.executed["NICHE_DESCRIBE"] == 0
    summed_up = next(task for task in run.trace if "REPORT_SUMMARY" in task["name"])
    command = next(folder.glob(f"work/{summed_up['hash']}*/.command.sh")).read_text()
    assert command.count("--niche-maps") == command.count("--niche-maps 3") == 1
    _, log = nextflow(folder, "log", "institution", "-f", "process,memory")
    assert any(line.endswith("REPORT_SUMMARY\t3 GB") for line in log.splitlines()), log


def test_a_run_that_was_killed_in_training_goes_on_there(tmp_path):
    arguments = ("-profile", "test", "-stub-run")
    (tmp_path / "slow.config").write_text("process { withName: 'MODEL_TRAIN' { beforeScript = 'sleep 300' } }\n")
    command = [*engine(), "run", str(ROOT), *arguments, "--outdir", "results", "-c", "slow.config"]
    with (tmp_path / "first.log").open("w") as log:
        environment = os.environ | QUICK
        first = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 300
            while "MODEL_TRAIN" not in (tmp_path / "first.log").read_text():
                assert first.poll() is None, (tmp_path / "first.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            time.sleep(2)  # what ended before training is recorded
        finally:
            os.killpg(first.pid, signal.SIGKILL)  # the tasks that it started as well
            first.wait()
    run = pipeline(tmp_path, *arguments, "-resume").ok()
    assert run.tasks("CACHED").keys() == UNTIL_TRAINING
    assert run.executed.keys() == {module.name for module in modules()} - UNTIL_TRAINING - ON_REQUEST
