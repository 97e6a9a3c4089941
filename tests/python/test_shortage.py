"""A full disk, a used-up quota and want of memory end in one line that says what there was and what is needed."""

import errno
import os
import pickle
import re
import shutil
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pandas as pd
import pytest

from helpers import BIN, ROOT, invoke, make_sample
from semanticst.errors import CannotWrite, ExitCode
from semanticst.shortage import shortage, size
from semanticst.writing import atomic, write_arrays, write_h5ad, write_json, write_table

MAY_MOUNT = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
COMMAND = f"{sys.executable} {BIN / 'cohort_simulate.py'} --patients 4 --sections 1 --cells 700 --genes 300 --niches 3"


def on_small_disk(folder, script: str) -> subprocess.CompletedProcess:
    """Run a shell script with a file system of 1 MB on ``folder``, which is gone when the script ends."""
    mount = f"mount -t tmpfs -o size=1m small {folder}"
    if not shutil.which("unshare") or subprocess.run([*MAY_MOUNT, mount], capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here (unshare --mount)")
    command = [*MAY_MOUNT, f"{mount} && {{ {script}\n}}"]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, timeout=300, check=False)


def test_a_command_on_a_full_disk_ends_in_one_line_and_well_when_there_is_room(tmp_path):
    """A real file system: h5py crashes when it cannot write its buffers, and nothing may be left half-written."""
    (tmp_path / "small").mkdir()
    script = f"""
        {COMMAND} --outdir small/out; echo "code $?"
        find small -type f -name '*.partial*'
        mount -o remount,size=100m small
        {COMMAND} --outdir small/out; echo "code $?"
    """
    done = on_small_disk(tmp_path / "small", script)
    assert done.stdout.split("\n")[:2] == ["code 4", "code 0"], done.stdout + done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("ERROR"))
    assert "Traceback" not in done.stderr
    wanted = rf"the disk is full: {tmp_path}/small/out\S* on {tmp_path}/small has .+ of 1.0 MB free; .+ were free when "
    assert re.search(wanted + r"\S+\.h5ad was begun, about \d+\.\d kB are needed\. Make room", line), line


WRITERS = {
    "h5ad": (lambda path: write_h5ad(path, make_sample(4000, 100)), 1.5),
    "csv": (lambda path: write_table(path, pd.DataFrame({"a": np.random.default_rng(0).random(5000)})), 0.05),
    "csv.gz": (lambda path: write_table(path, pd.DataFrame({"a": np.random.default_rng(0).random(5000)})), 0.05),
    "json": (lambda path: write_json(path, list(range(5000))), 0.0),
    "npz": (lambda path: write_arrays(path, {"a": np.random.default_rng(0).random(5000)}), 0.1),
}


@pytest.mark.parametrize("ending", WRITERS)
def test_what_a_file_is_said_to_need_is_what_it_takes(ending, tmp_path, monkeypatch):
    write, tolerance = WRITERS[ending]
    write(tmp_path / f"whole.{ending}")
    needed = []

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("semanticst.writing.os.replace", full)
    monkeypatch.setattr("semanticst.writing.size", lambda n: needed.append(n) or "some")
    with pytest.raises(CannotWrite):
        write(tmp_path / f"full.{ending}")
    taken = (tmp_path / f"whole.{ending}").stat().st_size
    assert taken <= needed[0] * (1 + tolerance)
    assert needed[0] <= taken * (1.5 + tolerance)
    assert [file.name for file in tmp_path.iterdir()] == [f"whole.{ending}"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the quota of the disk is used up"),
        (errno.EFBIG, "the largest size of a file is reached (ulimit -f)"),
    ],
)
def test_disk_quota_and_size_of_a_file_are_told_apart(number, words, tmp_path):
    def write_as_torch_does(partial):
        partial.write_bytes(b"0" * 1234567)
        try:
            raise OSError(number, "whatever it says")
        finally:  # an error of its own on top
            raise RuntimeError("unexpected pos 576 vs 534")

    with pytest.raises(CannotWrite) as found, atomic(tmp_path / "a.bin") as partial:
        write_as_torch_does(partial)
    assert str(found.value).startswith(f"{words}: {tmp_path} on ")
    assert "when a.bin was begun, more than 1.2 MB are needed" in str(found.value)
    assert list(tmp_path.iterdir()) == []
    assert str(pickle.loads(pickle.dumps(found.value))) == str(found.value)  # it may rise in a worker


