"""Whether a measured span is worth anything: who else computed, and what the clock did."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecascade import sensors
from edgecascade.sensors.load import CpuTimes, Moment, Seen, cpu_times, idle, others, own_seconds, stolen, watching

Tree = Callable[[str], Path]
STAT = "cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\n"


def test_threads_are_at_least_one() -> None:
    """However busy the machine is, one thread decodes, and never more than there are cores."""
    assert 1 <= sensors.free_threads() <= sensors.physical_cores()


@pytest.mark.parametrize(
    ("stat", "times"),
    [
        ("cpu  100 20 30 800 50 1 2 7 90 3\ncpu0 1 2", CpuTimes(1.53, 0.07, 10.1)),
        ("cpu  100 0 0 100 0 0 0", CpuTimes(1.0, 0.0, 2.0)),
        ("cpu  1 2", None),
        ("cpu  1 2 3 4 5 6 x", None),
        ("", None),
        (None, None),
    ],
)
def test_times_of_all_cores(stat: str | None, times: CpuTimes | None) -> None:
    """Guests are part of user, waiting is not work, old kernels know no steal, and nonsense is unknown."""
    assert cpu_times(stat, 0.01) == times


def test_our_own_work_is_no_strangers() -> None:
    """All that was busy less all that we did; more of ours than there was is nobody else."""
    start = Moment(0.0, CpuTimes(10.0, 0.0, 20.0), 4.0)

    assert others(start, Moment(2.0, CpuTimes(13.0, 0.0, 24.0), 5.0)) == 1.0
    assert others(start, Moment(2.0, CpuTimes(13.0, 0.0, 24.0), 9.0)) == 0.0
    assert others(start, Moment(2.0, None, 5.0)) is None
    assert others(start, Moment(0.0, CpuTimes(13.0, 0.0, 24.0), 5.0)) is None


def test_the_work_of_our_children_is_ours() -> None:
    """While a child lives, and when it has ended: what it worked is counted, and once."""
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint('done', flush=True)\ninput()"
    before = own_seconds()
    with subprocess.Popen((sys.executable, "-S", "-c", burn), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline()
        alive = own_seconds() - before
        child.communicate(b"\n")
    ended = own_seconds() - before

    assert 0.15 <= alive <= ended + 0.02


def test_stolen_time_is_a_share_of_all() -> None:
    """Of four seconds that passed on all cores one was stolen."""
    assert stolen(CpuTimes(0, 1, 10), CpuTimes(1, 2, 14)) == 0.25
    assert stolen(None, CpuTimes(1, 2, 14)) is None
    assert stolen(CpuTimes(0, 1, 10), CpuTimes(0, 1, 10)) is None


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Seen(4, busy_cores=0.4, steal=0.05), None),
        (Seen(4), None),
        (Seen(4, throttled=True), None),
        (Seen(4, busy_cores=0.41), "0.4 of 4 cores"),
        (Seen(4, steal=0.06), "took 6% of its time"),
        (Seen(4, clock_jumped=True), "clock jumped"),
    ],
)
def test_what_makes_figures_worthless(seen: Seen, reason: str | None) -> None:
    """Others' work, stolen time and a jumping clock do; heat and what is unknown do not."""
    assert seen.worthless is None if reason is None else reason in (seen.worthless or "")


def test_remarks_name_heat_and_what_is_unknown() -> None:
    """What a reader of figures should know beside them."""
    found = Seen(4, seconds=1.0, throttled=True, celsius=85.0, steal=0.02, switches=500).remarks

    assert [remark for part in ("85 °C", "2.0%", "unknown", "500 times") for remark in found if part in remark] == [
        found[0], found[1], found[2], found[3],
    ]  # fmt: skip
    assert Seen(4, seconds=1.0, busy_cores=0.0, steal=0.0, switches=3, throttled=False).remarks == []


def test_a_span_is_seen_from_end_to_end(tree: Tree, clocks: Any) -> None:
    """Stolen time, heat at its higher end, throttling at either end, and its seconds by the clock."""
    root, clock, wall = tree("pi"), clocks(), clocks()
    zone, limit = "sys/class/thermal/thermal_zone0/temp", "sys/devices/platform/soc/soc:firmware/get_throttled"
    (root / "proc/stat").write_text(STAT.format(user=0, idle=0, steal=0))
    (root / limit).write_text("4")
    with watching(root, clock=clock, wall=wall, cores=4) as seen:
        (root / "proc/stat").write_text(STAT.format(user=0, idle=900, steal=100))
        (root / zone).write_text("81000")
        (root / limit).write_text("40000")
        clock.now += 10
        wall.now += 10

    assert (seen.seconds, seen.steal, seen.celsius, seen.throttled) == (10.0, 0.1, 81.0, True)
    assert not seen.clock_jumped and "took 10%" in (seen.worthless or "")


def test_another_processes_work_is_seen(tree: Tree, clocks: Any) -> None:
    """Two seconds of all cores' work within one, of which we did next to nothing."""
    root, clock = tree("vm"), clocks()
    (root / "proc/stat").write_text(STAT.format(user=1000, idle=0, steal=0))
    with watching(root, clock=clock, wall=clock, cores=4) as seen:
        (root / "proc/stat").write_text(STAT.format(user=4000, idle=0, steal=0))
        clock.now += 10

    assert seen.busy_cores == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_jumps_is_noticed(jump: float, tree: Tree, clocks: Any) -> None:
    """The wall clock against the monotonic one; forth or back."""
    clock, wall = clocks(), clocks()
    with watching(tree("vm"), clock=clock, wall=wall) as seen:
        wall.now += jump

    assert seen.clock_jumped and "clock" in (seen.worthless or "")


def test_files_may_vanish_within_a_span(tree: Tree, clocks: Any) -> None:
    """What is gone at the end is unknown; nothing is raised."""
    root, clock = tree("pi"), clocks()
    with watching(root, clock=clock, wall=clock) as seen:
        (root / "proc/stat").unlink()
        clock.now += 1

    assert (seen.busy_cores, seen.steal) == (None, None)
    assert seen.celsius == 54.3


def test_a_span_that_raises_is_still_seen(tree: Tree, clocks: Any) -> None:
    """The error goes on its way, and the record is filled."""
    clock = clocks()
    with pytest.raises(KeyError), watching(tree("vm"), clock=clock, wall=clock) as seen:
        clock.now += 3
        raise KeyError

    assert seen.seconds == 3.0


def test_idle_is_a_span_of_looking() -> None:
    """It waits as long as it was told, and what it saw has the form of any span."""
    waits: list[float] = []
    seen = idle(2.5, sleep=waits.append)

    assert waits == [2.5] and seen.seconds >= 0 and seen.cores == sensors.physical_cores()
