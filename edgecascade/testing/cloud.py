"""A cloud on loopback: a real HTTP server with a script that speaks three wire formats, and misbehaves on request.

OpenAI chat completions (``/v1/chat/completions``, ``/v1/models``), Anthropic Messages (``/v1/messages``) and Gemini
(``/v1beta/models/MODEL:generateContent`` and ``:streamGenerateContent?alt=sse``), streamed and whole. What a provider
would refuse is refused with 400. Different from the real ones: a word is a token, and no key is asked for.
"""

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from types import MappingProxyType, TracebackType
from typing import Literal, Self

from edgecascade.testing.cloud_server import CloudServer
from edgecascade.testing.pieces import pieces_of
from edgecascade.testing.replies import FILL, Reply, Request
from edgecascade.testing.wires.spoken import Asked

Door = Literal["open", "closed", "self_signed", "plain"]
"""``closed``: nothing listens. ``self_signed``: https by a certificate that nobody trusts. ``plain``: no TLS there."""

Answer = Callable[[list[Mapping[str, str]]], str | Iterator[str]]
"""A model of one's own behind the server: role and content of each message in, a text or its pieces out."""


class LoopbackCloud:
    """A server on 127.0.0.1 with a script: a reply a question, the last one for ever; a plain text is a ``Reply``.

    answer  a model behind the server instead of a script; called from several threads at once
    door    how the server is reached
    models  what ``/v1/models`` lists
    pages   JSON that further paths answer with, like ``{"/props": {...}}``; may be changed at any time
    clock   for dates in headers

    >>> with LoopbackCloud("Paris.", Reply("slow down", status=429)) as cloud:
    ...     cloud.spec("openai", "small") == f"{cloud.address}/v1#small"
    True
    """

    def __init__(
        self,
        *script: str | Reply,
        answer: Answer | None = None,
        door: Door = "open",
        models: Sequence[str] = ("loopback",),
        pages: Mapping[str, object] = MappingProxyType({}),
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not script and not answer and door != "closed":
            raise ValueError("a cloud that has nothing to say: found no script and no answer; give a text")
        self.models, self.pages, self.clock, self.door = models, pages, clock, door
        self.requests: list[Request] = []
        self.hung_up = 0
        self._script = [Reply(reply) if isinstance(reply, str) else reply for reply in script]
        self._answer = answer
        self._guard, self._held, self._leaving = threading.Lock(), threading.Event(), False
        self.released, self._release = socket.socketpair()
        self._server = CloudServer(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @classmethod
    def refusing(cls) -> Self:
        """Return a cloud whose address nobody listens on, and nobody else can take."""
        return cls(door="closed")

    def __enter__(self) -> Self:
        if self.door != "closed":
            self._server.server_activate()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.hang_up()
        self.release()
        self._server.server_close()
        self.released.close()
        self._release.close()

    @property
    def address(self) -> str:
        """Scheme, host and port."""
        scheme = "https" if self.door in ("self_signed", "plain") else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def base_url(self, wire: str = "openai") -> str:
        """Return what the provider's own library takes for the base of its addresses."""
        return f"{self.address}/v1" if wire == "openai" else self.address

    def spec(self, wire: str = "openai", model: str = "loopback") -> str:
        """Return what ``--cloud`` takes; the wires other than OpenAI's need ``environment`` beside it."""
        return f"{self.base_url()}#{model}" if wire == "openai" else f"{wire}:{model}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that send each provider's traffic here."""
        return {
            "OPENAI_BASE_URL": self.base_url("openai"),
            "ANTHROPIC_BASE_URL": self.base_url("anthropic"),
            "GOOGLE_GEMINI_BASE_URL": self.base_url("gemini"),
            "GEMINI_BASE_URL": self.base_url("gemini"),
        }

    @property
    def open_connections(self) -> int:
        """How many connections are open now, idle ones too."""
        return len(self._server.open)

    def wait_closed(self, seconds: float = 30.0) -> bool:
        """Return whether every connection was closed within that time."""
        with self._server.changed:
            return self._server.changed.wait_for(lambda: not self._server.open, seconds)

    def wait_until_held(self, seconds: float = 30.0) -> bool:
        """Return whether a reply came to its "hang" within that time."""
        return self._held.wait(seconds)

    def release(self) -> None:
        """Let replies that hang go on, now and later."""
        self._release.send(b"!")

    def hold(self) -> None:
        """Note that a reply hangs."""
        self._held.set()

    def note(self, request: Request) -> None:
        """Keep a request."""
        with self._guard:
            self.requests.append(request)

    def note_hung_up(self) -> None:
        """Count a client that left in the middle of a reply."""
        with self._guard:
            self.hung_up += not self._leaving

    def take(self, asked: Asked) -> tuple[Reply, Iterator[str]]:
        """Return the next reply, and its text in pieces."""
        if self._answer:
            said = self._answer(list(asked.messages))
            return Reply(), iter(pieces_of(said)) if isinstance(said, str) else said
        with self._guard:
            reply = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if reply.endless and not asked.stream:
            reply = replace(reply, text=FILL, fill=math.inf, endless=False)
        pieces = [] if reply.empty else reply.told()
        return reply, cycle(pieces) if reply.endless else iter(pieces)
