"""The prices of a policy, fitted on recorded questions: a curve for budgets, a ladder for promises, ratios by step.

    ratios   what the price is multiplied by after 0, 1, 2, ... models have run

The worth of a set is that of running all of it; that one may stop on the way, having seen how good an answer is, is not
in it. So later steps are better priced lower. A few ratios are tried, and kept where what one half of the questions
chooses gains on the other, both ways. Measured on 1000 questions of RouterBench's kind: .1 points of area gained with
low noise, .05 with medium, nothing with high.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecascade.errors import PolicyError
from edgecascade.policies.routing.price_curve import (
    Curve,
    Ladder,
    Setting,
    curve,
    curve_of_json,
    ladder,
    ladder_of_json,
)
from edgecascade.policies.routing.price_sweep import Lattice, See, ways
from edgecascade.policies.routing.supersets import Places, Rules
from edgecascade.pool import Array, Mask

Worth = Callable[[Places, Places], Array]
"""Returns the quality of the answers of questions (rows) at their end, believed and measured (len, 2), by R of each."""

LEAST_CONFIDENCE = 0.5
LEAST_ROWS, MANY_ROWS = 100, 1000
"""Fewer questions than the first: no ratios are tried, halves would say nothing; than the second: powers only."""
BASES = (0.85, 0.7, 0.6, 0.5)
"""Ratios tried first: powers of these. Below one half nothing gained on new questions, for 3 to 8 models."""
FACTORS = (0.7, 1.4)
STEPS = 4
"""The first so many steps are then tried by themselves."""
BUDGETS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """What was fitted: at any budget, a setting."""

    curve: Curve
    ladder: Ladder
    ratios: tuple[float, ...]

    def at(self, budget: float | None, *, confidence: float | None = None, price: float | None = None) -> Setting:
        """Return the setting of a budget, with a confidence or without, or of one price."""
        if price is not None:
            if not (math.isfinite(price) and price >= 0):
                raise PolicyError(f"a price of {price}; wanted a number of at least 0")
            return self.curve.priced(price)
        if budget is None or budget == math.inf:
            return self.curve.at(math.inf)
        if not budget >= 0:
            raise PolicyError(f"a budget of {budget}; wanted a mean cost of at least 0 a question, or None")
        if confidence is None:
            return self.curve.at(budget)
        if not LEAST_CONFIDENCE <= confidence < 1:
            raise PolicyError(f"a confidence of {confidence}; wanted at least 0.5 and below 1")
        return self.ladder.at(budget, confidence)

    def as_json(self) -> dict[str, Any]:
        """Return what ``prices_of_json`` makes it from again."""
        return {"curve": self.curve.as_json(), "ladder": self.ladder.as_json(), "ratios": list(self.ratios)}


def prices_of_json(record: Mapping[str, Any]) -> Prices:
    """Return the prices that were saved."""
    ratios = tuple(float(ratio) for ratio in record["ratios"])
    return Prices(curve_of_json(record["curve"]), ladder_of_json(record["ladder"]), ratios)


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Questions to fit on: what is believed of them, what calls cost (n, k), and what answers are worth."""

    see: See
    spent: Array
    worth: Worth
    rules: Rules

    def __len__(self) -> int:
        return len(self.spent)


def fit_prices(recorded: Recorded, *, per_step: bool = True, seed: int = 0) -> Prices:
    """Return the prices fitted on recorded questions; per_step: they may differ by step, where that gains."""
    lattice = Lattice(recorded.see, recorded.rules, len(recorded))
    ratios = (1.0,) * recorded.rules.depth
    if per_step and recorded.rules.strategy != "routing" and len(ratios) > 1 and len(recorded) >= LEAST_ROWS:
        ratios = _searched(recorded, lattice, seed)
    found = ways(lattice, recorded.spent, ratios)
    quality = recorded.worth(found.rows, found.ran)
    whole = curve(found, quality, len(recorded))
    paid = recorded.spent[recorded.spent > 0]
    highest = 2.0 / float(paid.min()) if paid.size else 1.0
    most = float(recorded.spent.sum(1).max())
    rungs = ladder(found, quality, len(recorded), highest=highest, top=whole.top, most=most, seed=seed)
    return Prices(whole, rungs, ratios)


def _searched(recorded: Recorded, lattice: Lattice, seed: int) -> tuple[float, ...]:
    """Return the ratios of the largest area: powers of one base, then single steps, each only if it gains held out."""
    steps = recorded.rules.depth
    in_first = np.random.default_rng(seed).permutation(len(recorded)) % 2 == 0
    areas: dict[tuple[float, ...], Array] = {}

    def area(ratios: tuple[float, ...]) -> Array:
        if ratios not in areas:
            areas[ratios] = _areas(recorded, lattice, ratios, in_first)
        return areas[ratios]

    def kept(now: tuple[float, ...], tried: list[tuple[float, ...]]) -> tuple[float, ...]:
        of_half = [max([now, *tried], key=lambda one: area(one)[part]) for part in (0, 1)]
        gains = [area(best)[1 - part] - area(now)[1 - part] for part, best in enumerate(of_half)]
        return max([now, *tried], key=lambda one: area(one)[2]) if min(gains) > 0 else now

    best = kept((1.0,) * steps, [tuple(base**step for step in range(steps)) for base in BASES])
    for step in range(1, min(steps, STEPS) if len(recorded) >= MANY_ROWS else 1):
        best = kept(best, [(*best[:step], best[step] * factor, *best[step + 1 :]) for factor in FACTORS])
    return best


def _areas(recorded: Recorded, lattice: Lattice, ratios: tuple[float, ...], in_first: Mask) -> Array:
    """Return the mean measured quality over budgets of one half, the other half, and all questions (3,)."""
    found = ways(lattice, recorded.spent, ratios)
    quality = recorded.worth(found.rows, found.ran)
    means = recorded.spent.mean(0)
    budgets = np.linspace(means.min(), max(means.max(), 2 * means.min()), BUDGETS)
    areas = []
    for chosen in (in_first, ~in_first, np.ones_like(in_first)):
        here = np.flatnonzero(chosen[found.rows])
        part = curve(found.part(here), quality[here], int(chosen.sum()))
        areas.append(np.mean([part.at(float(budget)).measured for budget in budgets]))
    return np.array(areas)
