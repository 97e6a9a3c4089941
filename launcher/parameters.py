"""Parameters against ``nextflow_schema.json``: the same check and the same help as the workflow's, in its words.

The workflow's own is ``subworkflows/local/utils_semanticst_pipeline/parameters.nf``. Both read
``assets/parameter_words.json``; a test compares them over a table of command lines.
"""

import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path

from launcher.environment import CHECKOUT

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
ENDING = re.compile(r"\\\.\(?([a-z|0-9]+)\)?\$$")


@cache
def schema() -> dict:
    """``nextflow_schema.json``; numbers with a point are Decimals, which print as they are written."""
    return json.loads((CHECKOUT / "nextflow_schema.json").read_text("utf-8"), parse_float=Decimal)


@cache
def words() -> dict:
    return json.loads((CHECKOUT / "assets" / "parameter_words.json").read_text("utf-8"))


def all_parameters() -> dict[str, dict]:
    """Name -> rule of every parameter, in the schema's order."""
    return {name: rule for group in schema()["$defs"].values() for name, rule in group["properties"].items()}


def defaults() -> dict[str, object]:
    return {name: rule.get("default") for name, rule in all_parameters().items()}


def parameter_problems(
    given: Mapping[str, object], complete: bool = True, yaml_problem: Callable[[str], str | None] | None = None
) -> list[str]:
    """All that is wrong with the parameters, a sentence each.

    ``given``: parameters by name, in the types that the engine gives them. Not ``complete``: some may be set by
    configuration files that nobody has read here, so a problem that they could mend is none; the workflow finds it.
    ``yaml_problem``: what is wrong with a file that should be YAML, in words; None: such files are not looked into.
    """
    known, say = all_parameters(), words()
    required = [name for group in schema()["$defs"].values() for name in group.get("required", [])]
    problems = []
    if complete or "validation_ignore_params" in given:
        ignored = re.split("[, ]+", text_of(given.get("validation_ignore_params") or ""))
        for name in sorted(set(given) - set(known) - set(ignored)):
            near = nearest_name(name, known)
            problems.append(say["unknown"].format(name=name) + (_meant(near) if near else say["see_help"]))
    for name, rule in known.items():
        value = given.get(name)
        if not _absent(value):
            if problem := value_problem(value, rule, yaml_problem):
                problems.append(say["value"].format(name=name, shown=_shown(value), problem=problem))
        elif name in required and (complete or name in given):
            problems.append(say["missing"].format(name=name, description=rule["description"]))
    for rule in say["combinations"]:
        if _holds(rule, given, complete):
            shown = {name: text_of(value) for name, value in given.items()}
            problems.append(rule["say"].format_map(shown))
    return problems


def folder_problems(work: Path | None, checkout: Path = CHECKOUT) -> list[str]:
    """Folders in which no task could run, a sentence each. ``work``: the work folder; None: it is not known here."""
    names = {"work": [str(work.absolute()), str(work.resolve())] if work else [], "pipeline": [str(checkout)]}
    found = []
    for what, rule in words()["folders"].items():
        odd = next((name for name in names[what] if re.search(rule["signs"], name)), None)
        if odd:
            found.append(rule["say"].replace("{folder}", odd))
    return found


def problem_message(problems: Collection[str]) -> str:
    """The problems under a line that counts them."""
    say = words()["problems"]
    head = say["one"] if len(problems) == 1 else say["several"].format(count=len(problems))
    return "\n".join([head, *(say["line"].format(problem=problem) for problem in problems)])


def _holds(rule: dict, given: Mapping[str, object], complete: bool) -> bool:
    """Does all hold that a rule about several parameters asks for? What is not known holds not."""
    lists, above = rule.get("lists", {}), rule.get("above", {})
    asked = {*rule.get("on", ()), *rule.get("off", ()), *rule.get("absent", ()), *rule.get("given", ()), *lists, *above}
    if not complete and not asked <= set(given):
        return False
    return (
        all(text_of(given.get(name)) == "true" for name in rule.get("on", ()))
        and all(text_of(given.get(name)) != "true" for name in rule.get("off", ()))
        and all(_absent(given.get(name)) for name in rule.get("absent", ()))
        and all(not _absent(given.get(name)) and given[name] is not False for name in rule.get("given", ()))
        and all(word in text_of(given.get(name) or "").split(",") for name, word in lists.items())
        and all((coerced(given.get(name), "integer") or 0) > limit for name, limit in above.items())
    )


