"""The list of device profiles: as a table on a terminal, as records, and which one is in use."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecascade.profile import Profile, Speed
    from edgecascade.store.profiles import Listed

ORDER = ("measured", "literature prior", "estimate")
HEADS = ("", "NAME", "ORIGIN", "FIGURES", "WRITES", "TITLE")
WIDEST = 100
GAP = 2
FOLDED = ((4, 22), (5, 16), (1, 14), (4, 12), (5, 8), (1, 8))
"""Which column gives way in turn, down to how many characters, where a terminal is too narrow for all."""


def with_used(found: "list[Listed]", here: "Profile | None", chosen: str | None) -> "tuple[list[Listed], Path | None]":
    """Return the profiles, with one that was chosen by its path among them, and the file of the one in use."""
    from edgecascade.store.profiles import Listed

    if here is None:
        return found, None
    if chosen is None or any(entry.path.stem == chosen for entry in found):
        return found, next(entry.path for entry in found if entry.profile and entry.profile.name == here.name)
    path = Path(chosen).expanduser().absolute()
    listed_already = any(entry.path == path for entry in found)
    return found if listed_already else [Listed(here, "yours", path), *found], path


def record_of(entry: "Listed", used: Path | None) -> dict[str, Any]:
    """Return a profile of the list as a record."""
    record = {"name": entry.path.stem, "origin": entry.origin, "path": str(entry.path), "fault": entry.fault or None}
    if entry.profile is None:
        return record | {"in_use": False}
    best = _best(entry.profile)
    speed = best and {"model": best.model, "decode_tps": 1 / best.decode(0), "mark": best.mark, "source": best.source}
    named = {"title": entry.profile.title, "kind": entry.profile.kind, "in_use": entry.path == used}
    return record | named | {"best_known": speed}


def _row(entry: "Listed", used: Path | None) -> tuple[str, ...]:
    if entry.profile is None:
        return ("", entry.path.stem, entry.origin, "-", "-", "cannot be read")
    best = _best(entry.profile)
    writes = f"{rate(1 / best.decode(0))} {best.model}" if best else "-"
    arrow = "→" if entry.path == used else ""
    mark = best.mark.replace("literature ", "") if best else "none"
    return (arrow, entry.profile.name, entry.origin, mark, writes, entry.profile.title)


def _best(profile: "Profile") -> "Speed | None":
    """Return the row that is known best: measured ones before priors; among equals the first."""
    return min(profile.speeds, key=lambda row: ORDER.index(row.mark), default=None)


def rate(tokens_per_second: float) -> str:
    """Return tokens a second with as many digits as are worth saying.

    >>> rate(1138.2), rate(5.63)
    ('1,138 t/s', '5.63 t/s')
    """
    return f"{tokens_per_second:,.0f} t/s" if tokens_per_second >= 100 else f"{tokens_per_second:.3g} t/s"


def print_list(entries: "Sequence[Listed]", used: Path | None) -> None:
    """Print the profiles; what has no room in its column goes on in the next line."""
    from rich.console import Console
    from rich.table import Table

    rows = [_row(entry, used) for entry in entries]
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, strict=True)]
    for column, most in FOLDED:
        over = sum(widths) + GAP * (len(HEADS) - 1) - width
        widths[column] = max(min(widths[column], most), widths[column] - max(over, 0))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for head, room in zip(HEADS, widths, strict=True):
        table.add_column(head, width=room, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=width, highlight=False, markup=False).print(table)
