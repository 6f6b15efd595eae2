"""The cheapest mix of models that answers as the reference model would, with a probability that can be promised.

Jo and Trummer, "SMART: Automatically Scaling Down Language Models with Accuracy Guarantees for Reduced Processing
Fees", arXiv:2403.13835.

    agreement   P(a model's answer equals the reference model's); of the reference itself 1
    lower       bound below each model's agreement; all of them hold at once with ``confidence``
    delta       how often at most an answer may differ from the reference's

Each bound is exact (Clopper and Pearson, ``guarantees.binomial``) at (1 - confidence) / (models - 1), so that the union
over the candidates holds. Of what can be mixed by chance the cheapest that reaches 1 - delta lies on the hull of
(mean cost, lower): one model, or two neighbours.

Different from the paper: no integer program is solved, for with one constraint the hull is its exact answer, of chances
rather than of counts. Where an answer is not known, a model is counted as agreeing only where it and the reference are
both right: two wrong answers may differ, so this can only be too low; a table that records no answers is refused, since
by quality alone a reference that is often wrong is never replaced. Profiling is not adaptive: the training questions
are the profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import PolicyError
from edgecascade.guarantees.binomial import upper_bound
from edgecascade.policies.frontier import Mix, lagrangian_sweep
from edgecascade.policies.pooled import Estimator, Fit, Training
from edgecascade.policies.ranking import Ladder, OneModel, alike, wanted
from edgecascade.policies.voting import labels_of_answers
from edgecascade.pool import Array, Feedback, Mask, Table

KIND = "smart"
DELTA = 0.1
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Smart:
    """What is promised of each model, and what it costs.

    reference  its place among the models      differs  how many answers of each model differed from its (k,)
    cost       of each on the training questions (n, k)
    """

    models: tuple[str, ...]
    reference: int
    delta: float
    confidence: float
    differs: NDArray[np.intp]
    cost: Array

    @property
    def lower(self) -> Array:
        """The bound below each model's agreement (k,)."""
        return lower_bounds(self.differs, len(self.cost), self.reference, self.confidence)

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> OneModel:
        """Return the cheapest mix that keeps the promise; a budget below its cost: the mix of the highest bound in it.

        The promise does not hold where the budget is too small for it: ``promised`` says what does.
        """
        return alike(self.models, self.lower, self.cost.mean(axis=0), self.mix(budget, confidence))

    def mix(self, budget: float | None = None, confidence: float | None = None) -> Mix:
        """Return the price of cost, in agreement, and the share of the dearer model."""
        lower, cost = self.lower, self.cost.mean(axis=0)
        free = cheapest_mix(lower, cost, self.delta)
        if budget is None:
            return free
        same = np.broadcast_to(lower, self.cost.shape)
        capped = Ladder.of(same, np.broadcast_to(cost, self.cost.shape), self.cost).mix(budget, confidence)
        return max(free, capped, key=lambda mix: (mix.price, -mix.share))

    def promised(self, budget: float | None = None, *, confidence: float | None = None) -> float:
        """Return the probability, at least, with which an answer of that policy equals the reference's."""
        mix, lower, cost = self.mix(budget, confidence), self.lower[None, :], self.cost.mean(axis=0)[None, :]
        cheap, dear = (lower[0, mix.choose(lower, cost, np.array([draw]))[0]] for draw in (1.0, 0.0))
        return float((1 - mix.share) * cheap + mix.share * dear)

    def learn(self, feedback: Feedback) -> Self:
        """Return itself: it does not learn."""
        return self

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` makes it from again."""
        return {
            "kind": KIND,
            "models": list(self.models),
            "reference": self.reference,
            "delta": self.delta,
            "confidence": self.confidence,
            "differs": self.differs,
            "cost": self.cost,
        }


def of_json(record: Mapping[str, Any], estimator: Estimator) -> Smart:
    """Return what was saved; PolicyError where the record is not one of these."""
    wanted(record, [KIND])
    return Smart(
        tuple(record["models"]),
        int(record["reference"]),
        float(record["delta"]),
        float(record["confidence"]),
        np.asarray(record["differs"], np.intp),
        np.asarray(record["cost"], np.float64),
    )


def fit(
    training: Training,
    *,
    seed: int = 0,
    delta: float = DELTA,
    confidence: float = CONFIDENCE,
    reference: str | None = None,
) -> Smart:
    """Return the bounds on each model's agreement with the reference; nothing is drawn from the seed.

    reference  the model whose answers are wanted; None: the dearest, of several the best
    PolicyError for a delta or confidence that is no probability, for a reference that is not in the pool, and for a
    table that records no answers.
    """
    table = training.table
    for name, chance in (("delta", delta), ("confidence", confidence)):
        if not 0 < chance < 1:
            raise PolicyError(f"SMART's {name}: found {chance}, wanted a number between 0 and 1, such as 0.05 or 0.95")
    if reference is not None and reference not in table.models:
        raise PolicyError(f"SMART's reference: found {reference!r}, wanted one of {', '.join(table.models)}")
    if table.answers is None or not any(any(row) for row in table.answers):
        raise PolicyError(
            "SMART compares answers with the reference model's: found none in the table, wanted `answers`; record "
            "them, or choose a policy that learns from quality"
        )
    place = dearest(table) if reference is None else table.models.index(reference)
    differs = (~agreements(table, place)).sum(axis=0)
    return Smart(table.models, place, delta, confidence, np.asarray(differs, np.intp), table.cost)


def dearest(table: Table) -> int:
    """Return the place of the model of highest mean cost; of several, the best of them."""
    return int(np.lexsort((table.quality.mean(axis=0), table.cost.mean(axis=0)))[-1])


def agreements(table: Table, reference: int) -> Mask:
    """Return where each model's answer equals the reference's (n, k): its first; where not known, if both are right."""
    right = table.quality >= 1
    agree = right & right[:, [reference]]
    if table.answers is not None:
        labels = labels_of_answers(table.answers)[:, :, 0]
        known = (labels >= 0) & (labels[:, [reference]] >= 0)
        agree = np.where(known, labels == labels[:, [reference]], agree)
    agree[:, reference] = True
    return agree


def lower_bounds(differs: NDArray[np.intp], asked: int, reference: int, confidence: float) -> Array:
    """Return bounds below the agreement of all models (k,), of those that differed so often in ``asked`` questions."""
    each = (1 - confidence) / max(len(differs) - 1, 1)
    lower = np.array([1 - upper_bound(int(count), asked, each) for count in differs])
    lower[reference] = 1.0
    return lower


def cheapest_mix(lower: Array, cost: Array, delta: float) -> Mix:
    """Return the mix of least cost that agrees with the reference at least 1 - delta of the time; (k,) each.

    >>> cheapest_mix(np.array([0.8, 1.0]), np.array([1.0, 11.0]), 0.1)
    Mix(price=0.019999999999999997, share=0.5)
    """
    sweep = lagrangian_sweep(lower[None, :], cost[None, :])
    return sweep.mix(float(np.interp(1 - delta, sweep.value, sweep.cost)))


FITS: Mapping[str, Fit] = {KIND: fit}
