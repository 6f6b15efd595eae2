"""Attempts that nobody made: a latent skill that shows in the tokens, a hidden doubt that shows in the states only."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecascade.calibrate.fit import Fit, fit
from edgecascade.labelled import Grade
from edgecascade.records import Draft, HiddenStates, Timings, Token, Usage
from edgecascade.signals import signals
from edgecascade.store.attempts import Attempt, Attempts, Header
from edgecascade.testing import TINY_IDENTITY as IDENTITY

WIDTH = 16
HEADER = Header(
    identity=IDENTITY,
    questions="d" * 64,
    system=None,
    cloud="big",
    shard="1/1",
    created="2026-11-21",
    width=WIDTH,
    fingerprint=((5, -0.25), (7, -1.1)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How questions are drawn.

    tasks      how many, equally frequent             ease    log-odds of a right answer at average skill and no doubt
    skill      log-odds for a unit of what the tokens show
    doubt      log-odds for a unit of what they do not show
    shown      where the doubt stands in the hidden states: nowhere, everywhere (along one direction in all tasks), or
               by task (along a direction of its own in each)
    cloud      how often the cloud is right; None: not asked
    """

    tasks: int = 4
    ease: float = 0.3
    skill: float = 2.0
    doubt: float = 0.0
    shown: str = "nowhere"
    cloud: float | None = 0.9

    def draw(self, count: int, *, seed: int = 0) -> Attempts:
        """Return so many attempts."""
        random = np.random.default_rng(seed)
        task = random.integers(self.tasks, size=count)
        skill, doubt = random.normal(size=(2, count))
        odds = self.ease + self.skill * skill + self.doubt * doubt
        right = random.random(count) < 1 / (1 + np.exp(-odds))
        noise = random.normal(size=(count, 2, WIDTH))
        if self.shown != "nowhere":
            shown = (
                np.ones((count, WIDTH))
                if self.shown == "everywhere"
                else task[:, None] == np.arange(WIDTH) % self.tasks
            )
            noise += 1.5 * (doubt[:, None] * shown)[:, None, :]
        rows: list[Attempt] = []
        for number in range(count):
            draft = _draft(random, float(skill[number]), noise[number].astype(np.float32), question=number)
            cloud = None if self.cloud is None else float(random.random() < self.cloud)
            local = float(right[number])
            rows.append(
                Attempt(
                    id=f"q{number:05}",
                    task=f"task{task[number]}",
                    metric="normalised",
                    draft=draft,
                    signals=signals(draft),
                    grade=Grade(local),
                    cloud=cloud,
                    agrees=None if cloud is None else float(cloud == local),
                )
            )
        return Attempts(HEADER, tuple(rows))


def _draft(random: np.random.Generator, skill: float, states: NDArray[np.float32], *, question: int) -> Draft:
    """Return an answer of 3 to 50 tokens, the surer the more skill."""
    length = int(random.integers(3, 50))
    chosen = -np.exp(-1.0 - 0.7 * skill + 0.6 * random.normal(size=length))
    others = np.abs(random.normal(size=(4, length)))
    tokens = tuple(
        Token(
            id=place,
            text=" word",
            logprob=float(chosen[place]),
            top_logprob=float(chosen[place]),
            margin=float(others[0, place] / (0.2 - chosen[place])),
            entropy=float(-2 * chosen[place] + 0.1 * others[1, place]),
            top5_mass=math.exp(0.3 * float(chosen[place])),
            logsumexp=float(20 + others[3, place]),
            seconds=0.01,
            end=place == length - 1,
        )
        for place in range(length)
    )
    return Draft(
        text=f"word {question}",
        tokens=tokens,
        finish_reason="end",
        usage=Usage(20 + question % 7, length - 1),
        timings=Timings(0.0, 0.01, 0.0, 0.0, 0.01 * length),
        hidden=HiddenStates(states[0], states[1]),
    )


def fitted(attempts: Attempts, **changes: Any) -> Fit:
    """Fit as a user would who asked for nothing in particular."""
    wanted: dict[str, Any] = {"promise": "regret", "epsilon": 0.05, "delta": 0.1, "today": "2026-11-22"}
    return fit(attempts, **wanted | changes)


@pytest.fixture(scope="session")
def world() -> type[World]:
    """How questions are drawn."""
    return World


@pytest.fixture(scope="session")
def attempts() -> Attempts:
    """Four hundred attempts of an ordinary world."""
    return World().draw(400)


@pytest.fixture(scope="session")
def whole(attempts: Attempts) -> Fit:
    """The fit of these attempts."""
    return fitted(attempts)


@pytest.fixture(scope="session")
def refit() -> Callable[..., Fit]:
    """Fit attempts as usual, with some wishes changed."""
    return fitted
