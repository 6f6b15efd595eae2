"""A lock between processes that the system lets go of when its holder dies."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edgecascade.errors import DownloadError

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes], *, wait: bool) -> bool:
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                return True
            except OSError:  # LK_LOCK itself gives up after ten seconds
                if not wait:
                    return False
else:
    import fcntl

    def _lock(file: IO[bytes], *, wait: bool) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


@contextmanager
def locked(path: Path, *, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file while the block runs; call ``waiting`` once where another process holds it.

    The empty file stays behind: deleting it would let two processes each hold their own.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise _unwritable(path, error) from error
    with file:
        try:
            if not _lock(file, wait=False):
                waiting()
                _lock(file, wait=True)
        except OSError as error:
            raise _unwritable(path, error) from error
        yield


def try_lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed, unless somebody holds it; return whether that was done."""
    return _lock(file, wait=False)


def _unwritable(path: Path, error: OSError) -> DownloadError:
    return DownloadError(
        f"{path} cannot be locked: {error.strerror or error}; wanted a local folder that is yours; name another, or "
        "set EDGECASCADE_HOME to one"
    )
