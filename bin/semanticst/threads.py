"""Threads and processes: as many as the scheduler granted, without busy waiting."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def limit_threads(n: int) -> Iterator[None]:
    """Linear algebra and torch use at most ``n`` threads within the block.

    Libraries read the environment when they are first imported, which in a command is inside the block; those that are
    loaded already are told directly. Waiting is passive: threads that spin at a barrier slow a step down several times
    as soon as another process wants the same core.
    """
    from threadpoolctl import threadpool_limits

    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(n)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n)
    with threadpool_limits(limits=n):
        yield


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item], threads: int, title: str) -> list[Result]:
    """``work`` of each item, in their order, ``threads`` at a time, linear algebra in one thread each.

    For many small problems, most of which Python's lock keeps to one thread at a time: they are shared out to copies
    of this process (measured in docs/benchmarks.md). A copy has all that the process had when it was made, and only
    results are sent back. Where a process cannot be copied safely, all work is done in this one.

    Raises what ``work`` raises, and BrokenProcessPool when a copy is killed.
    """
    from threadpoolctl import threadpool_limits

    from semanticst.progress import progress

    copies = min(threads, len(items))
    with threadpool_limits(limits=1):
        if copies < 2 or sys.platform != "linux":
            return [work(item) for item in progress(items, title)]
        context = multiprocessing.get_context("fork")
        # handed to the copies as they are made: neither a closure nor its arrays need be sent
        with ProcessPoolExecutor(copies, context, initializer=_set_task, initargs=(work, items)) as pool:
            return list(progress(pool.map(_task_of, range(len(items))), title, len(items)))


_task: tuple[Callable[[Any], Any], Sequence[Any]]
"""What this copy of a process does, and with which items."""


def _set_task(work: Callable[[Any], Any], items: Sequence[Any]) -> None:
    global _task
    _task = work, items
    _end_with_parent()


def _end_with_parent() -> None:
    """A copy would wait for work for ever, with all its memory, when its process is killed (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _task_of(number: int) -> Any:
    work, items = _task
    return work(items[number])
