"""The file of kept replies: there for good once written, shared, and honest about what it cannot do."""

import sqlite3
from pathlib import Path

import pytest

from edgecascade.errors import DeviceError
from edgecascade.store.calls import CallsFile, Reply

PARIS = Reply("Paris.", 12, 3, 0.5, None)


def test_a_reply_is_found_again(tmp_path: Path) -> None:
    """By another opening of the file too, as it was, its unknown price among it; nothing else is."""
    with CallsFile(tmp_path / "new" / "calls.db") as file:
        file.keep("d", "small", "Capital?", PARIS)
    with CallsFile(tmp_path / "new" / "calls.db") as file:
        found, other = file.find("d"), file.find("e")

    assert found == PARIS
    assert other is None


def test_the_first_reply_stays(tmp_path: Path) -> None:
    """Two processes that asked the same keep one reply, so that a result does not depend on who was faster."""
    with CallsFile(tmp_path / "calls.db") as one, CallsFile(tmp_path / "calls.db") as other:
        first = one.keep("d", "small", "Capital?", PARIS)
        second = other.keep("d", "small", "Capital?", Reply("Lyon.", 1, 1, 1.0, 0.0))

        assert first == second == one.find("d") == other.find("d") == PARIS
        assert len(one) == len(other) == 1


def test_a_closed_file_is_a_bug_of_its_user(tmp_path: Path) -> None:
    """It keeps its traceback, and is not told to be moved away."""
    with CallsFile(tmp_path / "calls.db") as file:
        pass

    with pytest.raises(sqlite3.ProgrammingError):
        file.find("d")


def test_only_this_user_may_read_it(tmp_path: Path) -> None:
    """It holds what was asked."""
    with CallsFile(tmp_path / "calls.db"):
        assert (tmp_path / "calls.db").stat().st_mode & 0o077 == 0


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    """Other bytes, a folder, and a newer version are named, with what to do."""
    (other := tmp_path / "other.db").write_bytes(b"no database at all, whatever its name says" * 9)
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("PRAGMA user_version = 2")
    newer.close()

    for path, said in ((other, "not a database"), (tmp_path, "directory"), (tmp_path / "newer.db", "found schema 2")):
        with pytest.raises(DeviceError, match=f"(?i){said}.*every call is asked again"):
            CallsFile(path)
