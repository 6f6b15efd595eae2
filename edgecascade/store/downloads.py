"""One file from one address, whole and checked, or not at all.

Bytes go to ``NAME.incomplete``; a broken line is taken up where it broke, now or at the next run. The file takes its
name only when its size, its sha256 and its header are right. Where the bytes come from is not known here.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ValidationError

from edgecascade.errors import ChecksumError, DownloadError, EdgeCascadeError, NoSpaceError
from edgecascade.store.files import write_whole
from edgecascade.store.gguf import read_gguf

_TRIES = 5
_REAL_PROGRESS = 1 << 20  # after this many new bytes a broken line counts as the first again


class Progress(Protocol):
    """Told how far a download is; ``what`` names the step, and a new ``what`` starts a new count."""

    def __call__(self, done_bytes: int, total_bytes: int | None, what: str) -> None:
        """Take note of it."""


class ByteStream(Protocol):
    """An opened file elsewhere, and what its server says of the whole."""

    @property
    def start(self) -> int:
        """The place of the first byte that comes."""

    @property
    def total(self) -> int | None:
        """The whole file's size."""

    @property
    def etag(self) -> str | None:
        """The server's name for this state of the file."""

    @property
    def sha256(self) -> str | None:
        """The publisher's own sum of the whole file."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes; raise ConnectionError where the line breaks."""


class OpenBytes(Protocol):
    """Opens an address at a byte, or at byte 0 where the server cannot.

    ConnectionRefusedError means that no server was reached, any other ConnectionError that asking again may help,
    DownloadError that it will not.
    """

    def __call__(self, url: str, *, start: int = 0) -> AbstractContextManager[ByteStream]:
        """Open it."""


class Receipt(BaseModel):
    """What is remembered beside a file: whole (``NAME.json``) or not yet (``NAME.incomplete.json``)."""

    schema_version: int = 1
    source: str
    bytes: int | None = None
    sha256: str | None = None
    etag: str | None = None


def receipt_of(path: Path) -> Receipt | None:
    """Return what was remembered of the file, or None where nothing readable was."""
    try:
        return Receipt.model_validate_json(_beside(path).read_bytes())
    except (OSError, ValidationError):
        return None


def incomplete(target: Path) -> Path:
    """Return where the bytes lie until the file is whole."""
    return target.with_name(f"{target.name}.incomplete")


def all_files_of(target: Path) -> list[Path]:
    """Return the files that a download of ``target`` may have left, itself among them."""
    part = incomplete(target)
    beside = (target, _beside(target), part, _beside(part))
    return [path for path in beside if path.is_file()]


def require_space(folder: Path, needed: int) -> None:
    """Raise NoSpaceError where the folder's disk has fewer free bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise _no_space(folder, f"found {free / 1e6:,.0f} MB free, wanted {needed / 1e6:,.0f} MB")


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what a disk may refuse inside the block into our errors."""
    try:
        yield
    except (ConnectionError, BrokenPipeError):
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_space(folder, "found none left while writing") from error
        raise DownloadError(
            f"{folder} cannot be written to: {error.strerror or error}; wanted a writable folder; "
            "mend its rights, or set EDGECASCADE_HOME"
        ) from error


def download(
    url: str,
    target: Path,
    *,
    open_bytes: OpenBytes,
    progress: Progress,
    sleep: Callable[[float], None],
    random: Callable[[], float],
    size: int | None = None,
    sha256: str | None = None,
) -> Receipt:
    """Fetch the address into ``target`` and return its receipt; ``random`` draws from 0 to 1 for the back-off.

    Without a given ``sha256`` the one that the server states is checked, if it states one.
    """
    part, what = incomplete(target), f"downloading {target.name}"
    broken, reason = 0, ConnectionError()
    with disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        while True:
            before = _size(part)
            try:
                receipt, promised = _continue(url, part, open_bytes, partial(progress, what=what), size, sha256)
                return settle(part, target, receipt, size=size, sha256=promised)
            except ConnectionRefusedError as error:
                if not broken:
                    raise DownloadError(f"no connection ({error})") from error
                broken, reason = broken + 1, error
            except ConnectionError as error:
                broken, reason = (1 if _size(part) - before >= _REAL_PROGRESS else broken + 1), error
            if broken >= _TRIES:
                raise DownloadError(f"the line broke {broken} times ({reason}); what came is kept") from reason
            sleep((0.5 + random()) * 2 ** (broken - 1))


