"""Several tiers at the same time: whoever is slow does not hold up the others, and none is left behind."""

import threading
from collections.abc import Iterator

import pytest

from edgecascade.cascade.hedging import Begin
from edgecascade.cascade.running import Tokens
from edgecascade.cascade.together import together
from edgecascade.errors import ClosedError
from edgecascade.evidence import UNKNOWN
from edgecascade.records import Attempt, Failure, Token


def attempt(name: str, *, failed: str | None = None) -> Attempt:
    """What a tier came to."""
    return Attempt(name, "cloud", None, UNKNOWN, 0.0, failure=Failure(failed, failed) if failed else None)


def speaker(name: str, meets: threading.Barrier | None = None, *, waits: bool = False) -> Begin:
    """Return a tier that meets others before it speaks, or waits until it is cancelled."""

    def begin(cancel: threading.Event) -> Tokens:
        if meets:
            meets.wait(30)
        yield Token.untold(name, 0.0)
        if waits:
            assert cancel.wait(30)
        return attempt(name, failed="cancelled" if cancel.is_set() else None)

    return begin


def closed(cancel: threading.Event) -> Tokens:
    """A tier that was closed meanwhile."""
    yield Token.untold("", 0.0)
    raise ClosedError("closed")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every test leaves the threads that it found."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_they_run_at_the_same_time_and_come_back_in_order() -> None:
    """None could meet the others if it had to wait for them to end."""
    meets = threading.Barrier(3)
    attempts = together([speaker(name, meets) for name in "abc"], threading.Event())

    assert [(one.tier, one.failure) for one in attempts] == [("a", None), ("b", None), ("c", None)]


def test_cancel_ends_all_of_them() -> None:
    """Those that had ended keep their answer; the others say that they were cancelled."""
    cancel = threading.Event()
    cancel.set()
    attempts = together([speaker("a", waits=True), speaker("b", waits=True)], cancel)

    assert [one.failure.code for one in attempts if one.failure] == ["cancelled", "cancelled"]


def test_a_closed_tier_is_told_once_the_others_have_ended() -> None:
    """The error is raised, and no thread goes on behind it."""
    with pytest.raises(ClosedError):
        together([closed, speaker("b")], threading.Event())
