"""One thread for what nobody waits for: audits, shadows, questions that waited for a cloud."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from edgecascade.errors import EdgeCascadeError

MOST_WAITING = 100
"""Further work is let go: it is a sample, and a device that cannot keep up should not fill its memory."""

Work = Callable[[threading.Event], None]
"""Is given the event that asks it to end early."""

log = logging.getLogger("edgecascade")


class Background:
    """Runs what it is given, in order; the thread begins with the first piece of work."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()

    def submit(self, work: Work) -> bool:
        """Take up a piece of work; False where too much is waiting, or it is closing."""
        with self._guard:
            if self._waiting.qsize() >= MOST_WAITING:
                return False
            return self._take(work)

    def finish(self, seconds: float | None = None) -> bool:
        """Wait until all that was submitted is done; False where that takes longer than ``seconds``."""
        done = threading.Event()
        with self._guard:
            if self._thread is None or not self._take(lambda stopping: done.set()):
                return True
        return done.wait(seconds)

    def close(self) -> None:
        """End the work in hand early, let the rest go, and end the thread."""
        with self._guard:
            self.stopping.set()
            self._waiting.put(None)
        if self._thread:
            self._thread.join()

    def _take(self, work: Work) -> bool:
        if self.stopping.is_set():
            return False
        if self._thread is None:
            self._begin()
        self._waiting.put(work)
        return True

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="edgecascade-background", daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        with self._guard:
            if not self.stopping.is_set():
                self._begin()

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None and not self.stopping.is_set():
            try:
                work(self.stopping)
            except EdgeCascadeError as error:
                log.warning("work in the background failed: %s", error)
            except BaseException:  # a bug ends the thread, with its traceback; another one takes up what is left
                self._go_on()
                raise
