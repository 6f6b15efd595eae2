"""How the device stands now: battery, heat, throttling, link, power; every absent or unbelievable sensor is None.

On Linux all but the link's price is read from files, in a few milliseconds. Slow commands are asked once a minute, by a
``Sense`` that is kept.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from edgecascade.profile import Conditions
from edgecascade.sensors.heat import hottest, throttled
from edgecascade.sensors.links import Links, connected, links, metered
from edgecascade.sensors.machine import is_termux
from edgecascade.sensors.power.finding import cheap_watts
from edgecascade.sensors.reading import Clock, Past
from edgecascade.sensors.supply import supply

ROOT = Path("/")


def conditions(
    root: Path = ROOT,
    *,
    past: Past | None = None,
    energy: bool = True,
    link: bool = True,
    environment: Mapping[str, str] = os.environ,
    network: Callable[[], Links] = links,
) -> Conditions:
    """Return how the device stands; ``past`` is what earlier looks left behind. Raises nothing.

    energy  look at battery, heat and power       link  and whether it is metered: both may take a command of seconds
    """
    past = past or Past()
    termux = is_termux(environment)
    found = Conditions(network=connected(network()), metered=metered(past, termux=termux) if link else None)
    if not energy:
        return found
    supplied = supply(root, past, termux=termux)
    return replace(
        found,
        on_battery=supplied.on_battery,
        battery=supplied.level,
        celsius=hottest(root),
        throttled=throttled(root, past),
        watts=cheap_watts(root),
    )


class Sense:
    """Remembers how the device stands for some seconds, so that every question may ask; safe in several threads."""

    def __init__(
        self,
        seconds: float = 5.0,
        clock: Clock = time.monotonic,
        *,
        look: Callable[[Past], Conditions] = lambda past: conditions(past=past),
    ) -> None:
        self._seconds, self._clock, self._look = seconds, clock, look
        self._past, self._guard = Past(clock=clock), threading.Lock()
        self._last: tuple[float, Conditions] | None = None

    def __call__(self) -> Conditions:
        """Return the conditions, not older than ``seconds``."""
        with self._guard:
            now = self._clock()
            if self._last is None or not 0 <= now - self._last[0] < self._seconds:
                self._last = (now, self._look(self._past))
            return self._last[1]
