"""Work that is none of ours: how fast the machine itself is, so that what it changed is not taken for a change of ours.

Products of matrices so small that no library shares one among threads, and a copy that no cache holds: what reading and
writing tokens live by.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

TEST = "fixed work"
TIMES = 4
"""Before a suite, and again behind it."""
SIDE, PRODUCTS, PARTS = 48, 4096, 4
COPIED = 64 * 2**20
"""Bytes, in two halves."""


def fixed_work(*, times: int = TIMES, clock: Callable[[], float] = time.perf_counter) -> tuple[float, ...]:
    """Return the milliseconds of each time; one more before them warms up."""
    many, one = np.ones((PRODUCTS // PARTS, SIDE, SIDE), np.float32), np.ones((SIDE, SIDE), np.float32)
    source, goal = (np.full(COPIED // 2, value, np.uint8) for value in (1, 2))  # zeros would be one page, cached
    taken = [_once(many, one, source, goal, clock) for _ in range(times + 1)]
    return tuple(taken[1:])


def _once(many: Any, one: Any, source: Any, goal: Any, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in range(PARTS):
        np.matmul(many, one)
    for _ in range(2):
        np.copyto(goal, source)
    return (clock() - started) * 1e3
