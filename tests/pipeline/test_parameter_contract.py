"""Schema, configuration and command options say the same about every parameter."""

import ast
import re
from pathlib import Path

import click
import pytest

from helpers import ROOT, load_command
from pipeline_helpers import configurations, configured_parameters, modules, process_settings, schema_parameters

SCHEMA = schema_parameters()
COMMANDS = modules()


def test_schema_and_configuration_have_the_same_parameters_and_defaults():
    assert configured_parameters() == {name: rule.get("default") for name, rule in SCHEMA.items()}


@pytest.mark.parametrize("name", SCHEMA)
def test_default_keeps_its_own_rule(name):
    rule, default = SCHEMA[name], SCHEMA[name].get("default")
    assert rule["description"].endswith(".")
    if default is None:
        return
    types = {"integer": int, "number": (int, float), "string": str, "boolean": bool}
    assert any(
        isinstance(default, types[t]) for t in (rule["type"] if isinstance(rule["type"], list) else [rule["type"]])
    )
    assert default in rule.get("enum", [default])
    assert rule.get("minimum", default) <= default <= rule.get("maximum", default)
    assert re.search(rule.get("pattern", ""), str(default))


def options_from_parameters() -> list[tuple[str, str, str]]:
    """Command, option and parameter of every option that a parameter is passed to."""
    return [
        (module.script.stem, option, parameter)
        for module in COMMANDS
        for option, parameter in re.findall(r"--([a-z-]+) '?\$\{params\.(\w+)\}", process_settings(module.name))
    ]


@pytest.mark.parametrize(("command", "option", "parameter"), options_from_parameters())
def test_option_is_named_as_the_parameter_and_has_its_default(command, option, parameter):
    assert option == parameter.removeprefix("simulate_").replace("_", "-")
    found = next(o for o in load_command(command).params if f"--{option}" in o.opts)
    # an option that is not given is empty or has no default at all
    default = found.default if isinstance(found.default, str | int | float) and found.default != "" else None
    assert default == SCHEMA[parameter].get("default")


@pytest.mark.parametrize(("command", "option", "parameter"), options_from_parameters())
def test_option_and_schema_allow_the_same_values(command, option, parameter):
    kind = next(o for o in load_command(command).params if f"--{option}" in o.opts).type
    rule = SCHEMA[parameter]
    if isinstance(kind, click.Choice):
        # a Boolean is written as the engine hands it on
        assert list(kind.choices) == [str(value).lower() if value in (True, False) else value for value in rule["enum"]]
    if isinstance(kind, click.IntRange | click.FloatRange):
        low = rule.get("exclusiveMinimum") if kind.min_open else rule.get("minimum")
        assert (kind.min, kind.max) == (low, rule.get("maximum"))
        assert rule["type"] == ("integer" if isinstance(kind, click.IntRange) else "number")


def test_every_parameter_is_used():
    files = [*ROOT.glob("**/*.nf"), *ROOT.glob("conf/**/*.config")]
    readers = [*configurations().values(), *(path.read_text() for path in files)]
    # the params block and the lines after it are where they are declared
    text = "\n".join(readers).replace(re.search(r"^params \{\n.*?^\}", "\n".join(readers), re.M | re.S).group(0), "")
    text = re.sub(r"^params\.\w+ += params\..*$", "", text, flags=re.M)
    unused = [name for name in SCHEMA if not re.search(rf"\b(params|settings|given)\.{name}\b", text)]
    assert unused == []


def test_every_parameter_of_a_profile_is_known():
    for path in ROOT.glob("conf/**/*.config"):
        block = re.search(r"^params \{\n(.*?)^\}", path.read_text(), re.M | re.S)
        names = re.findall(r"^    (\w+) +=", block.group(1), re.M) if block else []
        assert set(names) <= set(SCHEMA), path.name


def test_only_main_reads_params():
    readers = [path for path in ROOT.glob("**/*.nf") if re.search(r"\bparams\.(?!json)", path.read_text())]
    assert [path for path in readers if path.relative_to(ROOT).parts[0] != "tests"] == [ROOT / "main.nf"]


def messages(file: Path) -> list[str]:
    """Texts of a module but its docstrings and those of click's decorators, which only ``--help`` of the step shows."""
    tree = ast.parse(file.read_text())
    of_click = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).startswith("click.")
        and "option" in ast.unparse(node.func)
        for part in ast.walk(node)
    }
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in of_click | alone
    ]


def test_messages_name_parameters_as_the_pipeline_takes_them():
    """``--niche-k`` of a message was refused by the pipeline; steps take ``--niche_k`` as well."""
    dashed = {f"--{name.replace('_', '-')}": f"--{name}" for name in SCHEMA if "_" in name}
    bin_ = ROOT / "bin"
    files = [file for file in [*bin_.glob("*.py"), *bin_.rglob("semanticst/**/*.py")] if "bench" not in file.parts]
    told = [(file.name, name) for file in files for text in messages(file)
            for name in re.findall(r"--[a-z]+(?:-[a-z]+)+", text) if name in dashed]  # fmt: skip
    assert not told


@pytest.mark.parametrize("spelling", ["--niche_k", "--niche-k"])
def test_steps_take_options_in_the_spelling_of_parameters(spelling):
    command = load_command("niche_cluster")
    for given in ([spelling, "7"], [f"{spelling}=7"]):
        taken = command.make_context("niche_cluster", [str(ROOT / "README.md"), *given])
        assert taken.params["niche_k"] == "7"
    with pytest.raises(click.NoSuchOption):
        command.make_context("niche_cluster", [str(ROOT / "README.md"), "--niche_q", "7"])
