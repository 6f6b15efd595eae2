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
        self._guard = threading.Condition()
        self._taken = self._ended = 0

    def submit(self, work: Work) -> bool:
        """Take up a piece of work; False where too much is waiting, or it is closing."""
        with self._guard:
            if self.stopping.is_set() or self._waiting.qsize() >= MOST_WAITING:
                return False
            if self._thread is None:
                self._begin()
            self._taken += 1
            self._waiting.put(work)
            return True

    def finish(self, seconds: float | None = None) -> bool:
        """Wait until all that was submitted is done; False where that takes longer than ``seconds``, or it closes."""
        with self._guard:
            all_of_it = self._taken
            self._guard.wait_for(lambda: self._ended >= all_of_it or self.stopping.is_set(), seconds)
            return self._ended >= all_of_it

    def close(self) -> None:
        """End the work in hand early, let the rest go, and end the thread."""
        with self._guard:
            self.stopping.set()
            self._waiting.put(None)
            self._guard.notify_all()
        if self._thread:
            self._thread.join()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="edgecascade-background", daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        with self._guard:
            if not self.stopping.is_set():
                self._begin()

    def _count(self) -> None:
        with self._guard:
            self._ended += 1
            self._guard.notify_all()

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None and not self.stopping.is_set():
            try:
                work(self.stopping)
            except EdgeCascadeError as error:
                log.warning("work in the background failed: %s", error)
            except BaseException:  # a bug ends the thread, with its traceback; another one takes up what is left
                self._go_on()
                raise
            finally:
                self._count()
