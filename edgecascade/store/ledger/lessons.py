"""What a pool's learner is taught: which model's answer was given to which features, and what became of it.

A choice is written with the answer, the lesson with its first feedback; a learner reads lessons in their order, so that
every process which has read as far knows the same. Features are numbers made of the question's text, no text: they are
kept only where a policy learns, and pruned with the answer.
"""

import sqlite3
from dataclasses import dataclass

LESSONS = 500
"""Read in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Whose answer was given.

    policy    which learner it concerns: lessons of another are not its own
    model     its name in the pool          features  of the query, float64 little-endian
    tokens, seconds, usd  of the model's answer; None: unknown
    """

    answer_id: str
    policy: str
    model: str
    features: bytes
    tokens: float | None
    seconds: float | None
    usd: float | None


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was said of a choice: whether the answer was right, or only liked; a ``number`` never comes again."""

    number: int
    choice: Choice
    correct: bool | None
    liked: bool | None


_CHOICE = tuple(Choice.__slots__)


def insert_choice(connection: sqlite3.Connection, choice: Choice, now: float) -> None:
    """Append a choice; a second one of the same answer changes nothing."""
    connection.execute(
        f"INSERT OR IGNORE INTO choices (at, {', '.join(_CHOICE)}) VALUES (?{', ?' * len(_CHOICE)})",
        (now, *(getattr(choice, name) for name in _CHOICE)),
    )


def insert_lesson(connection: sqlite3.Connection, answer_id: str, correct: bool | None, liked: bool | None) -> None:
    """Append what was said of an answer, where a learner chose it; only the first word teaches."""
    connection.execute(
        "INSERT OR IGNORE INTO lessons (answer_id, correct, liked) "
        "SELECT answer_id, ?, ? FROM choices WHERE answer_id = ?",
        (correct, liked, answer_id),
    )


def lessons(connection: sqlite3.Connection, policy: str, after: int) -> list[Lesson]:
    """Return a learner's next lessons behind a number, in their order; none at the end."""
    rows = connection.execute(
        f"SELECT lessons.number, correct, liked, {', '.join(f'choices.{name}' for name in _CHOICE)} "
        "FROM lessons JOIN choices USING (answer_id) WHERE policy = ? AND lessons.number > ? "
        f"ORDER BY lessons.number LIMIT {LESSONS}",
        (policy, after),
    )
    return [
        Lesson(number, Choice(**dict(zip(_CHOICE, values, strict=True))), _flag(correct), _flag(liked))
        for number, correct, liked, *values in rows.fetchall()
    ]


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
