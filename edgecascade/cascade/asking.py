"""The way of one question through a cascade, in a straight line.

    question ─▶ privacy ─▶ ┌ policy: which tier next, or stop ┐ ─▶ answer
                           └ tier ─▶ draft ─▶ p_correct ──────┘

Whatever fails on the way is a part of an attempt; the policy decides what becomes of it.
"""

import math
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from edgecascade.cascade.booking import Held
from edgecascade.cascade.calling import AnyTier, CloudTier, is_cloud
from edgecascade.cascade.costing import expected, joules_of, prompt_tokens
from edgecascade.cascade.gating import Usual
from edgecascade.cascade.hedging import Hedge, together
from edgecascade.cascade.pooling import Routing
from edgecascade.cascade.route import Route
from edgecascade.cascade.running import DeviceTier, Look, Tokens, on_device
from edgecascade.cascade.screen import Screen
from edgecascade.cascade.setup import Setup
from edgecascade.cascade.tiers import is_far
from edgecascade.errors import (
    ContextLengthError,
    EdgeCascadeError,
    InputError,
    LedgerError,
    NoAnswerError,
    NoSpaceError,
)  # fmt: skip
from edgecascade.evidence import UNKNOWN
from edgecascade.policies import Closed, Policy, Situation, TierView, moved, within_limits
from edgecascade.policies.situation import is_kept
from edgecascade.policies.weighing import hedge_below
from edgecascade.privacy import clear
from edgecascade.profile import Weights
from edgecascade.records import (
    Answer,
    Attempt,
    Code,
    Decision,
    Draft,
    Event,
    Failure,
    GateOutcome,
    Question,
    Timings,
    Usage,
)  # fmt: skip
from edgecascade.signals import signals
from edgecascade.store.ledger.rows import Purpose

WORTH_QUEUEING = frozenset[Code](("offline", "breaker", "budget", "cloud_failed", "broken_off", "deadline"))
AT_FAULT: Mapping[str, type[EdgeCascadeError]] = {"context": ContextLengthError, "input": InputError}
NOTHING = Draft("", (), "cancelled", Usage(0, 0), Timings(0.0, 0.0, 0.0, 0.0, 0.0))
"""What was written when an answer was stopped before it began."""