def value_problem(value: object, rule: dict, yaml_problem: Callable[[str], str | None] | None = None) -> str | None:
    """What is wrong with one value under one rule of the schema; None if nothing is."""
    say = words()["expected"]
    types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    typed = next((found for kind in types if (found := coerced(value, kind)) is not None), None)
    if typed is None:
        return say["value"] if value is True else say[types[-1]]
    if "enum" in rule and typed not in rule["enum"]:
        return say["enum"].format(choices=", ".join(map(text_of, rule["enum"])))
    for limit, broken in (
        ("minimum", lambda bound: typed < bound),
        ("exclusiveMinimum", lambda bound: typed <= bound),
        ("maximum", lambda bound: typed > bound),
    ):
        if limit in rule and broken(rule[limit]):
            return say[limit].format(limit=rule[limit])
    if "pattern" in rule and not re.fullmatch(rule["pattern"], str(typed)):
        ending = ENDING.search(rule["pattern"])
        if ending:
            return say["ending"].format(endings="." + ending[1].replace("|", ", ."))
        return say["pattern"].format(description=rule["description"])
    if rule.get("exists") and is_local(str(typed)) and not Path(str(typed)).exists():
        return say["exists"]
    if yaml_problem and rule.get("mimetype") == "application/yaml" and is_local(str(typed)):
        return yaml_problem(str(typed))
    return None


def is_local(path: str) -> bool:
    """Is this a file that can be looked up here? What is not is looked up by the engine."""
    return "://" not in path and not path.startswith(("~", "file:")) and not os.environ.get("NXF_FILE_ROOT")


def coerced(value: object, kind: str) -> object | None:
    """The value in the wanted type, or None when it cannot be read as such."""
    text = text_of(value)
    if kind == "boolean":
        return {"true": True, "false": False}.get(text)
    if kind == "integer":
        return int(text) if re.fullmatch(r"-?\d+", text, re.ASCII) else None
    if kind == "number":
        return Decimal(text) if NUMBER.fullmatch(text) else None
    return None if isinstance(value, bool | dict | list) else text


def text_of(value: object) -> str:
    """A value as the engine writes it into a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    if isinstance(value, dict):
        return f"[{', '.join(f'{key}:{text_of(inner)}' for key, inner in value.items()) or ':'}]"
    return str(value)


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """The parameter that was probably meant, or None."""
    wanted = _bare(name)
    near = min(known, key=lambda candidate: distance(wanted, _bare(candidate)))
    contained = [candidate for candidate in known if len(wanted) > 3 and wanted in _bare(candidate)]
    if distance(wanted, _bare(near)) <= max(2, len(wanted) // 4):
        return near
    return contained[0] if len(contained) == 1 else None


def distance(a: str, b: str) -> int:
    """Levenshtein: insertions, deletions and substitutions."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        previous, row = row, [i]
        for j, other in enumerate(b, 1):
            row.append(min(previous[j - 1] + (letter != other), previous[j] + 1, row[j - 1] + 1))
    return row[-1]


def parameter_help(topic: object) -> str:
    """All parameters by group, or all about one of them."""
    known, say = all_parameters(), words()["help"]
    if text_of(topic) not in ("true", "false"):
        name = text_of(topic).lstrip("-").replace("-", "_")
        if name in known:
            return _one_parameter(name, known[name])
        near = nearest_name(name, known)
        return say["unknown"].format(name=name) + (_meant(near) if near else say["see_help"])
    width = max(len(name) for name, rule in known.items() if not rule.get("hidden"))
    lines = [say["usage"], ""]
    for group in schema()["$defs"].values():
        lines.append(say["group"].format_map(group))
        for name, rule in group["properties"].items():
            if not rule.get("hidden"):
                default = "" if rule.get("default") is None else say["line_default"].format(default=_default(rule))
                lines.append(
                    say["line"].format(name=name.ljust(width), description=rule["description"], default=default)
                )
        lines.append("")
    return "\n".join([*lines, say["more"]])


def _one_parameter(name: str, rule: dict) -> str:
    say = words()["help"]
    types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    lines = [say["name"].format(name=name), say["text"].format(text=rule["description"])]
    if "help_text" in rule:
        lines.append(say["text"].format(text=rule["help_text"]))
    lines.append(say["type"].format(types=say["or"].join(types)))
    if "enum" in rule:
        lines.append(say["enum"].format(choices=", ".join(map(text_of, rule["enum"]))))
    if "minimum" in rule or "maximum" in rule:
        lines.append(say["range"].format(minimum=rule.get("minimum", ""), maximum=rule.get("maximum", "")))
    default = say["no_default"] if rule.get("default") is None else _default(rule)
    return "\n".join([*lines, say["default"].format(default=default)])


def _default(rule: dict) -> str:
    return text_of(rule["default"])


def _meant(near: str) -> str:
    return words()["meant"].format(near=near)


def _absent(value: object) -> bool:
    return value is None or value == ""


def _shown(value: object) -> str:
    return "" if value is True else f"'{text_of(value)}'"


def _bare(name: str) -> str:
    return re.sub("[-_]", "", name.lower())
