"""What configuration, profiles and sizes of a cohort come to: everything asked in one start of the engine."""

import json
import os
import re
from types import SimpleNamespace

import pytest

from engine_helpers import nextflow
from helpers import ROOT
from pipeline_helpers import configurations, modules
from semanticst import __version__

pytestmark = pytest.mark.engine

LABELS = {module.name: re.findall(r"^    label '(\w+)'", module.text, re.M) for module in modules()}
REQUESTS = {module.name: dict(re.findall(r"^    (memory|time) \{ (.+) \}$", module.text, re.M)) for module in modules()}
"""What the modules themselves say, as text."""
GROWING = [name for name, request in REQUESTS.items() if request]
PARAMETERS = {
    "cluster_queue": "long",
    "cluster_queue_gpu": "gpus",
    "cluster_account": "mylab",
    "cluster_options": "--qos=short",
    "outdir": "elsewhere",
    "publish_dir_mode": "link",
    "pseudonymise": "true",
    "aws_region": "eu-central-1",
    "aws_cli_path": "/opt/aws",
}
LATE = {"outdir", "publish_dir_mode", "pseudonymise", "aws_region", "aws_cli_path"}
"""Of these, what configuration reads while it is loaded: refused in a file given by ``-c``."""

PROFILES = re.findall(r"^    (\w+) \{\n        includeConfig", (ROOT / "nextflow.config").read_text(), re.M)
ENGINES = {"docker", "podman", "singularity", "apptainer"}
SIZES = {"none": {}, "small": {"cells": 1_000, "features": 300, "mb": 1},
         "large": {"cells": 1_000_000, "features": 5_000, "mb": 200}}  # fmt: skip
PLACES = (None, "test,slurm", "slurm", "awsbatch")
NAMES = [f"s{i:03}" for i in range(100)]

# a docker, or a podman, that has two images
INSPECT = f"""#!/bin/sh
case "$*" in
    "image inspect --format {{{{.Id}}}} localhost/nf-semanticst/base:{__version__}") ;;
    "image inspect --format {{{{.Id}}}} localhost/nf-semanticst/torch:{__version__}") ;;
    *) exit 1 ;;
esac
"""


def case(process: str = "MODEL_TRAIN", profile: str | None = None, **more) -> dict:
    given = {"process": process, "labels": LABELS[process], "module": REQUESTS[process]}
    return given | {"profile": profile} | more


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> SimpleNamespace:
    """What the engine makes of all cases of this file."""
    folder = tmp_path_factory.mktemp("settings")
    late = folder / "late.config"
    late.write_text("params {\n" + "".join(f"    {n} = '{v}'\n" for n, v in PARAMETERS.items()) + "}\n")
    (folder / "registry.config").write_text("docker.registry = 'registry.example.org/lab'\n")
    (folder / "library").mkdir()
    (folder / "library.config").write_text(f"singularity.libraryDir = '{folder / 'library'}'\n")
    for image in ("base", "torch"):
        (folder / f"library/nf-semanticst-{image}-{__version__}.img").touch()
    (folder / "small.h5ad").write_bytes(b"0" * 1000)
    (folder / "large.h5ad").write_bytes(b"0" * 2 * 1024**2)

    settings = {f"profile {name}": case(profile=name, config=str(late)) for name in PROFILES}
    settings["early awsbatch"] = case(profile="awsbatch", params=PARAMETERS)
    settings["gpu on slurm"] = case(profile="slurm,gpu", config=str(late), engine="singularity")
    for place, config in {None: None, "test,slurm": None, "slurm": str(late), "awsbatch": str(late)}.items():
        for process in GROWING:
            for size, meta in SIZES.items():
                settings[f"{process} {size} {place}"] = case(process, place, config=config, meta=meta)
                settings[f"{process} {size} {place} again"] = case(process, place, config=config, meta=meta, attempt=3)
        for code in (1, 2, 3, 137, 143):
            for size in ("small", "beyond"):
                meta = {"cells": 10**9} if size == "beyond" else SIZES[size]
                settings[f"exit {code} {size} {place}"] = case(profile=place, config=config, meta=meta, exit=code)
    for engine in sorted(ENGINES):
        settings[f"images {engine}"] = case(profile=engine, engine=engine, config=str(late))
    gpu, slurm, registry = "docker,gpu", "docker,slurm", str(folder / "registry.config")
    settings["images docker gpu"] = case(profile=gpu, engine="docker", config=str(late))
    settings["images docker gpu registry"] = case(profile=gpu, engine="docker", config=registry)
    settings["images docker slurm"] = case(profile=slurm, engine="docker")
    library = str(folder / "library.config")
    settings["images singularity files"] = case(profile="singularity,slurm", engine="singularity", config=library)
    settings["images awsbatch"] = case(profile="awsbatch", engine="docker", config=str(late))
    settings["images no profile"] = case(engine="docker")

    large = {"large": NAMES[50], "large_file": str(folder / "large.h5ad")}
    common = {"file": str(folder / "small.h5ad"), "size": 8, "mb": 1}
    bundles = {
        "before": common | {"names": NAMES},
        "reversed": common | {"names": NAMES[::-1]},
        "large": common | large | {"names": NAMES},
        "few megabytes": {"file": str(folder / "large.h5ad"), "size": 8, "mb": 5, "names": NAMES},
    }
    bundles |= {f"with {name}": common | {"names": [*NAMES, name]} for name in ("a", "s0505", "t", "z9")}

    programs = folder / "programs"
    programs.mkdir()
    for program in ("docker", "podman"):
        (programs / program).write_text(INSPECT)
        (programs / program).chmod(0o755)
    (folder / "cases.json").write_text(json.dumps({"settings": settings, "bundles": bundles}))
    arguments = ("--pipeline", ROOT, "--cases", "cases.json", "--answers", "answers.json")
    script = ROOT / "tests/support/settings.nf"
    # the strict parser reads twenty configurations in the time of five
    variables = {"NXF_SYNTAX_PARSER": "v2", "PATH": f"{programs}:{os.environ['PATH']}"}
    code, output = nextflow(folder, "run", script, *arguments, **variables)
    assert code == 0, output
    return SimpleNamespace(**json.loads((folder / "answers.json").read_text()))


