"""As many threads as the scheduler granted, no more, and none that burns a core while it waits."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
