"""The server behind a loopback cloud: one thread a connection, which looks whether its client is still there."""

import hashlib
import json
import math
import select
import socket
import ssl
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from edgecascade.testing.replies import BREAK, FILL, Reply, Request, Stop
from edgecascade.testing.serving import QuietServer
from edgecascade.testing.wires import WIRES, Wire
from edgecascade.testing.wires.spoken import Asked, RefusedRequestError, Said

if TYPE_CHECKING:
    from edgecascade.testing.cloud import LoopbackCloud

FAILED = "the model failed while it answered"
"""The message of an error in the middle of an answer."""

CERTIFICATE = Path(__file__).with_name("self_signed.pem")

_BLOCK = 65536
_T = TypeVar("_T")


class CloudServer(QuietServer):
    """Knows which connections are open."""

    daemon_threads = False  # so that closing waits for every answer's thread
    request_queue_size = 128

    def __init__(self, owner: "LoopbackCloud") -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.owner = owner
        self.open: set[socket.socket] = set()
        self.changed = threading.Condition()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if owner.door == "self_signed" else None
        if self.context:
            self.context.load_cert_chain(CERTIFICATE)
        self.server_bind()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a line, its TLS begun."""
        line, address = super().get_request()
        if self.context:  # the handshake is the thread's own, at its first read
            line = self.context.wrap_socket(line, server_side=True, do_handshake_on_connect=False)
        return line, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note that a line is open, and serve it."""
        with self.changed:
            self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a line, and note it."""
        super().shutdown_request(request)
        with self.changed:
            self.open.discard(request)
            self.changed.notify_all()

    def hang_up(self) -> None:
        """End what is said on every line; its thread closes it."""
        with self.changed:
            for line in self.open:
                with suppress(OSError):
                    socket.socket.shutdown(line, socket.SHUT_RDWR)  # of TLS too: without a farewell


class _HaltError(Exception):
    """The reply stops here; its only argument is how."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CloudServer
    connection: socket.socket
    drip = 0.0

    def handle(self) -> None:
        if self.server.owner.door != "plain":
            super().handle()
        elif self.connection.recv(_BLOCK):
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def do_GET(self) -> None:
        self._note(b"")
        models, path = self.server.owner.models, urlsplit(self.path).path
        listed: dict[str, Any] = {
            "/v1/models": {
                "object": "list",
                "data": [{"id": name, "object": "model", "created": 0} for name in models],
            },
            "/v1beta/models": {"models": [{"name": f"models/{name}"} for name in models]},
            **self.server.owner.pages,
        }
        body = json.dumps(listed.get(path, {})).encode()
        self._send(200 if path in listed else 404, [body], len(body))

    def do_POST(self) -> None:
        request = self._note(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        try:
            self._answer(request)
        except _HaltError:
            self.close_connection = True
        except OSError:
            self.close_connection = True
            self.server.owner.note_hung_up()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _note(self, body: bytes) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = None
        request = Request(self.path, headers, parsed, len(body), hashlib.sha256(body).hexdigest())
        self.server.owner.note(request)
        return request

    def _answer(self, request: Request) -> None:
        path = urlsplit(self.path).path
        wire = next((wire for wire in WIRES.values() if wire.PATH.fullmatch(path)), None)
        if wire is None:
            known, missing = self.server.owner.pages, {"error": {"message": "no such address"}}
            body = json.dumps(known.get(path, missing)).encode()
            self._send(200 if path in known else 404, [body], len(body))
            return
        try:
            asked = wire.asked(self.path, request.headers, request.body)
        except RefusedRequestError as error:
            body = wire.failure(400, str(error))
            self._send(400, [body], len(body))
            return
        reply, pieces = self.server.owner.take(asked)
        try:
            self._say(reply, pieces, wire, asked)
        finally:
            if isinstance(pieces, Generator):
                pieces.close()  # a model behind it is to stop when nobody listens

    def _say(self, reply: Reply, pieces: Iterator[str], wire: Wire, asked: Asked) -> None:
        if reply.after is None:
            self._stop(reply.stops)
        self.drip = reply.drip
        tokens = zip(pieces, _each(reply.logprobs), strict=False)
        said = Said(
            asked=asked,
            model=reply.model or asked.model,
            tokens=self._stopping(tokens, reply.stops, reply.after) if asked.stream else tokens,
            finish=reply.finish,
            usage=reply.usage,
            tool_calls=reply.tool_calls,
            empty=reply.empty,
        )
        if reply.status != 200 or reply.body is not None:
            body = wire.failure(reply.status, reply.text) if reply.body is None else reply.body
            self._send(reply.status, [body], len(body) + reply.length_over, self._headers(reply))
        elif asked.stream:
            self._stream(wire, said, reply)
        else:
            self._whole(wire, said, reply)

    def _stream(self, wire: Wire, said: Said, reply: Reply) -> None:
        headers = {"Content-Type": "text/event-stream", **self._headers(reply)}
        parts = (part for event in _events(wire, said) for part in _filled(event, reply.fill))
        if not reply.length_over:
            self._send(200, parts, None, headers)
            return
        body = b"".join(parts)
        self._send(200, [body], len(body) + reply.length_over, headers)

    def _whole(self, wire: Wire, said: Said, reply: Reply) -> None:
        """Send a body of known length in two halves, or in blocks where it is filled."""
        body = wire.failure(500, FAILED) if reply.stops == "error" else _unbraced(wire.whole(said))
        half = len(body) // 2
        if reply.stops == "end":
            body = body[:half]
        halves = iter([body[:half], body[half:]])
        if reply.stops in ("hang", "close"):
            halves = self._stopping(halves, reply.stops, reply.after and 1)
        parts = _filled(body, reply.fill) if reply.fill else halves
        grown = reply.fill - len(FILL.encode()) if reply.fill else 0.0
        length = None if math.isinf(grown) else len(body) + int(grown) + reply.length_over
        self._send(200, parts, length, self._headers(reply))

    def _headers(self, reply: Reply) -> dict[str, str]:
        owner = self.server.owner
        places = {"address": owner.address, "elsewhere": owner.address.replace("127.0.0.1", "localhost")}
        return {
            name: self.date_time_string(owner.clock() + value.total_seconds())
            if isinstance(value, timedelta)
            else value.format(path=self.path, **places)
            for name, value in reply.headers.items()
        }

    def _stopping(self, parts: Iterable[_T], how: Stop | None, after: int | None) -> Iterator[_T]:
        """Pass the parts on, and stop after so many of them, or after the last."""
        passed = -1
        for passed, part in enumerate(parts):
            if passed == after:
                self._stop(how)
            yield part
        if after is not None and after > passed:
            self._stop(how)

    def _stop(self, how: Stop | None) -> None:
        if how == "hang":
            self.server.owner.hold()
            self._wait(None)
        elif how:
            raise _HaltError(how)

    def _send(
        self, status: int, parts: Iterable[bytes], length: int | None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an answer; without a length its parts go out in chunks."""
        size = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        self.send_response_only(status)
        date = {"Date": self.date_time_string(self.server.owner.clock())}
        for name, value in {"Content-Type": "application/json", **date, **size, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        for part in parts:
            self._write(b"%x\r\n%b\r\n" % (len(part), part) if length is None else part)
            length = length and length - len(part)
        if length is None:
            self._end()
        elif length:
            raise _HaltError("close")

    def _end(self) -> None:
        """Send the last chunk; who has heard all may leave before it."""
        try:
            self._write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _write(self, sent: bytes) -> None:
        for start in range(len(sent)) if self.drip else (0,):
            self._wait(self.drip)
            self.wfile.write(sent[start : start + 1] if self.drip else sent)

    def _wait(self, seconds: float | None) -> None:
        """Wait until released; raise ConnectionError where the client has left."""
        ready, _, _ = select.select([self.connection, self.server.owner.released], [], [], seconds)
        if self.connection in ready:
            raise ConnectionAbortedError("the client hung up: nothing more is said to it")


def _events(wire: Wire, said: Said) -> Iterator[bytes]:
    """Yield the events of a stream, up to where it stops."""
    try:
        yield from map(_unbraced, wire.events(said))
    except _HaltError as halt:
        if halt.args == ("close",):
            raise
        if halt.args == ("error",):
            yield wire.failure_event(500, FAILED)


def _unbraced(body: bytes) -> bytes:
    """Return the body without its first brace where it contains BREAK.

    >>> _unbraced(b'{"a": "' + BREAK.encode() + b'"}'), _unbraced(b"{}")
    (b'"a": ""}', b'{}')
    """
    mark = BREAK.encode()
    return body.replace(mark, b"").replace(b"{", b"", 1) if mark in body else body


def _filled(body: bytes, size: float) -> Iterator[bytes]:
    """Yield the body with FILL grown to so many bytes, block by block.

    >>> b"".join(_filled(b"<" + FILL.encode() + b">", 3))
    b'<xxx>'
    """
    before, found, after = body.partition(FILL.encode())
    yield before
    while found and size > 0:
        yield b"x" * int(min(size, _BLOCK))
        size -= _BLOCK
    if after:
        yield after


def _each(logprobs: float | Sequence[float] | None) -> Iterable[float | None]:
    return logprobs if isinstance(logprobs, Sequence) else repeat(logprobs)
