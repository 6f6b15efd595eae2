"""An answer while it is written: its pieces on standard output, taken away again where another tier takes over.

Standard output holds the answer alone; what is said about it goes to standard error. From a file or a pipe nothing can
be taken away, so what a cloud says, which may break off, is kept back there until it is whole.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

import click

from edgecascade.records import Answer, Delta, Handoff

Shade = Callable[[str], str]


class Showing:
    """What stands on standard output of one answer."""

    def __init__(
        self, clouds: Collection[str], *, streaming: bool = True, telling: bool = True, shade: Shade = str
    ) -> None:
        """Begin with nothing.

        clouds     names of the tiers that are asked over the network
        streaming  print pieces as they come       telling  say that another tier goes on
        shade      colours what a device says
        """
        self._clouds, self._streaming, self._telling, self._shade = clouds, streaming, telling, shade
        self._terminal = sys.stdout.isatty()
        self._kept_back = ""
        self._begun = False
        self._told: set[str] = set()

    def take(self, event: Delta | Handoff) -> None:
        """Show a piece, or that another tier goes on."""
        if isinstance(event, Delta):
            self._piece(event)
            return
        if event.replaces:  # otherwise what was said is gone on with
            self._kept_back = ""
            self._take_away(event.replaces)
        if not self._telling:
            return
        self._told.add(event.reason)
        who = f"asking {event.tier}" if event.tier in self._clouds else "this device answers"
        click.secho(f"↪ {who}: {event.reason}", err=True, dim=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Show what was kept back, and end the line."""
        if self._begun or (self._kept_back and not error):
            click.echo(self._kept_back)

    def line(self, answer: Answer, *, hint: bool = True) -> str:
        """Return the line under an answer; a failure that was told when another tier went on is not told again."""
        line = answer.line(hint=hint)
        for reason in self._failures(answer):
            line = line.replace(f": {reason}", "").replace(f": {reason.partition('; ')[0]}", "")
        return line

    def advice(self, answer: Answer) -> str | None:
        """Return what can be done about a cloud that was not asked; None where nothing is known, or it was told."""
        todo = answer.reason.partition("; ")[2]
        if answer.tier == "cloud" or not todo or self._failures(answer):
            return None
        price = re.match(r".*the price of (\S+) is unknown", answer.reason)
        return f'{todo}; a price is set as [prices."{price[1]}"] in the config' if price else todo

    def _failures(self, answer: Answer) -> list[str]:
        """Return how tiers failed, where that was told."""
        details = (attempt.failure.detail for attempt in answer.attempts if attempt.failure)
        return [detail for detail in details if any(detail in told for told in self._told)]

    def _piece(self, piece: Delta) -> None:
        if not self._streaming:
            return
        if piece.place == "cloud" and not self._terminal:
            self._kept_back += piece.text
            return
        click.echo(self._shade(piece.text) if piece.place == "device" else piece.text, nl=False)
        sys.stdout.flush()
        self._begun = True

    def _take_away(self, text: str) -> None:
        """Take the text off the terminal; where that cannot be done, begin a new line."""
        if not self._begun:
            return
        width, height = shutil.get_terminal_size()
        rows = rows_of(text, width)
        if self._terminal and rows <= height and os.name != "nt" and os.environ.get("TERM") != "dumb":
            up = f"\x1b[{rows - 1}A" if rows > 1 else ""
            sys.stdout.write(f"\r{up}\x1b[J")  # not by click.echo, which takes the codes away without colours
            sys.stdout.flush()
        else:
            click.echo()
        self._begun = False


def rows_of(text: str, width: int) -> int:
    r"""Return how many rows of a terminal a text takes that begins at the left.

    >>> rows_of("abcdef", 4), rows_of("abcd", 4), rows_of("a\n\nb", 4), rows_of("日本", 3)
    (2, 1, 3, 2)
    """
    from rich.cells import cell_len

    return sum(max(1, -(-cell_len(line.expandtabs()) // width)) for line in text.split("\n"))


def counted(count: int, noun: str) -> str:
    """Return how many there are.

    >>> counted(1, "answer"), counted(1204, "call")
    ('1 answer', '1,204 calls')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shade(text: str, probability: float) -> str:
    r"""Return the text in the colour of its probability.

    >>> shade("sure", 0.9), shade("guess", 0.1)
    ('sure', '\x1b[31mguess\x1b[0m')
    """
    if not text or probability >= 0.6:
        return text
    return click.style(text, fg="yellow" if probability >= 0.3 else "red")
