"""Work that is shared out to copies of the process."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from semanticst.errors import BadInput, Problem
from semanticst.shortage import ExitCode, shortage
from semanticst.threads import in_parallel


def test_work_is_shared_out_and_comes_back_in_order():
    X = np.arange(12.0).reshape(4, 3)
    found = in_parallel(lambda row: (X[row].sum(), os.getpid()), [3, 0, 2, 1], 2, "rows")
    assert [total for total, _ in found] == [30, 3, 21, 12]
    assert os.getpid() not in {process for _, process in found}


@pytest.mark.parametrize(("items", "threads"), [([7], 4), ([7, 8], 1)])
def test_one_at_a_time_needs_no_copy_of_the_process(items, threads):
    assert in_parallel(lambda _: os.getpid(), items, threads, "rows") == [os.getpid()] * len(items)


def test_linear_algebra_has_one_thread_in_each(monkeypatch):
    found = in_parallel(lambda _: [pool["num_threads"] for pool in threadpool_info()], range(2), 2, "rows")
    assert found == [[1] * len(threadpool_info())] * 2


def test_an_error_in_a_copy_rises():
    def fail(number):
        raise BadInput(Problem(f"sample {number}", "has no cells"))

    with pytest.raises(BadInput, match="has no cells"):
        in_parallel(fail, range(3), 2, "rows")


def test_a_copy_that_is_killed_is_told_as_a_lack_of_memory():
    with pytest.raises(BrokenProcessPool) as caught:
        in_parallel(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(2), 2, "rows")
    code, text = shortage(caught.value)
    assert code == ExitCode.NO_MEMORY
    assert "a part of this step was killed, mostly for its memory" in text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no copies of the process are made")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_copies_end_with_their_process(tmp_path, how):
    code = (
        "import os, sys, time; from pathlib import Path; from semanticst.threads import in_parallel\n"
        "def work(number):\n"
        "    Path(sys.argv[1], str(os.getpid())).touch(); time.sleep(60)\n"
        "in_parallel(work, range(2), 2, 'rows')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path])
    patience = time.monotonic() + 60
    while len(copies := [int(file.name) for file in tmp_path.iterdir()]) < 2 and time.monotonic() < patience:
        time.sleep(0.1)
    assert len(copies) == 2
    process.send_signal(how)
    process.wait()
    while any(map(runs, copies)) and time.monotonic() < patience:
        time.sleep(0.1)
    assert not any(map(runs, copies))


def runs(process: int) -> bool:
    """Whether a process does anything still: one that ended and was not asked after stays as a name."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
