"""Answers that were once given in full, given again under any profile, through the policy that runs live.

    row ─▶ ┌ policy: which tier next, or stop ┐ ─▶ what it was worth and took
           └ virtual attempt: seconds, joules ┘

Nothing waits and no clock is read: the profile says what reading and writing would take. The tokens are those that were
recorded, so what is decided is what would be decided live: gates see the same logits, the threshold the same p_correct.

Left out: clouds that fail, budgets, privacy, and further samples near the threshold. A call that was begun early and
not needed costs as much as a whole one; live it costs what was written by then.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from edgecascade.cascade.costing import BYTES_A_TOKEN, STREAMED_BYTES
from edgecascade.cascade.gating import look_of
from edgecascade.cascade.running import covered
from edgecascade.evidence import UNKNOWN
from edgecascade.policies import Chance, Policy, Situation, TierView, moved, policy_of, within_limits
from edgecascade.policies.situation import is_kept
from edgecascade.policies.weighing import hedge_below, kept_from
from edgecascade.profile import Conditions, Curve, Figure, Power, Speed, Weights
from edgecascade.records import (
    Attempt,
    Calibration,
    Code,
    Decision,
    Draft,
    Estimate,
    Failure,
    FinishReason,
    GateOutcome,
    Message,
    Mode,
    Place,
    Question,
    Timings,
    Usage,
)
from edgecascade.simulate.rows import Row
from edgecascade.store.prices import Price, usd

DEVICE = "device"
QUESTION = Question((Message("user", "recorded"),))
FRESH = Calibration("recorded", "fresh", "recorded")


def _draft(finish: FinishReason) -> Draft:
    return Draft("recorded", (), finish, Usage(0, 0), Timings(0.0, 0.0, 0.0, 0.0, 0.0))


ENDED, CUT_OFF, STOPPED = _draft("end"), _draft("length"), _draft("cancelled")


@dataclass(frozen=True, slots=True)
class CloudFacts:
    """What is known of a cloud.

    price    of its tokens; None: unknown        seconds  of an answer: their mean, or a curve over its prompt's tokens
    tokens   that it writes for an answer; None: as many as the device writes
    quality  share of right answers, where a question's own score is unknown
    usd      of an answer, where that is known instead of the price
    """

    name: str
    price: Price | None = None
    seconds: float | Curve | None = None
    tokens: float | None = None
    quality: float = 1.0
    usd: float | None = None

    def cost(self, prompt_tokens: int, written: float) -> float | None:
        """Return what an answer costs, in dollars, that would have so many tokens on the device; None: unknown."""
        tokens = round(written if self.tokens is None else self.tokens)
        return usd(self.price, prompt_tokens, tokens) if self.usd is None else self.usd

    def takes(self, prompt_tokens: int) -> float:
        """Return the seconds of an answer; 0 where they are unknown."""
        return self.seconds(prompt_tokens) if isinstance(self.seconds, Curve) else self.seconds or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where recorded answers are given again.

    threshold    of the certificate in use; None: nothing is promised, and nothing kept
    gates        (tokens written, stop below) of each; ``gated``: whether they are used
    hedge_below  as in ``Options``; None: by the weights
    celsius      where the device begins to throttle
    chance       that an answer is kept from some p_correct on, by the certificate in use; None: unknown
    """

    speed: Speed
    weights: Weights = field(default_factory=Weights)
    power: Power = field(default_factory=Power)
    cloud: CloudFacts | None = None
    threshold: float | None = None
    gates: tuple[tuple[int, float], ...] = ()
    gated: bool = True
    hedge_below: float | None = None
    conditions: Conditions = field(default_factory=Conditions)
    mode: Mode = "prefer_on_device"
    celsius: float | None = None
    chance: Callable[[float], Chance] | None = None

    @property
    def powers(self) -> bool:
        """Whether the device's power is known, at work and at rest."""
        return self.power.decode is not None and self.power.idle is not None

    @property
    def may_escalate(self) -> bool:
        """Whether a cloud may take over from the device."""
        return self.mode == "prefer_on_device" and self.cloud is not None

    def until(self, row: Row, tokens: int) -> float:
        """Return the seconds from the question to so many tokens; reading the prompt gives the first."""
        reading = self.speed.reading(row.prompt_tokens, row.reused)
        return reading + self.speed.writing(tokens - 1, row.prompt_tokens)

    def whole(self, row: Row) -> float:
        """Return the seconds of the device's whole answer, a second look among them."""
        again = self.speed.reading(row.prompt_tokens, row.reused) if row.turned else 0.0
        return self.until(row, row.tokens) + again

    def tried(self, row: Row) -> float:
        """Return the seconds of a try: until a gate stops it, where a cloud may take over, else to its end."""
        stops = dict(self.gates) if self.gated and self.may_escalate else {}
        at = next((at for at, logit in row.gates if logit < stops.get(at, -math.inf)), None)
        return self.whole(row) if at is None else self.until(row, at + 1)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one question.

    place  whose answer it was                kept     on the device, covered by the certificate
    seconds  from the question to the answer's end     joules, usd  None: unknown
    """

    row: Row
    code: Code
    place: Place
    kept: bool
    seconds: float
    joules: float | None
    usd: float | None
    quality: float


def play(rows: Sequence[Row], scene: Scene) -> tuple[Played, ...]:
    """Return what becomes of each question in a scene."""
    stage = Stage.of(rows, scene)
    return tuple(_played(row, stage) for row in rows)


@dataclass(frozen=True, slots=True)
class Stage:
    """A scene with what all its questions share.

    weights  as the conditions have moved them                     limits  of the gates in use, by their places
    written, whole  tokens and seconds of a whole answer, ``tried`` the seconds of a try, of the device on average
    views    of the tiers, by the prompt's length
    """

    scene: Scene
    policy: Policy
    weights: Weights
    written: float
    whole: float
    tried: float
    limits: dict[int, float]
    views: dict[int, tuple[TierView, TierView | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Row], scene: Scene) -> "Stage":
        """Return the stage on which these answers are given."""
        weights, _ = moved(scene.weights, scene.conditions, celsius=scene.celsius, powers=scene.powers)
        written, whole, tried = (
            fmean(map(measure, rows)) if rows else 0.0 for measure in (_tokens, scene.whole, scene.tried)
        )
        return cls(scene, policy_of(), weights, written, whole, tried, dict(scene.gates) if scene.gated else {})

    def decide(self, tiers: tuple[TierView, ...], attempts: tuple[Attempt, ...]) -> Decision:
        """Return what the policy decides."""
        situation = Situation(QUESTION, self.scene.mode, tiers, attempts, weights=self.weights)
        return self.policy(within_limits(situation))

    def seen(self, prompt_tokens: int) -> tuple[TierView, TierView | None]:
        """Return the tiers as the policy sees them before a question."""
        if prompt_tokens not in self.views:
            cloud = self._cloud(prompt_tokens, self.scene.cloud) if self.scene.cloud else None
            self.views[prompt_tokens] = (self._device(cloud), cloud)
        return self.views[prompt_tokens]

    def _device(self, cloud: TierView | None) -> TierView:
        least = kept_from(self.weights, cloud) if cloud else 0.0
        chance = self.scene.chance(least) if self.scene.chance else None
        return TierView(
            DEVICE, "device", seconds=self.tried, joules=_watts(self.scene.power.decode) * self.tried, chance=chance
        )

    def _cloud(self, prompt_tokens: int, facts: CloudFacts) -> TierView:
        cost, seconds = facts.cost(prompt_tokens, self.written), facts.takes(prompt_tokens)
        tokens = self.written if facts.tokens is None else facts.tokens
        return TierView(
            facts.name, "cloud", usd=cost, seconds=seconds, quality=facts.quality,
            joules=_watts(self.scene.power.idle) * seconds,
            megabytes=(prompt_tokens * BYTES_A_TOKEN + tokens * STREAMED_BYTES) / 1e6,
        )  # fmt: skip

    def hedged_below(self, cloud: TierView, left: float) -> float:
        """Return the chance to be kept below which the cloud is called early; ``left``: seconds of the draft."""
        if self.scene.hedge_below is not None:
            return self.scene.hedge_below
        return hedge_below(self.weights, max(left, 0.0), cloud)

    def hedges_at_once(self, device: TierView, cloud: TierView) -> bool:
        """Return whether the cloud is called as soon as the device begins."""
        band = self.hedged_below(cloud, self.tried)
        unknown = device.chance is None or self.scene.hedge_below is not None
        return band >= 1 or (not unknown and device.chance is not None and device.chance.kept < band)


def _tokens(row: Row) -> int:
    return row.tokens


def _watts(figure: Figure | None) -> float:
    return figure.value if figure else 0.0


def _played(row: Row, stage: Stage) -> Played:
    """Return what becomes of one question: the way of ``cascade.asking``, in virtual time."""
    scene = stage.scene
    device, cloud = stage.seen(row.prompt_tokens)
    tiers = (device, cloud) if cloud else (device,)
    attempts: tuple[Attempt, ...] = ()
    now = on_device = 0.0
    called: float | None = None
    while (decision := stage.decide(tiers, attempts)).run is not None:
        if cloud is not None and decision.run == cloud.name:
            called = now if called is None else called
            now = max(now, called + cloud.seconds)
            attempts += (Attempt(cloud.name, "cloud", ENDED, UNKNOWN, cloud.seconds, cloud.usd),)
        else:
            attempt, called = _on_device(row, stage, device, cloud)
            attempts += (attempt,)
            now = on_device = attempt.seconds
    assert decision.answer is not None  # a device that answers always, or a cloud that never fails
    answer, facts = attempts[decision.answer], scene.cloud
    return Played(
        row=row,
        code=decision.code,
        place=answer.place,
        kept=answer.place == "device" and is_kept(answer),
        seconds=now,
        joules=_joules(scene.power, on_device, now - on_device),
        usd=0.0 if called is None or facts is None else facts.cost(row.prompt_tokens, row.tokens),
        quality=row.local if facts is None or answer.place == "device" else _theirs(row, facts),
    )


def _on_device(row: Row, stage: Stage, device: TierView, cloud: TierView | None) -> tuple[Attempt, float | None]:
    """Return the device's attempt, and when the cloud was called meanwhile; None: it was not."""
    scene, looks = stage.scene, list[GateOutcome]()
    rival = cloud if scene.may_escalate else None
    called = 0.0 if rival and stage.hedges_at_once(device, rival) else None
    for at, logit in row.gates:
        if (limit := stage.limits.get(at)) is None:
            continue
        now = scene.until(row, at + 1)  # a gate looks once a further token has come
        if rival and called is not None and called + rival.seconds <= now:
            break
        looks.append(look_of(at, logit, limit))
        if rival and not looks[-1].passed:
            stopped = replace(UNKNOWN, calibration=FRESH)
            return Attempt(DEVICE, "device", STOPPED, stopped, now, 0.0, tuple(looks)), called
        if rival and called is None and _share(logit) < stage.hedged_below(rival, stage.whole - now):
            called = now
    if rival and called is not None and called + rival.seconds < scene.until(row, row.tokens):
        failure = Failure("hedged", "the cloud was asked at the same time, and was faster")
        seconds = called + rival.seconds
        return Attempt(DEVICE, "device", STOPPED, UNKNOWN, seconds, 0.0, tuple(looks), failure), called
    estimate = covered(Estimate(row.p, scene.threshold if row.ended else None, None, FRESH), looks)
    draft = ENDED if row.ended else CUT_OFF
    return Attempt(DEVICE, "device", draft, estimate, scene.whole(row), 0.0, tuple(looks)), called


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def _joules(power: Power, writing: float, waiting: float) -> float | None:
    """Return the device's energy: its power at work, and at rest while it waits for a cloud; None: unknown."""
    found = 0.0
    for seconds, watts in ((writing, power.decode), (waiting, power.idle)):
        if seconds > 0:
            if watts is None:
                return None
            found += seconds * watts.value
    return found


def _theirs(row: Row, cloud: CloudFacts) -> float:
    return cloud.quality if row.cloud is None else row.cloud
