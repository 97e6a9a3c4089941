"""Work that is shared out to copies of the process."""

import os
import signal
from concurrent.futures.process import BrokenProcessPool

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
