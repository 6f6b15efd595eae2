"""Device profiles compared, as a table on a terminal; as a block each where the table has no room."""

import shutil
from typing import TYPE_CHECKING

from edgecascade.page.markup import significant

if TYPE_CHECKING:
    from edgecascade.simulate.comparing import Compared, Outcome
    from edgecascade.simulate.side_by_side import Comparison

COLUMNS = ("PROFILE", "SPEED", "FROM P", "KEPT", "RIGHT", "S MEAN", "S P95", "$", "J", "VERDICT")
"""Of an answer each: seconds, dollars, joules; means, but for the 95th of 100 answers."""
WORDS = ("PROFILE", "SPEED", "VERDICT")
NARROWEST = 14
"""Columns of a terminal, below which a name is not worth folding."""
GATED = "*: gates stop some answers early there, because they pay; the threshold is the one certified behind them"
COLOURS = {"use": "green", "unknown": "yellow", "never": "red"}


def print_comparison(found: "Comparison") -> None:
    """Print a table where it has room, else a block a profile; then what must be said of it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=shutil.get_terminal_size((120, 24)).columns, highlight=False, markup=False)
    lines = [_cells(row, here=row.profile.name == found.here) for row in found.rows]
    console.print(found.sentence())
    widths = [max(map(len, column)) for column in zip(COLUMNS, *lines, strict=True)]
    room = console.width - sum(width + 1 for width in widths[1:]) - 1
    if room < NARROWEST:
        for line in lines:
            console.print("\n".join(f"{name:<8} {cell}" for name, cell in zip(COLUMNS, line, strict=True)) + "\n")
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        for name, width in zip(COLUMNS, [min(room, widths[0]), *widths[1:]], strict=True):
            table.add_column(name, justify="left" if name in WORDS else "right", width=width, overflow="fold")
        for row, line in zip(found.rows, lines, strict=True):
            table.add_row(*line[:-1], Text(line[-1], COLOURS[row.verdict]))
        console.print(table)
    for remark in _remarks(found):
        console.print(remark)


def _cells(row: "Compared", *, here: bool) -> tuple[str, ...]:
    mark = row.speed.mark.replace("literature ", "")
    threshold = "-" if row.cascade.threshold is None else f"{row.cascade.threshold:.1%}{'*' if row.gated else ''}"
    name = f"{row.profile.name}{' ←' if here else ''}"
    return (name, mark, threshold, *_outcome(row.cascade), row.verdict)


def _outcome(outcome: "Outcome") -> tuple[str, ...]:
    quality = "-" if outcome.quality is None else f"{outcome.quality:.1%}"
    usd = "-" if outcome.usd is None else f"${significant(outcome.usd)}"
    joules = "-" if outcome.joules is None else significant(outcome.joules)
    return (f"{outcome.kept:.1%}", quality, significant(outcome.seconds_mean), significant(outcome.seconds_p95), usd,
            joules)  # fmt: skip


def _remarks(found: "Comparison") -> list[str]:
    from edgecascade.simulate.side_by_side import VERDICTS

    said = [GATED] if any(row.gated for row in found.rows) else []
    if cloud := next((row.cloud for row in found.rows if row.cloud), None):
        _, quality, mean, p95, usd, _ = _outcome(cloud)
        said.append(f"cloud alone: {quality} right, {mean} s on average, 95 of 100 within {p95} s, {usd} an answer")
    reasons = dict[tuple[str, str], list[str]]()
    for row in found.rows:
        if row.verdict != "use":
            reasons.setdefault((VERDICTS[row.verdict], row.why), []).append(row.profile.name)
    said += [f"{verdict}: {', '.join(names)}: {why}" for (verdict, why), names in reasons.items()]
    return [*said, *dict.fromkeys(reason for row in found.rows for reason in row.moved), *found.remarks]
