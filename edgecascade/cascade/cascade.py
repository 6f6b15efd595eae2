"""An answer from the device where it can be trusted, and from the cloud where it cannot.

    question ─▶ privacy ─▶ ┌ policy: which tier next, or stop ┐ ─▶ answer ─▶ ledger
                           └ tier ─▶ draft ─▶ p_correct ──────┘

The way of one question stands in ``asking``; here is what all of them share, and what comes after an answer.
"""

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from edgecascade.cascade.afterwards import Compare, audit, same_answer, shadow
from edgecascade.cascade.asking import Asking
from edgecascade.cascade.background import Background
from edgecascade.cascade.calling import AnyTier, Desk
from edgecascade.cascade.pooling import PoolRouter, Routing
from edgecascade.cascade.recording import answer_row
from edgecascade.cascade.setup import Options, Pace, Setup
from edgecascade.cascade.waiting import LateAnswer, OnLate, Queue, json_of_asked
from edgecascade.errors import ClosedError, ConfigError, InputError, LedgerError, NoSpaceError, QuestionError
from edgecascade.policies import Policy, policy_of
from edgecascade.privacy import Rules
from edgecascade.profile import Conditions, Profile, Weights
from edgecascade.records import Answer, Done, Event, Message, Question, ToolCall
from edgecascade.store.ledger import Ledger

log = logging.getLogger("edgecascade")

Asked = str | Question | Sequence[Message | Mapping[str, Any]]


