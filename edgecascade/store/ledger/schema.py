"""The ledger's tables. A new version appends its statements to ``MIGRATIONS``; those that stand are never changed.

``user_version`` counts how many of them a file has seen. Answers and calls are never updated, only pruned; a trigger
holds to that. The one exception is a call taken for lost that is settled after all.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from edgecascade.errors import LedgerError

Statements = tuple[str, ...]

V1: Statements = (
    """CREATE TABLE answers (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, mode TEXT NOT NULL, tier TEXT NOT NULL,
        place TEXT NOT NULL, model TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL, p_correct REAL,
        threshold REAL, promise TEXT, calibration TEXT, calibration_verdict TEXT, kept BOOLEAN,
        escalated BOOLEAN NOT NULL, blocked BOOLEAN NOT NULL, queued BOOLEAN NOT NULL, with_cloud BOOLEAN NOT NULL,
        finish_reason TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
        seconds REAL NOT NULL, usd REAL, joules REAL, usd_saved REAL, tokens_saved REAL NOT NULL,
        seconds_saved REAL NOT NULL, question_sha256 TEXT NOT NULL, kinds TEXT NOT NULL)""",
    "CREATE INDEX answers_at ON answers (at)",
    """CREATE TABLE details (
        number INTEGER PRIMARY KEY, record TEXT NOT NULL, question_text TEXT, answer_text TEXT)""",
    """CREATE TABLE calls (
        id INTEGER PRIMARY KEY, answer_id TEXT NOT NULL, at REAL NOT NULL, host TEXT NOT NULL, model TEXT NOT NULL,
        purpose TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, kinds TEXT NOT NULL, outcome TEXT NOT NULL,
        prompt_tokens INTEGER, completion_tokens INTEGER, told BOOLEAN NOT NULL, usd REAL, seconds REAL,
        counted BOOLEAN, nano_usd INTEGER NOT NULL)""",
    "CREATE INDEX calls_answer ON calls (answer_id)",
    "CREATE INDEX calls_at ON calls (at)",
    """CREATE TABLE reservations (
        id INTEGER PRIMARY KEY AUTOINCREMENT, answer_id TEXT NOT NULL, at REAL NOT NULL, lease_until REAL NOT NULL,
        host TEXT NOT NULL, model TEXT NOT NULL, purpose TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL,
        kinds TEXT NOT NULL, nano_usd INTEGER NOT NULL)""",
    """CREATE TABLE totals (
        per TEXT NOT NULL, start INTEGER NOT NULL, calls INTEGER NOT NULL, nano_usd INTEGER NOT NULL,
        PRIMARY KEY (per, start)) WITHOUT ROWID""",
    "CREATE TABLE feedback (answer_id TEXT PRIMARY KEY, at REAL NOT NULL, correct BOOLEAN NOT NULL) WITHOUT ROWID",
    "CREATE TABLE identities (sha256 TEXT PRIMARY KEY, identity TEXT NOT NULL)",
    """CREATE TABLE shadows (
        number INTEGER PRIMARY KEY, answer_id TEXT NOT NULL, at REAL NOT NULL, sha256 TEXT NOT NULL,
        row TEXT NOT NULL, numbers BLOB NOT NULL)""",
    "CREATE INDEX shadows_at ON shadows (at)",
    """CREATE TABLE queue (
        number INTEGER PRIMARY KEY, answer_id TEXT NOT NULL UNIQUE, at REAL NOT NULL, question TEXT NOT NULL,
        free_from REAL NOT NULL, tries INTEGER NOT NULL, answer TEXT)""",
    """CREATE TRIGGER answers_only_grow BEFORE UPDATE ON answers
        BEGIN SELECT RAISE(ABORT, 'answers are never changed'); END""",
    """CREATE TRIGGER calls_only_grow BEFORE UPDATE ON calls WHEN old.counted IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'calls are never changed'); END""",
)

V2: Statements = (
    """CREATE TABLE choices (
        number INTEGER PRIMARY KEY, answer_id TEXT NOT NULL UNIQUE, at REAL NOT NULL, policy TEXT NOT NULL,
        model TEXT NOT NULL, features BLOB NOT NULL, tokens REAL, seconds REAL, usd REAL)""",
    "CREATE INDEX choices_at ON choices (at)",
    """CREATE TABLE lessons (
        number INTEGER PRIMARY KEY AUTOINCREMENT, answer_id TEXT NOT NULL UNIQUE, correct BOOLEAN, liked BOOLEAN)""",
)

MIGRATIONS: tuple[Statements, ...] = (V1, V2)


def version_of(connection: sqlite3.Connection) -> int:
    """Return how many migrations a file has seen; 0 for one that is empty."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Statements] = MIGRATIONS) -> None:
    """Bring a file to the newest version, each step whole or not at all; refuse what is newer, or no ledger."""
    found = version_of(connection)
    if found > len(migrations):
        raise LedgerError(
            f"{path} was written by a newer edgecascade: found schema {found}, wanted at most {len(migrations)}; "
            "update edgecascade, or move the file away and a new one is begun"
        )
    if found == 0 and (other := connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()):
        raise LedgerError(
            f"{path} is another program's: found a table {other[0]!r}, wanted a ledger; choose another path"
        )
    for version in range(found, len(migrations)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in migrations[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
