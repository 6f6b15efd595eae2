"""An OpenAI-compatible server on loopback with a script; it answers whole, never in a stream."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType, TracebackType
from typing import Any, Self

from edgecascade.testing.serving import QuietServer


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


class _ChatServer(QuietServer):
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
