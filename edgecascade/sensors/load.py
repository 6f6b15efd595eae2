"""What else the machine does: other processes' cores, stolen time, and whether a measured span is worth anything."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from edgecascade.sensors.heat import hottest, throttled
from edgecascade.sensors.reading import Clock, Past, text, there

ROOT = Path("/")
SAMPLE_SECONDS = 0.05
BUSY_SHARE = 0.1
"""Other processes' share of the physical cores above which a figure is worthless."""
STEAL_SHARE = 0.05
JUMP_SECONDS = 1.0
SWITCHES_A_SECOND = 50.0
"""Involuntary switches above which cores were short: others wanted them, or we have more threads than cores."""


def physical_cores() -> int:
    """Return the physical cores that this process may use; hyper-threads do not speed up decoding."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed))


def busy_cores(seconds: float = SAMPLE_SECONDS, *, sleep: Callable[[float], object] = time.sleep) -> float:
    """Return how many cores' worth of work other processes do now, watched for this long.

    Our own share and our children's is taken off, so that a thread of ours does not count as a stranger. 0 where the
    system does not say (Android); ``idle`` tells that apart.
    """
    before = _look(ROOT, time.monotonic)
    sleep(seconds)
    return others(before, _look(ROOT, time.monotonic)) or 0.0


def free_threads() -> int:
    """Return how many threads to decode with: the idle physical cores, at least one.

    On busy cores the library's threads wait for each other by spinning: two threads on a busy two-core machine decode
    three to five times slower than one.
    """
    return max(1, physical_cores() - round(busy_cores()))


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds of all cores together since the start; ``stolen``: a hypervisor gave them to somebody else."""

    busy: float
    stolen: float
    total: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What is read at each end of a span: the clock, all cores' times, and our own with our children's."""

    at: float
    cpu: CpuTimes | None
    own: float


@dataclass(slots=True)
class Seen:
    """What happened while something was measured; filled when the block ends. None: no sensor says.

    seconds       by the monotonic clock        busy_cores    other processes', the mean of the span
    steal         share of the cores' time that a hypervisor gave away
    switches      how often we were made to wait for somebody else
    throttled     held back by heat or power at either end        celsius  the hottest part, the higher of both ends
    clock_jumped  the wall clock and the monotonic one disagree by more than a second: it was set, or we slept
    """

    cores: int
    seconds: float = 0.0
    busy_cores: float | None = None
    steal: float | None = None
    switches: int | None = None
    throttled: bool | None = None
    celsius: float | None = None
    clock_jumped: bool = False

    @property
    def worthless(self) -> str | None:
        """The one sentence why figures of this span mean nothing; None where they mean something."""
        if self.clock_jumped:
            return "the clock jumped or the machine slept while this was measured: run it again"
        if self.busy_cores is not None and self.busy_cores > BUSY_SHARE * self.cores:
            return (
                f"other processes used {self.busy_cores:.1f} of {self.cores} cores, wanted at most "
                f"{BUSY_SHARE * self.cores:.1f}: close them and run it again"
            )
        if self.steal is not None and self.steal > STEAL_SHARE:
            return (
                f"the host of this virtual machine took {self.steal:.0%} of its time, wanted at most "
                f"{STEAL_SHARE:.0%}: run it again later"
            )
        return None

    @property
    def remarks(self) -> list[str]:
        """What does not make figures worthless, and whoever reads them should know."""
        found = []
        if self.throttled:
            heat = "" if self.celsius is None else f" at {self.celsius:.0f} °C"
            found.append(f"the processor was held back by heat or power{heat}")
        if self.steal is not None and STEAL_SHARE >= self.steal > STEAL_SHARE / 5:
            found.append(f"the host of this virtual machine took {self.steal:.1%} of its time")
        if self.busy_cores is None:
            found.append("what other processes did is unknown: the system does not say")
        if self.switches is not None and self.switches > SWITCHES_A_SECOND * self.seconds:
            found.append(f"made to wait for a core {self.switches} time{'s' * (self.switches != 1)}")
        return found


@contextmanager
def watching(
    root: Path = ROOT, *, clock: Clock = time.monotonic, wall: Clock = time.time, cores: int | None = None
) -> Iterator[Seen]:
    """Watch the machine while the block runs; what it saw is in the record afterwards, also where the block raised."""
    seen, past = Seen(cores or physical_cores()), Past()
    held, heat = throttled(root, past), hottest(root)
    before, wall_before, switches = _look(root, clock), wall(), _switches()
    try:
        yield seen
    finally:
        after, later = _look(root, clock), _switches()
        seen.seconds = after.at - before.at
        seen.clock_jumped = abs((wall() - wall_before) - seen.seconds) > JUMP_SECONDS
        seen.busy_cores, seen.steal = others(before, after), stolen(before.cpu, after.cpu)
        seen.switches = None if later is None or switches is None else later - switches
        seen.throttled = _either(held, throttled(root, past))
        seen.celsius = max((value for value in (heat, hottest(root)) if value is not None), default=None)


def idle(seconds: float = 1.0, *, sleep: Callable[[float], object] = time.sleep) -> Seen:
    """Return what the machine does while we do nothing."""
    with watching() as seen:
        sleep(seconds)
    return seen


def others(before: Moment, after: Moment) -> float | None:
    """Return the mean number of cores that other processes kept busy between two moments; None where unknown.

    >>> start, end = Moment(0, CpuTimes(10, 0, 20), 4), Moment(2, CpuTimes(13, 0, 24), 5)
    >>> others(start, end)
    1.0
    """
    seconds = after.at - before.at
    if before.cpu is None or after.cpu is None or seconds <= 0:
        return None
    return max(0.0, (after.cpu.busy - before.cpu.busy - (after.own - before.own)) / seconds)


def stolen(before: CpuTimes | None, after: CpuTimes | None) -> float | None:
    """Return the share of all cores' time that was stolen between two looks; None where unknown."""
    if before is None or after is None or after.total <= before.total:
        return None
    return max(0.0, (after.stolen - before.stolen) / (after.total - before.total))


