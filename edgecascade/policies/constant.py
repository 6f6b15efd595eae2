"""The same for every question: the best model that the budget allows, or a random mix of two.

constant   the best single model, by mean quality on the training questions
random     the two neighbours on the hull of the single models, mixed so that the budget is spent: what anyone can
           have at that cost without looking at a question, and so what every router must beat
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from edgecascade.policies.frontier import Mix, affordable
from edgecascade.policies.pooled import Estimator, Fit, Training
from edgecascade.policies.ranking import Ladder, OneModel, alike, wanted
from edgecascade.pool import Array, Feedback

Kind = Literal["constant", "random"]


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Single models, and what they were worth and did cost.

    quality  mean of each model (k,)      cost  of each on the training questions (n, k)
    """

    kind: Kind
    models: tuple[str, ...]
    quality: Array
    cost: Array

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> OneModel:
        """Return the policy; below the cheapest model's cost it is the cheapest model."""
        means = self.cost.mean(axis=0)
        if self.kind == "random":
            return alike(self.models, self.quality, means, self._mix(budget, confidence))
        ladder = np.lexsort((np.arange(len(means)), -self.quality, means))
        last = affordable(self.cost.T[ladder], budget, confidence=confidence)
        within = np.isin(np.arange(len(means)), ladder[: last + 1])
        worth = np.where(within, self.quality, -means / max(float(means.max()), np.finfo(float).tiny))
        return alike(self.models, worth, means, Mix(0.0, 0.0))

    def _mix(self, budget: float | None, confidence: float | None) -> Mix:
        """Return the price at which the two neighbours on the hull tie, and their shares."""
        expected = np.broadcast_to(self.cost.mean(axis=0), self.cost.shape)
        return Ladder.of(np.broadcast_to(self.quality, expected.shape), expected, self.cost).mix(budget, confidence)

    def learn(self, feedback: Feedback) -> Self:
        """Return itself: it does not learn."""
        return self

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` makes it from again."""
        return {"kind": self.kind, "models": list(self.models), "quality": self.quality, "cost": self.cost}


def fit(training: Training, *, seed: int = 0, kind: Kind = "constant") -> Constant:
    """Return the single models of a table; nothing is drawn from the seed."""
    table = training.table
    return Constant(kind, table.models, table.quality.mean(axis=0), table.cost)


def fit_random(training: Training, *, seed: int = 0) -> Constant:
    """Return the random mix."""
    return fit(training, seed=seed, kind="random")


def of_json(record: Mapping[str, Any], estimator: Estimator) -> Constant:
    """Return what was saved; PolicyError where the record is not one of these."""
    wanted(record, get_args(Kind))
    quality, cost = np.asarray(record["quality"], np.float64), np.asarray(record["cost"], np.float64)
    return Constant(record["kind"], tuple(record["models"]), quality, cost)


FITS: Mapping[str, Fit] = {"constant": fit, "random": fit_random}
