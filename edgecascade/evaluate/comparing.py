"""A policy against what anyone can do without one, at the very cost that it had.

A policy that is better and dearer than another shows nothing: so each is held against a rival's curve at its own mean
cost on the played questions.

    random mix   of single models: two neighbours of the hull that the training rows show, mixed by chance
    threshold    the threshold cascade's settings, from budget to budget

Neither curve is made from the played questions; only a setting that is dearer and worse than another is passed over.
Beyond its dearest setting a curve goes on level, before its cheapest too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgecascade.evaluate.intervals import Interval, corrected
from edgecascade.evaluate.trials import SAME, Part, Trial
from edgecascade.policies.frontier import area, lagrangian_sweep
from edgecascade.pool import Array

Verdict = Literal["better", "worse", "neither"]

LEAST = 1e-6
"""Differences below it are the last bits of a sum."""


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """A curve: settings, each played on the same questions; costs, qualities (m, n)."""

    costs: Array
    qualities: Array

    def at(self, cost: Array, weights: Array) -> Array:
        """Return the mean quality that mixing two neighbouring settings has at each mean cost (w,).

        weights  of the questions in each of the means (n, w)
        """
        costs, qualities = self.costs @ weights, self.qualities @ weights
        order = np.argsort(costs, axis=0, kind="stable")
        costs = np.take_along_axis(costs, order, axis=0)
        best = np.maximum.accumulate(np.take_along_axis(qualities, order, axis=0))
        found = [np.interp(cost[one] * SAME, costs[:, one], best[:, one]) for one in range(len(cost))]
        return np.array(found)

    def area(self, low: float, high: float) -> float:
        """Return the area under it, as ``frontier.area`` has it."""
        return area(np.stack([self.costs.mean(axis=1), self.qualities.mean(axis=1)], axis=1), low, high)


@dataclass(frozen=True, slots=True)
class Gain:
    """How much quality a policy gains on a rival at equal cost, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """What the interval allows to be said."""
        return "better" if self.low > LEAST else "worse" if self.high < -LEAST else "neither"

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {"gain": self.value, "interval": [self.low, self.high], "verdict": self.verdict}


def random_mix(part: Part) -> Rival:
    """Return the random mix of single models, its members chosen on the training rows."""
    table = part.training.table
    hull = lagrangian_sweep(table.quality.mean(0)[None], table.cost.mean(0)[None])
    members = [*hull.start, *hull.models]
    return Rival(part.test.cost[:, members].T, part.test.quality[:, members].T)


def gains(trial: Trial, rival: Rival | None, weights: Array) -> Array:
    """Return the quality gained on a rival at equal cost (w,), on questions of these weights (n, w); None: the quality.

    >>> one, two = np.array([[1.0], [3.0]]), np.array([[0.0], [1.0]])
    >>> half = Trial(quality=np.array([0.75]), cost=np.array([2.0]), runs=one, alone=one)
    >>> gains(half, Rival(one, two), np.ones((1, 1)))
    array([0.25])
    """
    quality: Array = trial.quality @ weights
    return quality if rival is None else quality - rival.at(trial.cost @ weights, weights)


def gain(trial: Trial, rival: Rival) -> float:
    """Return the quality gained on a rival at equal cost, over all questions."""
    n = len(trial.quality)
    return float(gains(trial, rival, np.full((n, 1), 1 / n))[0])


def over_splits(found: Sequence[float], again: Interval | None, n_train: int, n_test: int) -> Gain:
    """Return the mean over the splits with its interval: corrected, or of the one split's drawing.

    It ends at -1 and at 1: what is gained of a quality from 0 to 1 cannot be more.
    """
    low, high = again or corrected(found, n_train, n_test)
    return Gain(float(np.mean(found)), max(low, -1.0), min(high, 1.0))
