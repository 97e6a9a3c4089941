"""``./semanticst verify``: what it says about an output folder, without environment and engine."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.environment import CHECKOUT
from launcher.messages import UsageError
from launcher.verify import verify

RESULTS = {
    "niches/niches.csv.gz": b"\x1f\x8b" * 300,
    "association/age.csv": b"niche,p\n",
    'qc/maps/a "b", c.png': b"PNG",
    "multiqc/multiqc_report_data/empty.txt": b"",
}


@pytest.fixture
def outdir(tmp_path) -> Path:
    """A whole output folder, with a file of its user and a report of the engine in it, which are nobody's business."""
    folder = tmp_path / "results ü"
    lines = ["file,bytes,sha256"]
    for name, content in sorted(RESULTS.items()):
        write(folder, name, content)
        quoted = '"' + name.replace('"', '""') + '"' if '"' in name else name
        lines.append(f"{quoted},{len(content)},{hashlib.sha256(content).hexdigest()}")
    write(folder, "pipeline_info/outputs.csv", "\n".join(lines).encode() + b"\n")
    write(folder, "pipeline_info/execution_trace_2026-01-01.txt", b"task_id")
    write(folder, "notes of mine/ideas.txt", b"...")
    return folder


def write(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def said(folder: Path) -> tuple[int, str]:
    lines: list[str] = []
    return verify([str(folder)], lines.append), "\n".join(lines)


def test_a_whole_folder(outdir):
    assert said(outdir) == (0, f"Whole: the 4 files that the run left in {outdir}.")


def test_files_that_are_left_over_are_named_and_no_damage(outdir):
    write(outdir, "association/response.csv", b"niche,p\n")
    code, text = said(outdir)
    assert code == 0
    assert "Left over from earlier runs, no result of this one: 1.\n  association/response.csv" in text
    assert "Whole: the 4 files" in text


@pytest.mark.parametrize(
    ("content", "damage"),
    [
        (b"\x1f\x8b" * 50, "niches/niches.csv.gz: 100 bytes, should be 600"),
        (b"\x1f\x8c" * 300, "niches/niches.csv.gz: other content than the run wrote"),
        (None, "niches/niches.csv.gz: missing"),
    ],
)
def test_damage_is_named(outdir, content, damage):
    path = outdir / "niches/niches.csv.gz"
    path.unlink() if content is None else path.write_bytes(content)
    code, text = said(outdir)
    assert code == 3
    assert text == f"Damaged: 1 of the 4 files that the run left in {outdir}. Start it again with -resume.\n  {damage}"


def test_what_an_object_store_made_is_compared_by_size_and_that_is_said(outdir):
    listed = outdir / "pipeline_info/outputs.csv"
    digest = hashlib.sha256(RESULTS["niches/niches.csv.gz"]).hexdigest()
    listed.write_text(listed.read_text().replace(digest, ""))
    (outdir / "niches/niches.csv.gz").write_bytes(b"x" * 600)
    code, text = said(outdir)
    assert code == 0
    assert "Compared by size only, since they were made in an object store: 1." in text


@pytest.mark.parametrize(
    ("running", "reason"),
    [
        (None, "the last one here did not end well"),
        (b'{"run": "mad_curie", "host": "node7", "since": "today"}', "'mad_curie' on node7"),
        (b'{"run": "mad', "killed at its start"),
    ],
)
def test_a_folder_without_a_list_is_not_whole(outdir, running, reason):
    (outdir / "pipeline_info/outputs.csv").unlink()
    if running:
        write(outdir, "pipeline_info/running.json", running)
    code, text = said(outdir)
    assert code == 3
    assert reason in text


@pytest.mark.parametrize(
    "content", [b"file,bytes\nniches.csv,\n", b"file,bytes,sha256\nniches.csv,12", b'file,bytes,sha256\n"niches']
)
def test_a_list_that_cannot_be_read_is_damage(outdir, content):
    (outdir / "pipeline_info/outputs.csv").write_bytes(content)
    code, text = said(outdir)
    assert code == 3
    assert "outputs.csv cannot be read" in text


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--all"], ["s3://bucket/results"], ["no such folder"]])
def test_wrong_usage(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        verify(arguments)


def test_the_command_needs_neither_cache_nor_environment(outdir, tmp_path):
    """Exit codes as the shell sees them, from a Python without any package."""

    def code(*arguments: object) -> int:
        command = [sys.executable, "-I", "-S", CHECKOUT / "semanticst", "verify", *arguments]
        return subprocess.run([*map(str, command)], env={"HOME": str(tmp_path)}, capture_output=True).returncode

    assert code(outdir) == 0
    (outdir / "association/age.csv").write_bytes(b"")
    assert code(outdir) == 3
    assert code() == 2
    assert not (tmp_path / ".cache").exists()
