"""The energy of a span: counted or integrated, and unknown where something was off."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from edgecascade.sensors import metering
from edgecascade.sensors.power.energy import THREAD, judged


@dataclass
class Counter:
    """A meter that gives its readings one after another."""

    readings: list[float | None]
    name: str = "scripted"
    mark: Literal["measured", "estimate"] = "measured"
    scope: Literal["whole device", "board", "CPU package", "GPU", "part"] = "board"
    unit: Literal["joules", "watts"] = "joules"

    def read(self) -> float | None:
        """Return the next reading."""
        return self.readings.pop(0)


@dataclass
class Curve:
    """A meter whose watts are a function of the clock; ``seen`` is set when it was read some times."""

    watts: Callable[[float], float | None]
    clock: Any
    seen: threading.Event = field(default_factory=threading.Event)
    reads: int = 0
    name: str = "scripted"
    mark: Literal["measured", "estimate"] = "measured"
    scope: Literal["whole device", "board", "CPU package", "GPU", "part"] = "board"
    unit: Literal["joules", "watts"] = "watts"

    def read(self) -> float | None:
        """Return the watts at the time that the clock last told."""
        self.reads += 1
        if self.reads == 3:
            self.seen.set()
        return self.watts(self.clock.now)


def test_a_counter_is_read_at_both_ends(clocks: Any) -> None:
    """Joules are the difference, watts their mean."""
    clock = clocks()
    with metering(Counter([100.0, 130.0]), clock, wall=clock) as energy:
        clock.now += 6

    assert (energy.joules, energy.seconds, energy.watts, energy.why) == (30.0, 6.0, 5.0, None)


def test_power_is_integrated_over_the_clock(clocks: Any) -> None:
    """Of watts that rise evenly the trapezoids' sum is the exact integral, however often they were sampled."""
    clock = clocks(step=0.5)
    curve = Curve(lambda at: 2 * (at - 100), clock)
    with metering(curve, clock, wall=lambda: clock.now) as energy:
        assert curve.seen.wait(10)

    first, last = 0.5, 0.5 + energy.seconds
    assert energy.seconds >= 1 and energy.joules == pytest.approx(last**2 - first**2)


@pytest.mark.parametrize("steps", [4, 40, 400])
def test_the_integral_of_a_curve_comes_near_the_true_one(steps: int) -> None:
    """Of a parabola the error of trapezoids is (b - a) h^2 / 12 times its second derivative."""
    samples = [(at := 3 * step / steps, 5 + at**2) for step in range(steps + 1)]
    joules, why = judged(samples, counting=False, wall_seconds=3.0)

    assert why is None and joules is not None
    assert joules - 24 == pytest.approx(3 * (3 / steps) ** 2 / 12 * 2)


@pytest.mark.parametrize(
    ("samples", "wall_seconds", "why"),
    [
        ([(0.0, 5.0), (1.0, None)], 1.0, "went away"),
        ([(0.0, None), (1.0, 5.0)], 1.0, "went away"),
        ([(0.0, 5.0), (1.0, 5.0), (3.5, 5.0)], 3.5, "silent for 2.5 s"),
        ([(0.0, 5.0), (1.0, None), (2.0, None), (2.5, 5.0)], 2.5, "silent for 2.5 s"),
        ([(0.0, 5.0), (1.0, 5.0)], 3600.0, "clock jumped or the machine slept"),
        ([(0.0, 5.0), (1.0, 5.0)], -3600.0, "clock jumped or the machine slept"),
        ([(0.0, 1e9), (1.0, 1e9)], 1.0, "cannot be believed"),
    ],
)
def test_what_is_off_makes_the_energy_unknown(
    samples: Sequence[tuple[float, float | None]], wall_seconds: float, why: str
) -> None:
    """A meter that went away or fell silent, a clock that jumped, or watts that nobody takes."""
    joules, said = judged(samples, counting=False, wall_seconds=wall_seconds)

    assert joules is None and why in (said or "")


def test_a_reading_that_is_missed_is_bridged() -> None:
    """One sample between two others may be missing, as long as the silence is short."""
    assert judged([(0.0, 5.0), (0.5, None), (1.0, 5.0)], counting=False, wall_seconds=1.0) == (5.0, None)


@pytest.mark.parametrize("readings", [[130.0, 100.0], [100.0, None], [0.0, 1e9]])
def test_a_counter_that_falls_vanishes_or_leaps_is_unknown(readings: list[float | None], clocks: Any) -> None:
    """No energy is negative, and no device takes a gigajoule in a second."""
    clock = clocks()
    with metering(Counter(readings), clock, wall=clock) as energy:
        clock.now += 1

    assert (energy.joules, energy.watts) == (None, None) and energy.why


def test_without_a_meter_the_energy_is_unknown() -> None:
    """A device without a meter is measured like any other, and says why there is no energy."""
    with metering(None) as energy:
        pass

    assert (energy.joules, energy.watts, energy.why) == (None, None, "no power meter")


def test_a_block_that_raises_ends_the_sampling(clocks: Any) -> None:
    """The error goes on its way, the sampler ends, and what was measured is there."""
    clock = clocks(step=0.1)
    with pytest.raises(KeyError), metering(Curve(lambda at: 4.0, clock), clock, wall=lambda: clock.now) as energy:
        raise KeyError

    assert energy.watts == pytest.approx(4.0)
    assert THREAD not in {thread.name for thread in threading.enumerate()}
