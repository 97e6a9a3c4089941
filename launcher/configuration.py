"""Settings of configuration files, as far as it can be read without the engine: literal parameters, names of profiles.

Only the pipeline's own files are read for what they say. Of others (a user's, an institution's) only this is asked: may
they set parameters or profiles? Then the engine has the last word.
"""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from launcher.arguments import Arguments
from launcher.cache import home
from launcher.environment import CHECKOUT

UNKNOWN = object()
"""Value of a parameter that is set to more than a literal."""

_LITERALS = {"null": None, "true": True, "false": False}


def profiles(checkout: Path = CHECKOUT) -> dict[str, str]:
    """Name -> text of every profile of the pipeline, the files that it includes among it."""
    block = _blocks(_without_comments((checkout / "nextflow.config").read_text("utf-8")), "profiles")
    return {
        name: _included(body, checkout) for text in block for name, body in re.findall(r"(\w+)\s*\{([^{}]*)\}", text)
    }


def profile_parameters(names: list[str], checkout: Path = CHECKOUT) -> dict[str, object]:
    """Parameters that profiles set, the last one first asked; UNKNOWN where the value is no literal."""
    texts = profiles(checkout)
    # the engine reads the profiles in the order of the file, not in the order that they are named in
    return {key: value for name, text in texts.items() if name in names for key, value in parameters_in(text).items()}


def parameters_in(text: str) -> dict[str, object]:
    """Parameters that the text of a configuration sets: ``params { name = literal }`` and ``params.name = literal``."""
    text = _without_comments(text)
    inside = [line for body in _blocks(text, "params") for line in re.findall(r"^\s*(\w+)\s*=\s*(.+?)\s*$", body, re.M)]
    return {name: _literal(value) for name, value in inside + re.findall(r"^params\.(\w+)\s*=\s*(.+?)\s*$", text, re.M)}


def foreign_files(arguments: Arguments, env: Mapping[str, str], folder: Path) -> list[Path]:
    """Configuration files that the engine reads beside the pipeline's own when it is started in ``folder``."""
    users = Path(env.get("NXF_HOME") or home() / ".nextflow") / "config"
    local = folder / (env.get("NXF_CONFIG_FILE") or "nextflow.config")
    own = CHECKOUT / "nextflow.config"
    standing = [file for file in (users, local) if file.exists() and file.resolve() != own.resolve()]
    return standing + [folder / name for option in ("-c", "-config") for name in arguments.options.get(option, [])]


def may_set(file: Path, *words: str) -> bool:
    """May this file set what the words name? Also through a file that it includes; what cannot be read may."""
    try:
        text = file.read_text("utf-8")
    except (OSError, ValueError):
        return True
    return bool(re.search(rf"\b({'|'.join(words)}|includeConfig|evaluate)\b", _without_comments(text)))


def version(checkout: Path = CHECKOUT) -> tuple[str, str]:
    """Name and version of the pipeline, from its manifest."""
    text = (checkout / "nextflow.config").read_text("utf-8")
    name, number = (re.findall(rf"^\s*{key}\s*=\s*'(.+)'", text, re.M)[0] for key in ("name", "version"))
    return name.split("/")[-1], number


def _included(body: str, checkout: Path) -> str:
    files = re.findall(r"includeConfig\s+'([^']+)'", body)
    return "\n".join([body, *((checkout / file).read_text("utf-8") for file in files)])


def _blocks(text: str, name: str) -> list[str]:
    """Bodies of the blocks ``name { ... }`` that begin a line."""
    bodies = []
    for start in re.finditer(rf"^{name}\s*\{{", text, re.M):
        depth, end = 1, start.end()
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        bodies.append(text[start.end() : end - 1])
    return bodies


def _literal(text: str) -> object:
    if text in _LITERALS:
        return _LITERALS[text]
    if "$" in text and text.startswith('"'):
        return UNKNOWN
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return UNKNOWN
    return value if isinstance(value, str | int | float) else UNKNOWN


def _without_comments(text: str) -> str:
    """Comments are left out; what looks like one inside quotes stays."""
    strings_or_comments = r"""('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")|/\*.*?\*/|//[^\n]*"""
    return re.sub(strings_or_comments, lambda found: found[1] or "", text, flags=re.S)