def test_room_is_given_back_though_a_library_still_holds_the_file(tmp_path):
    held = []

    def write(partial):
        held.append(partial.open("wb"))
        held[0].write(b"0" * 100_000)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CannotWrite), atomic(tmp_path / "a.bin") as partial:
        write(partial)
    held[0].flush()
    with held[0] as file:
        assert os.fstat(file.fileno()).st_blocks * 512 < 100_000


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "a.bin"):
        print(1 / 0)
    for error in (ValueError("no"), KeyError("x"), OSError(errno.EIO, "no"), RuntimeError("shapes differ")):
        assert shortage(error, tmp_path) is None
    handled = ValueError("another matter")
    handled.__context__, handled.__suppress_context__ = OSError(errno.ENOSPC, "full"), True
    assert shortage(handled, tmp_path) is None


def test_a_full_disk_where_no_file_is_known(tmp_path):
    code, line = shortage(OSError(errno.ENOSPC, "No space left on device"), tmp_path, tmp_path / "not made yet")
    assert code == ExitCode.CANNOT_WRITE
    assert line.startswith("the disk is full: /")


def test_want_of_memory_is_told_with_what_was_asked_for(tmp_path):
    with pytest.raises(MemoryError) as numpy_error:
        np.zeros(10**15)
    torch_error = RuntimeError(
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 40000000000000 bytes."
    )
    killed = BrokenProcessPool("A process in the process pool was terminated abruptly")
    said = [shortage(error, tmp_path) for error in (numpy_error.value, torch_error, killed, MemoryError())]
    assert {code for code, _ in said} == {ExitCode.NO_MEMORY}
    for (_, line), words in zip(
        said, ["Unable to allocate", "tried to allocate 4", "was killed", "out of memory: this"]
    ):
        assert words in line
        assert re.search(r"this step had up to \d.* of \d", line)
        assert "\n" not in line


def test_a_command_without_memory_or_place(tmp_path, monkeypatch):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("sample,patient,path\na,p,x\n")
    monkeypatch.setattr("semanticst.association.planning.cohort_check.check_cohort", lambda *_: np.zeros(10**15))
    done = invoke("samplesheet_check", sheet, "--outdir", tmp_path)
    assert done.exit_code == ExitCode.NO_MEMORY
    assert done.stderr.startswith("ERROR: out of memory: Unable to allocate")
    done = invoke("samplesheet_check", sheet, "--outdir", sheet / "below a file")
    assert done.exit_code == ExitCode.CANNOT_WRITE
    assert "cannot be made: Not a directory" in done.stderr


def test_what_is_tried_again_is_what_may_help():
    """Killed for memory: with more. A full disk, bad input, wrong usage, a bug: not."""
    text = (ROOT / "conf/base.config").read_text()
    low, high, more = re.search(r"exitStatus in \(\((\d+)\.\.(\d+)\) ([^)]*\)?[^)]*)\)", text).groups()
    retried = {*range(int(low), int(high) + 1), *map(int, re.findall(r"\d+", more))}
    assert ExitCode.NO_MEMORY in retried
    assert not retried & {code for code in ExitCode if code != ExitCode.NO_MEMORY}


def test_sizes_in_words():
    assert [size(n) for n in (0, 999, 1500, 3_100_000, 25.3e9, 4e12, 4e16)] == [
        *("0 bytes", "999 bytes", "1.5 kB", "3.1 MB", "25.3 GB", "4.0 TB", "40000.0 TB")
    ]
