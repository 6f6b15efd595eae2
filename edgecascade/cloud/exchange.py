"""One HTTP request and its reply, as a coroutine: tokens are said as they come, the ending is returned.

Whatever ends it, a time-out, an error or a cancelled task, the connection is closed; one that was read to its end is
kept for the next question.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from edgecascade.cloud.reading import Reading, estimated
from edgecascade.cloud.refusals import PassingError, plain, refusal
from edgecascade.cloud.specs import CloudSpec
from edgecascade.cloud.wire import Codec, ServerError
from edgecascade.errors import CloudError, ConfigError
from edgecascade.records import Ending, Token

WORDS = 64 << 10
"""So many bytes of a refusal are read."""

LINGER = 3.0
"""Seconds in which a server must tell the usage and end a reply that is whole, so that its connection can be kept."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that each part of a request may take.

    connect     to the server, and again for TLS        between  from some bytes to the next
    first_byte  from the question to the first text     silent   without any text, while bytes come
    total       in all; None for no limit
    """

    connect: float = 5.0
    first_byte: float = 60.0
    between: float = 30.0
    silent: float = 300.0
    total: float | None = None


class _Line(Protocol):
    """A connection, as httpcore's trace tells of it."""

    async def aclose(self) -> None:
        """Close it."""


class Exchange:
    """A request on its way; what it knows so far can be asked at any time.

    status   of the reply, None before it             sent  whether the question has left
    reading  of the answer, None before it
    """

    def __init__(
        self, spec: CloudSpec, codec: Codec, timeouts: Timeouts, *, deadline: float | None, say: Callable[[Token], None]
    ) -> None:
        """``deadline`` is a ``time.monotonic``; ``say`` is given each token."""
        self.status: int | None = None
        self.reading: Reading | None = None
        self.sent = False
        self._spec, self._codec, self._timeouts, self._say = spec, codec, timeouts, say
        own = None if timeouts.total is None else time.monotonic() + timeouts.total
        self._asked = deadline
        self._deadline = min((moment for moment in (deadline, own) if moment is not None), default=None)
        self._began, self._kind = False, ""
        self._watch: asyncio.Timeout | None = None
        self._bare: _Line | None = None

    async def run(self, client: httpx.AsyncClient, request: httpx.Request, read: Callable[[bool], Reading]) -> Ending:
        """Return how the answer ended; raise CloudError. ``read`` opens the reading, of a stream of events or not."""
        request.extensions["trace"] = self._trace
        try:
            async with asyncio.timeout(None) as watch:
                self._watch = watch
                self._wait(watch, self._timeouts.first_byte + 2 * self._timeouts.connect)
                try:
                    response = await client.send(request, stream=True, follow_redirects=False)
                finally:
                    await self._close_bare()
                try:
                    self.status, self.sent = response.status_code, True
                    if not response.is_success:
                        raise await self._refusal(response)
                    return await self._read(response, watch, read)
                finally:
                    await response.aclose()
        except (TimeoutError, EOFError, httpx.HTTPError) as error:
            if self.reading is not None and self.reading.all_said:
                return self.reading.ending()  # how the line ends after the last word is nobody's loss
            raise self._failure(error) from None  # its text may hold the key
        except (ValueError, ServerError, httpx.InvalidURL) as error:
            raise self._failure(error) from None

    async def _read(self, response: httpx.Response, watch: asyncio.Timeout, read: Callable[[bool], Reading]) -> Ending:
        sse = response.headers.get("content-type", "").startswith("text/event-stream")
        self.reading = reading = read(sse)
        self._kind = plain(response.headers.get("content-type", "no content-type"), self._spec.key)
        size, news, lingering = 0, time.monotonic(), False
        async for chunk in response.aiter_bytes():
            self._say_all(reading.feed(chunk))
            if lingering:
                continue
            if reading.all_said:
                lingering = True
                self._wait(watch, LINGER)
                continue
            now = time.monotonic()
            size, news = (reading.size, now) if reading.size > size else (size, news)
            quiet = self._timeouts.between if self._began else self._timeouts.first_byte
            self._wait(watch, min(quiet, news + self._timeouts.silent - now))
        self._say_all(reading.close())
        return reading.ending()

    def _say_all(self, tokens: list[Token]) -> None:
        for token in tokens:
            self._began = True
            self._say(token)

    def _wait(self, watch: asyncio.Timeout, seconds: float) -> None:
        """Let it take so many seconds from now, or less where the deadline is nearer."""
        left = seconds if self._deadline is None else min(seconds, self._deadline - time.monotonic())
        watch.reschedule(asyncio.get_running_loop().time() + left)

    async def _trace(self, event: str, told: Mapping[str, Any]) -> None:
        """Follow httpcore's steps; with TLS, or behind a proxy, headers that come before it are not the question's."""
        if event.endswith("connect_tcp.complete") and self._spec.base_url.startswith("https:"):
            self._bare = told["return_value"]
        elif event.endswith("start_tls.complete"):
            self._bare = None
        elif event.endswith("send_request_headers.started") and self._bare is None and self._watch is not None:
            self.sent = True
            self._wait(self._watch, self._timeouts.first_byte)

    async def _close_bare(self) -> None:
        """Close a line whose TLS handshake did not end: httpcore forgets it where a time-out or a cancel ends it."""
        if self._bare is not None:
            await self._bare.aclose()

    async def _refusal(self, response: httpx.Response) -> CloudError:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > WORDS:
                break
        headers = {name.lower(): value for name, value in response.headers.items()}
        return refusal(self._spec, response.status_code, headers, bytes(body[:WORDS]), self._codec.MENDS)

    def _failure(self, error: Exception) -> CloudError | ConfigError:
        """Return our error for a foreign one; what comes before the first text may pass."""
        where, why = self._spec.base_url, plain(str(error), self._spec.key) or type(error).__name__
        match error:
            case httpx.LocalProtocolError() | httpx.UnsupportedProtocol() | httpx.InvalidURL():
                return ConfigError(
                    f"{where} cannot be asked: found an address or a key that HTTP does not allow, wanted a plain "
                    "http(s) address and a printable key; mend them"
                )
            case httpx.ConnectError() if "CERTIFICATE" in why or "SSL" in why:
                return CloudError(
                    f"{where} cannot be trusted: {why}, wanted a certificate that this device knows; where your "
                    "network has its own, set SSL_CERT_FILE to them"
                )
            case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
                return PassingError(
                    f"{where} was not reached: found {why}, wanted a connection; check the network and the address",
                    code="offline",
                )
            case TimeoutError() | httpx.TimeoutException():
                return self._silent()
            case ValueError():
                return CloudError(
                    f"{where} gave no completion: found {why} in {self._kind}, wanted the {self._spec.wire} format; "
                    "check that the address is that of such a server",
                    code="protocol",
                )
            case ServerError():
                return self._broken(why, "a completion", "broken_off" if self._began else "server")
        return self._broken(why, "the whole answer", "broken_off")

    def _broken(self, found: str, wanted: str, code: str) -> CloudError:
        message = self._no_answer(found, wanted)
        return CloudError(message, code=code) if self._began else PassingError(message, code=code)

    def _silent(self) -> CloudError:
        """Return the error of a server that hangs: asking it again would let the user wait as long once more."""
        late = self._asked is not None and time.monotonic() >= self._asked
        found = "none until the deadline" if late else "nothing for too long"
        return CloudError(self._no_answer(found, "an answer in time"), code="deadline" if late else "timeout")

    def _no_answer(self, found: str, wanted: str) -> str:
        return (
            f"{self._spec.base_url} gave no answer: found {found}, wanted {wanted}; check the network and the "
            "service's status, and ask again later"
        )


def spent(exchange: Exchange, prompt_bytes: int) -> tuple[int | None, int | None, bool]:
    """Return the tokens read and written, None where nothing is charged, and whether the server counted them.

    Who refuses, or was not reached, has read nothing. Who was cancelled or fell silent had the question.
    """
    if exchange.reading is not None:
        return exchange.reading.prompt_tokens, exchange.reading.completion_tokens, exchange.reading.told
    if exchange.sent and exchange.status is None:
        return estimated(prompt_bytes), 0, False
    return None, None, False
