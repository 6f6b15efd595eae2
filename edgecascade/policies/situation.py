"""What a policy sees: the question, the tiers as they stand now, and the attempts so far."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from edgecascade.profile import Weights
from edgecascade.records import Attempt, Code, Decision, Mode, Place, Question

OnBreak = Literal["retry", "continue", "local"]
"""What is done when a cloud's answer breaks off: ask again, let it go on where it stopped, or answer on the device."""

MOST_TRIES = 2
"""A tier whose answer broke off, or was stopped, this often is not asked a further time."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a tier may not be asked now."""

    code: Code
    reason: str


@dataclass(frozen=True, slots=True)
class Chance:
    """What the certificate's questions say of a device's answers: the share kept, and p_correct of those, each 0 to 1.

    >>> Chance(kept=0.4, p_correct=0.9).kept
    0.4
    """

    kept: float
    p_correct: float


@dataclass(frozen=True, slots=True)
class TierView:
    """One tier as it stands.

    closed   why it may not be asked; None: it may
    usd      the most that one call costs; None: unknown        usual_usd  what one is expected to cost; None: as usd
    seconds  that an answer is expected to take                 joules     of this device meanwhile; None: unknown
    quality  expected share of right answers, 0 to 1            chance     of a device that was fitted; None: unknown
    megabytes  that a call sends and fetches; 0 where the link is not metered
    wait     seconds before it begins to answer: others are asked first; 0 where that is unknown
    """

    name: str
    place: Place
    closed: Closed | None = None
    usd: float | None = 0.0
    seconds: float = 0.0
    quality: float = 1.0
    usual_usd: float | None = None
    joules: float | None = 0.0
    megabytes: float = 0.0
    chance: Chance | None = None
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a decision may depend on; tiers in the order of preference.

    weights  of time, energy and quality, as the conditions have moved them; None: the certificate alone decides
    prompt_tokens  that the question is expected to have; 0: unknown
    """

    question: Question
    mode: Mode
    tiers: tuple[TierView, ...]
    attempts: tuple[Attempt, ...] = ()
    on_break: OnBreak = "retry"
    weights: Weights | None = None
    prompt_tokens: float = 0.0

    def open(self, place: Place) -> TierView | None:
        """Return the first tier of a place that may be asked and has not failed yet."""
        return next((tier for tier in self._of(place) if self.may_ask(tier)), None)

    def may_ask(self, tier: TierView) -> bool:
        """Return whether a tier may be asked: it is not closed, and has not failed or been stopped too often."""
        tries = [attempt for attempt in self.attempts if attempt.tier == tier.name and not attempt.complete]
        again = {"broken_off"} if self.on_break != "local" else set[str]()
        failed = any(attempt.failure and attempt.failure.code not in again for attempt in tries)
        return not tier.closed and not failed and len(tries) < MOST_TRIES

    def closed(self, place: Place) -> Closed | None:
        """Return why no tier of a place can be asked: the first one's reason, or how its attempt failed."""
        for tier in self._of(place):
            if tier.closed:
                return tier.closed
            for attempt in self.attempts:
                if attempt.tier == tier.name and attempt.failure:
                    return Closed(failed_code(attempt), attempt.failure.detail)
        return None

    def last(self, place: Place, *, complete: bool = False) -> int | None:
        """Return the number of the latest attempt of a place that wrote something, whole ones only if asked for."""
        numbers = [
            number
            for number, attempt in enumerate(self.attempts)
            if attempt.place == place and attempt.draft is not None and (attempt.complete or not complete)
        ]
        return numbers[-1] if numbers else None

    def whole(self, name: str) -> int | None:
        """Return the number of a tier's latest whole answer; None where it has none."""
        numbers = [number for number, one in enumerate(self.attempts) if one.tier == name and one.complete]
        return numbers[-1] if numbers else None

    def without(self, name: str, closed: Closed) -> "Situation":
        """Return the same with one tier closed."""
        return replace(
            self, tiers=tuple(replace(tier, closed=closed) if tier.name == name else tier for tier in self.tiers)
        )

    def without_place(self, place: Place, closed: Closed) -> "Situation":
        """Return the same with every tier of a place closed; a reason that stood before stays."""
        return replace(
            self,
            tiers=tuple(replace(t, closed=t.closed or closed) if t.place == place else t for t in self.tiers),
        )

    def within_mode(self) -> "Situation":
        """Return the same with the place closed that its mode forbids."""
        if self.mode not in FORBIDDEN:
            return self
        return self.without_place(FORBIDDEN[self.mode], Closed("mode", f"mode {self.mode}"))

    def _of(self, place: Place) -> Iterator[TierView]:
        return (tier for tier in self.tiers if tier.place == place)


FAILED: dict[str, Code] = {
    "offline": "offline",
    "timeout": "offline",
    "breaker": "breaker",
    "budget": "budget",
    "deadline": "deadline",
    "cancelled": "cancelled",
    "broken_off": "broken_off",
    "device": "device_failed",
    "hedged": "hedged",
    "blocked": "blocked",
}
FORBIDDEN: dict[Mode, Place] = {"only_on_device": "cloud", "only_in_cloud": "device"}
NO_CLOUD = Closed("no_cloud", "no cloud is set up")
NO_DEVICE = Closed("no_device", "no model on the device")


def is_kept(attempt: Attempt) -> bool:
    """Return whether the certificate covers an attempt: whole, p_correct at the threshold, and every gate passed."""
    return attempt.complete and attempt.estimate.kept and all(gate.passed for gate in attempt.gates)


def failed_code(attempt: Attempt) -> Code:
    """Return the code of a decision that follows a failure."""
    assert attempt.failure is not None
    return FAILED.get(attempt.failure.code, "cloud_failed" if attempt.place == "cloud" else "device_failed")


def stop(situation: Situation, number: int, code: Code, reason: str, **terms: float | str | None) -> Decision:
    """Return the decision that an attempt is the answer."""
    return Decision(None, number, code, reason, terms)


def run(tier: TierView, code: Code, reason: str, **terms: float | str | None) -> Decision:
    """Return the decision to ask a tier."""
    return Decision(tier.name, None, code, reason, terms)


def best_left(situation: Situation) -> Decision:
    """Return the end where nothing more can be asked: a whole answer, the device's first, else a part of one."""
    cloud, device = situation.closed("cloud"), situation.closed("device")
    if (whole := situation.last("device", complete=True)) is not None:
        why = cloud or NO_CLOUD
        what = "kept" if is_kept(situation.attempts[whole]) else "though not kept"
        return stop(situation, whole, why.code, f"the device's answer, {what}: {why.reason}")
    part = situation.last("cloud")
    if part is None:
        part = situation.last("device")
    if part is not None:
        failure = situation.attempts[part].failure
        what = failure.detail if failure else "a gate had stopped it"
        return stop(situation, part, "broken_off", f"only a part of an answer: {what}")
    # That the mode forbids a place is no reason why the other one has no answer.
    reasons = [closed for closed in (device, cloud) if closed and closed.code != "mode"]
    if not reasons:
        reasons = [NO_DEVICE if situation.mode == "only_on_device" else NO_CLOUD]
    return Decision(None, None, reasons[-1].code, "; ".join(closed.reason for closed in reasons))
