"""A tier that answers on a thread of its own: beside another one that writes, or several at the same time.

Whoever is not needed, or not in time, is cancelled, and no thread outlives the call that began it.
"""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from edgecascade.cascade.running import Tokens
from edgecascade.errors import ClosedError
from edgecascade.records import Attempt, Token

POLL_SECONDS = 0.02

Begin = Callable[[threading.Event], Tokens]


class Hedge:
    """One attempt on a thread of its own."""

    def __init__(self, begin: Begin) -> None:
        """Begin at once; ``begin`` is given the event that cancels it."""
        self._cancel = threading.Event()
        self._said: SimpleQueue[Token | None] = SimpleQueue()
        self._attempt: Attempt | None = None
        self._error: ClosedError | None = None
        self._thread = threading.Thread(target=self._drain, args=(begin,), name="edgecascade-hedge")
        self._thread.start()

    def _drain(self, begin: Begin) -> None:
        try:
            tokens = begin(self._cancel)
            while True:
                self._said.put(next(tokens))
        except StopIteration as stop:
            self._attempt = stop.value
        except ClosedError as error:  # whoever waits for it is told
            self._error = error
        finally:
            self._said.put(None)

    @property
    def whole(self) -> bool:
        """Whether its answer is there, and whole."""
        return self._attempt is not None and self._attempt.complete

    def tokens(self, cancel: threading.Event) -> Tokens:
        """Yield what it said and says, and return its attempt; ``cancel`` ends it."""
        try:
            while True:
                if cancel.is_set():
                    self._cancel.set()
                try:
                    token = self._said.get(timeout=POLL_SECONDS)
                except Empty:
                    continue
                if token is None:
                    return self._ended()
                yield token
        finally:
            self.cancel()

    def ended(self, seconds: float | None = None) -> bool:
        """Return whether it has ended, after waiting for that so long; None: however long it takes."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to end, without waiting for that."""
        self._cancel.set()

    def cancel(self) -> Attempt:
        """End it, and return what it had come to; its connection is closed when this returns."""
        self._cancel.set()
        return self._ended()

    def _ended(self) -> Attempt:
        self._thread.join()
        if self._error:
            raise self._error
        if self._attempt is None:
            raise RuntimeError("a hedged call ended without an attempt; its traceback was printed by its thread")
        return self._attempt


def together(begins: Sequence[Begin], cancel: threading.Event) -> list[Attempt]:
    """Return the attempts in the order of ``begins``; ``cancel`` ends them with what they have come to.

    A tier that was closed meanwhile raises ClosedError, once all the others have ended.
    """
    hedges: list[Hedge] = []
    try:
        for begin in begins:
            hedges.append(Hedge(begin))
        while not cancel.is_set() and not all(hedge.ended(POLL_SECONDS) for hedge in hedges):
            pass
    finally:
        for hedge in hedges:
            hedge.stop()
        for hedge in hedges:
            hedge.ended()
    return [hedge.cancel() for hedge in hedges]
