"""Situations that nobody was in: attempts of every kind, and walks of a policy through a world of failures."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from edgecascade.policies import Chance, Closed, Policy, Situation, TierView, within_limits
from edgecascade.records import (
    Attempt,
    Calibration,
    Decision,
    Draft,
    Estimate,
    Failure,
    GateOutcome,
    Limits,
    Mode,
    Place,
    Question,
    Timings,
    Tool,
    Usage,
)

CLOSED = tuple(
    Closed(code, f"it is {code}") for code in ("blocked", "offline", "breaker", "no_cloud")  # type: ignore[arg-type]
)  # fmt: skip
CODES = ("offline", "timeout", "rate_limit", "server", "refused", "key", "protocol", "breaker", "budget", "blocked")
MOST_STEPS = 9
"""Two tries of each of four tiers, and the end."""

Walk = list[tuple[Situation, Decision]]


def attempt(
    tier: str = "device",
    place: Place = "device",
    *,
    p: float | None = None,
    threshold: float | None = None,
    finish: str | None = "end",
    failed: str | None = None,
    gates: tuple[bool, ...] = (),
    usd: float | None = 0.0,
) -> Attempt:
    """An attempt; ``finish`` None: nothing was written."""
    looks = tuple(GateOutcome("G1", 8 * (number + 1), 0.0, 0.0, passed) for number, passed in enumerate(gates))
    draft = Draft("word", (), finish, Usage(9, 4), Timings(0, 0, 0, 0, 1.0)) if finish else None  # type: ignore[arg-type]
    calibration = None if p is None else Calibration("f", "fresh", "fitted for exactly this")
    failure = Failure(failed, f"it failed: {failed}") if failed else None
    return Attempt(tier, place, draft, Estimate(p, threshold, None, calibration), 1.0, usd, looks, failure)


@dataclass(frozen=True, slots=True)
class World:
    """One drawn world: what happens when a tier is asked depends on its seed alone."""

    seed: int
    mode: Mode

    def walk(self, policy: Policy) -> Walk:
        """Follow a policy until it stops, or for ``MOST_STEPS``."""
        dice = random.Random(f"{self.seed} {self.mode}")
        situation, steps = self._begin(dice), Walk()
        while len(steps) < MOST_STEPS:
            seen = within_limits(situation)
            decision = policy(seen)
            steps.append((seen, decision))
            if decision.run is None:
                break
            tier = next(tier for tier in situation.tiers if tier.name == decision.run)
            situation = replace(situation, attempts=(*situation.attempts, self._asked(dice, tier)))
        return steps

    def _begin(self, dice: random.Random) -> Situation:
        tools = (Tool("f", "", "{}"),) if dice.random() < 0.1 else ()
        limits = Limits(
            usd=dice.choice((None, 0.0, 0.015, 0.05)), calls=dice.choice((None, None, 0, 1, 2)), seconds=None
        )
        tiers = [self._tier(dice, f"device{number}", "device") for number in range(dice.choice((0, 1, 1, 1, 2)))]
        tiers += [self._tier(dice, f"cloud{number}", "cloud") for number in range(dice.choice((0, 1, 1, 2)))]
        on_break = dice.choice(("retry", "continue", "local"))
        return Situation(
            replace(Question.of("Why?"), tools=tools, limits=limits), self.mode, tuple(tiers), (), on_break
        )

    @staticmethod
    def _tier(dice: random.Random, name: str, place: Place) -> TierView:
        closed = dice.choice(CLOSED) if place == "cloud" and dice.random() < 0.2 else None
        usd = 0.0 if place == "device" else dice.choice((None, 0.01, 0.02))
        chance = Chance(dice.random(), dice.random()) if place == "device" and dice.random() < 0.8 else None
        usual = usd and dice.choice((None, usd / 3))
        more = {"joules": dice.choice((0.0, 10 * dice.random())), "megabytes": dice.random() / 100}
        return TierView(name, place, closed, usd, dice.random(), dice.random(), usual, chance=chance, **more)

    @staticmethod
    def _asked(dice: random.Random, tier: TierView) -> Attempt:
        fate, part = dice.random(), dice.choice(("cancelled", None))
        usd = tier.usd and dice.choice((tier.usd, tier.usd / 2, 0.0))
        if fate < 0.15:
            code = "device" if tier.place == "device" else dice.choice(CODES)
            return attempt(tier.name, tier.place, finish=part, failed=code, usd=usd)
        if tier.place == "cloud":
            if fate < 0.45:
                return attempt(tier.name, "cloud", finish=part, failed="broken_off", usd=usd)
            return attempt(tier.name, "cloud", usd=usd)
        gates = tuple(dice.random() < 0.7 for _ in range(dice.randrange(3)))
        if fate < 0.4 and not all(gates):
            return attempt(tier.name, finish="cancelled", gates=gates)
        p, limit = (dice.choice((None, dice.random(), dice.random())) for _ in range(2))
        return attempt(tier.name, p=p, threshold=limit, gates=gates)


@pytest.fixture(scope="session")
def attempted() -> Callable[..., Attempt]:
    """Make an attempt."""
    return attempt


@pytest.fixture(scope="session")
def walks() -> Callable[[Policy, Mode], list[Walk]]:
    """Let a policy walk through five hundred worlds; the same ones for every policy."""
    return lambda policy, mode: [World(seed, mode).walk(policy) for seed in range(500)]


@pytest.fixture(scope="session")
def situated() -> Callable[..., Situation]:
    """Make a situation of a device and a cloud, by default both open."""

    def make(*attempts: Attempt, mode: Mode = "prefer_on_device", **changes: Any) -> Situation:
        tiers = (TierView("device", "device"), TierView("cloud", "cloud", usd=0.01, quality=0.9))
        given = {"question": Question.of("Why?"), "mode": mode, "tiers": tiers, "attempts": attempts} | changes
        return Situation(**given)

    return make
