"""What the user sees of an answer while it is written: pieces shown, held back, or taken away again.

    hold   nothing of a draft that may still be replaced, until it was decided to keep it; never taken away
    gate   nothing until its first gate has passed; may be taken away by a ``Handoff``
    draft  everything at once; may be taken away by a ``Handoff``

The pieces shown, put together, are the answer's text to the letter: white space around it is not shown.
"""

from collections.abc import Iterator
from typing import Literal

from edgecascade.records import Answer, Code, Delta, Event, Handoff, Place

Show = Literal["hold", "gate", "draft"]


class Screen:
    """Keeps what stands on the user's screen."""

    def __init__(self) -> None:
        self.shown = ""
        self._space = ""  # shown before the next word, if there is one
        self._held: str | None = None

    def begin(self, *, held: bool) -> None:
        """Begin a tier's answer; ``held``: nothing is shown until ``release``."""
        self._held = "" if held else None

    def piece(self, text: str, tier: str, place: Place) -> Iterator[Event]:
        """Show a piece, or keep it back."""
        if self._held is not None:
            self._held += text
            return
        text = self._space + text
        visible = text.rstrip()
        self._space = text[len(visible) :]
        if not self.shown:
            visible = visible.lstrip()
            self._space = "" if not visible else self._space
        if visible:
            self.shown += visible
            yield Delta(visible, tier, place)

    def release(self, tier: str, place: Place) -> Iterator[Event]:
        """Show what was held, and hold nothing more."""
        held, self._held = self._held, None
        if held:
            yield from self.piece(held, tier, place)

    def hand_off(self, tier: str, code: Code, reason: str, *, keep: bool = False) -> Handoff:
        """Return the event that another tier goes on; what was shown is taken away, unless it is gone on with."""
        replaces = "" if keep else self.shown
        if not keep:
            self.shown, self._space = "", ""
        return Handoff(tier, code, reason, replaces)

    def settle(self, answer: Answer, tier: str, place: Place) -> Iterator[Event]:
        """Show what is missing of the answer; take away what is not of it."""
        self._held = None
        if not answer.text.startswith(self.shown):
            yield self.hand_off(tier, answer.code, answer.reason)
        if missing := answer.text[len(self.shown) :]:
            self.shown = answer.text
            yield Delta(missing, tier, place)
