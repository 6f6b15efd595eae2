"""The model that did best on the nearest training questions, less what it costs: the plain baseline of routing.

    value   mean quality of each model on a question's neighbours (``estimators.nearest``)
    lam     price of cost, in units of quality: of all prices (``frontier``) the one that spends the budget

The prices are set on values of the training questions that were found without them. Of more than 5,000 training
questions so many are drawn: every question is compared with every one that is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.estimators.folds import folds_of
from edgecascade.estimators.nearest import FOLDS, Nearest, fit_nearest, out_of_fold
from edgecascade.policies.frontier import Places
from edgecascade.policies.pooled import Estimator, Fit, Training
from edgecascade.policies.ranking import Ladder, OneModel, wanted
from edgecascade.pool import Array, Feedback

KIND = "knn"
MOST = 5000
"""Questions that are kept to be compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The recorded questions, and what was believed of each without it: value, expected cost, true cost (n, k)."""

    models: tuple[str, ...]
    nearest: Nearest
    value: Array
    expected: Array
    cost: Array
    estimator: Estimator

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> OneModel:
        """Return the policy whose price spends the budget; the cheapest model below its cost."""
        mix = Ladder.of(self.value, self.expected, self.cost).mix(budget, confidence)
        return OneModel(self.models, mix, lambda seen: self.nearest(seen.features), self.estimator.cost)

    def learn(self, feedback: Feedback) -> Self:
        """Return itself: it does not learn."""
        return self

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` makes it from again."""
        known = {"value": self.value, "expected": self.expected, "cost": self.cost}
        return {"kind": KIND, "models": list(self.models), "nearest": self.nearest.as_json(), **known}


def of_json(record: Mapping[str, Any], estimator: Estimator) -> Neighbours:
    """Return what was saved; PolicyError where the record is not one of these."""
    wanted(record, [KIND])
    value, expected, cost = (np.asarray(record[name], np.float64) for name in ("value", "expected", "cost"))
    return Neighbours(tuple(record["models"]), Nearest.of_json(record["nearest"]), value, expected, cost, estimator)


def fit(training: Training, *, seed: int = 0) -> Neighbours:
    """Return the neighbours, their number chosen by cross-validation; who is kept, and the folds, are by the seed."""
    rows = kept(len(training.table), seed)
    features, quality, cost = training.features[rows], training.table.quality[rows], training.table.cost[rows]
    nearest = fit_nearest(features, quality, seed=seed)
    value = out_of_fold(features, quality, [nearest.neighbours], folds_of(len(rows), FOLDS, seed))[0]
    return Neighbours(training.table.models, nearest, value, training.beliefs.cost[rows], cost, training.estimator)


def kept(questions: int, seed: int) -> Places:
    """Return which of the training questions are kept, in their order."""
    if questions <= MOST:
        return np.arange(questions)
    return np.sort(np.random.default_rng(seed).permutation(questions)[:MOST])


FITS: Mapping[str, Fit] = {KIND: fit}
