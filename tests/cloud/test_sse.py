"""Server-sent events, in pieces of any size."""

import pytest

from edgecascade.cloud.sse import Events

STREAM = (
    '\ufeffevent: a\r\ndata: {"x": "東京"}\r\n\r\n: comment\n\ndata:one\rdata: two\r\rid: 3\ndata\n\ndata: é\n\n'
).encode()
WANTED = ['{"x": "東京"}', "one\ntwo", "é"]


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_any_split_gives_the_same_events(at: int) -> None:
    """Wherever the bytes are cut, in a character or between return and newline, the events are the same."""
    events = Events(limit=1000)

    found = events.feed(STREAM[:at]) + events.feed(STREAM[at:])

    assert found == WANTED


def test_byte_by_byte() -> None:
    """Pieces of one byte are enough, and empty ones change nothing."""
    events = Events(limit=1000)

    found = [text for byte in STREAM for piece in (bytes([byte]), b"") for text in events.feed(piece)]

    assert found == WANTED


def test_an_event_comes_as_soon_as_it_is_whole() -> None:
    """Neither the newline of a pair nor the next event is waited for."""
    events = Events(limit=1000)

    assert (events.feed(b"data: a\r\r"), events.feed(b"\ndata: b\n"), events.feed(b"\n")) == (["a"], [], ["b"])


@pytest.mark.parametrize("sent", [b"data: " + b"x" * 100, b"data: x\n\n" * 100, b"data: \xff\n", b":" * 100])
def test_what_is_too_long_or_no_text_is_refused(sent: bytes) -> None:
    """An endless line, an endless stream and bytes that are not UTF-8 end it."""
    events = Events(limit=300, longest_line=50)

    with pytest.raises(ValueError, match=r"long|bytes|utf-8"):
        events.feed(sent)
