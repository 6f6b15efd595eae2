"""What the device does besides us. The only importer of psutil."""

import os

import psutil

SAMPLE_SECONDS = 0.05


def physical_cores() -> int:
    """Return the physical cores that this process may use; hyper-threads do not speed up decoding."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed))


def busy_cores(seconds: float = SAMPLE_SECONDS) -> float:
    """Return how many cores' worth of work other processes do now, watched for this long.

    Our own share is taken off, so that a thread of ours does not count as a stranger.
    """
    own = psutil.Process()
    before = own.cpu_times()
    total = psutil.cpu_percent(interval=seconds) / 100 * (psutil.cpu_count() or 1)
    after = own.cpu_times()
    ours = (after.user + after.system - before.user - before.system) / seconds
    return max(0.0, float(total - ours))


def free_threads() -> int:
    """Return how many threads to decode with: the idle physical cores, at least one.

    On busy cores the library's threads wait for each other by spinning: two threads on a busy two-core machine decode
    three to five times slower than one.
    """
    return max(1, physical_cores() - round(busy_cores()))


def free_memory() -> int:
    """Return the bytes that can be had without swapping."""
    return int(psutil.virtual_memory().available)
