"""Every process keeps the module contract: what it declares, what lies beside it, which command it runs."""

import os
import re

import pytest
import yaml

from helpers import BIN, ROOT, load_command
from pipeline_helpers import LABELS, imported_files, modules, process_settings
from semanticst import __version__

MODULES = modules()
# they read what all others reported to the topic
READERS_OF_VERSIONS = {"REPORT_METHODS", "REPORT_MULTIQC"}

every_module = pytest.mark.parametrize("module", MODULES, ids=[m.name for m in MODULES])


@every_module
def test_name_follows_the_folder(module):
    area, verb = module.path.parts[-3:-1]
    assert module.name == f"{area}_{verb}".upper()


@every_module
@pytest.mark.parametrize("part", ["input", "output", "when", "script", "stub"])
def test_sections(module, part):
    assert module.block(part).strip(), f"{module.name} has no {part}"


@every_module
def test_directives(module):
    assert re.search(r"^    tag \"", module.text, re.M)
    assert '    conda "${moduleDir}/environment.yml"' in module.text
    labels = re.findall(r"^    label '(\w+)'", module.text, re.M)
    assert labels
    assert set(labels) <= {f"process_{name}" for name in LABELS}
    assert "task.ext.when == null || task.ext.when" in module.block("when")
    assert "task.ext.args" in module.block("script")


@every_module
def test_container_is_pinned_to_this_version(module):
    image = re.search(r"^    container '(.+)'$", module.text, re.M).group(1)
    assert image in (f"nf-semanticst/base:{__version__}", f"nf-semanticst/torch:{__version__}")


@every_module
def test_a_step_that_needs_torch_has_the_image_with_torch(module):
    # modules that import it as a whole; where a single function does, the step may never call it
    needs = any(re.search(r"^(import|from) torch", path.read_text(), re.M) for path in imported_files(module.script))
    if needs:
        assert "container 'nf-semanticst/torch:" in module.text


@every_module
def test_versions(module):
    output = r"^    tuple val\(\"\$\{task\.process\}\"\), eval\('cat versions\.yml'\), topic: versions$"
    if module.name in READERS_OF_VERSIONS:
        assert "topic:" not in module.text, f"the run would wait for {module.name} for ever"
    else:
        assert re.search(output, module.block("output"), re.M)
        # told by the command itself: a process per tool takes longer than the tools of a small cohort
        assert module.text.count("eval(") == 1
        named = re.search(r"\.py --versions-of ([\w,-]+) ", module.block("script"))[1].split(",")
        assert set(named) <= set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
        assert "versions.yml" in module.block("stub")


@every_module
def test_every_output_has_a_stub_that_makes_it(module):
    stub = module.block("stub")
    for line in module.block("output").splitlines():
        if "optional: true" in line or "path(" not in line:
            continue
        pattern = re.search(r"path\(['\"](.+?)['\"]\)", line).group(1)
        ending = pattern.split("*")[-1].split("}")[-1]
        assert ending.strip(".") in stub, f"{module.name}: nothing in the stub makes {pattern}"


@every_module
def test_meta_describes_inputs_and_outputs(module):
    described = yaml.safe_load((module.path.parent / "meta.yml").read_text())
    assert described["name"] == module.name.lower()
    assert described["description"]
    assert described["keywords"]
    inputs = set(re.findall(r"(?:val|path)[ (](\w+)", module.block("input")))
    assert set(described["input"]) == inputs
    outputs = set(re.findall(r"emit: (\w+)", module.block("output")))
    assert set(described["output"]) == outputs


@every_module
def test_environment_agrees_with_the_lock_file(module):
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M))
    names = {"matplotlib-base": "matplotlib", "pytorch": "torch", "pytorch_geometric": "torch-geometric"}
    environment = yaml.safe_load((module.path.parent / "environment.yml").read_text())
    pins = dict(line.split("=") for line in environment["dependencies"])
    assert ("pytorch" in pins) == ("nf-semanticst/torch" in module.text)
    python = pins.pop("python")
    assert python == "3.11"
    assert pins == {name: locked[names.get(name, name)] for name in pins}


def test_steps_of_one_image_share_one_conda_environment():
    texts = {module.path.with_name("environment.yml").read_text() for module in MODULES}
    assert len(texts) == 2


BY_HAND = ["model_inspect.py", "sample_split.py", "studies_combine.py", "study_power.py"]
"""Commands for before and after a run, which no process calls."""


def test_every_command_is_used_by_exactly_one_process():
    used = [module.script for module in MODULES]
    assert sorted([*used, *(BIN / name for name in BY_HAND)]) == sorted(BIN.glob("*.py"))
    for module in MODULES:
        words = set(re.findall(r"\w+\.py\b", module.block("script")))
        assert words == {module.script.name}


@pytest.mark.parametrize("script", sorted(BIN.glob("*.py")), ids=lambda path: path.stem)
def test_command_is_executable(script):
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env python3\n")


@every_module
def test_every_flag_is_an_option_of_the_command(module):
    command = load_command(module.script.stem)
    known = {flag for option in command.params for flag in [*option.opts, *option.secondary_opts]}
    arguments = process_settings(module.name).split("publishDir")[0]
    given = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", module.block("script") + arguments))
    assert given <= known


def test_containers_of_the_manifest_version():
    assert f"version         = '{__version__}'" in (ROOT / "nextflow.config").read_text()
