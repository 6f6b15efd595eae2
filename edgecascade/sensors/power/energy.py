"""The energy of a span: a counter read at both ends, or watts sampled ten times a second and integrated."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from edgecascade.sensors.power.meter import MOST_WATTS, Meter
from edgecascade.sensors.reading import Clock

SAMPLE_SECONDS = 0.1
GAP_SECONDS = 2.0
"""Samples further apart do not tell what was between them: the machine slept, or its clock jumped."""

THREAD = "edgecascade-meter"

Sample = tuple[float, float | None]


@dataclass(slots=True)
class Energy:
    """What a span took; filled when the block ends. ``joules`` is None where it is not known, and ``why`` says why."""

    joules: float | None = None
    seconds: float = 0.0
    why: str | None = "the span has not ended"

    @property
    def watts(self) -> float | None:
        """The mean power."""
        return None if self.joules is None or self.seconds <= 0 else self.joules / self.seconds


@contextmanager
def metering(meter: Meter | None, clock: Clock = time.monotonic, *, wall: Clock = time.time) -> Iterator[Energy]:
    """Measure what the block takes; without a meter, or where it goes away meanwhile, the energy is unknown."""
    energy, done = Energy(), threading.Event()
    if meter is None:
        energy.why = "no power meter"
        yield energy
        return
    samples: list[Sample] = []
    began = wall()
    samples.append((clock(), meter.read()))
    sampler = threading.Thread(target=_sample, args=(meter, samples, clock, done), name=THREAD, daemon=True)
    if meter.unit == "watts":
        sampler.start()
    try:
        yield energy
    finally:
        done.set()
        if sampler.ident is not None:
            sampler.join()
        samples.append((clock(), meter.read()))
        energy.seconds = samples[-1][0] - samples[0][0]
        energy.joules, energy.why = judged(samples, counting=meter.unit == "joules", wall_seconds=wall() - began)


def judged(samples: Sequence[Sample], *, counting: bool, wall_seconds: float) -> tuple[float | None, str | None]:
    """Return the joules of the samples, or None and why they are not known.

    >>> judged([(0.0, 5.0), (1.0, 7.0), (2.0, 5.0)], counting=False, wall_seconds=2.0)
    (12.0, None)
    """
    known = [(at, value) for at, value in samples if value is not None]
    if samples[0][1] is None or samples[-1][1] is None:
        return None, "the meter went away meanwhile"
    seconds = known[-1][0] - known[0][0]
    if abs(wall_seconds - seconds) > GAP_SECONDS:
        return None, f"the clock jumped or the machine slept: {wall_seconds:.1f} s by the wall, {seconds:.1f} s counted"
    if counting:
        joules = known[-1][1] - known[0][1]
    else:
        gap = max(later[0] - at[0] for at, later in pairwise(known))
        if gap > GAP_SECONDS:
            return None, f"the meter was silent for {gap:.1f} s, wanted at most {GAP_SECONDS:.0f} s"
        joules = sum((at + later) / 2 * (end - start) for (start, at), (end, later) in pairwise(known))
    if not 0 <= joules <= MOST_WATTS * max(seconds, SAMPLE_SECONDS):
        return None, f"the meter cannot be believed: {joules:.0f} J in {seconds:.1f} s"
    return joules, None


def _sample(meter: Meter, samples: list[Sample], clock: Clock, done: threading.Event) -> None:
    while not done.wait(SAMPLE_SECONDS):
        samples.append((clock(), meter.read()))
