"""Memory of the machine, of a container, and ours."""

import sys
from collections.abc import Callable, Mapping
from mmap import mmap
from pathlib import Path
from typing import Any

import pytest

from edgecascade.sensors import (
    free_memory,
    own_memory,
    peak_memory,
    pressure,
    swapped_pages,
    swapping,
    total_memory,
)

Tree = Callable[[str], Path]
GIB = 1 << 30
V2, V1 = "sys/fs/cgroup/", "sys/fs/cgroup/memory/"


def test_a_bare_machine_gives_what_it_says(tree: Tree) -> None:
    """Without a control group it is what /proc/meminfo says, in bytes."""
    root = tree("vm")

    assert (free_memory(root), total_memory(root)) == (20_000_000 * 1024, 24_000_000 * 1024)


@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/app/one",
            V2 + "app/memory.max": 2 * GIB,
            V2 + "app/memory.current": GIB,
            V2 + "app/memory.stat": f"anon 5\ninactive_file {GIB // 4}\nactive_file 9",
            V2 + "app/one/memory.max": "max",
            V2 + "app/one/memory.current": 5,
        },
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/",
            V1 + "memory.limit_in_bytes": 2 * GIB,
            V1 + "memory.usage_in_bytes": GIB,
            V1 + "memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 4}",
        },
    ],
    ids=["version 2, the group above", "version 1, seen from inside"],
)
def test_a_container_holds_less_than_its_machine(files: Mapping[str, object], tree: Tree, plant: Any) -> None:
    """The tightest limit on the way up counts; a cache that can be dropped is free."""
    tree("vm")
    root = plant(files)

    assert (free_memory(root), total_memory(root)) == (GIB + GIB // 4, 2 * GIB)


@pytest.mark.parametrize("limit", ["max", str(1 << 63), "", "nonsense"])
def test_no_limit_is_no_limit(limit: str, tree: Tree, plant: Any) -> None:
    """A group without a limit, or one that cannot be read, takes nothing away."""
    tree("vm")
    root = plant({"proc/self/cgroup": "0::/\nnonsense", V2 + "memory.max": limit, V2 + "memory.current": 5})

    assert free_memory(root) == 20_000_000 * 1024


def test_a_group_beyond_its_limit_leaves_nothing(tree: Tree, plant: Any) -> None:
    """Free memory is never negative."""
    tree("vm")
    root = plant({"proc/self/cgroup": "0::/", V2 + "memory.max": GIB, V2 + "memory.current": 2 * GIB})

    assert free_memory(root) == 0


def test_swapping_is_what_was_swapped_between_two_looks(plant: Any) -> None:
    """Pages in and out are added; the counters of the past are not today's swapping."""
    root = plant({"proc/vmstat": "pgpgin 5\npswpin 100\npswpout 50"})
    found = swapping(root=root, sleep=lambda seconds: plant({"proc/vmstat": "pswpin 103\npswpout 54"}))

    assert (found, swapped_pages(root)) == (7, 157)


def test_swapping_is_unknown_where_the_counter_vanishes(plant: Any) -> None:
    """A counter that is gone at the second look says nothing."""
    root = plant({"proc/vmstat": "pswpin 100\npswpout 50"})

    assert swapping(root=root, sleep=lambda seconds: (root / "proc/vmstat").unlink()) is None


@pytest.mark.parametrize(
    ("said", "share"),
    [("some avg10=12.50 avg60=0.00 total=1\nfull avg10=3.00", 0.125), ("", None), ("some avg10=?", None)],
)
def test_pressure_is_the_share_of_ten_seconds(said: str, share: float | None, plant: Any) -> None:
    """Waited for memory, as a share; None where the kernel does not say."""
    assert pressure(plant({"proc/pressure/memory": said})) == share


def test_our_own_memory_is_at_most_its_peak() -> None:
    """What we take now was never more than the most we took, and memory that is held shows."""
    before = own_memory()
    with mmap(-1, 32 << 20) as held:  # pages of its own, whatever earlier tests have left to be used again
        held.write(b"x" * len(held))
        taken, size = own_memory() - before, len(held)

    assert taken > size // 2 and (peak_memory() or sys.maxsize) >= size


def test_no_file_says_nothing_of_swapping(tmp_path: Path) -> None:
    """Where no kernel counts swapped pages, they are unknown, and so is the pressure."""
    assert (swapped_pages(tmp_path), swapping(root=tmp_path), pressure(tmp_path)) == (None, None, None)
