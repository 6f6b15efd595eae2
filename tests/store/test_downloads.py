"""A download is whole and checked, or not there; what came of a broken one is kept."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgecascade.cloud.http import HttpFiles
from edgecascade.errors import ChecksumError, DownloadError, ModelFileError, NoSpaceError
from edgecascade.store.downloads import ByteStream, OpenBytes, Receipt, all_files_of, download, receipt_of
from edgecascade.testing import LoopbackFiles, Mishap, gguf_bytes

DATA = gguf_bytes(weights=500_000)
SUM = hashlib.sha256(DATA).hexdigest()


@dataclass
class Watch:
    """Remembers what a download told, and how long it waited; interrupts it at a byte if asked to."""

    interrupt_at: int | None = None

    def __post_init__(self) -> None:
        self.told: list[int] = []
        self.waits: list[float] = []

    def __call__(self, done_bytes: int, total_bytes: int | None, what: str) -> None:
        """Take note."""
        self.told.append(done_bytes)
        if self.interrupt_at is not None and done_bytes >= self.interrupt_at:
            raise KeyboardInterrupt


def fetched(
    server: LoopbackFiles,
    target: Path,
    *,
    watch: Watch | None = None,
    size: int | None = None,
    sha256: str | None = None,
) -> Receipt:
    """Download m.gguf from the server."""
    watch = watch or Watch()
    with HttpFiles.open(token=None, token_origin="") as files:
        return download(
            server.url("m.gguf"),
            target,
            open_bytes=files.open_bytes,
            progress=watch,
            sleep=watch.waits.append,
            random=lambda: 0.5,
            size=size,
            sha256=sha256,
        )


def names(folder: Path) -> list[str]:
    """Return what lies in the folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_download(tmp_path: Path) -> None:
    """The file, its receipt, and nothing else are left; progress only grows."""
    watch = Watch()
    with LoopbackFiles({"m.gguf": DATA}) as server:
        receipt = fetched(server, tmp_path / "m.gguf", watch=watch, size=len(DATA), sha256=SUM)

    assert (tmp_path / "m.gguf").read_bytes() == DATA and receipt == receipt_of(tmp_path / "m.gguf")
    assert (receipt.sha256, receipt.bytes) == (SUM, len(DATA)) and names(tmp_path) == ["m.gguf", "m.gguf.json"]
    assert watch.told == sorted(watch.told) and watch.told[-1] == len(DATA)


def test_broken_lines_are_taken_up_where_they_broke(tmp_path: Path) -> None:
    """Every retry asks for the missing bytes alone, after a growing wait."""
    watch = Watch()
    with LoopbackFiles({"m.gguf": DATA}) as server:
        server.expect(Mishap(drop_after=10_000), Mishap(status=503), Mishap(drop_after=10_000))
        fetched(server, tmp_path / "m.gguf", watch=watch, sha256=SUM)

    assert [request.headers.get("range") for request in server.requests] == [
        None, "bytes=10000-", "bytes=10000-", "bytes=20000-"
    ]  # fmt: skip
    assert watch.waits == [1.0, 2.0, 4.0] and watch.told == sorted(watch.told)


def test_it_gives_up_after_five_tries_and_keeps_what_came(tmp_path: Path) -> None:
    """A server that drops every line ends in DownloadError; the next run goes on from there."""
    with LoopbackFiles({"m.gguf": DATA}) as server:
        server.expect(*[Mishap(drop_after=1000)] * 5)
        with pytest.raises(DownloadError, match="broke 5 times"):
            fetched(server, tmp_path / "m.gguf")
        fetched(server, tmp_path / "m.gguf")

    assert server.requests[-1].headers["range"] == "bytes=5000-"
    assert (tmp_path / "m.gguf").read_bytes() == DATA


def test_real_progress_renews_the_tries(tmp_path: Path) -> None:
    """A long file over a bad line gets through, however often it breaks."""
    data = gguf_bytes(weights=2_000_000)
    with LoopbackFiles({"m.gguf": data}) as server:
        server.expect(*[Mishap(drop_after=1_100_000)] * 7)
        fetched(server, tmp_path / "m.gguf", sha256=hashlib.sha256(data).hexdigest())

    assert len(server.requests) == 8


def test_ctrl_c_leaves_what_came(tmp_path: Path) -> None:
    """An interrupted download goes on at the byte where it stopped."""
    with LoopbackFiles({"m.gguf": DATA}) as server:
        with pytest.raises(KeyboardInterrupt):
            fetched(server, tmp_path / "m.gguf", watch=Watch(interrupt_at=1))
        came = (tmp_path / "m.gguf.incomplete").stat().st_size
        fetched(server, tmp_path / "m.gguf", sha256=SUM)

    assert 0 < came < len(DATA) and server.requests[-1].headers["range"] == f"bytes={came}-"


