"""Vectors of texts, kept so that none is computed twice: a cache on disk, which a long job resumes by.

    key   of whatever makes the vectors: a model file, its settings, an encoder

A cache may be deleted at any time. It holds digests of texts, not the texts.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import NoSpaceError

FLOAT = np.dtype("<f4")

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]


def vectors_of(
    texts: Sequence[str],
    make: Callable[[Sequence[str]], Vectors],
    *,
    key: str,
    path: Path,
    at_once: int = 1,
    progress: Progress = lambda done, of: None,
) -> Vectors:
    """Return the vectors of texts (n, width), made so many at once where they are not in the cache yet.

    Each batch is kept when it is made: stopped at any moment, the next call goes on there. Raises NoSpaceError.
    A cache that is damaged is begun anew, since nothing in it cannot be made again.
    """
    try:
        return _vectors(texts, make, key, path, at_once, progress)
    except sqlite3.OperationalError as error:
        raise NoSpaceError(
            f"the cache of vectors {path} cannot be used: {error}; free some space, or delete it"
        ) from error
    except sqlite3.DatabaseError:
        path.unlink()
        return _vectors(texts, make, key, path, at_once, progress)


def _vectors(
    texts: Sequence[str],
    make: Callable[[Sequence[str]], Vectors],
    key: str,
    path: Path,
    at_once: int,
    progress: Progress,
) -> Vectors:
    names = [hashlib.sha256(f"{key}\0{text}".encode()).digest() for text in texts]
    with closing(_opened(path)) as cache:
        known = {name: found for name in names if (found := _get(cache, name)) is not None}
        todo = list({name: place for place, name in enumerate(names) if name not in known}.values())
        for at in range(0, len(todo), at_once):
            progress(len(texts) - len(todo) + at, len(texts))
            batch = todo[at : at + at_once]
            made = np.asarray(make([texts[place] for place in batch]), FLOAT)
            _put(cache, [(names[place], vector) for place, vector in zip(batch, made, strict=True)])
            known |= {names[place]: vector for place, vector in zip(batch, made, strict=True)}
    progress(len(texts), len(texts))
    return np.array([known[name] for name in names], np.float32)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NoSpaceError(f"{path} cannot be made: {error.strerror}; free some space, or set another cache") from error
    cache = sqlite3.connect(path, timeout=60)
    try:
        cache.execute("CREATE TABLE IF NOT EXISTS vectors (name BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
    except sqlite3.Error:
        cache.close()
        raise
    return cache


def _get(cache: sqlite3.Connection, name: bytes) -> Vectors | None:
    row = cache.execute("SELECT vector FROM vectors WHERE name = ?", (name,)).fetchone()
    return None if row is None else np.frombuffer(row[0], FLOAT)


def _put(cache: sqlite3.Connection, rows: Sequence[tuple[bytes, Vectors]]) -> None:
    with cache:
        cache.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?)", [(name, vector.tobytes()) for name, vector in rows]
        )
