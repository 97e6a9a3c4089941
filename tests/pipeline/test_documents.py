"""What the texts name is there: links, headings, files, parameters with their defaults, the version."""

import json
import re
import tomllib

import pytest
import yaml

from helpers import ROOT
from pipeline_helpers import modules
from semanticst import __version__

TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CITATIONS.md", *sorted((ROOT / "docs").glob("*.md"))]
SCHEMA = json.loads((ROOT / "nextflow_schema.json").read_text())
PARAMETERS = {name: p for group in SCHEMA["$defs"].values() for name, p in group["properties"].items()}
MISSPELT = "niches_k"  # in a message that suggests the right one
OF_CHECK = {"no_files", "read_samples"}  # of ``./semanticst check``, beside the parameters of a run
FOLDERS = "assets|bench|bin|conf|containers|docs|examples|launcher|modules|subworkflows|tests|workflows"


def prose(text: str) -> str:
    """``text`` without its code blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def anchors(text: str) -> set[str]:
    """What links of the text's own headings look like on a hosting site."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text())):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(file.read_text()), f"{path.name}: no heading for {target}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_files_that_are_named_exist(path):
    pattern = r"(?<![\w./-])(?:" + FOLDERS + r")/[\w./-]*\w(?![\w{*])"  # none with a gap to fill, as run_{name}.py
    for name in (n for n in re.findall(pattern, path.read_text()) if "NAME" not in n):
        assert (ROOT / name).exists(), f"{path.name} names {name}"


@pytest.mark.parametrize("path", [p for p in TEXTS if p.name != "CHANGELOG.md"], ids=lambda p: p.name)
def test_parameters_that_are_named_exist(path):
    # those of the commands in bin/ have dashes; with an underscore it is one of the pipeline
    named = set(re.findall(r"(?<![\w-])--([a-z]+_[a-z_]*[a-z])\b", path.read_text()))
    assert not named - set(PARAMETERS) - {MISSPELT, *OF_CHECK}


def test_every_parameter_is_explained_somewhere():
    guides = "\n".join((ROOT / "docs" / f"{name}.md").read_text() for name in ("usage", "deployment"))
    assert [name for name in PARAMETERS if not re.search(rf"\b{name}\b", guides)] == []


def test_defaults_in_the_tables_are_those_of_the_pipeline():
    rows = re.findall(r"^\| `--(\w+)` \| ([^|]+?) \|", (ROOT / "docs/usage.md").read_text(), re.M)
    stated = {name: value for name, value in rows if "default" in PARAMETERS.get(name, {})}
    assert len(stated) > 15
    assert stated == {name: str(PARAMETERS[name]["default"]).replace("True", "true").replace("False", "false")
                      for name in stated}  # fmt: skip


def test_a_newcomer_reads_two_commands():
    blocks = re.findall(r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert blocks[0] == "./semanticst demo\n./semanticst test\n"


def test_one_version_everywhere():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]


def test_hooks_need_no_network():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert all(hook["entry"].startswith("./semanticst ") for hook in hooks[0]["hooks"])


def test_the_first_table_of_the_benchmarks_is_taken_from_those_below():
    text = (ROOT / "docs/benchmarks.md").read_text()
    table = re.search(r"^\| Set \|.*?\n\n", text, re.M | re.S).group()
    below = text.split("## Agreement with an annotation", 1)[1]
    scores = re.findall(r"0\.\d{3}(?: ± 0\.\d{3})?", table)
    assert len(scores) >= 10
    assert [score for score in scores if f"| {score} |" not in below] == []


def test_messages_of_the_troubleshooting_are_those_that_are_written():
    text = (ROOT / "docs/usage.md").read_text().split("## Troubleshooting", 1)[1].split("\n## ", 1)[0]
    quoted = [q for cell in re.findall(r"^\| (`[^|]*) \|", text, re.M) for q in re.findall(r"`([^`]*)`", cell)]
    assert len(quoted) > 20
    files = [*ROOT.glob("bin/**/*.py"), *ROOT.glob("launcher/*.py"), *ROOT.glob("**/*.nf"), ROOT / "semanticst"]
    files.append(ROOT / "assets/parameter_words.json")
    source = re.sub(r"\"\s*\n\s*f?\"", "", " ".join(file.read_text() for file in files))
    # what differs from run to run: names, numbers, values in quotes
    parts = {
        q: re.split(r"--\w+|jgo\S*|[^\w\s]|\b[A-Z\d]+\b|samplesheet\.csv|\b(?:all|counts|binary)\b", q) for q in quoted
    }
    longest = {q: max((part.strip() for part in split), key=len) for q, split in parts.items()}
    missing = [part for part in longest.values() if part not in source]
    assert missing == []


def published() -> set[str]:
    """What a run publishes, as its workflows say: paths of files, and of folders whose files have other names."""
    patterns = {
        (module.name, emitted): path
        for module in modules()
        for path, emitted in re.findall(r"""path\(['"]([^'"]+)['"]\)\s*, emit: (\w+)""", module.block("output"))
    }
    paths = {"pipeline_info/software_versions.yml", "pipeline_info/outputs.csv", "pipeline_info/params.json",
             "pipeline_info/running.json"}  # fmt: skip
    for text in (path.read_text() for path in ROOT.glob("subworkflows/local/*/main.nf")):
        for folder, process, emitted in re.findall(r"publishedIn\('([^']+)', (\w+)\.out\.(\w+)\)", text):
            name = patterns[process, emitted].replace("${meta.id}", "{contrast}").split("/")[-1]
            several = re.fullmatch(r"\{(\w+,[\w,]+)\}(\..+)", name)
            names = [f"{one}{several[2]}" for one in several[1].split(",")] if several else [name]
            paths |= {f"{folder}/{'' if '*' in one or '.' not in one else one}" for one in names}
    return paths


def test_what_each_published_file_discloses_is_told():
    text = (ROOT / "docs/output.md").read_text()
    told = text[text.index("## What each file discloses") : text.index("[Sharing results]")]
    named = set(re.findall(r"`([^`]+)`", told))
    # a row names its folder once; a folder of files of other names has a row of its own
    absent = {path for path in published() if not {path, path.rsplit("/", 1)[1] or path} & named}
    assert absent <= {"niches/", "association/", "pipeline_info/"}, "docs/output.md, 'What each file discloses'"
    tables = set(re.findall(r"`(?:niches/)?(niches?_\w+\.csv(?:\.gz)?)`", text))
    assert len(tables) > 12
    assert tables <= {name.removeprefix("niches/") for name in named}
