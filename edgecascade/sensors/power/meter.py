"""What every power meter has, and a counter that starts anew."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Scope = Literal["whole device", "board", "CPU package", "GPU", "part"]
SCOPES: tuple[Scope, ...] = ("whole device", "board", "CPU package", "GPU", "part")
"""What a meter sees, the widest first."""

MOST_WATTS = 5000.0
"""No device of ours takes more; a meter that says so lies."""


class Meter(Protocol):
    """Reads energy or power; ``name`` as a profile notes it, ``mark`` whether it measures or works it out."""

    @property
    def name(self) -> str:
        """As a profile notes it: "rapl", "ina3221" ..."""

    @property
    def mark(self) -> Literal["measured", "estimate"]:
        """Whether a sensor stands behind it, or a rule."""

    @property
    def scope(self) -> Scope:
        """What it sees."""

    @property
    def unit(self) -> Literal["joules", "watts"]:
        """Whether ``read`` gives joules since some beginning, or watts now."""

    def read(self) -> float | None:
        """Return the reading; None where the meter has gone."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A meter made of one function."""

    name: str
    scope: Scope
    unit: Literal["joules", "watts"]
    read: Callable[[], float | None]
    mark: Literal["measured", "estimate"] = "measured"


@dataclass(slots=True)
class Unwrapped:
    """A counter that starts anew at ``range``, read as one that only rises; two rounds between reads look like one."""

    counter: Callable[[], float | None]
    range: float | None
    _last: float | None = None
    _rounds: float = 0.0

    def __call__(self) -> float | None:
        """Return what it has counted; None where it has gone, or fell and its range is unknown."""
        now = self.counter()
        if now is not None and self._last is not None and now < self._last:
            if self.range is None:
                return None
            self._rounds += self.range
        self._last = now if now is not None else self._last
        return None if now is None else self._rounds + now


def total(readings: list[float | None]) -> float | None:
    """Return the sum of readings; None where one is missing, for a part is not the whole.

    >>> total([1.0, 2.0]), total([1.0, None]), total([])
    (3.0, None, None)
    """
    found = [reading for reading in readings if reading is not None]
    return sum(found) if readings and len(found) == len(readings) else None
