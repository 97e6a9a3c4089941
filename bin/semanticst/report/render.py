"""The page of the report: MultiQC is run, and what it leaves to chance or takes from the machine is removed."""

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import yaml

from semanticst.errors import BadInput, Problem
from semanticst.spreadsheet import guarded

NAME = "multiqc_report"

_OF_THE_MACHINE = (
    "report_multiqc_command",
    "config_script_path",
    "config_output_dir",
    "config_analysis_dir",
    "config_analysis_dir_abs",
)
"""Entries of ``multiqc_data.json`` that hold folders of the machine."""

_NUMBERS, _TAG = ("report_general_stats_data", "report_saved_raw_data"), re.compile("<[^<>]*>")
"""Entries of ``multiqc_data.json`` that hold the numbers of tables, the others being about the page; markup."""

_STATISTICS, _SUMMARY, _CHAPTER = (
    '<div id="general_stats"', '<div id="mqc-module-section-summary"', '<div id="mqc-module-section-',
)  # fmt: skip
"""Where the table of samples, the summary and any chapter of the page begin."""
_MENU = re.compile(r'(<a href="#[^"]*" class="nav-l2">)(.*?)(</a>\n)')
"""Names of sections in the menu, each in a line of its own."""
_ENTRIES = re.compile(
    r'(<li>\s*<a href="#general_stats"[^<]*</a>\s*</li>\s*)(<li>\s*<a href="#summary"[^<]*</a>.*?</ul>\s*</li>\s*)',
    re.S,
)
"""The first two entries of the menu."""

_FOR_LANGUAGE_MODELS = re.compile(r'(aiReportMetadataBase64 = ")[^"]*(";)')
"""All sections once more, pictures too, for prompts that this report does not have (``--no-ai``): half of the page."""
_NOTHING_FOR_THEM = base64.b64encode(b'{"tools": {}, "sections": {}}').decode()


def render_report(
    sections: Path, configs: list[Path], outdir: Path, title: str | None = None, logo: Path | None = None
) -> None:
    """Write ``multiqc_report.html`` and ``multiqc_report_data/`` into ``outdir``.

    sections : folder with ``*_mqc.*`` files, at any depth. configs : configurations of MultiQC; what stands in a later
    one wins. title, logo : go before what the configurations say.

    Two runs with the same sections give the same files, but for the times in the page and in ``multiqc_data.json``.

    Raises BadInput when a configuration is no YAML that maps names to values.
    """
    if problems := [problem for path in configs if (problem := _configuration_problem(path))]:
        raise BadInput(problems)
    command = [sys.executable, "-m", "multiqc", "--force", "--no-version-check", "--no-megaqc-upload", "--no-ai"]
    command += [word for path in configs for word in ("--config", str(path))]
    command += ["--title", html.escape(title)] if title else []
    command += ["--cl-config", json.dumps({"custom_logo": str(logo.absolute())})] if logo else []
    command += ["--outdir", str(outdir), "--filename", f"{NAME}.html", str(sections)]
    subprocess.run(command, check=True)
    _take_folders_out(outdir / f"{NAME}_data")
    _as_plain_text(outdir / f"{NAME}_data")
    page = outdir / f"{NAME}.html"
    # browsers keep a reader's settings of a report under this id, which MultiQC draws at random
    identity = f'reportUuid = "{_identity(sections)}"'
    text = re.sub(r'reportUuid = "[^"]*"', identity, page.read_text(encoding="utf-8"), count=1)
    text = _FOR_LANGUAGE_MODELS.sub(rf"\g<1>{_NOTHING_FOR_THEM}\2", text, count=1)
    page.write_text(summary_first(_MENU.sub(_escaped_entry, text)), "utf-8")


def _escaped_entry(entry: re.Match) -> str:
    # the menu is made by a filter that takes tags out, and then turns &lt; into < again
    return f"{entry[1]}{html.escape(entry[2])}{entry[3]}"


def summary_first(page: str) -> str:
    """The page with the summary, and its entry of the menu, before the table of samples, which MultiQC puts first.

    Both stand side by side in the page, so that it is enough to exchange two neighbouring pieces of text.
    """
    statistics, summary = page.find(_STATISTICS), page.find(_SUMMARY)
    end = page.find(_CHAPTER, summary + 1)
    if not 0 < statistics < summary < end:
        return page
    page = page[:statistics] + page[summary:end] + page[statistics:summary] + page[end:]
    return _ENTRIES.sub(r"\2\1", page, count=1)


def _configuration_problem(path: Path) -> Problem | None:
    expected = "expected YAML that maps names of MultiQC's settings to values"
    try:
        # the tree only: MultiQC knows tags of its own
        tree = yaml.compose(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return Problem(path, f"cannot be read ({' '.join(str(error).split())}); {expected}")
    return None if isinstance(tree, yaml.MappingNode | None) else Problem(path, expected)


def _take_folders_out(data: Path) -> None:
    """Leave in the data of the report what is about the cohort, not about the machine."""
    # MultiQC's own log and its store of plots hold times and folders in every entry, llms-full.txt all of the report
    # once more under an instruction to language models
    for name in ("multiqc.log", "multiqc.parquet", "llms-full.txt"):
        (data / name).unlink(missing_ok=True)
    dump = data / "multiqc_data.json"
    if dump.exists():
        content = json.loads(dump.read_text(encoding="utf-8"))
        kept = {name: value for name, value in content.items() if name not in _OF_THE_MACHINE}
        dump.write_text(json.dumps(kept, indent=4), "utf-8")


def _as_plain_text(data: Path) -> None:
    """Take markup out of the tables and numbers beside the report, which programs and spreadsheets read."""
    for path in sorted(data.glob("*.txt")):
        lines = path.read_text(encoding="utf-8").split("\n")
        table = ("\t".join(guarded(_plain(cell)) for cell in line.split("\t")) for line in lines)
        path.write_text("\n".join(table), "utf-8")
    dump = data / "multiqc_data.json"
    if dump.exists():
        content = json.loads(dump.read_text(encoding="utf-8"))
        plain = {name: _plain_values(value) for name, value in content.items() if name in _NUMBERS}
        dump.write_text(json.dumps(content | plain, indent=4), "utf-8")


def _plain(text: str) -> str:
    # what users wrote is escaped, so that a tag is the pipeline's own
    return html.unescape(_TAG.sub("", text))


def _plain_values(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _plain_values(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain_values(one) for one in value]
    return _plain(value) if isinstance(value, str) else value


def _identity(sections: Path) -> uuid.UUID:
    digest = hashlib.sha256()
    for path in sorted(path for path in sections.rglob("*") if path.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return uuid.uuid5(uuid.NAMESPACE_OID, digest.hexdigest())
