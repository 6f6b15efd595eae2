"""What is asked again, and after which pause.

Full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS, 2015): a random share of a doubling pause, but never
less than the server asks for with Retry-After. Who asks for more than a minute is not asked again, nor who was reached
and stayed silent, and neither is a question whose deadline would pass. The loop itself is stamina's, whose asyncio
sleep ends with the task.
"""

import random
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass

import stamina

from edgecascade.cloud.refusals import PassingError

LONGEST_WAIT = 60.0
FIRST, LONGEST = 0.5, 8.0
"""Seconds: the most that is waited before the second try, and before any."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how a question is asked again.

    tries  in all              draw   a number from 0 to 1 for the jitter
    pace   what becomes of a pause in seconds, for a test that does not wait
    """

    tries: int = 3
    draw: Callable[[], float] = random.random
    pace: Callable[[float], float] = float


def attempts(retries: Retries, deadline: float | None) -> AsyncIterable[stamina.Attempt]:
    """Return stamina's loop; ``deadline`` is a ``time.monotonic``."""
    failed = 0

    def again(error: Exception) -> float | bool:
        nonlocal failed
        failed += 1
        wait = pause(error, failed, retries.draw)
        late = wait is not None and deadline is not None and time.monotonic() + wait >= deadline
        return False if wait is None or late else retries.pace(wait)

    return stamina.retry_context(on=again, attempts=retries.tries, timeout=None)


def pause(error: BaseException, failed: int, draw: Callable[[], float]) -> float | None:
    """Return the seconds to wait after so many failures, None where asking again would not help.

    >>> pause(PassingError("busy", code="rate_limit", wait=7.0), 1, lambda: 1.0)
    7.0
    """
    if not isinstance(error, PassingError) or error.wait > LONGEST_WAIT:
        return None
    return max(error.wait, draw() * min(FIRST * 2.0 ** (failed - 1), LONGEST))
