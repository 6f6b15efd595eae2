"""Small pieces of HTML. What comes in as text is escaped here; what comes in as ``Html`` was made here."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

THIN = "\u202f"
"""A narrow space at which no line breaks, between a number and its unit."""
NOTHING = "—"
MINUS = "\N{MINUS SIGN}"


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Cell = str | Html


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; ``kind`` is "chosen", "marked" or "" and only colours what a cell says too."""

    cells: Sequence[Cell]
    kind: str = ""


def text(value: Cell) -> Html:
    """Return text as markup.

    >>> text("a < b")
    'a &lt; b'
    """
    return value if isinstance(value, Html) else Html(escape(value))


def breakable(name: str) -> Html:
    """Return a name that may be broken where its words end.

    >>> breakable("a_b/c")
    'a_<wbr>b/<wbr>c'
    """
    return Html(re.sub(r"([_/.-])", r"\1<wbr>", escape(name)))


def paragraph(words: Cell) -> Html:
    """Return a paragraph."""
    return Html(f"<p>{text(words)}</p>")


def joined(parts: Iterable[Html]) -> Html:
    """Return pieces one below the other."""
    return Html("\n".join(parts))


def section(name: str, title: str, *parts: Html) -> Html:
    """Return a part of the page with a heading that ``name`` leads to."""
    return Html(f'<section id="{escape(name)}">\n<h2>{escape(title)}</h2>\n{joined(parts)}\n</section>')


def pairs(values: Mapping[str, Cell]) -> Html:
    """Return names with their values."""
    inside = "".join(f"<dt>{escape(name)}</dt><dd>{text(value)}</dd>" for name, value in values.items())
    return Html(f'<dl class="pairs">{inside}</dl>')


def table(heads: Sequence[str], rows: Sequence[Row], note: Cell, *, words: Sequence[int] = ()) -> Html:
    """Return a table that scrolls by itself where it is too wide; ``words`` are the columns of text, from 0."""

    def kind(column: int) -> str:
        return ' class="words"' if column in words else ""

    head = "".join(f'<th scope="col"{kind(column)}>{escape(name)}</th>' for column, name in enumerate(heads))
    lines = []
    for row in rows:
        first, *rest = map(text, row.cells)
        cells = "".join(f"<td{kind(column)}>{cell}</td>" for column, cell in enumerate(rest, 1))
        mark = f' class="{row.kind}"' if row.kind else ""
        lines.append(f'<tr{mark}><th scope="row">{first}</th>{cells}</tr>')
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {escape(heads[0])}">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + f'\n</tbody>\n</table>\n</div>\n<p class="note">{text(note)}</p>'
    )


# Numbers


def number(value: Any, digits: int = 3) -> str:
    """Return a number with so many digits behind the point, a dash where there is none.

    >>> number(0.75361), number(None), number(float("nan"))
    ('0.754', '—', '—')
    """
    if not _known(value):
        return NOTHING
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def significant(value: Any) -> str:
    """Return a number with three significant digits, a dash where there is none.

    >>> significant(2.0245), significant(0.00022847), significant(1234.5), significant(0.0), significant(None)
    ('2.02', '0.000228', '1234', '0', '—')
    """
    if not _known(value):
        return NOTHING
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{digits}f}".replace("-", MINUS)


def percent(share: Any) -> str:
    """Return a share as a percentage of up to three digits, and no more than two behind the point.

    >>> percent(0.2116) == "21.2" + THIN + "%", percent(None)
    (True, '—')
    """
    if not _known(share):
        return NOTHING
    return f"{round(100 * share, 2) or 100 * share:.3g}{THIN}%"


def count(value: int | None) -> str:
    """Return a whole number in groups of three digits."""
    return NOTHING if value is None else f"{value:,}".replace(",", THIN)


def between(record: Mapping[str, Any] | None, show: Any = number) -> Html:
    """Return a value with its interval: a record of ``value``, ``low`` and ``high``, or none."""
    if record is None or not _known(record.get("value")):
        return Html(NOTHING)
    return Html(f"{show(record['value'])} {span(record.get('low'), record.get('high'), show)}")


def span(low: object, high: object, show: Any = number) -> Html:
    """Return an interval."""
    if not (_known(low) and _known(high)):
        return Html("")
    return Html(f'<span class="range">{show(low)} to {show(high)}</span>')


def _known(value: object) -> Any:
    return isinstance(value, int | float) and math.isfinite(value)