def test_a_file_that_changed_meanwhile_starts_anew(tmp_path: Path) -> None:
    """Halves of two files are never joined."""
    other = gguf_bytes({"general.name": "Other"}, weights=500_000)
    with LoopbackFiles({"m.gguf": other}) as server:
        with pytest.raises(KeyboardInterrupt):
            fetched(server, tmp_path / "m.gguf", watch=Watch(interrupt_at=1))
        server.files["m.gguf"] = DATA
        fetched(server, tmp_path / "m.gguf")

    assert (tmp_path / "m.gguf").read_bytes() == DATA and "range" not in server.requests[-1].headers


def test_a_server_that_ignores_ranges_starts_anew(tmp_path: Path) -> None:
    """A whole answer replaces the half that was there."""
    with LoopbackFiles({"m.gguf": DATA}) as server:
        server.expect(Mishap(drop_after=1000), Mishap(ignore_range=True))
        fetched(server, tmp_path / "m.gguf", sha256=SUM)

    assert (tmp_path / "m.gguf").read_bytes() == DATA


def test_a_complete_leftover_is_not_fetched_again(tmp_path: Path) -> None:
    """Killed between the last byte and the name: the next run asks for nothing more and finishes."""
    with LoopbackFiles({"m.gguf": DATA}) as server:
        with pytest.raises(KeyboardInterrupt):
            fetched(server, tmp_path / "m.gguf", watch=Watch(interrupt_at=len(DATA)))
        fetched(server, tmp_path / "m.gguf", sha256=SUM, size=len(DATA))

    assert server.requests[-1].headers["range"] == f"bytes={len(DATA)}-"
    assert (tmp_path / "m.gguf").read_bytes() == DATA


@pytest.mark.parametrize(
    ("mishap", "wanted", "kind", "message"),
    [
        (Mishap(), {"sha256": "0" * 64}, ChecksumError, f"found sha256 {SUM}, wanted 0000"),
        (Mishap(), {"size": 7}, ChecksumError, f"found {len(DATA):,} bytes, wanted 7"),
        (Mishap(flip=True), {}, ModelFileError, "not a GGUF model"),
    ],
)
def test_wrong_bytes_are_thrown_away(
    tmp_path: Path, mishap: Mishap, wanted: dict[str, str | int], kind: type[Exception], message: str
) -> None:
    """Neither the file nor its leftovers stay."""
    with LoopbackFiles({"m.gguf": DATA}) as server:
        server.expect(mishap)
        with pytest.raises(kind, match=message):
            fetched(server, tmp_path / "m.gguf", **wanted)  # type: ignore[arg-type]

    assert names(tmp_path) == []


@dataclass
class Huge:
    """A stream that promises more than any disk has."""

    start: int = 0
    total: int | None = 10**18
    etag: str | None = None
    sha256: str | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield a beginning."""
        yield bytes(1 << 20)


def opening(stream: ByteStream) -> OpenBytes:
    """Return an opener of that stream."""

    @contextmanager
    def open_bytes(url: str, *, start: int = 0) -> Iterator[ByteStream]:
        yield stream

    return open_bytes


def huge_download(stream: Huge, target: Path) -> Receipt:
    """Download that stream."""
    return download(
        "x", target, open_bytes=opening(stream), progress=Watch(), sleep=lambda seconds: None, random=lambda: 0.5
    )


def test_space_is_looked_at_first(tmp_path: Path) -> None:
    """A file that cannot fit is refused before a byte is written, with both figures."""
    with pytest.raises(NoSpaceError, match="MB free, wanted 1,000,000,000,000 MB"):
        huge_download(Huge(), tmp_path / "m.gguf")

    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_disk_that_fills_up_meanwhile(tmp_path: Path) -> None:
    """ENOSPC while writing says the same."""
    (tmp_path / "m.gguf.incomplete").symlink_to("/dev/full")

    with pytest.raises(NoSpaceError, match="found none left while writing"):
        huge_download(Huge(total=None), tmp_path / "m.gguf")


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    """It is named, with the remedy."""
    (tmp_path / "file").touch()

    with pytest.raises(DownloadError, match=r"cannot be written to.*EDGECASCADE_HOME"):
        huge_download(Huge(), tmp_path / "file" / "m.gguf")


def test_all_files_of_a_download(tmp_path: Path) -> None:
    """Whatever a download may leave is known, so that it can be removed; its empty lock stays, for whoever waits."""
    left = ["m.gguf", "m.gguf.json", "m.gguf.incomplete", "m.gguf.incomplete.json"]
    for name in [*left, "m.gguf.lock", "other.gguf"]:
        (tmp_path / name).touch()

    assert [path.name for path in all_files_of(tmp_path / "m.gguf")] == left


def test_a_lock_is_let_go_when_its_holder_dies(tmp_path: Path) -> None:
    """A killed process never blocks the next one."""
    from edgecascade.store.locks import locked

    script = "import sys, pathlib\nfrom edgecascade.store.locks import locked\n"
    script += "with locked(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    with child:
        assert child.stdout and child.stdout.readline() == b"held\n"
        with locked(tmp_path / "lock", waiting=child.kill):
            waited = True

    assert waited and child.returncode == -9
