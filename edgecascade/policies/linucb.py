"""LinUCB as MetaLLM routes with it: every model a linear bandit arm, the reward is quality less its price.

Li et al., "A contextual-bandit approach to personalized news article recommendation", arXiv:1003.0146, algorithm 1
(disjoint arms); Nguyen et al., "MetaLLM", arXiv:2407.10834: argmax of

    quality - price cost + ALPHA sqrt(e^T A^-1 e)        e the query's features, A = I + sum of e e^T, one a model

Rewards are linear in the price, so quality and cost are learnt apart and any price is had without learning again.
A^-1 is kept by Sherman and Morrison's formula. A yes or no counts as quality 1 or 0, MetaLLM's own reward.

Different from the paper: MetaLLM's released defaults neither explore (ALPHA 0) nor update, and its ridge penalty is a
constant; here both are done, and the penalty is chosen by leave-one-out. Its e is a 7B encoder's, ours whatever the
features are. Costs are in units of the dearest model's mean. Nothing is forgotten (MetaLLM may shrink A by a factor).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.estimators.ridge import doubt, empty_ridge
from edgecascade.policies.mixllm.arms import Arm, Stack, fit_arm
from edgecascade.policies.mixllm.context import Context, fit_context
from edgecascade.policies.mixllm.mixed import best_of, told_length, told_quality
from edgecascade.policies.mixllm.rows import Rows, price_within
from edgecascade.policies.pooled import Estimator, Fit, Training
from edgecascade.pool import Array, Feedback, Mask, Seen

Places = NDArray[np.intp]

ALPHA = 0.1


def upper_bound(expected: Array, doubt: Array, alpha: float) -> Array:
    """Return expected + alpha sqrt(doubt), in whose order arms are pulled."""
    return np.asarray(expected + alpha * np.sqrt(doubt))


def pulled(features: ArrayLike, rewards: ArrayLike, *, alpha: float = ALPHA, strength: float = 1.0) -> Places:
    """Return which of k arms is pulled in each of n rounds (n,), from nothing on: algorithm 1, disjoint arms.

    features  the context of each round (n, d); an intercept only where a column of ones is among them
    rewards   that each arm would give (n, k): only the pulled arm's is looked at, and learnt from before the next
    strength  of the penalty, A's start; of equal bounds the first is taken

    >>> pulled([[1.0]] * 5, [[0.1, 0.9]] * 5, alpha=1.0).tolist()
    [0, 1, 1, 1, 1]
    """
    features, rewards = np.asarray(features, np.float64), np.asarray(rewards, np.float64)
    arms, chosen = [empty_ridge(features.shape[1], 1, strength=strength)] * rewards.shape[1], []
    for row, worth in zip(features, rewards, strict=True):
        weights, inverse = np.hstack([arm.weights for arm in arms]), np.stack([arm.inverse for arm in arms])
        bounds = upper_bound(row @ weights, doubt(row[None], inverse)[0], alpha)
        chosen.append(arm := int(bounds.argmax()))
        arms[arm] = arms[arm].learn(row, worth[[arm]])
    return np.array(chosen, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class UpperBound:
    """Chooses by the upper bound of the reward at one ``price``; ``unit`` is the cost of 1."""

    models: tuple[str, ...]
    context: Context
    stack: Stack
    alpha: float
    unit: float
    price: float

    def worth(self, seen: Seen) -> Array:
        """Return the upper bound of each model's reward (n, k)."""
        rows = self.context(seen.features)
        quality, length = self.stack.predict(rows)
        cost = self.stack.cost(length, seen.prompt_tokens) / self.unit
        return upper_bound(quality, self.stack.doubt(rows), self.alpha) - self.price * cost

    def next(self, seen: Seen) -> Mask:
        """Return the open model of the highest bound, while none has run (n, k)."""
        return best_of(self.worth(seen), seen.open & ~seen.ran.any(axis=1, keepdims=True))

    def answer(self, seen: Seen) -> Array:
        """Return 1 for the model that has run (n, k); of several, for the one of the highest bound."""
        return best_of(self.worth(seen), seen.ran).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class LinUCB:
    """The arms as fitted, and the questions that are remembered for the budget; ``seed`` shuffles them."""

    models: tuple[str, ...]
    context: Context
    arms: tuple[Arm, ...]
    rows: Rows
    alpha: float
    unit: float
    seed: int = 0

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> UpperBound:
        """Return the policy of the lowest price that keeps the budget on the remembered questions, each as if new."""
        stack = Stack.of(self.arms)
        quality, cost, doubt = self.rows.left_out(stack)
        price = price_within(
            upper_bound(quality, doubt, self.alpha), cost / self.unit, self.rows.spent(cost), budget,
            confidence=confidence, seed=self.seed,
        )  # fmt: skip
        return UpperBound(self.models, self.context, stack, self.alpha, self.unit, price)

    def learn(self, feedback: Feedback) -> Self:
        """Return what it becomes: the model's arm takes the grade, or else 1 for a yes and 0 for a no."""
        quality = told_quality(feedback)
        if quality is None:
            return self
        arm = self.arms[feedback.model]
        row = self.context(feedback.features[None])[0]
        arms = list(self.arms)
        arms[feedback.model] = arm.learn(row, quality, told_length(arm, feedback))
        return replace(self, arms=tuple(arms))

    def as_json(self) -> dict[str, Any]:
        """Return all of its state."""
        return {
            "models": list(self.models),
            "context": self.context.as_json(),
            "arms": [arm.as_json() for arm in self.arms],
            "rows": self.rows.as_json(),
            "alpha": self.alpha,
            "unit": self.unit,
            "seed": self.seed,
        }


def fit(training: Training, *, seed: int = 0, alpha: float = ALPHA) -> LinUCB:
    """Return the arms after every training question has been put to every one of them."""
    table = training.table
    context, rows = fit_context(training.features, table, domains=False, seed=seed)
    arms, lengths = zip(*(fit_arm(rows, table, model) for model in range(len(table.models))), strict=True)
    unit = float(table.cost.mean(axis=0).max()) or 1.0
    remembered = Rows.of(table, rows, np.stack(lengths, axis=1), seed=seed)
    return LinUCB(table.models, context, arms, remembered, alpha, unit, seed)


def of_json(record: Mapping[str, Any], estimator: Estimator) -> LinUCB:
    """Return what was stored; the arms predict by themselves and ask no estimator."""
    return LinUCB(
        tuple(record["models"]), Context.of_json(record["context"]), tuple(map(Arm.of_json, record["arms"])),
        Rows.of_json(record["rows"]), float(record["alpha"]), float(record["unit"]), int(record["seed"]),
    )  # fmt: skip


FITS: Mapping[str, Fit] = {"linucb": fit}
