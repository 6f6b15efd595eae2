"""Deleting what is old, in steps so small that others need not wait for them."""

import sqlite3

ROWS = 500
PAGES = 500


def _answers(connection: sqlite3.Connection, before: float) -> int:
    old = connection.execute(f"SELECT number, id FROM answers WHERE at < ? LIMIT {ROWS}", (before,)).fetchall()
    numbers = [(number,) for number, _ in old]
    connection.executemany("DELETE FROM details WHERE number = ?", numbers)
    connection.executemany("DELETE FROM feedback WHERE answer_id = ?", [(id_,) for _, id_ in old])
    connection.executemany("DELETE FROM lessons WHERE answer_id = ?", [(id_,) for _, id_ in old])
    connection.executemany("DELETE FROM choices WHERE answer_id = ?", [(id_,) for _, id_ in old])
    connection.executemany("DELETE FROM answers WHERE number = ?", numbers)
    return len(old)


def _calls(connection: sqlite3.Connection, before: float) -> int:
    return connection.execute(
        f"DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE at < ? LIMIT {ROWS})", (before,)
    ).rowcount


def _shadows(connection: sqlite3.Connection, before: float) -> int:
    gone = connection.execute(
        f"DELETE FROM shadows WHERE number IN (SELECT number FROM shadows WHERE at < ? LIMIT {ROWS})", (before,)
    ).rowcount
    if not gone:
        connection.execute("DELETE FROM identities WHERE sha256 NOT IN (SELECT sha256 FROM shadows)")
    return gone


STEPS = (_answers, _calls, _shadows)
"""Each deletes some rows and returns how many; 0 when it is done."""


def shrink(connection: sqlite3.Connection) -> None:
    """Give the free pages back to the disk, in steps; a file that was made by another program may keep them."""
    before, free = -1, 0
    while before != free:
        before = free
        connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
