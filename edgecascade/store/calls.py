"""Replies that models have given, kept so that none is asked twice: the cache, and the journal, of a search.

One SQLite file. What is written stands after a kill; several processes may share it. A reply is found by a digest of
who was asked what: a file that is deleted costs only asking again.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self

from edgecascade.errors import DeviceError, NoSpaceError
from edgecascade.store.locks import locked

BUSY_SECONDS = 30.0
VERSION = 1
TABLE = """CREATE TABLE IF NOT EXISTS calls (
    digest TEXT PRIMARY KEY, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, seconds REAL NOT NULL, usd REAL)
    WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model replied, and what that took; ``usd`` is None where the price is unknown."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    usd: float | None


class CallsFile:
    """The replies in one file; ``close()`` it, or use it in ``with``. One thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, made where there is none; DeviceError or NoSpaceError where it cannot be used."""
        self._path = path
        with self._ours():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # it holds what was asked
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._begin()
            except BaseException:
                self._connection.close()
                raise

    def _begin(self) -> None:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, VERSION):
            raise DeviceError(
                f"{self._path} was written by another edgecascade: found schema {found}, wanted {VERSION}; move it "
                "away, and every call is asked again"
            )
        if found == 0:
            with locked(self._path.with_name(f"{self._path.name}.lock")):  # two at once would fail without waiting
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute(TABLE)
                self._connection.execute(f"PRAGMA user_version = {VERSION}")
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def find(self, digest: str) -> Reply | None:
        """Return the reply to a call; None where it has not been asked."""
        with self._ours():
            row = self._connection.execute(
                "SELECT reply, prompt_tokens, completion_tokens, seconds, usd FROM calls WHERE digest = ?", (digest,)
            ).fetchone()
        return Reply(*row) if row else None

    def keep(self, digest: str, model: str, request: str, reply: Reply) -> Reply:
        """Write a reply down, unless one is there already; return the one that stands.

        model, request  who was asked what, for people who look into the file
        """
        row = (digest, model, request, *astuple(reply))
        with self._ours():
            self._connection.execute("INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return self.find(digest) or reply

    def __len__(self) -> int:
        with self._ours():
            return int(self._connection.execute("SELECT COUNT(*) FROM calls").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; twice is once."""
        self._connection.close()

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """Turn what the system or SQLite says of the file into our errors; a wrong statement keeps its traceback."""
        try:
            yield
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise NoSpaceError(f"the disk is full: found no space for {self._path}; free some") from error
            raise self._unusable(str(error)) from error

    def _unusable(self, reason: str) -> DeviceError:
        return DeviceError(
            f"{self._path} cannot be used: found {reason}, wanted a file of kept replies that may be read and written; "
            "give the right to, or move it away, and every call is asked again"
        )