class Cascade:
    """Tiers, a policy, and a ledger; several threads may ask it. ``close()`` it, or use it in ``with``.

    >>> from edgecascade.testing import ScriptedReply, ScriptedTier
    >>> device = ScriptedTier(ScriptedReply("Lyon.", p_correct=0.2, threshold=0.6), name="small")
    >>> cloud = ScriptedTier("Paris.", name="large", place="cloud")
    >>> with Cascade([device, cloud]) as cascade:
    ...     answer = cascade.ask("What is the capital of France?")
    >>> answer.text, answer.tier, answer.reason
    ('Paris.', 'cloud', 'p_correct 0.20, kept from 0.60')
    """

    def __init__(
        self,
        tiers: Sequence[AnyTier],
        *,
        policy: Policy | PoolRouter | None = None,
        options: Options | None = None,
        ledger: Ledger | None = None,
        system: str | None = None,
        weights: Weights | None = None,
        profile: Profile | None = None,
        sense: Callable[[], Conditions] = Conditions,
        compare: Compare = same_answer,
        on_late: OnLate | None = None,
        draw: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take the tiers in their order of preference; they and the ledger are closed with the cascade.

        policy   any function from a ``Situation`` to a ``Decision``, or a ``PoolRouter``, which chooses among any
                 number of tiers; the threshold policy in the mode asked for
        system   the system message of questions that bring none
        weights  what time, energy and a right answer are worth; None: the certificate alone decides
        profile  of this device: what its answers are expected to take
        sense    says how the device stands, and is asked once a question
        compare  how far two answers say the same, for audits
        on_late  is called with each answer to a question that had to wait; with it, the queue is worked on from now on
        draw     gives a number from 0 to 1: which answers are audited or shadowed

        Raises ConfigError for no tier, two of one name, and what needs a ledger without one.
        """
        options = options or Options()
        names = _names(tiers)
        if ledger is None and (options.caps or options.queue or options.shadow):
            raise ConfigError("budgets, queue and shadow need a ledger: found none, wanted ledger=Ledger(path, ...)")
        desk = Desk(options.rules, ledger, options.caps)
        self.setup = Setup(
            tuple(tiers),
            _at_work(policy, tiers, ledger),
            options,
            desk,
            {name: Pace.of(name, ledger) for name in names},
            weights,
            profile,
            sense,
        )
        self.system, self.ledger = system, ledger
        self._compare, self._draw, self._now = compare, draw, now
        self._background = Background()
        # reentrant: a forgotten stream may be collected, and so closed, by the thread that holds it
        self._guard, self._under_way, self._closed = threading.RLock(), 0, False
        self.queue = Queue(ledger, self._ask_late, on_late or _nobody, now=now) if ledger else None
        if self.queue and on_late:
            self.queue.begin()

    @classmethod
    def open(cls, **settings: Any) -> Self:
        """Return the cascade that the config describes; ``settings`` go before it, by the config's names.

        ``compare``, ``on_late`` and ``policy`` are those of the class.

            Cascade.open(model="qwen2.5-coder-1.5b", cloud="openai:gpt-4o-mini", privacy="redact")

        Raises ConfigError for what the config cannot mean, and whatever opening a model raises.
        """
        from edgecascade.cascade.assembling import assembled, read_config

        ours = {name: settings.pop(name) for name in ("compare", "on_late", "policy") if name in settings}
        parts = assembled(read_config(settings).settings).parts()
        try:
            return cls(**parts, **ours)
        except BaseException:
            for opened in (*parts["tiers"], parts["ledger"]):
                opened.close()
            raise

    def change(self, tiers: Sequence[AnyTier], policy: Policy | PoolRouter | None = None) -> tuple[AnyTier, ...]:
        """Answer with these tiers, by this policy, from the next question on; return those that are gone.

        Questions on their way end as they began, so close what is returned when they have. Raises as opening does, and
        nothing has changed then.
        """
        with self._guard:
            if self._closed:
                raise ClosedError("this cascade was closed and cannot be changed; open a new one")
            names, before = _names(tiers), self.setup
            paces = {name: before.paces.get(name) or Pace.of(name, self.ledger) for name in names}
            chosen = _at_work(policy, tiers, self.ledger)
            self.setup = replace(before, tiers=tuple(tiers), policy=chosen, paces=paces)
            if isinstance(before.policy, Routing):
                before.policy.close()
            return tuple(tier for tier in before.tiers if tier not in self.setup.tiers)

    def ask(self, asked: Asked, *, cancel: threading.Event | None = None) -> Answer:
        """Return the answer. Raises NoAnswerError where no tier that may answer could, and QuestionError."""
        *_, last = self.stream(asked, cancel=cancel)
        assert isinstance(last, Done)
        return last.answer

    def stream(self, asked: Asked, *, cancel: threading.Event | None = None) -> Generator[Event, None, None]:
        """Yield ``Delta`` and ``Handoff`` as the answer is written, and ``Done`` at the end.

        The pieces shown and not replaced make up the answer's text. Setting ``cancel`` ends it with what there is;
        closing the generator ends it without an answer, and without a row in the ledger but for the calls made.
        """
        with self._guard:
            if self._closed:
                raise ClosedError("this cascade was closed and cannot answer; open a new one")
            self._under_way += 1
        try:
            yield from self._answered(asked, cancel)
        finally:
            with self._guard:
                self._under_way -= 1
                self._close_ledger()

    def _answered(self, asked: Asked, cancel: threading.Event | None) -> Generator[Event, None, None]:
        whole = bool(self.setup.options.shadow) and self._draw() < self.setup.options.shadow
        asking = Asking(self.setup, self.question(asked), uuid.uuid4().hex, cancel or threading.Event(), whole=whole)
        started = time.perf_counter()
        answer = yield from asking.events()
        self._note(asking, answer, time.perf_counter() - started)
        if asking.error:
            raise asking.error
        yield Done(self._afterwards(asking, answer))

    def _note(self, asking: Asking, answer: Answer, seconds: float) -> None:
        """Write an answer's row; where the disk does not let us, the user has the answer all the same."""
        if self.ledger is None:
            return
        try:
            self.ledger.answered(answer_row(asking, answer, at=self._now(), seconds=seconds))
            number = answer.trace[-1].answer
            if asking.route and number is not None and (choice := asking.route.choice(answer.attempts[number])):
                self.ledger.chose(choice)
        except (LedgerError, NoSpaceError) as error:
            log.error("the answer %s is not in the ledger: %s", answer.id, error)

    def _afterwards(self, asking: Asking, answer: Answer) -> Answer:
        """Begin what nobody waits for; return the answer, no longer called queued where the disk did not take it."""
        options = self.setup.options
        if answer.queued and self.ledger:
            try:
                self.ledger.enqueue(answer.id, json_of_asked(asking.question, options.rules))
            except (LedgerError, NoSpaceError) as error:
                log.error("the question of %s could not be queued: %s", answer.id, error)
                answer = replace(answer, queued=False)
        drawn = bool(options.audit) and self._draw() < options.audit
        for work in (
            audit(asking, answer, self._compare, drawn=drawn),
            shadow(asking, answer) if asking.whole else None,
        ):
            if work:
                self._background.submit(work)
        return answer

    def _ask_late(self, question: Question, rules: Rules, cancel: threading.Event) -> Answer:
        """Ask a question that had to wait, of the cloud alone, under the privacy rules that it was asked under."""
        options = replace(self.setup.options, queue=False, rules=rules)
        setup = replace(self.setup, options=options, desk=replace(self.setup.desk, rules=rules))
        asking = Asking(setup, replace(question, mode="only_in_cloud"), uuid.uuid4().hex, cancel, purpose="queue")
        answer = _drained(asking.events())
        if asking.error:
            raise asking.error
        return answer

    def question(self, asked: Asked) -> Question:
        """Return what was asked as a question, with the cascade's system message where it brings none."""
        if isinstance(asked, str):
            return Question.of(asked, system=self.system)
        if isinstance(asked, Question):
            return replace(asked, messages=self._begun(asked.messages), turned=self._begun(asked.turned))
        if not isinstance(asked, Sequence):
            raise QuestionError(f"no question: found {asked!r:.80}, wanted a text, a Question, or a list of messages")
        return Question(self._begun(tuple(m if isinstance(m, Message) else _message(m) for m in asked)))

    def _begun(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if not self.system or not messages or messages[0].role == "system":
            return messages
        return (Message("system", self.system), *messages)

    def feedback(self, answer_id: str, *, correct: bool | None = None, liked: bool | None = None) -> None:
        """Note whether an answer was right, and teach the policy, where it learns; InputError for an unknown id.

        liked  whether the user was content, where nobody knows if it was right; only a policy that learns hears of it
        """
        if self.ledger is None:
            raise ConfigError("feedback needs a ledger: found none, wanted ledger=Ledger(path)")
        said = [word for word in (correct, liked) if word is not None]
        an_id = isinstance(answer_id, str) and answer_id.isascii()
        if not an_id or not said or not all(isinstance(word, bool) for word in said):
            raise InputError(
                f"no feedback: found {answer_id!r:.60}, correct={correct!r:.20}; wanted an id, True or False"
            )
        self.ledger.feedback(answer_id, correct, liked=liked)
        if isinstance(self.setup.policy, Routing):
            self.setup.policy.learn()

    def finish(self, seconds: float | None = None) -> bool:
        """Wait for audits and shadows that are under way; False where they take longer than ``seconds``."""
        return self._background.finish(seconds)

    def close(self) -> None:
        """End what runs in the background, close the tiers and the ledger; twice is once.

        A question on its way ends without its tiers, and still writes down what it came to: the last one closes the
        ledger.
        """
        with self._guard:
            if self._closed:
                return
            self._closed = True
        if self.queue:
            self.queue.close()
        self._background.close()
        for tier in self.setup.tiers:
            tier.close()
        if isinstance(self.setup.policy, Routing):
            self.setup.policy.close()
        with self._guard:
            self._close_ledger()

    def _close_ledger(self) -> None:
        if self.ledger and self._closed and not self._under_way:
            self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _names(tiers: Sequence[AnyTier]) -> list[str]:
    names = [tier.name for tier in tiers]
    if not tiers or len(set(names)) < len(names):
        raise ConfigError(f"a cascade needs tiers of different names: found {names}, wanted at least one")
    return names


def _at_work(policy: Policy | PoolRouter | None, tiers: Sequence[AnyTier], ledger: Ledger | None) -> Policy | Routing:
    return policy.at_work(tiers, ledger) if isinstance(policy, PoolRouter) else policy or policy_of()


def _drained(events: Generator[Event, None, Answer]) -> Answer:
    while True:
        try:
            next(events)
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer


def _nobody(late: LateAnswer) -> None:
    """Take an answer that nobody asked to be called for."""


def _message(given: Any) -> Message:
    """Return the message of a mapping, as chat completions have them."""
    try:
        role, content = given["role"], given.get("content") or ""
        calls = tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in given.get("tool_calls") or ()
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise QuestionError(f"no message: found {given!r:.80}, wanted role and content; see Message") from error
    if not isinstance(content, str):
        raise QuestionError(f"no message: found content {content!r:.60}, wanted text; pictures cannot be asked about")
    return Message(role, content, calls, given.get("tool_call_id"))
