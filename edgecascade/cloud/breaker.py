"""A circuit breaker per host: who failed five times in a row is left alone for a while.

Closed, open for a growing pause, half-open: one question goes through as a probe, and decides. Michael Nygard,
"Release It!", 2007. Whoever answers at all, with 429 or 401 too, is there, and does not open it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

FAILURES = frozenset(("offline", "timeout", "server", "broken_off"))


@dataclass(slots=True)
class _Circuit:
    """``until`` is when an open one may be probed; None while it is closed."""

    failures: int = 0
    until: float | None = None
    pause: float = 0.0
    probing: bool = False


class Breaker:
    """Remembers how hosts did; every ``wait`` that returns 0 owes a ``settle``. Safe to use from several threads."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        failures: int = 5,
        shortest: float = 30.0,
        longest: float = 300.0,
    ) -> None:
        """``failures`` in a row open it, for ``shortest`` to ``longest`` seconds."""
        self._clock, self._failures, self._shortest, self._longest = clock, failures, shortest, longest
        self._circuits: dict[str, _Circuit] = {}
        self._guard = threading.Lock()

    def left_alone(self, host: str) -> float:
        """Return the seconds that a host is still left alone, 0 where it would be asked; owes nothing."""
        with self._guard:
            circuit = self._circuits.get(host)
            return 0.0 if circuit is None or circuit.until is None else max(circuit.until - self._clock(), 0.0)

    def wait(self, host: str) -> float:
        """Return the seconds that a host is still left alone; 0 lets the question through."""
        with self._guard:
            circuit = self._circuits.get(host)
            if circuit is None or circuit.until is None:
                return 0.0
            left = circuit.until - self._clock()
            if left > 0 or circuit.probing:
                return max(left, 1.0)
            circuit.probing = True
            return 0.0

    def settle(self, host: str, outcome: str) -> None:
        """Note how a question ended: "ok", the code of a CloudError, or "cancelled", which says nothing of the host."""
        with self._guard:
            if outcome == "cancelled":
                if host in self._circuits:
                    self._circuits[host].probing = False
            elif outcome in FAILURES:
                self._fail(self._circuits.setdefault(host, _Circuit()))
            else:
                self._circuits.pop(host, None)

    def _fail(self, circuit: _Circuit) -> None:
        """Open it, or open it for twice as long where the probe failed; who comes late to an open one adds nothing."""
        circuit.failures += 1
        if circuit.probing or (circuit.until is None and circuit.failures >= self._failures):
            circuit.pause = min(max(2 * circuit.pause, self._shortest), self._longest)
            circuit.until, circuit.probing = self._clock() + circuit.pause, False
