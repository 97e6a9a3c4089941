"""As many threads as the scheduler granted, no more."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limit_threads(n: int) -> Iterator[None]:
    """Linear algebra and torch use at most ``n`` threads within the block.

    torch reads OMP_NUM_THREADS when it is first imported, which may be inside the block: steps that do not need torch
    run in an image that does not have it.
    """
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = str(n)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n)
    with threadpool_limits(limits=n):
        yield
