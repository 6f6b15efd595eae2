"""What the file opener asks, what it makes of answers, and whom it tells the token."""

import hashlib
import socket

import pytest

from edgecascade.cloud.http import HttpFiles
from edgecascade.errors import DownloadError
from edgecascade.testing import LoopbackFiles, Mishap

DATA = bytes(range(200))


def opened(server: LoopbackFiles, token: str | None = None) -> HttpFiles:
    """Return an opener that trusts the server's origin with the token."""
    return HttpFiles.open(token=token, token_origin=server.endpoint)


def test_a_whole_file() -> None:
    """The stream tells its size and its tag, and gives every byte."""
    with LoopbackFiles({"a": DATA}) as server, opened(server) as files, files.open_bytes(server.url("a")) as stream:
        found = b"".join(stream.chunks())

    assert found == DATA and (stream.start, stream.total, stream.sha256) == (0, 200, None)
    assert stream.etag and server.requests[0].headers["accept-encoding"] == "identity"


def test_a_range() -> None:
    """Opening at a byte asks for the rest alone."""
    with (
        LoopbackFiles({"a": DATA}) as server,
        opened(server) as files,
        files.open_bytes(server.url("a"), start=150) as stream,
    ):
        found = b"".join(stream.chunks())

    assert found == DATA[150:] and (stream.start, stream.total) == (150, 200)
    assert server.requests[0].headers["range"] == "bytes=150-"


@pytest.mark.parametrize(("start", "given"), [(200, (200, b"")), (250, (0, DATA))])
def test_a_range_past_the_end(start: int, given: tuple[int, bytes]) -> None:
    """At the end nothing is left to give; past it the file is another, and starts anew."""
    with (
        LoopbackFiles({"a": DATA}) as server,
        opened(server) as files,
        files.open_bytes(server.url("a"), start=start) as stream,
    ):
        found = (stream.start, b"".join(stream.chunks()))

    assert found == given and stream.total == 200


def test_a_server_without_ranges_starts_at_zero() -> None:
    """The stream says so rather than passing the first bytes off as later ones."""
    with LoopbackFiles({"a": DATA}) as server, opened(server) as files:
        server.expect(Mishap(ignore_range=True))
        with files.open_bytes(server.url("a"), start=150) as stream:
            found = (stream.start, b"".join(stream.chunks()))

    assert found == (0, DATA)


def test_the_token_stays_with_its_host() -> None:
    """It is sent to the hub's origin, dropped on a redirect to another host, and sent to no other server."""
    with (
        LoopbackFiles({"u/r/a": DATA}, redirect=True, token="secret") as hub,
        LoopbackFiles({"b": DATA}) as other,
        opened(hub, "secret\n") as files,
    ):
        for url in (hub.url("u/r/resolve/main/a"), other.url("b")):
            with files.open_bytes(url) as stream:
                sums = [stream.sha256, b"".join(stream.chunks())]

    first, second, third = *hub.requests, *other.requests
    assert first.headers["authorization"] == "Bearer secret" and second.host.startswith("localhost")
    assert "authorization" not in second.headers and "authorization" not in third.headers
    assert sums == [None, DATA]


def test_the_publishers_sum_is_read_before_the_redirect() -> None:
    """X-Linked-Etag stands on the hub's answer, not on the one that carries the bytes."""
    with (
        LoopbackFiles({"u/r/a": DATA}, redirect=True) as hub,
        opened(hub) as files,
        files.open_bytes(hub.url("u/r/resolve/main/a")) as stream,
    ):
        found = stream.sha256

    assert found == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize(
    ("mishap", "kind", "message"),
    [
        (Mishap(status=401), DownloadError, "closed to you, .*HF_TOKEN"),
        (Mishap(status=403), DownloadError, "accept its terms"),
        (Mishap(status=404), DownloadError, "answered 404, wanted 200"),
        (Mishap(status=503), ConnectionResetError, "503"),
        (Mishap(status=429), ConnectionResetError, "429"),
        (Mishap(web_page=True), DownloadError, "gave a web page"),
        (Mishap(drop_after=20), ConnectionResetError, "incomplete|closed"),
    ],
)
def test_mishaps_are_told_apart(mishap: Mishap, kind: type[Exception], message: str) -> None:
    """ConnectionResetError: asking again may help. DownloadError: it will not."""
    with LoopbackFiles({"a": DATA}) as server, opened(server) as files:
        server.expect(mishap)

        with pytest.raises(kind, match=message):
            files.read(server.url("a"))


def test_no_server_is_a_refused_connection() -> None:
    """So that the next source is tried at once."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with HttpFiles.open(token=None, token_origin="") as files, pytest.raises(ConnectionRefusedError):
        files.read(f"http://127.0.0.1:{port}/a")


@pytest.mark.parametrize("url", ["m.gguf", "gopher://h/m.gguf", "http://[::/m.gguf"])
def test_what_is_no_address_is_not_asked_again(url: str) -> None:
    """A mistyped HF_ENDPOINT ends at once."""
    with (
        HttpFiles.open(token=None, token_origin="") as files,
        pytest.raises(DownloadError, match="cannot be asked for"),
    ):
        files.read(url)
