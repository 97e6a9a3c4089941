"""The methods text of a run: what was really done, with which settings, and what to cite."""

import html
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from semanticst.errors import BadInput, Problem
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import METHODS, Section
from semanticst.report.run_record import run_facts

log = logging.getLogger(__name__)

SECTION = Section(
    "methods",
    METHODS,
    "Text for a publication",
    "Made from what was run with which settings. Please check it against your study before you use it, and cite the "
    "works it names.",
)


def write_methods(
    versions: Path,
    params: Path,
    template: Path,
    outdir: Path,
    associations: Sequence[Path] = (),
    features: Path | None = None,
    numbers: Path | None = None,
    qc: Path | None = None,
) -> None:
    """Write ``methods_mqc.json`` into ``outdir``.

    versions : YAML, process -> package -> version, of all processes that ran (and ``Workflow`` for the pipeline).
    params : JSON, every parameter with its value. template : see ``assets/methods_description_template.yml``.
    associations, features, numbers, qc : records of what was done, see ``run_record.run_facts``.

    Raises BadInput when one of the files cannot be read, or the template asks for a parameter that is not given.
    """
    # as text: 1.10 is no number
    ran = _mapping(versions, lambda content: yaml.load(content, yaml.BaseLoader), "process: {package: version}")
    settings = _mapping(params, json.loads, "an object with every parameter")
    design = _mapping(template, yaml.safe_load, "steps, packages and references")
    settings |= run_facts(list(associations), features, settings, numbers, qc, trained="MODEL_TRAIN" in ran)
    text, software, references = compose(design, ran, settings, template)
    paragraphs = [multiqc.Html(text), multiqc.Html(software)]
    if references:
        items = "".join(f"<li>{html.escape(reference)}</li>" for reference in references)
        paragraphs.append(multiqc.Html(f"<b>References</b><ol>{items}</ol>"))
    multiqc.text(outdir, SECTION, paragraphs)
    log.info("methods text of %d processes with %d references", len(ran), len(references))


def compose(design: dict, ran: dict, settings: dict, source: Path) -> tuple[str, str, list[str]]:
    """Return the text of the methods and of the software (HTML, with [1], [2], ...), and the references in order."""
    packages = _package_versions(ran)
    # lists of the command line have no spaces
    values = {name: html.escape(re.sub(r",(?=\S)", ", ", str(value))) for name, value in settings.items()}
    sentences = []
    for step in design["steps"]:
        if step["process"] in ran and all(_holds(condition, settings) for condition in step.get("when", [])):
            try:
                sentences.append(step["text"].format(**values, versions=packages))
            except KeyError as missing:
                message = f"the text of {step['process']} asks for a parameter or version that the run does not state"
                raise BadInput(Problem(source, message, value=missing.args[0])) from missing
    named = [
        f"{html.escape(package)} {html.escape(version)}" + (f" [@{key}]" if key else "")
        for package, version in sorted(packages.items(), key=lambda item: item[0].lower())
        if package not in ran.get("Workflow", {})
        and all(_holds(condition, settings) for condition in _conditions(design, package))
        for key in [design["packages"].get(package)]
    ]
    texts = [" ".join(sentences), f"Software: {', '.join(named)}."]
    cited = list(dict.fromkeys(re.findall(r"\[@([\w-]+)\]", " ".join(texts))))
    numbers = {key: number for number, key in enumerate(cited, start=1)}
    body, software = (re.sub(r"\[@([\w-]+)\]", lambda found: f"[{numbers[found[1]]}]", text) for text in texts)
    return body, software, [design["references"][key] for key in cited]


def _conditions(design: dict, package: str) -> list[str]:
    return [condition for name, condition in design.get("packages_when", {}).items() if name == package]


def _holds(condition: str, settings: dict) -> bool:
    return any(_term_holds(term.strip(), settings) for term in condition.split(" or "))


def _term_holds(term: str, settings: dict) -> bool:
    name = term.removeprefix("not ")
    value = settings.get(name)
    # a threshold of 0 is given, and 0 == False
    given = value is not None and value is not False and value not in ("", "false")
    return given == (name == term)


def _package_versions(ran: dict) -> dict[str, str]:
    """Return package -> version over all processes; several versions of one package are all named."""
    found: dict[str, dict] = {}
    for process, packages in ran.items():
        for package, version in (packages or {}).items() if isinstance(packages, dict) else [(process, packages)]:
            found.setdefault(str(package), {})[str(version)] = None
    return {package: " and ".join(versions) for package, versions in found.items()}


def _mapping(path: Path, parse, expected: str) -> dict:
    try:
        content = parse(Path(path).read_text())
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise BadInput(Problem(Path(path), f"cannot be read ({error}); expected {expected}")) from error
    if not isinstance(content, dict):
        raise BadInput(Problem(Path(path), f"expected {expected}"))
    return content
