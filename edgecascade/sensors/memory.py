"""Memory: what is free for us, how much there is, whether the system swaps, and what we take ourselves.

A container may hold less than the machine: the limits of our control group and of those above it count (version 1, 2).
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from edgecascade.sensors.reading import fields, first_fields, number, parsed, plausible, text

ROOT = Path("/")
SWAP_SECONDS = 0.05


def free_memory(root: Path = ROOT) -> int:
    """Return the bytes that can be had without swapping: the machine's, or those left of our control group's limit."""
    free = meminfo(text(root / "proc/meminfo"), "MemAvailable")
    found = psutil.virtual_memory().available if free is None else free
    return max(0, min(int(found), *(limit - taken for limit, taken in limits(root)), sys.maxsize))


def total_memory(root: Path = ROOT) -> int:
    """Return the bytes of memory that we could ever have."""
    total = meminfo(text(root / "proc/meminfo"), "MemTotal")
    found = psutil.virtual_memory().total if total is None else total
    return min(int(found), *(limit for limit, _ in limits(root)), sys.maxsize)


def meminfo(found: str | None, name: str) -> int | None:
    r"""Return a row of /proc/meminfo in bytes.

    >>> meminfo("MemTotal:       16 kB\nMemAvailable:    8 kB", "MemAvailable")
    8192
    """
    row = first_fields(found).get(name)
    return int(row.split()[0]) * 1024 if row and row.split()[0].isdigit() else None


def limits(root: Path = ROOT) -> Iterator[tuple[int, int]]:
    """Yield (limit, taken) in bytes of each control group that we are in; a cache that can be dropped is not taken."""
    for line in (text(root / "proc/self/cgroup") or "").splitlines():
        hierarchy, controllers, path = [*line.split(":", 2), "", ""][:3]
        if hierarchy == "0":
            names = ("memory.max", "memory.current", "inactive_file")
            mount = root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            mount = root / "sys/fs/cgroup/memory"
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            if (pair := _limit(mount.joinpath(*parts[:depth]), *names)) is not None:
                yield pair


def _limit(group: Path, limit: str, current: str, inactive: str) -> tuple[int, int] | None:
    most, taken = number(group / limit), number(group / current)
    if most is None or taken is None:  # "max" is no number: no limit
        return None
    droppable = dict(fields(text(group / "memory.stat"), " ")).get(inactive, "")
    return int(most), max(0, int(taken) - (int(droppable) if droppable.isdigit() else 0))


def swapped_pages(root: Path = ROOT) -> int | None:
    """Return the pages that were ever swapped in or out; None but on Linux: others count files too."""
    rows = dict(fields(text(root / "proc/vmstat"), " "))
    counts = [int(rows[name]) for name in ("pswpin", "pswpout") if rows.get(name, "").isdigit()]
    return sum(counts) if counts else None


def swapping(
    seconds: float = SWAP_SECONDS, root: Path = ROOT, *, sleep: Callable[[float], object] = time.sleep
) -> int | None:
    """Return how many pages the system swaps within so many seconds; None where it does not say."""
    before = swapped_pages(root)
    if before is None:
        return None
    sleep(seconds)
    after = swapped_pages(root)
    return None if after is None else max(0, after - before)


def pressure(root: Path = ROOT) -> float | None:
    """Return the share of the last ten seconds, 0 to 1, that some process waited for memory; None where unknown."""
    return stalled(text(root / "proc/pressure/memory"))


def stalled(found: str | None) -> float | None:
    r"""Return ``some avg10`` of a pressure file as a share.

    >>> stalled("some avg10=2.50 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00")
    0.025
    """
    row = re.search(r"^some avg10=([\d.]+)", found or "", re.MULTILINE)
    return plausible("/proc/pressure/memory", parsed(row[1], 100) if row else None, 0, 1)


def own_memory() -> int:
    """Return the bytes of memory that this process takes now."""
    return int(psutil.Process().memory_info().rss)


def peak_memory(root: Path = ROOT) -> int | None:
    """Return the most bytes that this process ever took; None where the system does not say."""
    peak = meminfo(text(root / "proc/self/status"), "VmHWM")
    if peak is not None:  # getrusage's figure begins at the parent's size where Linux forked us from a large one
        return peak
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024
