"""An evaluation as tables on a terminal, 80 columns wide; as a block a policy where there is less room."""

import shutil
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

from edgecascade.page.markup import significant

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgecascade.evaluate.results import Evaluation, Result
    from edgecascade.evaluate.streaming import Stream

COLUMNS = ("POLICY", "QUALITY", "95 %", "COST", "AREA", "FIT S", "DECIDE µS")
CALLS = ("POLICY", "CALLS A QUESTION")
TIMED = ("POLICY", "SECONDS", "CALLS A QUESTION")
STREAM = ("POLICY", "WORTH", "LATE", "COST", "WAIT S", "ANSWER S")
GAP = 2
RARE = 0.005


def print_evaluation(found: "Evaluation") -> None:
    """Print a table where it has room, else a block a policy; whom each asks; and what must be said of them."""
    from rich.console import Console

    from edgecascade.evaluate.evaluating import label

    console = Console(width=shutil.get_terminal_size((120, 24)).columns, highlight=False, markup=False)
    letters = {model: ascii_uppercase[at] if at < 26 else f"m{at}" for at, model in enumerate(found.models)}
    alone = {label(model): f"{letter} alone" for model, letter in letters.items()}
    listed = {one.name: one for one in (*found.policies, *found.baselines)}
    console.print(found.sentence())
    console.print(f"Features of the questions: {found.features}, {found.feature_source}.")
    console.print(f"{', '.join(f'{letter}={model}' for model, letter in letters.items())}\n")
    _print_table(console, [(alone.get(name, name), *_cells(one, found)) for name, one in listed.items()])
    played = {name: one for name, one in listed.items() if not one.reason}
    if any(one.seconds for one in played.values()):
        timed = [(alone.get(name, name), _seconds(one), _calls(one, letters)) for name, one in played.items()]
        console.print(_columns(TIMED, timed))
        console.print("\nSECONDS: until the models have answered, those of a round asked at once / one after another.")
    else:
        asked = [(name, _calls(one, letters)) for name, one in played.items() if name not in alone]
        console.print(_columns(CALLS, asked))
    if found.arrivals:
        console.print(f"\n{found.arrivals.sentence()}\n")
        console.print(_columns(STREAM, [(one.name, *_stream(one.stream, found)) for one in found.ran if one.stream]))
    console.print(f"\nFIT S: besides the {significant(found.estimate_seconds)} s that what all share takes to fit.\n")
    for one in found.policies:
        console.print(one.sentence())
    for one in found.policies if found.sweep else ():
        console.print(f"curve of {one.name}: {_curve(one, found)}")
    for notice in found.notices:
        console.print(f"note: {notice}")


def _print_table(console: "Console", lines: Sequence[tuple[str, ...]]) -> None:
    """Print the lines below one another where the terminal is wide enough, else a block a line."""
    widths = [max(map(len, column)) for column in zip(COLUMNS, *lines, strict=True)]
    if sum(widths) + GAP * (len(widths) - 1) <= console.width:
        console.print(_columns(COLUMNS, lines), "")
        return
    for line in lines:
        console.print("\n".join(f"{name:<9} {cell}" for name, cell in zip(COLUMNS, line, strict=True)) + "\n")


def _columns(heads: Sequence[str], lines: Sequence[tuple[str, ...]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for head in heads:
        table.add_column(head, justify="left" if head in ("POLICY", "CALLS A QUESTION") else "right", overflow="fold")
    for line in lines:
        table.add_row(*line)
    return table


def _curve(one: "Result", found: "Evaluation") -> str:
    from edgecascade.evaluate.results import money

    points = (f"{quality:.1%} at {money(cost, found.unit)}" for _, cost, quality in one.curve)
    return ", ".join(dict.fromkeys(points)) or "none"


def _cells(one: "Result", found: "Evaluation") -> tuple[str, ...]:
    """Return all cells but the name."""
    from edgecascade.evaluate.results import money

    if one.reason:
        return tuple("-" * (len(COLUMNS) - 1))
    low, high = one.interval or (0.0, 0.0)
    return (
        f"{one.quality:.1%}",
        f"{100 * low:.1f} to {100 * high:.1f}",
        money(one.cost, found.unit),
        "-" if one.auc is None else f"{one.auc:.3f}",
        f"{one.fit_seconds:.3f}",
        f"{one.decide_microseconds:.0f}",
    )


def _seconds(one: "Result") -> str:
    return " / ".join(f"{each:.2f}" for each in one.seconds) if one.seconds else "-"


def _stream(of: "Stream", found: "Evaluation") -> tuple[str, ...]:
    from edgecascade.evaluate.results import money

    return f"{of.worth:.3f}", f"{of.late:.1%}", money(of.cost, found.unit), f"{of.wait:.2f}", f"{of.seconds:.2f}"


def _calls(one: "Result", letters: Mapping[str, str]) -> str:
    return " ".join(f"{letters[model]} {calls:.2f}" for model, calls in one.calls.items() if calls >= RARE)
