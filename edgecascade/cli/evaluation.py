"""An evaluation as a table on a terminal; as a block each where the table has no room."""

import shutil
from string import ascii_uppercase
from typing import TYPE_CHECKING

from edgecascade.page.markup import significant

if TYPE_CHECKING:
    from edgecascade.evaluate.results import Evaluation, Result

COLUMNS = ("POLICY", "QUALITY", "95 %", "COST", "AREA", "FIT S", "DECIDE µS", "CALLS")
WORDS = ("POLICY", "CALLS")
NARROWEST = 14
"""Columns of a terminal, below which the calls are not worth folding."""
RARE = 0.005


def print_evaluation(found: "Evaluation") -> None:
    """Print a table where it has room, else a block a policy; then a sentence on each, and what must be said of all."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=shutil.get_terminal_size((120, 24)).columns, highlight=False, markup=False)
    letters = {model: ascii_uppercase[at] if at < 26 else f"m{at}" for at, model in enumerate(found.models)}
    listed = {one.name: one for one in (*found.policies, *found.baselines)}
    lines = [_cells(one, found, letters) for one in listed.values()]
    console.print(found.sentence())
    console.print(f"Features of the questions: {found.features}, {found.feature_source}.\n")
    widths = [max(map(len, column)) for column in zip(COLUMNS, *lines, strict=True)]
    room = console.width - sum(width + 2 for width in widths[:-1])
    if room < NARROWEST:
        for line in lines:
            console.print("\n".join(f"{name:<9} {cell}" for name, cell in zip(COLUMNS, line, strict=True)) + "\n")
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name, width in zip(COLUMNS, [*widths[:-1], min(room, widths[-1])], strict=True):
            table.add_column(name, justify="left" if name in WORDS else "right", width=width, overflow="fold")
        for line in lines:
            table.add_row(*line)
        console.print(table)
    console.print("\n" + ", ".join(f"{letter} {model}" for model, letter in letters.items()))
    for one in found.policies:
        console.print(one.sentence())
    for one in found.policies if found.sweep else ():
        console.print(f"curve of {one.name}: {_curve(one, found)}")
    for notice in found.notices:
        console.print(f"note: {notice}")


def _curve(one: "Result", found: "Evaluation") -> str:
    from edgecascade.evaluate.results import money

    points = (f"{quality:.1%} at {money(cost, found.unit)}" for _, cost, quality in one.curve)
    return ", ".join(dict.fromkeys(points)) or "none"


def _cells(one: "Result", found: "Evaluation", letters: dict[str, str]) -> tuple[str, ...]:
    from edgecascade.evaluate.results import money

    if one.reason:
        return (one.name, *["-"] * (len(COLUMNS) - 2), "not available")
    low, high = one.interval or (0.0, 0.0)
    calls = " ".join(f"{letters[model]} {calls:.2f}" for model, calls in one.calls.items() if calls >= RARE)
    return (
        one.name,
        f"{one.quality:.1%}",
        f"{low:.1%} to {high:.1%}",
        money(one.cost, found.unit),
        "-" if one.auc is None else f"{one.auc:.3f}",
        significant(one.fit_seconds),
        f"{one.decide_microseconds:.0f}",
        calls,
    )
