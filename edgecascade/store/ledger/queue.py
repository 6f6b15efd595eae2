"""Questions that wait for a cloud: put in once, answered once, handed over once, by whichever process comes first.

A waiting question may be claimed from ``free_from`` on; a claim only moves that moment by its lease, so the claim of a
process that was killed ends by itself. What was handed over or given up is deleted: the queue holds text.
"""

import sqlite3
from dataclasses import dataclass

_COLUMNS = "answer_id, at, question, tries, answer"


@dataclass(frozen=True, slots=True)
class Queued:
    """A question as JSON text, how often it was claimed, and its answer as JSON text, if there is one."""

    answer_id: str
    at: float
    question: str
    tries: int
    answer: str | None


def enqueue(connection: sqlite3.Connection, answer_id: str, question: str, now: float) -> None:
    """Put a question in; the same one again changes nothing."""
    connection.execute(
        "INSERT OR IGNORE INTO queue (answer_id, at, question, free_from, tries) VALUES (?, ?, ?, ?, 0)",
        (answer_id, now, question, now),
    )


def claim(connection: sqlite3.Connection, now: float, lease_seconds: float) -> Queued | None:
    """Return the oldest question that nobody works on, and keep it from others until the lease is over."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM queue WHERE answer IS NULL AND free_from <= ? ORDER BY number LIMIT 1", (now,)
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        "UPDATE queue SET free_from = ?, tries = tries + 1 WHERE answer_id = ?", (now + lease_seconds, row[0])
    )
    answer_id, at, question, tries, answer = row
    return Queued(answer_id, at, question, tries + 1, answer)


def finish(connection: sqlite3.Connection, answer_id: str, answer: str) -> bool:
    """Write the answer down; False where there is one already, or no such question."""
    found = connection.execute(
        "UPDATE queue SET answer = ? WHERE answer_id = ? AND answer IS NULL", (answer, answer_id)
    )
    return found.rowcount == 1


def release(connection: sqlite3.Connection, answer_id: str, not_before: float) -> bool:
    """Let a question be claimed again from a moment on; False where it has an answer, or is none."""
    found = connection.execute(
        "UPDATE queue SET free_from = ? WHERE answer_id = ? AND answer IS NULL", (not_before, answer_id)
    )
    return found.rowcount == 1


def undelivered(connection: sqlite3.Connection) -> list[Queued]:
    """Return the questions whose answer nobody has taken yet, oldest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM queue WHERE answer IS NOT NULL ORDER BY number")
    return [Queued(*row) for row in rows]


def take(connection: sqlite3.Connection, answer_id: str, *, answered: bool) -> bool:
    """Delete a question that has, or does not have, its answer; True for exactly one caller."""
    found = connection.execute(
        f"DELETE FROM queue WHERE answer_id = ? AND answer IS {'NOT NULL' if answered else 'NULL'}", (answer_id,)
    )
    return found.rowcount == 1
