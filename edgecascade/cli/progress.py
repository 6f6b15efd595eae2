"""How far a long job is, on standard error: a bar on a terminal, a line every tenth elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgecascade.store.downloads import Progress


@contextmanager
def progress_bar() -> Iterator["Progress"]:
    """Yield a Progress that shows itself; another ``what`` starts another bar."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(done_bytes: int, total_bytes: int | None, what: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total_bytes, completed=done_bytes)
            bars.update(tasks[what], completed=done_bytes, total=total_bytes)

        yield show


def _lines() -> "Progress":
    """Return a Progress that prints a line when a step starts and whenever another tenth of it is done."""
    told: dict[str, int] = {}

    def show(done_bytes: int, total_bytes: int | None, what: str) -> None:
        tenth = 10 * done_bytes // total_bytes if total_bytes else 0
        if told.get(what, -1) < tenth:
            told[what] = tenth
            size = f" {10 * tenth} % of {total_bytes / 1e6:,.0f} MB" if total_bytes else ""
            print(f"{what}{size}", file=sys.stderr, flush=True)

    return show


SOONEST = 3.0
"""Seconds between two lines, but for the last."""


class Count(Protocol):
    """Shows how many of some things are done."""

    def __call__(self, done: int, total: int, remark: str = "") -> None:
        """Show it."""


@contextmanager
def counter(what: str) -> Iterator[Count]:
    """Yield a Count with the time left: a bar on a terminal; elsewhere a line every twentieth, and none too soon."""
    if not sys.stderr.isatty():
        yield _twentieths(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[remark]}"))
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Bars(*columns, *times, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None, remark="")

        def show(done: int, total: int, remark: str = "") -> None:
            bars.update(task, completed=done, total=total, remark=remark)

        yield show


def _twentieths(what: str, clock: Callable[[], float] = time.monotonic) -> Count:
    started: tuple[float, int] | None = None
    told, told_at = -1, 0.0

    def show(done: int, total: int, remark: str = "") -> None:
        nonlocal started, told, told_at
        now = clock()
        started = started or (now, done)
        part = 20 * done // total if total else 20
        if part == told or (told >= 0 and now - told_at < SOONEST and done < total):
            return
        told, told_at = part, now
        new = done - started[1]
        left = f", {(now - started[0]) / new * (total - done):,.0f} s left" if new else ""
        print(f"{done} of {total} {what}{left}{', ' + remark if remark else ''}", file=sys.stderr, flush=True)

    return show
