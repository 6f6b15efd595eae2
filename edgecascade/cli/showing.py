"""An answer while it is written: its pieces on standard output, taken away again where another tier takes over.

Standard output holds the answer alone; what is said about it goes to standard error. From a file or a pipe nothing can
be taken away, so what a cloud says, which may break off, is kept back there until it is whole.
"""

import os
import shutil
import sys
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

import click

from edgecascade.records import Delta, Handoff

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
        who = f"asking {event.tier}" if event.tier in self._clouds else "this device answers"
        click.secho(f"↪ {who}: {event.reason}", err=True, dim=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Show what was kept back, and end the line."""
        if self._streaming and (self._begun or not error):
            click.echo(self._kept_back)

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


def shade(text: str, probability: float) -> str:
    r"""Return the text in the colour of its probability.

    >>> shade("sure", 0.9), shade("guess", 0.1)
    ('sure', '\x1b[31mguess\x1b[0m')
    """
    if not text or probability >= 0.6:
        return text
    return click.style(text, fg="yellow" if probability >= 0.3 else "red")