def settle(part: Path, target: Path, receipt: Receipt, *, size: int | None, sha256: str | None) -> Receipt:
    """Give the finished bytes their name; remove them and raise where they are not what they must be.

    ``receipt`` says what was found, ``size`` and ``sha256`` what is wanted.
    """
    found = receipt.sha256
    try:
        if size is not None and receipt.bytes != size:
            raise ChecksumError(f"{target.name}: found {receipt.bytes:,} bytes, wanted {size:,}; they were thrown away")
        if sha256 is not None and found != sha256:
            raise ChecksumError(f"{target.name}: found sha256 {found}, wanted {sha256}; the bytes were thrown away")
        read_gguf(part)
    except EdgeCascadeError:
        forget(part)
        raise
    write_whole(_beside(target), receipt.model_dump_json(exclude_none=True, indent=1) + "\n")
    part.replace(target)
    _beside(part).unlink(missing_ok=True)
    return receipt


def forget(path: Path) -> None:
    """Remove a file and what was remembered of it."""
    path.unlink(missing_ok=True)
    _beside(path).unlink(missing_ok=True)


def _continue(
    url: str,
    part: Path,
    open_bytes: OpenBytes,
    progress: Callable[[int, int | None], None],
    size: int | None,
    sha256: str | None,
) -> tuple[Receipt, str | None]:
    """Fetch what is missing; return what was found, and the sha256 that it should have."""
    known = receipt_of(part)
    start = _size(part) if known else 0
    start = start if size is None or start <= size else 0
    with open_bytes(url, start=start) as stream:
        if sha256 and stream.sha256 not in (None, sha256):
            raise ChecksumError(f"the publisher's file has changed: found sha256 {stream.sha256}, wanted {sha256}")
        if size is not None and stream.total not in (None, size):
            raise ChecksumError(f"the file there has another size: found {stream.total:,} bytes, wanted {size:,}")
        if not stream.start or _is_same(known, stream, sha256):
            return _receive(url, part, stream, progress), sha256 or stream.sha256
    forget(part)  # the file there changed since the first half came
    return _continue(url, part, open_bytes, progress, size, sha256)


def _is_same(known: Receipt | None, stream: ByteStream, sha256: str | None) -> bool:
    """Return whether the opened file is the one that the first bytes are of."""
    before = known and (known.sha256 or known.etag)
    now = stream.sha256 or stream.etag
    return before == now and (now is not None or sha256 is not None)


def _receive(url: str, part: Path, stream: ByteStream, progress: Callable[[int, int | None], None]) -> Receipt:
    """Append the stream to the file; return what is there then, or raise ConnectionResetError where it is short."""
    done, total = stream.start, stream.total
    require_space(part.parent, (total or done) - done)
    note = Receipt(source=url, sha256=stream.sha256, etag=stream.etag)
    write_whole(_beside(part), note.model_dump_json(exclude_none=True) + "\n")
    with part.open("r+b" if done else "w+b") as file:
        digest = hashlib.file_digest(file, "sha256") if done else hashlib.sha256()
        progress(done, total)
        for chunk in stream.chunks():
            file.write(chunk)
            file.flush()  # what came is on disk if this process is killed now
            digest.update(chunk)
            done += len(chunk)
            progress(done, total)
        os.fsync(file.fileno())
    if total is not None and done < total:
        raise ConnectionResetError(f"{done:,} of {total:,} bytes came")
    return Receipt(source=url, bytes=done, sha256=digest.hexdigest(), etag=stream.etag)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _no_space(folder: Path, found: str) -> NoSpaceError:
    return NoSpaceError(f"the disk of {folder} is full: {found}; make room, or point EDGECASCADE_HOME at another disk")