# ---------------------------------------------------------------- parameters in files given by -c


@pytest.mark.parametrize("profile", PROFILES)
def test_a_parameter_in_a_file_holds_or_is_refused(answers, profile):
    found = answers.settings[f"profile {profile}"]
    assert {re.match(r"--(\w+) ", problem)[1] for problem in found["late"]} == LATE
    assert all(
        PARAMETERS[problem[2:].split(" ")[0]] in problem and "-params-file" in problem for problem in found["late"]
    )
    switched_on = {name for name in (*ENGINES, "conda") if (found["scopes"].get(name) or {}).get("enabled")}
    assert switched_on == {profile} & {*ENGINES, "conda"} | ({"docker"} if profile == "awsbatch" else set())
    assert found["executor"] == (profile if profile in ("slurm", "awsbatch") else "local")
    if profile in ("slurm", "awsbatch", "gpu"):
        assert found["queue"] == ("gpus" if profile == "gpu" else "long")
    if profile == "slurm":
        assert found["clusterOptions"] == "-A mylab --qos=short"
    if profile == "awsbatch":
        # files move by Fusion, since no path of the AWS CLI was there in time
        assert found["scopes"]["fusion"] == found["scopes"]["wave"] == {"enabled": True}


def test_account_options_and_gpu_of_slurm_stand_together(answers):
    found = answers.settings["gpu on slurm"]
    assert found["clusterOptions"] == "-A mylab --gres=gpu:1 --qos=short"
    assert (found["queue"], found["accelerator"], found["containerOptions"]) == ("gpus", 1, "--nv")
    assert found["container"] == f"nf-semanticst/torch-cuda:{__version__}"


def test_a_parameter_of_the_command_line_is_in_time(answers):
    """Also for the strict parser of 25.04, which this file asks: a default must not take its place."""
    found = answers.settings["early awsbatch"]
    assert found["late"] == []
    assert found["trace"].startswith("elsewhere/pipeline_info/execution_trace_")
    assert found["scopes"]["aws"]["region"] == "eu-central-1"
    assert found["scopes"]["aws"]["batch"]["cliPath"] == "/opt/aws"
    assert found["scopes"]["fusion"] == found["scopes"]["wave"] == {"enabled": False}


def test_what_configuration_reads_while_it_is_loaded_is_compared_at_the_start():
    texts = configurations() | {path: path.read_text() for path in ROOT.glob("conf/**/*.config")}
    read = set()
    for text in texts.values():
        for line in text.splitlines():
            if re.match(r"params\.(\w+) += params\.\1 \?: ", line):
                continue  # its own default
            # a name, then its value, which is no closure; what stands in a closure of several lines begins otherwise
            if found := re.match(r"\s*[\w.']+\s*(?:=(?!=)|:)\s*(?![\s{])(.*\bparams\..*)", line):
                read |= set(re.findall(r"\bparams\.(\w+)", found[1]))
    # help and version make no run; the time of the start has no other value than the one that is read
    assert read - {"help", "version", "trace_report_suffix"} == LATE


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize("process", GROWING)
def test_requests_follow_the_size_of_the_cohort(answers, process):
    none, small, large = (answers.settings[f"{process} {size} slurm"] for size in SIZES)
    assert 1 <= none["gigabytes"] <= small["gigabytes"] <= 4
    assert small["gigabytes"] * 1.2 < large["gigabytes"] <= 64
    assert 1 <= small["hours"] <= large["hours"] <= 24
    assert small["hours"] <= 4


