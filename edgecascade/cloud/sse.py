"""Server-sent events: bytes as they come, in pieces of any size, to the text of each event.

https://html.spec.whatwg.org/multipage/server-sent-events.html. Only ``data`` is read: all three wire formats say in it
what an event is. Lines are decoded whole, so a character that is split over pieces needs no care.
"""

LONGEST_LINE = 1 << 20


class Events:
    """Keeps what is not whole yet.

    >>> events = Events(limit=100)
    >>> events.feed(b"data: a"), events.feed(b"b" + bytes([13, 10, 13, 10]))
    ([], ['ab'])
    """

    def __init__(self, *, limit: int, longest_line: int = LONGEST_LINE) -> None:
        self._left, self._longest = limit, longest_line
        self._line, self._texts = bytearray(), list[str]()
        self._after_return = self._begun = False

    def feed(self, chunk: bytes) -> list[str]:
        """Return the events that became whole; raise ValueError for what is too long or not UTF-8."""
        self._left -= len(chunk)
        if self._left < 0:
            raise ValueError("more bytes than any answer needs")
        if self._after_return and chunk.startswith(b"\n"):
            chunk, self._after_return = chunk[1:], False
        found = []
        for part in chunk.splitlines(keepends=True):
            self._line += part
            if len(self._line) > self._longest:
                raise ValueError("a line that is too long")
            if part.endswith((b"\n", b"\r")):
                found += self._take(self._line.rstrip(b"\r\n").decode())
                self._line.clear()
        if chunk:
            self._after_return = chunk.endswith(b"\r")
        return found

    def _take(self, line: str) -> list[str]:
        """Return the event that a line ends, if it does."""
        if not self._begun:
            line, self._begun = line.removeprefix("\ufeff"), True
        if not line:
            whole, self._texts = "\n".join(self._texts), []
            return [whole] if whole else []
        name, _, value = line.partition(":")
        if name == "data":
            self._texts.append(value.removeprefix(" "))
        return []
