"""The queue and the shadows: each question answered once, handed over once; both sides kept to the last bit."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgecascade.store.ledger import Ledger


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the moment."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A thousand seconds after the beginning."""
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """A ledger in which two questions wait."""
    with Ledger(tmp_path / "ledger.db", clock=clock) as opened:
        opened.enqueue("a", '{"q": 1}')
        opened.enqueue("b", '{"q": 2}')
        yield opened


def claimed(ledger: Ledger, lease_seconds: float = 60) -> str | None:
    """The id of the question that is claimed."""
    found = ledger.claim(lease_seconds)
    return found.answer_id if found else None


def test_a_question_is_claimed_by_one(ledger: Ledger) -> None:
    """The oldest first; none is left for a third."""
    assert [claimed(ledger), claimed(ledger), claimed(ledger)] == ["a", "b", None]


def test_a_claim_ends_with_its_lease(ledger: Ledger, clock: Clock) -> None:
    """A question whose process was killed comes back, and says how often it was tried."""
    ledger.claim(60)
    clock.now += 60

    found = ledger.claim(60)
    assert found and (found.answer_id, found.question, found.tries, found.answer) == ("a", '{"q": 1}', 2, None)


def test_a_released_question_waits_until_its_moment(ledger: Ledger, clock: Clock) -> None:
    """Not before, and others are not held up by it."""
    ledger.claim(60)
    ledger.release("a", clock.now + 30)

    assert [claimed(ledger), claimed(ledger)] == ["b", None]
    clock.now += 30
    assert claimed(ledger) == "a"


def test_the_first_answer_stands(ledger: Ledger) -> None:
    """A second one, of a process that was slow, is told that it comes too late; so is a release."""
    ledger.claim(0)
    ledger.claim(60)

    assert [ledger.finish("a", '"first"'), ledger.finish("a", '"second"'), ledger.release("a", 0)] == [
        True,
        False,
        False,
    ]
    assert [found.answer for found in ledger.undelivered()] == ['"first"']


def test_an_answer_is_handed_over_once(ledger: Ledger) -> None:
    """Not before it is there; then to one caller; then it is gone, and cannot be answered again."""
    early = ledger.mark_delivered("a")
    ledger.finish("a", "1")

    assert [early, ledger.mark_delivered("a"), ledger.mark_delivered("a"), ledger.finish("a", "2")] == [
        False, True, False, False,
    ]  # fmt: skip
    assert ledger.undelivered() == [] and claimed(ledger) == "b"


def test_an_answered_question_is_not_claimed_again(ledger: Ledger, clock: Clock) -> None:
    """Whatever time passes before its answer is handed over."""
    ledger.finish("a", "1")
    clock.now += 1e6

    assert [claimed(ledger), claimed(ledger)] == ["b", None]


def test_giving_up_deletes_what_has_no_answer(ledger: Ledger) -> None:
    """An answer that is there already is still handed over."""
    ledger.finish("a", "1")

    assert [ledger.give_up("a"), ledger.give_up("b"), ledger.give_up("b")] == [False, True, False]
    assert claimed(ledger) is None and ledger.summary().waiting == 0


def test_the_same_question_waits_once(ledger: Ledger) -> None:
    """Putting it in again changes neither its text nor its turn."""
    ledger.claim(60)
    ledger.enqueue("a", "other")

    assert ledger.summary().waiting == 2 and claimed(ledger) == "b"


def test_the_queue_survives_a_restart(ledger: Ledger, clock: Clock, tmp_path: Path) -> None:
    """Claims and answers too."""
    ledger.claim(60)
    ledger.finish("a", "1")
    ledger.close()

    with Ledger(tmp_path / "ledger.db", clock=clock) as again:
        assert [found.answer_id for found in again.undelivered()] == ["a"] and claimed(again) == "b"


def test_what_was_handed_over_is_not_left_in_the_file(ledger: Ledger, tmp_path: Path) -> None:
    """A question's text is kept only while it waits."""
    ledger.enqueue("c", "my secret question")
    ledger.finish("c", "my secret answer")
    ledger.mark_delivered("c")
    ledger.close()

    assert b"secret" not in (tmp_path / "ledger.db").read_bytes()


def test_shadows_come_back_to_the_last_bit(ledger: Ledger) -> None:
    """In their order, more than a page, each beside what it was run on; one identity alone where it is named."""
    for number in range(70):
        ledger.shadowed(str(number), f'{{"model": {number % 2}}}', f'{{"row": {number}}}', bytes([number]) * number)

    odd = hashlib.sha256(b'{"model": 1}').hexdigest()
    found = [*ledger.shadows()]
    assert [row.answer_id for row in found] == [str(number) for number in range(70)]
    assert all(row.numbers == bytes([int(row.answer_id)]) * int(row.answer_id) for row in found)
    assert {row.identity for row in ledger.shadows(odd)} == {'{"model": 1}'}
    assert [*ledger.shadows(odd)] == [row for row in found if row.identity_sha256 == odd]


def test_reading_shadows_lets_others_write(ledger: Ledger) -> None:
    """A reader that stands still half-way holds nobody up."""
    ledger.shadowed("1", "{}", "{}", b"")
    reader = ledger.shadows()
    next(reader)
    ledger.shadowed("2", "{}", "{}", b"")

    assert [row.answer_id for row in reader] == ["2"]