@pytest.mark.parametrize("process", GROWING)
def test_a_third_attempt_asks_for_more_up_to_the_cap_of_the_profile(answers, process):
    for size in SIZES:
        first, third = (answers.settings[f"{process} {size} slurm{more}"] for more in ("", " again"))
        assert third["gigabytes"] == pytest.approx(min(3 * first["gigabytes"], 128))
        assert third["cpus"] == first["cpus"]
        tiny = answers.settings[f"{process} {size} test,slurm again"]
        assert tiny["gigabytes"] <= 8
        assert tiny["cpus"] <= 2
        assert tiny["hours"] <= 2
        assert answers.settings[f"{process} {size} awsbatch again"]["gigabytes"] <= 128
        here = answers.settings[f"{process} {size} None again"]
        assert here["gigabytes"] <= answers.machine["gigabytes"]
        assert here["cpus"] <= answers.machine["cpus"]


@pytest.mark.parametrize("place", PLACES)
def test_no_repeat_that_cannot_help(answers, place):
    said = {
        (code, size): answers.settings[f"exit {code} {size} {place}"]["errorStrategy"]
        for code in (1, 2, 3, 137, 143)
        for size in ("small", "beyond")
    }
    # killed for memory: repeated with more, unless it had all that may be asked for
    assert said[137, "small"] == "retry"
    assert said[137, "beyond"] == "finish"
    # killed otherwise, by a failing node for example
    assert said[143, "small"] == said[143, "beyond"] == "retry"
    assert {said[code, size] for code in (1, 2, 3) for size in ("small", "beyond")} == {"finish"}


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_images_that_are_here_are_used(answers, engine):
    assert answers.settings[f"images {engine}"]["images"] is None
    assert answers.settings[f"images {engine}"]["scopes"][engine]["registry"] == "localhost"


def test_an_image_that_is_not_here_is_refused(answers):
    refused = answers.settings["images docker gpu"]["images"]
    assert f"docker does not have localhost/nf-semanticst/torch-cuda:{__version__}." in refused
    assert answers.settings["images docker gpu registry"]["images"] is None
    # the nodes may have them; nobody is asked for 'localhost'
    assert answers.settings["images docker slurm"]["images"] is None


@pytest.mark.parametrize("engine", ["singularity", "apptainer"])
def test_image_files_are_looked_for_before_a_public_name_is_asked(answers, engine):
    names = f"nf-semanticst-base-{__version__}.img, nf-semanticst-torch-{__version__}.img"
    assert f"{names} are not in " in answers.settings[f"images {engine}"]["images"]
    if engine == "singularity":
        assert answers.settings["images singularity files"]["images"] is None


def test_refused_images_come_with_the_ways_out(answers):
    for name in ("awsbatch", "no profile", "docker gpu", "apptainer"):
        refused = answers.settings[f"images {name}"]["images"]
        assert "containers/build.sh" in refused
        assert "--push REGISTRY" in refused
        assert ".registry = 'REGISTRY'" in refused
        assert "containers/bundle.py" in refused


# ---------------------------------------------------------------- bundles


def as_sets(bundles: list[list[str]]) -> set[frozenset[str]]:
    return {frozenset(bundle) for bundle in bundles}


def test_bundles_are_bounded_and_do_not_depend_on_the_order(answers):
    before = answers.bundles["before"]
    assert sorted(name for bundle in before for name in bundle) == NAMES
    assert max(map(len, before)) <= 8
    assert len(before) <= len(NAMES) / 8 * 2.5
    assert all(bundle == sorted(bundle) for bundle in before)
    assert answers.bundles["reversed"] == before
    # two of 2 MB fit into 5
    assert max(map(len, answers.bundles["few megabytes"])) == 2


@pytest.mark.parametrize("name", ["a", "s0505", "t", "z9"])
def test_a_further_sample_changes_one_bundle(answers, name):
    before, after = as_sets(answers.bundles["before"]), as_sets(answers.bundles[f"with {name}"])
    (changed,) = before - after
    # itself and the members of one bundle, which may have been halved
    assert frozenset().union(*(after - before)) == changed | {name}


def test_a_large_sample_is_alone(answers):
    before, after = as_sets(answers.bundles["before"]), as_sets(answers.bundles["large"])
    assert frozenset({NAMES[50]}) in after
    # the bundle that it left, which may now fit together with the other half
    assert len(before - after) <= 2
