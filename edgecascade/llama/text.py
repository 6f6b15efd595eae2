"""Bytes of tokens to text that may be shown: whole characters only, and nothing that may yet be a stop string."""

import codecs
from collections.abc import Sequence


class TextAssembler:
    """Releases text as soon as it can no longer change.

    >>> text = TextAssembler(stop=("END",))
    >>> text.feed("é".encode()[:1]), text.feed("é".encode()[1:]), text.feed(b"a E"), text.feed(b"ND b")
    ('', 'é', 'a ', '')
    >>> text.stopped
    True
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self.stopped = False
        self._stop = tuple(stop)
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def feed(self, piece: bytes) -> str:
        """Return what may be shown after this piece; after a stop string nothing more."""
        return self._release(self._characters.decode(piece))

    def finish(self) -> str:
        """Return what was held back; a character that never became whole is U+FFFD."""
        text = self._release(self._characters.decode(b"", final=True))
        rest, self._held = self._held, ""
        return "" if self.stopped else text + rest

    def _release(self, text: str) -> str:
        if self.stopped:
            return ""
        self._held += text
        found = [at for at in (self._held.find(stop) for stop in self._stop) if at >= 0]
        if found:
            shown, self._held, self.stopped = self._held[: min(found)], "", True
            return shown
        keep = max((_overlap(self._held, stop) for stop in self._stop), default=0)
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of ``text`` that begins ``stop``."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-n:])), 0)
