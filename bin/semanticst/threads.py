"""Number of threads: those that the scheduler granted, without busy waiting."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

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

    For many small problems: several threads inside one of them cost more than they bring.
    """
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_limits

    from semanticst.progress import progress

    with threadpool_limits(limits=1), ThreadPoolExecutor(max(1, threads)) as pool:
        return list(progress(pool.map(work, items), title, len(items)))
