"""Placeholders in an answer become the user's own words again, in whole texts and in streams.

Models repeat placeholders mostly as they are. Some write them in small letters, some leave the brackets out: those are
understood too, as whole words.

Originals are kept as a person reads them. Inside a JSON string they are written by ``in_json``, there and only there.
"""

import json
import re
from collections.abc import Mapping


def in_json(originals: Mapping[str, str]) -> dict[str, str]:
    r"""Return the originals as they stand inside a JSON string.

    >>> in_json({"[SECRET_1]": 'a"b'})
    {'[SECRET_1]': 'a\\"b'}
    """
    return {placeholder: json.dumps(original, ensure_ascii=False)[1:-1] for placeholder, original in originals.items()}


def restored(text: str, originals: Mapping[str, str]) -> str:
    """Return the text with every placeholder replaced by its original.

    >>> restored("Write to [EMAIL_1], or email_1.", {"[EMAIL_1]": "ada@example.org"})
    'Write to ada@example.org, or ada@example.org.'
    """
    restorer = Restorer(originals)
    return restorer.feed(text) + restorer.end()


class Restorer:
    """Restores a stream: holds back only what may still become a placeholder, never more than the longest of them.

    Whatever the pieces, together they give what ``restored`` gives for the whole text.
    """

    def __init__(self, originals: Mapping[str, str]) -> None:
        self._originals = {_bare(placeholder): original for placeholder, original in originals.items()}
        names = "|".join(re.escape(name) for name in sorted(self._originals, key=len, reverse=True))
        self._placeholder = re.compile(rf"\[({names})\]|(?<!\w)({names})(?!\w)", re.ASCII | re.IGNORECASE)
        self._names = tuple(self._originals)
        self._longest = max((len(name) + 1 for name in self._names), default=0)
        self._edge, self._held = " ", ""

    def feed(self, piece: str) -> str:
        """Return what can be shown now."""
        if not self._names:
            return piece
        text = self._edge + self._held + piece
        cut = self._open_from(text)
        ready, self._held = text[:cut], text[cut:]
        return self._replaced(ready)

    def end(self) -> str:
        """Return what was held back; nothing follows."""
        ready, self._held = self._edge + self._held, ""
        return self._replaced(ready) if self._names else ""

    def _replaced(self, ready: str) -> str:
        """Restore a text behind one character that was shown before, and leave that one out."""
        # Only whether it belongs to a word matters of that character: the character itself could become part of a name.
        self._edge = "_" if re.match(r"\w", ready[-1], re.ASCII) else " "
        return self._placeholder.sub(lambda match: self._originals[_bare(match[0])], ready)[1:]

    def _open_from(self, text: str) -> int:
        """Return where the earliest placeholder begins that further text may complete, or end; else the length."""
        for start in range(max(1, len(text) - self._longest), len(text)):
            tail = text[start:].lower()
            if tail[0] == "[":
                tail = tail[1:]
            elif re.match(r"\w", text[start - 1], re.ASCII):
                continue
            if any(name.startswith(tail) for name in self._names):
                return start
        return len(text)


def _bare(placeholder: str) -> str:
    return placeholder.strip("[]").lower()
