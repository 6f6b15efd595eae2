"""A policy that learns while it is used: lessons come from the ledger alone, what was learned lies in a file beside it.

A lesson is read from the ledger in its turn, also one's own. So every process that has read as far holds the same
policy, whoever writes the file last loses nothing of the others, and a restart goes on with the lessons behind it.
"""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecascade.errors import NoSpaceError, PolicyError
from edgecascade.policies.pooled import Fitted
from edgecascade.pool import Array, Feedback, Unit
from edgecascade.store.ledger import Choice, Ledger, Lesson
from edgecascade.store.pool_files import PoolFile, open_pool, read_pool, write_pool

WRITE_EVERY = 16
"""Lessons after which the file is written; those behind it are read from the ledger again."""

log = logging.getLogger("edgecascade")


@dataclass(frozen=True, slots=True)
class Notes:
    """Where a saved policy's state lies, and what it was begun with."""

    path: Path
    begun: PoolFile


class Learner:
    """Keeps a fitted policy as it is by now; several threads may teach it."""

    def __init__(self, fitted: Fitted, ledger: Ledger, *, key: str, unit: Unit, notes: Notes | None = None) -> None:
        """Take the policy as it was fitted; ``catch_up`` teaches it what was said since.

        key    which lessons of the ledger are its own     unit   of its costs
        notes  None: nothing is written, and every lesson that the ledger still holds is read at each start
        """
        self.fitted, self.key = fitted, key
        self._ledger, self._unit, self._notes = ledger, unit, notes
        self._learned = self._written = 0
        self._guard = threading.Lock()
        if notes and notes.path.exists():
            self._resume(notes)

    def catch_up(self) -> int:
        """Learn what was said since, by whichever process, and return how many lessons that were."""
        with self._guard:
            before = self._learned
            count = 0
            for lesson in self._ledger.lessons(self.key, before):
                if lesson.choice.model in self.fitted.models:  # it may have been removed since
                    self.fitted = self.fitted.learn(feedback_of(lesson, self.fitted.models, self._unit))
                self._learned, count = lesson.number, count + 1
            if count and self._learned - self._written >= WRITE_EVERY:
                self._write()
            return count

    def close(self) -> None:
        """Write down what was learned."""
        with self._guard:
            if self._learned > self._written:
                self._write()

    def _resume(self, notes: Notes) -> None:
        """Begin where the file ends; one that cannot be used is told, and all lessons are read again."""
        try:
            file = read_pool(notes.path)
            if file.origin != self.key:
                raise PolicyError(f"{notes.path} is another policy's: wanted one that was begun with this one")
            self.fitted = open_pool(file).fitted
            self._learned = self._written = file.learned
        except PolicyError as error:
            log.warning("what a policy had learned cannot be used, and is learned again: %s", error)

    def _write(self) -> None:
        if self._notes is None:
            return
        state = {"fitted": self.fitted.as_json(), "learned": self._learned, "origin": self.key}
        try:
            write_pool(self._notes.path, self._notes.begun.model_copy(update=state))
            self._written = self._learned
        except NoSpaceError as error:
            log.warning("what a policy has learned is not written down: %s", error)


def notes_of(file: PoolFile, key: str, ledger: Ledger) -> Notes:
    """Return where a saved policy's state lies: beside the ledger, named by its key."""
    return Notes(ledger.path.with_name(f"pool-{key[:16]}.json"), file)


def choice_of(
    answer_id: str, key: str, model: str, features: Array, *, tokens: float | None, seconds: float, usd: float | None
) -> Choice:
    """Return what the ledger keeps of a choice, for a lesson that may follow."""
    packed = np.ascontiguousarray(features, "<f8").tobytes()
    return Choice(
        answer_id=answer_id, policy=key, model=model, features=packed, tokens=tokens, seconds=seconds, usd=usd
    )


def feedback_of(lesson: Lesson, models: tuple[str, ...], unit: Unit) -> Feedback:
    """Return a lesson about one of the models as learners take it: a right answer is worth 1, a wrong one 0."""
    choice = lesson.choice
    return Feedback(
        features=np.frombuffer(choice.features, "<f8").astype(np.float64),
        model=models.index(choice.model),
        quality=None if lesson.correct is None else float(lesson.correct),
        liked=lesson.liked,
        tokens=choice.tokens,
        seconds=choice.seconds,
        cost=choice.usd if unit == "usd" else 1.0,
    )
