"""One thread with one event loop and one pool of connections, shared by all questions and all clouds.

Asynchronous inside, because only so can a question be cancelled while it connects, waits or reads, with its connection
closed; synchronous outside. The thread is started by the first question and ends with ``close()``.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import httpx

from edgecascade.cloud.breaker import Breaker
from edgecascade.cloud.exchange import Timeouts
from edgecascade.cloud.retry import Retries
from edgecascade.errors import ClosedError, CloudError, DeviceError
from edgecascade.records import Ending

TICK = 0.02
"""Seconds between two looks at an event that cancels."""

FAREWELL = 5.0
"""Seconds in which a cancelled question, or the whole pool, must have closed its connections."""


@dataclass(frozen=True, slots=True)
class _Over:
    """The last message: how the coroutine ended."""

    ending: Ending | None
    error: BaseException | None


class Call:
    """A question on the loop, and the thread that waits for it: it alone calls ``take``, ``go`` and ``stop``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, loop_thread: int) -> None:
        self._loop, self._loop_thread = loop, loop_thread
        self._mail: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._task: asyncio.Task[Ending] | None = None
        self._gate = asyncio.Event()
        self._over = False

    def take(self, cancel: threading.Event | None) -> object:
        """Return the next message or the ending, None once ``cancel`` is set; raise what the coroutine raised."""
        while cancel is None or not cancel.is_set():
            message = self._get(TICK if cancel else 1.0)
            if isinstance(message, _Over):
                return _result(message)
            if message is not None:
                return message
        return None

    def go(self) -> None:
        """Let the coroutine that waits in ``ask`` go on."""
        self._tell(self._gate.set)

    def stop(self) -> list[object]:
        """Cancel the coroutine, wait until its connection is closed, and return the messages that were not taken."""
        if self._over:
            return []
        self._tell(self._cancel)
        # a forgotten generator may be collected on the loop's own thread, which cannot wait for itself
        return self._rest(0.0 if threading.get_ident() == self._loop_thread else FAREWELL)

    def start(self, work: Coroutine[object, object, Ending]) -> "asyncio.Task[Ending]":
        """Run the coroutine; on the loop."""
        self._task = task = self._loop.create_task(work)
        task.add_done_callback(self._done)
        return task

    def post(self, message: object) -> None:
        """Send a message to the thread that waits."""
        self._mail.put(message)

    async def ask(self, message: object) -> None:
        """Send a message, and wait until that thread says go."""
        self._gate.clear()
        self.post(message)
        await self._gate.wait()

    def _tell(self, what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and its messages lie in the mail
            self._loop.call_soon_threadsafe(what)

    def _get(self, seconds: float) -> object:
        try:
            message = self._mail.get(timeout=seconds) if seconds else self._mail.get_nowait()
        except queue.Empty:
            if self._loop.is_closed():
                return _Over(None, asyncio.CancelledError())
            return None
        self._over = isinstance(message, _Over)
        return message

    def _rest(self, seconds: float) -> list[object]:
        found = []
        while (message := self._get(seconds)) is not None and not isinstance(message, _Over):
            found.append(message)
        self._over = True
        return found

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _done(self, task: "asyncio.Task[Ending]") -> None:
        if task.cancelled():
            self.post(_Over(None, asyncio.CancelledError()))
        else:
            error = task.exception()
            self.post(_Over(None if error else task.result(), error))


def _result(over: _Over) -> Ending | None:
    if isinstance(over.error, asyncio.CancelledError):
        raise CloudError("the question was cancelled: its connections were closed; open them again", code="cancelled")
    if over.error is not None:
        raise over.error
    return over.ending


class CloudPool:
    """The connections, the breaker and the rules of asking that several ``CloudClient`` share; to be closed.

    ``client`` is taken over, used on the pool's own loop alone, and closed with it; without one, httpx's own settings
    hold (proxies and certificates from the environment), except that a server on this machine is asked without a proxy.
    """

    def __init__(
        self,
        client: httpx.AsyncClient | None = None,
        *,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self.timeouts, self.retries = timeouts or Timeouts(), retries or Retries()
        self.breaker = breaker or Breaker()
        self._client, self._closed = client, False
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Ending]] = set()
        self._ready = threading.Event()
        self._stop: asyncio.Event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def client(self) -> httpx.AsyncClient:
        """The connections; only on the loop. Raises DeviceError where the network settings are bad."""
        if self._client is None:
            self._client = _client(self.timeouts)
        return self._client

    def call(self, work: Callable[[Call], Coroutine[object, object, Ending]]) -> Call:
        """Run a coroutine on the loop, and return the call that it serves."""
        with self._guard:
            loop, thread = self._running()
            call = Call(loop, thread.ident or 0)
            loop.call_soon_threadsafe(self._launch, call, work)
        return call

    def close(self) -> None:
        """Cancel what is on its way, close the connections, end the thread."""
        with self._guard:
            self._closed, thread, loop = True, self._thread, self._loop
            self._thread = None
        if thread is not None and loop is not None:
            loop.call_soon_threadsafe(self._stop.set)
            thread.join(FAREWELL)

    def _running(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        if self._closed:
            raise ClosedError("the connections to the cloud are closed: found a question after close(); open them anew")
        if self._thread is None:
            logging.getLogger("stamina").addHandler(logging.NullHandler())  # else its retries go to standard error
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._serve()), name="edgecascade-cloud", daemon=True
            )
            self._thread.start()
            self._ready.wait()
        assert self._loop is not None
        return self._loop, self._thread

    def _launch(self, call: Call, work: Callable[[Call], Coroutine[object, object, Ending]]) -> None:
        task = call.start(work(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()


def _client(timeouts: Timeouts) -> httpx.AsyncClient:
    """Return a client; a proxy must not read what stays on this machine, which is asked without TLS."""
    direct = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
    try:
        return httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=timeouts.connect),  # the rest is watched where the bytes are read
            mounts=direct,
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise DeviceError(
            f"the network settings cannot be used: {error}; wanted a readable SSL_CERT_FILE and an http(s) proxy; "
            "mend the one named"
        ) from error
