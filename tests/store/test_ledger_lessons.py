"""What learners are taught: in the order in which it was said, each answer once, and only their own."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edgecascade.errors import InputError
from edgecascade.store.ledger import AnswerRow, Choice, Ledger
from edgecascade.store.ledger.lessons import LESSONS
from edgecascade.store.ledger.schema import MIGRATIONS, migrate, version_of

NOW = 1_795_305_600.0
CHOICE = Choice(answer_id="a", policy="p", model="small", features=b"\0" * 16, tokens=3.0, seconds=0.5, usd=None)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger at one moment, without content."""
    with Ledger(tmp_path / "ledger.db", clock=lambda: NOW) as opened:
        yield opened


def answered(ledger: Ledger, id: str, *, at: float = NOW, policy: str | None = "p") -> None:
    """Write an answer, and the choice of a policy."""
    row = AnswerRow(
        id=id, at=at, mode="prefer_on_device", tier="small", place="device", model="tiny", code="pool", reason="",
        p_correct=None, threshold=None, promise=None, calibration=None, calibration_verdict=None, kept=None,
        escalated=False, blocked=False, queued=False, with_cloud=True, finish_reason="end", prompt_tokens=1,
        completion_tokens=1, seconds=0.1, usd=0.0, joules=None, usd_saved=None, tokens_saved=0.0, seconds_saved=0.0,
        question_sha256="0" * 64, kinds=(), record="{}",
    )  # fmt: skip
    ledger.answered(row)
    if policy:
        ledger.chose(replace(CHOICE, answer_id=id, policy=policy))


def test_lessons_come_in_the_order_in_which_they_were_said(ledger: Ledger) -> None:
    """Behind any of them the rest; of another policy, or without a word, none."""
    for id, policy in (("a", "p"), ("b", "p"), ("c", "other"), ("d", None), ("e", "p")):
        answered(ledger, id, policy=policy)
    for id in "bcda":
        ledger.feedback(id, correct=id == "a")
    found = list(ledger.lessons("p"))

    assert [(lesson.choice.answer_id, lesson.correct, lesson.liked) for lesson in found] == [
        ("b", False, None),
        ("a", True, None),
    ]
    assert found[0].choice == replace(CHOICE, answer_id="b")
    assert list(ledger.lessons("p", found[0].number)) == found[1:]


def test_many_lessons_are_read_page_by_page(ledger: Ledger) -> None:
    """None is missed, none comes twice."""
    ids = [f"{number}" for number in range(LESSONS + 2)]
    for id in ids:
        answered(ledger, id)
        ledger.feedback(id, None, liked=True)

    assert [lesson.choice.answer_id for lesson in ledger.lessons("p")] == ids


def test_liked_alone_says_nothing_of_right_or_wrong(ledger: Ledger) -> None:
    """The answer's row keeps no feedback, the lesson does."""
    answered(ledger, "a")
    ledger.feedback("a", None, liked=False)

    assert ledger.answer("a")["feedback"] is None
    assert [(lesson.correct, lesson.liked) for lesson in ledger.lessons("p")] == [(None, False)]


def test_feedback_on_no_answer_is_refused(ledger: Ledger) -> None:
    """Nothing is taught by it."""
    with pytest.raises(InputError, match="no answer to judge"):
        ledger.feedback("nobody", correct=True)


def test_pruning_takes_choices_and_lessons_with_their_answers(ledger: Ledger) -> None:
    """A number that was given never comes again, so that a learner misses nothing."""
    answered(ledger, "old", at=NOW - 100)
    ledger.feedback("old", correct=True)
    (before,) = ledger.lessons("p")
    ledger.prune(NOW - 50)
    with closing(sqlite3.connect(ledger.path)) as connection:
        assert not connection.execute("SELECT * FROM choices").fetchall()
    answered(ledger, "new")
    ledger.feedback("new", correct=True)

    (after,) = ledger.lessons("p")
    assert after.choice.answer_id == "new"
    assert after.number > before.number


def test_a_ledger_of_before_learners_is_migrated(tmp_path: Path) -> None:
    """Its answers stay, and may be judged."""
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, MIGRATIONS[:1])
    connection.close()
    with Ledger(path, clock=lambda: NOW) as ledger:
        answered(ledger, "a")
        ledger.feedback("a", correct=True)

        assert len(list(ledger.lessons("p"))) == 1
    with sqlite3.connect(path) as connection:
        assert version_of(connection) == len(MIGRATIONS)
    connection.close()