class _Stop(threading.Event):
    """Set when the user's own event is, or when the time is over; the user's is left alone.

    The clock is read rather than waited for: a cloud that is given up at the deadline then never looks like one that
    failed just before it.
    """

    def __init__(self, users: threading.Event, until: float) -> None:
        """``until`` is a ``time.monotonic``."""
        super().__init__()
        self.users, self._until = users, until

    def is_set(self) -> bool:
        """Return whether to stop."""
        return self.users.is_set() or time.monotonic() >= self._until

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it, and return whether to stop."""
        left = min(self._until - time.monotonic(), math.inf if timeout is None else timeout)
        self.users.wait(None if math.isinf(left) else max(left, 0.0))
        return self.is_set()


class Asking:
    """One question on its way."""

    def __init__(
        self,
        setup: Setup,
        question: Question,
        id: str,
        cancel: threading.Event,
        *,
        whole: bool = False,
        purpose: Purpose = "answer",
    ) -> None:
        """``whole``: where a cloud may be asked, the device's answer is not stopped by gates, and has hidden states."""
        self.setup, self.question, self.id, self.purpose = setup, question, id, purpose
        self.options = setup.options
        self.mode = question.mode or setup.options.mode
        self._conditions = setup.sense()
        self.weights: Weights | None = None
        self.moved: tuple[str, ...] = ()
        if setup.weights:
            hot = setup.profile.limits.celsius if setup.profile else None
            self.weights, self.moved = moved(setup.weights, self._conditions, celsius=hot, powers=setup.powers)
        self._expected = expected(setup, question, self.weights, self._conditions)
        self.attempts: list[Attempt] = []
        self.trace: list[Decision] = []
        self._started = time.monotonic()
        self._until = self._started + self._seconds_allowed()
        self.cancel = _Stop(cancel, self._until)
        self.route, self._policy = _begun(setup.policy, question, id, self.cancel)
        self.cleared = clear(question, self.options.rules) if setup.clouds else None
        self._begun = 0.0
        self._cut = False
        self._screen = Screen()
        self._hedges: dict[str, Hedge] = {}
        self._held = Held()
        self._passed = False
        self.error: EdgeCascadeError | None = None
        self.theirs: str | None = None  # the cloud's answer, where it was asked only after this one
        self._raw = ""
        self.whole = whole and self.askable() is not None

    def events(self) -> Generator[Event, None, Answer]:
        """Yield what happens, all but ``Done``, and return the answer; where there is none, ``error`` says why."""
        try:
            while (decision := self._decide()).run is not None:
                tier = self.setup.tier(decision.run)
                yield from self._several(tier, decision) if decision.also else self._attempt(tier, decision)
        finally:
            self._cancel_hedges()
        answer = self._answer(decision)
        if decision.answer is not None:
            last = self.attempts[decision.answer]
            yield from self._screen.settle(answer, last.tier, last.place)
        return answer

    # Which tier next.

    def situation(self) -> Situation:
        """Return what the policy sees now."""
        views = tuple(self._view(tier) for tier in self.setup.tiers)
        attempts, on_break, size = tuple(self.attempts), self.options.on_break, prompt_tokens(self.question)
        return within_limits(Situation(self.question, self.mode, views, attempts, on_break, self.weights, size))

    def askable(self) -> CloudTier | None:
        """Return the cloud that may be asked about this question: none where mode, privacy or budget forbid it."""
        view = self.situation().open("cloud")
        tier = self.setup.tier(view.name) if view else None
        return tier if tier and is_cloud(tier) else None

    def _decide(self) -> Decision:
        decision = self._policy(self.situation())
        if self.cancel.is_set() and (decision.run is not None or (self.route and self._cut)):
            decision = self._ended()
        self.trace.append(decision)
        return decision

    def _ended(self) -> Decision:
        """Return the end that the user or the deadline has set; a faster cloud's whole answer is not let go."""
        for name in [name for name, hedge in self._hedges.items() if hedge.whole]:
            self.attempts.append(self._hedges.pop(name).cancel())
        situation = self.situation()
        by_vote = self.route.best(situation) if self.route else None
        number = next(
            (number for number in (by_vote, situation.last("cloud", complete=True),
             situation.last("device", complete=True), situation.last("cloud"), situation.last("device"))
             if number is not None), None,
        )  # fmt: skip
        if self.cancel.users.is_set():
            return Decision(None, number, "cancelled", "stopped by the user")
        return Decision(None, number, "deadline", f"no time left of {self._seconds_allowed():g} s")

    def _view(self, tier: AnyTier) -> TierView:
        view = self._expected[tier.name]
        if is_cloud(tier):
            return replace(view, closed=self._closed(tier, view.usd))
        return replace(view, wait=self.setup.paces[tier.name].wait)

    def _closed(self, tier: CloudTier, most: float | None) -> Closed | None:
        if self.mode == "only_on_device":
            return Closed("mode", "mode only_on_device")
        if tier.name in self._hedges:
            return None  # it was asked already, and what that costs stands in the budget
        if self.options.offline:
            return Closed("offline", "this device is set to be offline")
        if self._conditions.network is False and is_far(tier):
            return Closed("offline", "no network: this device has no connection now")
        if self.cleared and self.cleared.blocked:
            return Closed("blocked", self.cleared.blocked)
        if self.question.sampling.grammar is not None:
            return Closed("no_cloud", "a grammar cannot be sent to a cloud; a schema can")
        if reason := tier.down():
            return Closed("breaker", reason)
        return self._over_budget(tier, most)

    def _over_budget(self, tier: CloudTier, most: float | None) -> Closed | None:
        desk = self.setup.desk
        if not desk.caps or desk.ledger is None:
            return None
        try:
            reason = desk.ledger.refused(self.id, tier.name, most, desk.caps)
        except (LedgerError, NoSpaceError) as error:
            reason = str(error)
        return Closed("budget", reason) if reason else None

    # One tier's attempt.

    def _attempt(self, tier: AnyTier, decision: Decision) -> Iterator[Event]:
        """Ask a tier, show what it says, and take note of its attempt."""
        before = self._to_go_on(tier)
        if self.attempts:
            yield self._screen.hand_off(tier.name, decision.code, decision.reason, keep=bool(before))
        replaceable = self._may_be_replaced(tier)
        self._screen.begin(held=replaceable and self.options.show != "draft")
        self._raw, self._passed = before, False
        stopping = replaceable and self.route is None  # a pool's policy was fitted on whole answers
        tokens = self._in_cloud(tier, before) if is_cloud(tier) else self._on_device(tier, stopping=stopping)
        try:
            with self.setup.paces[tier.name].asked():
                while True:
                    token = next(tokens)
                    self._raw += token.text
                    if self._passed:
                        yield from self._screen.release(tier.name, tier.place)
                    yield from self._screen.piece(token.text, tier.name, tier.place)
        except StopIteration as stop:
            attempt: Attempt = stop.value
        finally:
            tokens.close()
        self._note(attempt)

    def _note(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self._cut |= not attempt.complete and self.cancel.is_set()  # a vote without it is not the policy's
        self.setup.paces[attempt.tier].saw(attempt, expected=self._expected[attempt.tier].seconds)

    def _may_be_replaced(self, tier: AnyTier) -> bool:
        """Return whether another tier could still take over: from the device a cloud, in a pool any of them."""
        situation = self.situation()
        if self.route:
            return self.route.may_be_followed(situation, tier.name)
        may_escalate = situation.mode == "prefer_on_device" and situation.open("cloud") is not None
        return not is_cloud(tier) and may_escalate

    def _several(self, first: AnyTier, decision: Decision) -> Iterator[Event]:
        """Ask several tiers at the same time, and take note of their attempts; what they say is not shown yet."""
        tiers = [first, *map(self.setup.tier, decision.also)]
        if self.attempts:
            yield self._screen.hand_off(first.name, decision.code, decision.reason)
        local = any(not is_cloud(tier) for tier in tiers)
        with ExitStack() as under_way:
            for tier in tiers:
                under_way.enter_context(self.setup.paces[tier.name].asked())
            attempts = together([partial(self._beside, tier, local=local) for tier in tiers], self.cancel)
        for attempt in attempts:
            self._note(attempt)

    def _beside(self, tier: AnyTier, cancel: threading.Event, *, local: bool) -> Tokens:
        """Begin the attempt of one tier among others; ``local``: the device is one of them, and needs no time later."""
        if is_cloud(tier):
            return self._call(tier, "", cancel, self.purpose, kept_back=0.0 if local else None)
        return self._draft(tier, stopping=False, cancel=cancel)

    def _on_device(self, tier: DeviceTier, *, stopping: bool) -> Tokens:
        self._begun = time.monotonic()
        expected = self._expected[tier.name].seconds
        if stopping and ((band := self._hedge_below(expected)) >= 1 or self._first_chance(tier) < band):
            self._hedge()
        look = partial(self._look, tier=tier, may_hedge=stopping)
        return self._draft(tier, stopping=stopping, cancel=self.cancel, look=look)

    def _draft(
        self, tier: DeviceTier, *, stopping: bool, cancel: threading.Event, look: Look = lambda outcome: None
    ) -> Tokens:
        return on_device(
            tier,
            self.question,
            stopping=stopping and self.options.gates and not self.whole,
            usual=Usual(self.setup.paces[tier.name].tokens, self.setup.watts),
            cancel=cancel,
            look=look,
            doubt=self.options.doubt,
            hidden=self.whole,
        )

    def _hedge_below(self, expected: float) -> float:
        """Return the chance below which the cloud is called already, as it was given, or as the weights make it.

        expected  seconds that the device's draft takes in all
        """
        if self.options.hedge_below is not None or self.weights is None:
            return self.options.hedge_below or 0.0
        cloud = self.situation().open("cloud")
        left = expected - (time.monotonic() - self._begun)
        return hedge_below(self.weights, max(left, 0.0), cloud) if cloud else 0.0

    def _first_chance(self, tier: DeviceTier) -> float:
        """Return the chance that a draft is kept before it is begun; 1 where it is unknown, or a band was given."""
        chance = self._expected[tier.name].chance
        return 1.0 if chance is None or self.options.hedge_below is not None else chance.kept

    def _look(self, outcome: GateOutcome | None, *, tier: DeviceTier, may_hedge: bool) -> Failure | None:
        """Take note of a gate; begin the cloud's call in a chosen band; end the draft when the cloud was faster."""
        if outcome and outcome.passed:
            self._passed = self.options.show == "gate"
            whole = self.setup.paces[tier.name].seconds or self._expected[tier.name].seconds  # it goes on to its end
            if may_hedge and 1 / (1 + math.exp(-outcome.value)) < self._hedge_below(whole):
                self._hedge()
        faster = next((name for name, hedge in self._hedges.items() if hedge.whole), None)
        return Failure("hedged", f"{faster} was asked at the same time, and was faster") if faster else None

    def _hedge(self) -> None:
        view = self.situation().open("cloud")
        if view and not self._hedges:
            tier = self.setup.tier(view.name)
            assert is_cloud(tier)
            self._hedges[tier.name] = Hedge(lambda cancel: self._call(tier, "", cancel, "hedge"))

    def _in_cloud(self, tier: CloudTier, before: str) -> Tokens:
        hedge, users = self._hedges.pop(tier.name, None), self.cancel.users  # the deadline is the client's own
        return hedge.tokens(users) if hedge else self._call(tier, before, users, self.purpose)

    def _call(
        self,
        tier: CloudTier,
        before: str,
        cancel: threading.Event,
        purpose: Purpose,
        *,
        kept_back: float | None = None,
    ) -> Tokens:
        back = self._kept_back() if kept_back is None else kept_back
        until = None if math.isinf(self._until) else self._until - back
        return self.setup.desk.call(
            tier, self.question, self.id, purpose, cancel=cancel, before=before, deadline=until, held=self._held
        )

    def _kept_back(self) -> float:
        """Return the seconds before the deadline that the device needs, should no cloud have answered by then."""
        devices = self.setup.devices
        if not devices or self.mode == "only_in_cloud" or self.situation().last("device", complete=True) is not None:
            return 0.0
        allowed = self._seconds_allowed()
        usual = self.setup.paces[devices[0].name].seconds
        return min(usual * 1.5 if usual else allowed / 3, allowed / 2)

    def _to_go_on(self, tier: AnyTier) -> str:
        """Return the part that a cloud's broken answer left, where the next one is to go on behind it."""
        last = self.attempts[-1].failure if self.attempts else None
        broken = last is not None and last.code == "broken_off" and self.attempts[-1].tier == tier.name
        return self._raw if broken and self.options.on_break == "continue" else ""

    def _cancel_hedges(self) -> None:
        self.attempts += [hedge.cancel() for hedge in self._hedges.values()]
        self._hedges.clear()

    # The end.

    def _seconds_allowed(self) -> float:
        given = (self.question.limits.seconds, self.options.deadline)
        return min((seconds for seconds in given if seconds is not None), default=math.inf)

    def _answer(self, decision: Decision) -> Answer:
        """Return the answer that the last decision names."""
        queued = self._to_be_queued(decision)
        if decision.answer is not None:
            attempt = self.attempts[decision.answer]
        else:
            first = self.setup.tiers[0]
            attempt = Attempt(first.name, first.place, NOTHING, UNKNOWN, 0.0)
            if not queued and decision.code != "cancelled":
                self.error = self._no_answer(decision)
        draft = attempt.draft or NOTHING
        estimate = attempt.estimate
        return Answer(
            id=self.id,
            text=draft.text,
            tier="cloud" if attempt.place == "cloud" else "local",
            model=draft.served_by or attempt.tier,
            p_correct=estimate.p_correct,
            threshold=estimate.threshold,
            promise=self._promise(attempt),
            calibration=estimate.calibration,
            mean_token_probability=draft.mean_token_probability,
            reason=decision.reason,
            finish_reason=draft.finish_reason,
            usage=draft.usage,
            timings=draft.timings,
            signals=signals(draft),
            code=decision.code,
            blocked=decision.code == "blocked",
            queued=queued,
            usd=_total(attempt.usd for attempt in self.attempts),
            joules=joules_of(self.setup, self.attempts, time.monotonic() - self._started),
            tool_calls=draft.tool_calls,
            trace=tuple(self.trace),
            attempts=tuple(self.attempts),
        )

    def _promise(self, attempt: Attempt) -> str | None:
        """Return what is promised of an answer: of all that may be kept, where weights, calls begun early, a deadline
        or a pool's policy keep fewer of them. No test was of those alone. That policy itself promises nothing.
        """
        if self.route and not is_kept(attempt):
            return None
        weighs = self.weights is not None and replace(self.weights, seconds=None, usd=None) != Weights()
        fewer = weighs or self.route or self.options.hedge_below or not math.isinf(self._until)
        tier = self.setup.tier(attempt.tier)
        if not fewer or attempt.estimate.promise is None or is_cloud(tier):
            return attempt.estimate.promise
        judge = tier.judge(self.question)
        return judge.promise(fewer=True) if judge else attempt.estimate.promise

    def _no_answer(self, decision: Decision) -> EdgeCascadeError:
        """Return the error of no answer at all: the question's own fault where that is all that happened."""
        for attempt in self.attempts:
            if attempt.failure and attempt.failure.code in AT_FAULT and len(self.attempts) == 1:
                return AT_FAULT[attempt.failure.code](attempt.failure.detail)
        if decision.code == "deadline":
            return NoAnswerError(f"no answer within {self._seconds_allowed():g} s: {decision.reason}; allow more time")
        return NoAnswerError(f"no answer: {decision.reason}; `edgecascade config check` looks into it")

    def _to_be_queued(self, decision: Decision) -> bool:
        """Return whether to ask again later: a cloud may be asked about it, and none has answered."""
        forbidden = self.mode == "only_on_device" or self.cleared is None or self.cleared.blocked
        if not self.options.queue or forbidden or decision.code not in WORTH_QUEUEING:
            return False
        given = None if decision.answer is None else self.attempts[decision.answer]
        return given is None or not given.complete or (given.place == "device" and not given.estimate.kept)


def _total(costs: Iterable[float | None]) -> float | None:
    known = list(costs)
    return None if None in known else math.fsum(cost for cost in known if cost is not None)


def _begun(
    policy: Policy | Routing, question: Question, id: str, cancel: threading.Event
) -> tuple[Route | None, Policy]:
    """Return a pool's way of one question, if the policy is a pool's, and what decides about it."""
    if not isinstance(policy, Routing):
        return None, policy
    route = policy.begin(question, id, cancel)
    return route, route
