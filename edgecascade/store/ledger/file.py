"""Opening the ledger's file, and what can go wrong with it."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgecascade.errors import DeviceError, DownloadError, LedgerError, NoSpaceError
from edgecascade.store.ledger.schema import MIGRATIONS, migrate, version_of
from edgecascade.store.locks import locked

BUSY_SECONDS = 30.0
"""How long a process waits for another one's transaction, of which each takes well below a millisecond."""

LONGEST_LOG = 20_000
"""Pages of 4 kB after which SQLite copies the log into the file, where ``Ledger`` has not done so before."""


def open_file(path: Path) -> sqlite3.Connection:
    """Return a connection to a ledger, made where there is none; LedgerError or NoSpaceError where it cannot be."""
    with as_ours(path):
        _make(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            if version_of(connection) != len(MIGRATIONS):
                _make_tables(connection, path)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {LONGEST_LOG}")
            connection.execute("PRAGMA secure_delete = ON")  # what is pruned or delivered is not left in free pages
        except BaseException:
            connection.close()
            raise
        return connection


def _make(path: Path) -> None:
    """Make the file for this user's eyes alone; SQLite gives its companions the same rights."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_space(path) from error
        raise LedgerError(
            f"{path} cannot be opened: {error.strerror or error}; wanted a file that may be read and written; "
            "give the right to, or set EDGECASCADE_HOME to a folder that is yours"
        ) from error


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    # Turning to WAL fails at once, without waiting, where another process does the same.
    try:
        with locked(path.with_name(f"{path.name}.lock")):
            if version_of(connection) == 0:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has an effect only before the first page
                connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, path)
    except DownloadError as error:
        raise LedgerError(f"{path} cannot be made: {error}") from error


@contextmanager
def as_ours(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the file or the disk into our errors; a mistake in a statement keeps its traceback."""
    try:
        yield
    except sqlite3.Error as error:
        problem = _problem(path, error)
        if problem is None:
            raise
        raise problem from error


def _problem(path: Path, error: sqlite3.Error) -> DeviceError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _no_space(path)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return LedgerError(
            f"{path} is damaged: {error}; wanted a whole ledger; move {path.name}, {path.name}-wal and "
            f"{path.name}-shm to another folder and a new one is begun"
        )
    if code == sqlite3.SQLITE_BUSY:
        return LedgerError(
            f"{path} is in use: another process has held it for {BUSY_SECONDS:g} s, wanted a turn; end that process"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return LedgerError(
            f"{path} cannot be written: {error}; wanted a file, and a folder, that are yours on a disk that works; "
            "look at their rights, or set EDGECASCADE_HOME to another folder"
        )
    return None


def _no_space(path: Path) -> NoSpaceError:
    return NoSpaceError(
        f"the disk is full: found no space for {path}; free some, or run `edgecascade ledger prune --before 30d`"
    )