def cpu_times(stat: str | None, tick: float) -> CpuTimes | None:
    r"""Return the times of all cores in /proc/stat, whose unit is ``tick`` seconds.

    Guests' time is part of user's; idle and waiting for a disk is not work.

    >>> cpu_times("cpu  100 20 30 800 50 1 2 7 90 0\ncpu0 1", 0.01)
    CpuTimes(busy=1.53, stolen=0.07, total=10.1)
    """
    row = next((line.split()[1:] for line in (stat or "").splitlines() if line.startswith("cpu ")), [])
    if len(row) < 7 or not all(part.isdigit() for part in row):
        return None
    user, nice, system, rest, waiting, irq, softirq, steal = map(int, [*row, "0"][:8])
    busy = user + nice + system + irq + softirq
    return CpuTimes(*(round(ticks * tick, 6) for ticks in (busy, steal, busy + rest + waiting + steal)))


def _look(root: Path, clock: Clock) -> Moment:
    return Moment(clock(), _cpu(root), own_seconds())


def _cpu(root: Path) -> CpuTimes | None:
    """Return all cores' times; None where the system keeps them to itself, as Android does."""
    if there(root / "proc"):
        return cpu_times(text(root / "proc/stat"), 1 / os.sysconf("SC_CLK_TCK"))
    times = psutil.cpu_times()
    return CpuTimes(sum(times) - times.idle, 0.0, sum(times))


def own_seconds() -> float:
    """Return the processor seconds of this process and of its children, those that ended and those that live."""
    own = psutil.Process()
    found = sum(own.cpu_times()[:4])
    try:
        children = own.children(recursive=True)
    except (psutil.Error, OSError):
        return found
    for child in children:
        try:
            found += sum(child.cpu_times()[:4])
        except psutil.Error:  # it ended between the two calls
            continue
    return found


def _switches() -> int | None:
    """Return how often all our threads were made to wait; None where the system does not count."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _either(one: bool | None, other: bool | None) -> bool | None:
    said = [value for value in (one, other) if value is not None]
    return any(said) if said else None
