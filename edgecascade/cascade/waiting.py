"""Questions that wait for a cloud: asked again when it can be had, and their answers handed over, each exactly once.

A waiting question lies in the ledger's file, with its text, until its answer was taken. Several processes may work on
the same queue: a claim belongs to one of them, and a killed one's comes back after its lease. An answer is marked as
taken before the callback is called: a crash inside the callback is the only way to lose one.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgecascade.errors import DeviceError, InputError, NoAnswerError
from edgecascade.privacy import Pattern, Rules
from edgecascade.records import Answer, Limits, Message, Question, Sampling, Tool, ToolCall
from edgecascade.store.ledger import Ledger, Queued

LEASE_SECONDS = 600.0
MOST_TRIES = 100
"""Some four days, an hour apart at the end."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """The cloud's answer to a question that had to wait; ``answer_id`` is that of the answer which said so."""

    answer_id: str
    text: str
    model: str
    usd: float | None


OnLate = Callable[[LateAnswer], None]
log = logging.getLogger("edgecascade")

AskNow = Callable[[Question, Rules, threading.Event], Answer]


class Queue:
    """Asks what waits in a ledger, on a thread of its own once begun."""

    def __init__(
        self,
        ledger: Ledger,
        ask: AskNow,
        on_late: OnLate,
        *,
        now: Callable[[], float] = time.time,
        pause: float = FIRST_PAUSE,
    ) -> None:
        """``pause`` is how many seconds the thread waits between two looks at the queue."""
        self._ledger, self._ask, self._on_late, self._now, self._pause = ledger, ask, on_late, now, pause
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._working = threading.Lock()

    def begin(self) -> None:
        """Work on the queue from now on: at once, and every half minute."""
        self._begin_after(0.0)

    def close(self) -> None:
        """Stop; what was not asked stays in the ledger."""
        self._stopping.set()
        if self._thread and self._thread is not threading.current_thread():  # the callback itself may close it
            self._thread.join()

    def catch_up(self) -> int:
        """Ask what waits and may be asked now, hand over what was answered, and return how many were handed over."""
        with self._working:
            while not self._stopping.is_set() and (queued := self._ledger.claim(LEASE_SECONDS)) is not None:
                self._ask_one(queued)
            return self._hand_over()

    def _begin_after(self, seconds: float) -> None:
        self._thread = threading.Thread(target=self._run, args=(seconds,), name="edgecascade-queue", daemon=True)
        self._thread.start()

    def _run(self, pause: float) -> None:
        while not self._stopping.wait(pause):
            try:
                self.catch_up()
            except DeviceError as error:
                log.warning("the queue could not be worked on: %s", error)
            except BaseException:  # a bug, of the callback too, keeps its traceback; another thread takes up the rest
                self._begin_after(self._pause)
                raise
            pause = self._pause

    def _ask_one(self, queued: Queued) -> None:
        try:
            answer = self._ask(*asked_of_json(queued.question), self._stopping)
        except InputError as error:  # the question's own fault: it would be so every time
            log.warning("the question of %s, which waited, was given up: %s", queued.answer_id, type(error).__name__)
            self._ledger.give_up(queued.answer_id)
            return
        except NoAnswerError:
            if queued.tries >= MOST_TRIES:
                log.warning("the question of %s was given up after %d tries", queued.answer_id, queued.tries)
                self._ledger.give_up(queued.answer_id)
                return
            answer = None
        if answer is None or answer.finish_reason == "cancelled":  # a part of an answer is none
            pause = 0.0 if self._stopping.is_set() else pause_after(queued.tries)
            self._ledger.release(queued.answer_id, self._now() + pause)
            return
        late = LateAnswer(queued.answer_id, answer.text, answer.model, answer.usd)
        self._ledger.finish(queued.answer_id, json.dumps(asdict(late), ensure_ascii=False))

    def _hand_over(self) -> int:
        taken = 0
        for queued in self._ledger.undelivered():
            if queued.answer and self._ledger.mark_delivered(queued.answer_id):
                taken += 1
                self._on_late(LateAnswer(**json.loads(queued.answer)))
        return taken


def pause_after(tries: int) -> float:
    """Return the seconds until a question is asked again.

    >>> [pause_after(tries) for tries in (1, 2, 3, 10_000)]
    [30.0, 60.0, 120.0, 3600.0]
    """
    return min(FIRST_PAUSE * 2.0 ** min(tries - 1, 10), LONGEST_PAUSE)


def json_of_asked(question: Question, rules: Rules) -> str:
    """Return a question as JSON text, with the privacy rules that it was asked under."""
    patterns = [[pattern.name, pattern.regex] for pattern in rules.patterns]
    kept = {"default": rules.default, "kinds": dict(rules.kinds), "patterns": patterns, "region": rules.region}
    return json.dumps({"question": asdict(question), "rules": kept}, ensure_ascii=False)


def asked_of_json(text: str) -> tuple[Question, Rules]:
    """Return the question and the rules that ``json_of_asked`` wrote: who asks it later may have looser ones."""
    whole = json.loads(text)
    patterns = tuple(Pattern(*pattern) for pattern in whole["rules"].pop("patterns"))
    return _question(whole["question"]), Rules(**whole["rules"], patterns=patterns)


def _question(given: dict[str, Any]) -> Question:
    sampling = given.pop("sampling")
    return Question(
        messages=tuple(map(_message, given.pop("messages"))),
        turned=tuple(map(_message, given.pop("turned"))),
        sampling=Sampling(**sampling | {"stop": tuple(sampling["stop"])}),
        choices=tuple(given.pop("choices")),
        tools=tuple(Tool(**tool) for tool in given.pop("tools")),
        limits=Limits(**given.pop("limits")),
        **given,
    )


def _message(given: Mapping[str, Any]) -> Message:
    calls = tuple(ToolCall(**call) for call in given["tool_calls"])
    return Message(given["role"], given["content"], calls, given["tool_call_id"])
