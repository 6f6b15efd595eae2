"""Tiers on threads of their own: in order, cancelled when not needed, never silent about a bug, none left behind."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from edgecascade.cascade.hedging import Begin, Hedge, together
from edgecascade.cascade.running import Tokens
from edgecascade.errors import ClosedError
from edgecascade.evidence import UNKNOWN
from edgecascade.records import Attempt, Draft, Failure, Timings, Token, Usage

LONG = 200_000
"""Tokens that nobody waits for."""
quiet_thread = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def attempt(count: int, *, failed: str | None = None) -> Attempt:
    """What came of so many tokens."""
    draft = Draft("word", (), "end", Usage(1, count), Timings(0, 0, 0, 0, 0))
    return Attempt("cloud", "cloud", draft, UNKNOWN, 1.0, failure=Failure(failed, failed) if failed else None)


class Speaker:
    """Says so many words, then what it is told to wait for; notes whether it was ended in order."""

    def __init__(self, words: int = 0, *, waits: bool = False) -> None:
        self.words, self.waits, self.ended = words, waits, threading.Event()

    def begin(self, cancel: threading.Event) -> Tokens:
        """Speak."""
        said = 0
        try:
            while said < self.words and not cancel.is_set():
                yield Token.untold(f"{said} ", 0.0)
                said += 1
            if self.waits:
                assert cancel.wait(30)
            return attempt(said, failed="cancelled" if cancel.is_set() else None)
        finally:
            self.ended.set()


def drained(tokens: Tokens) -> tuple[list[str], Attempt]:
    """All that is said, and the attempt."""
    said: list[str] = []
    while True:
        try:
            said.append(next(tokens).text)
        except StopIteration as stop:
            return said, stop.value


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every test leaves the threads that it found."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("words", [0, 1, 1000])
def test_all_it_says_comes_in_order(words: int) -> None:
    """And the attempt at the end, as without a thread in between."""
    said, made = drained(Hedge(Speaker(words).begin).tokens(threading.Event()))

    assert said == [f"{number} " for number in range(words)]
    assert made == attempt(words)


def test_it_is_whole_once_it_has_ended() -> None:
    """Not before, and not when it was cancelled."""
    waiting, done = Hedge(Speaker(waits=True).begin), Hedge(Speaker(1).begin)
    before = waiting.whole
    waiting.cancel()
    drained(done.tokens(threading.Event()))

    assert (before, waiting.whole, done.whole) == (False, False, True)


@pytest.mark.parametrize("changes", [{"text": ""}, {"finish_reason": "filter"}, {"finish_reason": "cancelled"}])
def test_what_says_nothing_is_not_whole(changes: Any) -> None:
    """A cloud that was filtered, or is empty, is no reason to end a draft on the device."""

    def begin(cancel: threading.Event) -> Tokens:
        yield Token.untold("word", 0.0)
        made = attempt(1)
        return replace(made, draft=replace(made.draft, **changes))

    hedge = Hedge(begin)
    drained(hedge.tokens(threading.Event()))

    assert not hedge.whole


def test_nobody_needs_it_any_more() -> None:
    """Cancelled while it waits, it is closed when ``cancel`` returns, and says what it had come to."""
    speaker = Speaker(3, waits=True)
    hedge = Hedge(speaker.begin)
    made = hedge.cancel()

    assert speaker.ended.is_set()
    assert made.failure == Failure("cancelled", "cancelled") and made == hedge.cancel()


def test_the_users_cancel_reaches_it_while_it_waits() -> None:
    """It is passed on although nothing comes."""
    cancel, speaker = threading.Event(), Speaker(2, waits=True)
    tokens = Hedge(speaker.begin).tokens(cancel)
    first = next(tokens).text
    cancel.set()
    rest, made = drained(tokens)

    assert [first, *rest] == ["0 ", "1 "][: 1 + len(rest)]
    assert made.failure and speaker.ended.is_set()


def test_the_users_cancel_reaches_it_while_it_speaks() -> None:
    """However fast the words come, and the attempt is about those that were shown."""
    cancel, speaker = threading.Event(), Speaker(LONG)
    tokens = Hedge(speaker.begin).tokens(cancel)
    next(tokens)
    cancel.set()
    rest, made = drained(tokens)

    assert made.failure and made.draft
    assert 1 + len(rest) == made.draft.usage.completion_tokens < LONG


def test_who_stops_listening_ends_it() -> None:
    """Closing the stream closes what is behind it."""
    speaker = Speaker(1, waits=True)
    tokens = Hedge(speaker.begin).tokens(threading.Event())
    next(tokens)
    tokens.close()

    assert speaker.ended.is_set()


def _at_once(cancel: threading.Event) -> Tokens:
    raise ZeroDivisionError


def _after_a_word(cancel: threading.Event) -> Generator[Token, None, Attempt]:
    yield Token.untold("word", 0.0)
    raise ZeroDivisionError


@quiet_thread
@pytest.mark.parametrize("begin", [_at_once, _after_a_word])
def test_a_bug_in_it_is_not_swallowed(begin: Begin) -> None:
    """Whoever listens, or cancels it, is told; nobody waits for ever."""
    with pytest.raises(RuntimeError, match="its traceback was printed"):
        drained(Hedge(begin).tokens(threading.Event()))
    with pytest.raises(RuntimeError, match="its traceback was printed"):
        Hedge(begin).cancel()


def test_several_run_at_the_same_time_and_come_back_in_order() -> None:
    """None could meet the others if it had to wait for them to end."""
    meets = threading.Barrier(3)

    def after_meeting(words: int) -> Begin:
        def begin(cancel: threading.Event) -> Tokens:
            meets.wait(30)
            return (yield from Speaker(words).begin(cancel))

        return begin

    assert together([after_meeting(words) for words in (1, 2, 3)], threading.Event()) == [*map(attempt, (1, 2, 3))]


def test_cancel_ends_several_at_once() -> None:
    """Those that had not ended say that they were cancelled."""
    cancel = threading.Event()
    cancel.set()
    attempts = together([Speaker(waits=True).begin, Speaker(waits=True).begin], cancel)

    assert [made.failure for made in attempts] == [Failure("cancelled", "cancelled")] * 2


def _closed(cancel: threading.Event) -> Tokens:
    yield Token.untold("", 0.0)
    raise ClosedError("closed")


def test_a_closed_tier_is_told_once_the_others_have_ended() -> None:
    """The error is raised, and nothing goes on behind it."""
    cancel, other = threading.Event(), Speaker(waits=True)
    cancel.set()
    with pytest.raises(ClosedError):
        together([_closed, other.begin], cancel)

    assert other.ended.is_set()
