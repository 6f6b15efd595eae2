"""A file server on loopback that lays files out as the Hugging Face hub does, and misbehaves when it is told to."""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from edgecascade.testing.serving import QuietServer


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in; header names are in lower case."""

    host: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """What goes wrong with one answer that carries bytes.

    status        answer with this status and no file        drop_after   close the line after so many bytes
    web_page      answer with an HTML page                   hold_after   wait after so many bytes until released
    ignore_range  send the whole file, whatever was asked    flip         send the first byte changed
    """

    status: int | None = None
    web_page: bool = False
    ignore_range: bool = False
    drop_after: int | None = None
    hold_after: int | None = None
    flip: bool = False


class LoopbackFiles:
    """A file server on 127.0.0.1: ``/NAME``, ``/REPO/resolve/REV/FILE`` and ``/api/models/REPO/tree/REV``.

    files     name -> bytes; the hub's names are ``user/repo/file``
    redirect  send the hub's file addresses on to another host name (localhost), as the hub does
    token     refuse (401) the hub's addresses without it

    >>> with LoopbackFiles({"a.gguf": b"GGUF"}) as server:
    ...     server.url("a.gguf").startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, files: Mapping[str, bytes], *, redirect: bool = False, token: str | None = None) -> None:
        self.files = dict(files)
        self.redirect, self.token = redirect, token
        self.requests: list[Received] = []
        self._mishaps: list[Mishap] = []
        self._guard, self._held, self._released = threading.Lock(), threading.Event(), threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        """The value for ``HF_ENDPOINT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url(self, name: str) -> str:
        """Return a file's plain address."""
        return f"{self.endpoint}/{name}"

    def expect(self, *mishaps: Mishap) -> None:
        """Let the next answers that carry bytes go wrong, one mishap each, in this order."""
        with self._guard:
            self._mishaps += mishaps

    def wait_until_held(self, seconds: float = 30.0) -> bool:
        """Return whether an answer came to its ``hold_after`` within that time."""
        return self._held.wait(seconds)

    def release(self) -> None:
        """Let held answers go on."""
        self._released.set()

    def take_mishap(self) -> Mishap:
        """Return what goes wrong next; by default nothing."""
        with self._guard:
            return self._mishaps.pop(0) if self._mishaps else Mishap()

    def hold(self) -> None:
        """Keep an answer waiting until release()."""
        self._held.set()
        self._released.wait()


class _Server(QuietServer):
    owner: LoopbackFiles


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        owner, path = self.server.owner, unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner.requests.append(Received(headers.get("host", ""), path, headers))
        if listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/[^/]+", path):
            self._guarded(lambda: self._list(listing[1]))
        elif hub := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._guarded(lambda: self._resolve(f"{hub[1]}/{hub[2]}"))
        else:
            self._send_file(path.removeprefix("/"), {})

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _guarded(self, answer: Any) -> None:
        token = self.server.owner.token
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            self._answer(401, b"closed")
        else:
            answer()

    def _list(self, repo: str) -> None:
        files = {name.removeprefix(f"{repo}/"): data for name, data in self.server.owner.files.items()}
        entries = [
            {"type": "file", "path": name, "size": len(data), "lfs": {"oid": _sha256(data), "size": len(data)}}
            for name, data in files.items()
            if f"{repo}/{name}" in self.server.owner.files
        ]
        self._answer(200 if entries else 404, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def _resolve(self, name: str) -> None:
        linked = {"X-Linked-Etag": f'"{_sha256(self.server.owner.files.get(name, b""))}"'}
        if not self.server.owner.redirect:
            self._send_file(name, linked)
            return
        port = self.server.server_address[1]
        self._answer(302, b"", {**linked, "Location": f"http://localhost:{port}/{name}"})

    def _send_file(self, name: str, headers: Mapping[str, str]) -> None:
        mishap, data = self.server.owner.take_mishap(), self.server.owner.files.get(name)
        if mishap.status or data is None:
            self._answer(mishap.status or 404, b"nothing here")
            return
        if mishap.web_page:
            self._answer(200, b"<html>please log in</html>", {"Content-Type": "text/html; charset=utf-8"})
            return
        headers = {**headers, "ETag": f'"{_sha256(data)[:16]}"', "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and not mishap.ignore_range else 0
        if start >= len(data) > 0 and start:
            self._answer(416, b"", {**headers, "Content-Range": f"bytes */{len(data)}"})
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        body = bytes([body[0] ^ 1]) + body[1:] if mishap.flip else body
        self._answer(206 if start else 200, body, headers, mishap)

    def _answer(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, mishap: Mishap | None = None
    ) -> None:
        mishap = mishap or Mishap()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if mishap.hold_after is not None:
            self.wfile.write(body[: mishap.hold_after])
            self.server.owner.hold()
            body = body[mishap.hold_after :]
        if mishap.drop_after is not None:
            body = body[: mishap.drop_after]
            self.close_connection = True
        self.wfile.write(body)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
