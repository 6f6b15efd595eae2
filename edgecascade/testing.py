"""Doubles that behave like the real thing: two servers on loopback, and a model file of a few hundred bytes.

``LoopbackFiles`` serves bytes over real sockets, as the Hugging Face hub lays them out, ``LoopbackChat`` answers as an
OpenAI-compatible cloud does; both misbehave when they are told to. For the tests of this package, and of programs that
stand on it.
"""

import hashlib
import json
import re
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from edgecascade.identity import Identity, sampler_of
from edgecascade.records import Sampling

TINY_IDENTITY = Identity(
    model="Tiny.Q4_K_M",
    sha256="a" * 64,
    family="Tiny 0123456789abcdef",
    quantisation="Q4_K_M",
    template="0123456789abcdef",
    sampler=sampler_of(Sampling()),
    grammar=False,
    library="llama-cpp-python 0.3.36",
    backend="cpu",
    chunk=64,
    sequences=8,
    context=2048,
    kv_type="f16",
    flash_attention="auto",
    use_extra_bufts=True,
)
"""Of a model that does not exist, for fitted files and attempts of one's own making."""


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


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is part of the tests."""


class _Server(_Quiet):
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


def gguf_bytes(metadata: Mapping[str, str | int | float | Sequence[str]] | None = None, *, weights: int = 64) -> bytes:
    """Return a valid GGUF of one F32 tensor: a small llama's header, with ``metadata`` on top, and no sense.

    >>> gguf_bytes()[:4]
    b'GGUF'
    """
    fields: dict[str, str | int | float | Sequence[str]] = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 0,
        "general.license": "mit",
        "llama.context_length": 128,
        "llama.embedding_length": 8,
        "llama.block_count": 2,
        "tokenizer.ggml.tokens": ("<s>", "</s>", "a"),
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.chat_template": "{{ messages[0].content }}",
        **(metadata or {}),
    }
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, len(fields))
    header += b"".join(_packed(key) + _typed(value) for key, value in fields.items())
    header += _packed("token_embd.weight") + struct.pack("<IQIQ", 1, weights, 0, 0)
    return header + bytes(-len(header) % 32) + bytes(4 * weights)


def _packed(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _typed(value: str | int | float | Sequence[str]) -> bytes:
    """Return a value behind the number of its type."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + _packed(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_packed, value))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A question as it came in; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """What a ``LoopbackChat`` says to one question.

    text     the answer                           status   other than 200: ``text`` is the error's message
    raw      these bytes instead of the JSON      headers  besides the usual ones
    hang_up  close the line without a word
    """

    text: str = ""
    status: int = 200
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hang_up: bool = False

    def body(self) -> bytes:
        """Return the bytes behind the headers."""
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            return json.dumps({"error": {"message": self.text}}).encode()
        message = {"role": "assistant", "content": self.text}
        return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()


class LoopbackChat:
    """An OpenAI-compatible server on 127.0.0.1 with a script: a reply a question, the last one for ever.

    A plain text is a reply with that text.

    >>> with LoopbackChat("Paris.", ChatReply(status=503)) as server:
    ...     server.base_url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, *replies: str | ChatReply) -> None:
        self.requests: list[ChatRequest] = []
        self._replies = [ChatReply(text=reply) if isinstance(reply, str) else reply for reply in replies]
        self._guard = threading.Lock()
        self._server = _ChatServer(("127.0.0.1", 0), _ChatHandler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        """The value for ``OPENAI_BASE_URL``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def take_reply(self, request: ChatRequest) -> ChatReply:
        """Note the request, and return what is said to it."""
        with self._guard:
            self.requests.append(request)
            return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


class _ChatServer(_Quiet):
    owner: LoopbackChat


class _ChatHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.owner.take_reply(ChatRequest(self.path, headers, body))
        if reply.hang_up:
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        given = reply.body()
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(given)),
            **reply.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(given)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
