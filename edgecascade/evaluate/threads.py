"""One thread for the linear algebra of a fit: its matrices are small, and threads that wait for a busy core slow it."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Return what keeps numpy's libraries to one thread; without threadpoolctl nothing does but OMP_NUM_THREADS=1."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(limits=1)  # type: ignore[no-any-return]
