"""One model a question, chosen before any has run: of the open ones that of most value for its price.

    value, cost   what each model's answer is expected to be worth, and to cost, by the query alone (n, k)

The policies that choose so differ in where the value comes from: a mean, the neighbours, a bound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.errors import PolicyError
from edgecascade.policies.frontier import Mix, Sweep, affordable, lagrangian_sweep
from edgecascade.pool import Array, Mask, Seen

RUNGS = 65
"""Settings between the cheapest and the dearest of which a budget with confidence takes one."""

Terms = Callable[[Seen], Array]


@dataclass(frozen=True, slots=True, eq=False)
class OneModel:
    """The policy: the model of most ``value - price cost``; where that one is closed, the next."""

    models: tuple[str, ...]
    mix: Mix
    value: Terms
    cost: Terms

    def next(self, seen: Seen) -> Mask:
        """Return the one model to run (n, k); none where one has run, or none is open."""
        asked = np.zeros(seen.ran.shape, bool)
        rows = np.flatnonzero(~seen.ran.any(axis=1) & seen.open.any(axis=1))
        if rows.size:
            some = seen.rows(rows)
            asked[rows, self.mix.choose(self.value(some), self.cost(some), some.draw, some.open)] = True
        return asked

    def answer(self, seen: Seen) -> Array:
        """Return weight 1 for the model that has run (n, k); of several the one of most worth."""
        weights, several = seen.ran.astype(np.float64), np.flatnonzero(seen.ran.sum(axis=1) > 1)
        if several.size:  # only they are worth looking up what every model is worth
            weights[several] = one_of(self.worth(seen.rows(several)), seen.ran[several])
        return weights

    def worth(self, seen: Seen) -> Array:
        """Return value - price cost (n, k), that of the chosen one raised above what ties with it."""
        value, cost = self.value(seen), self.cost(seen)
        worth = -cost if np.isinf(self.mix.price) else value - self.mix.price * cost
        rows = np.flatnonzero(seen.open.any(axis=1))
        if rows.size:
            first = self.mix.choose(value[rows], cost[rows], seen.draw[rows], seen.open[rows])
            best = np.where(seen.open, worth, -np.inf).max(axis=1)[rows]
            worth[rows, first] = np.nextafter(best, np.inf)
        return worth


def alike(models: tuple[str, ...], value: Array, cost: Array, mix: Mix) -> OneModel:
    """Return the policy to which all questions are alike: value and cost (k,)."""
    return OneModel(
        models, mix, lambda seen: np.tile(value, (len(seen), 1)), lambda seen: np.tile(cost, (len(seen), 1))
    )


def one_of(worth: Array, ran: Mask) -> Array:
    """Return weight 1 for the model of most worth among those that have run (n, k), 0 for the others."""
    weights = np.zeros(ran.shape)
    rows = np.flatnonzero(ran.any(axis=1))
    weights[rows, np.where(ran, worth, -np.inf).argmax(axis=1)[rows]] = 1.0
    return weights


def wanted(record: Mapping[str, Any], kinds: Sequence[str]) -> None:
    """Raise PolicyError where a saved record is of none of these kinds."""
    if record.get("kind") not in kinds:
        raise PolicyError(
            f"a saved policy: found kind {record.get('kind')!r}, wanted {' or '.join(kinds)}; fit and save it again"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Every price of cost, and what it made of the training questions.

    value, expected  what was believed of them (n, k)     cost  what each model's answer did cost (n, k)
    sweep            all choices by what was believed     spent  mean true cost after so many of its changes (t + 1,)
    """

    value: Array
    expected: Array
    cost: Array
    sweep: Sweep
    spent: Array

    @classmethod
    def of(cls, value: Array, expected: Array, cost: Array) -> Self:
        """Return the ladder of training questions; value, expected and cost (n, k)."""
        sweep = lagrangian_sweep(value, expected)
        return cls(value, expected, cost, sweep, sweep.means(cost))

    def mix(self, budget: float | None, confidence: float | None = None) -> Mix:
        """Return the price that spends the budget: on these questions, or on new ones with ``confidence``."""
        if budget is None or confidence is None:
            return self.sweep.mix(budget, self.spent)
        low, high = float(self.spent[0]), float(self.spent.max())
        mixes = [self.sweep.mix(one, self.spent) for one in np.linspace(low, high, RUNGS)]
        place = affordable(np.stack([self.costs(mix) for mix in mixes]), budget, confidence=confidence)
        return mixes[place]

    def costs(self, mix: Mix) -> Array:
        """Return what each question costs on average over its draw (n,)."""
        rows, n = np.arange(len(self.cost)), len(self.cost)
        cheap, dear = (mix.choose(self.value, self.expected, np.full(n, draw)) for draw in (1.0, 0.0))
        return (1 - mix.share) * self.cost[rows, cheap] + mix.share * self.cost[rows, dear]
