"""MixLLM: one model a query, chosen by predicted quality, price, doubt and the queue before it; learns as it goes.

Wang et al., "MixLLM: Dynamic Routing in Mixed Large Language Models", arXiv:2502.18482 (NAACL 2025), eq. 7-11: argmax
of

    s        trade + ALPHA doubt - BETA penalty
    trade    lambda / (1 + lambda) quality - 1 / (1 + lambda) cost        lambda: the willingness to pay, 1e-6 to 1e6
    doubt    e^T A^-1 e, e the query's features, A = I + sum of e e^T over what the model has answered
    penalty  exp(GAMMA (wait - XI deadline)), wait: seconds before the model begins to answer

Quality, cost and doubt come of each model's own arm (``arms``), so models come and go without the others; A^-1
is kept by Sherman and Morrison's formula. A grade updates its model's arm, so does a yes or no, as quality 1 or 0; by
``Weights(by_network=True)`` a yes or no goes to the network of ``liked`` instead, as published. The plain way is
the default because it learns more: fitted on half of 13 tasks and told yes or no on 2000 questions of all, quality
over them was .661 without feedback, .661 by the network, .682 as grades.

lambda is chosen by exact breakpoints: s / (lambda / (1 + lambda)) is (quality + ALPHA doubt) - (cost - ALPHA doubt) /
lambda, so every lambda's choice is an assignment of one Lagrangian sweep of the remembered questions.

Different from the paper: cost is in units of the dearest model's mean on the training questions; the paper's own unit
is not known to us, nor are its gamma and xi. Ours were tried on the published stream (``simulate.stream``) with seven
models of three loads: gamma from 0.2 to 0.5 with xi from 0.2 to 0.5 did about as well, xi = 1 much worse, for who
waits for the deadline is late. See also ``context``, ``arms`` and ``liked``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from edgecascade.errors import PolicyError
from edgecascade.policies.mixllm.arms import Arm, Stack, fit_arm, like_others
from edgecascade.policies.mixllm.context import Context, fit_context
from edgecascade.policies.mixllm.liked import Corrected, Liked, new_liked
from edgecascade.policies.mixllm.rows import Rows, price_within
from edgecascade.policies.pooled import Estimator, Fit, Training
from edgecascade.pool import Array, Feedback, Mask, Seen, Table

STEEPEST = 50.0
"""The penalty's exponent ends here: no queue is worse, and nothing overflows."""


@dataclass(frozen=True, slots=True)
class Weights:
    """alpha, beta as published; gamma a second, xi and the deadline in seconds as in the module's docstring.

    by_network  whether a yes or no is learnt by the network, as published; else it counts as quality 1 or 0
    """

    alpha: float = 0.01
    beta: float = 0.1
    gamma: float = 0.3
    xi: float = 0.4
    deadline: float = 10.0
    by_network: bool = False

    def penalty(self, waits: Array) -> Array:
        """Return the penalty of each wait."""
        return np.asarray(np.exp(np.minimum(self.gamma * (waits - self.xi * self.deadline), STEEPEST)))


def worth_of(
    quality: ArrayLike,
    cost: ArrayLike,
    doubt: ArrayLike,
    waits: ArrayLike = 0.0,
    *,
    willingness: float,
    weights: Weights | None = None,
) -> Array:
    """Return s (n, k), eq. 7-11: whoever has estimates of another kind chooses its argmax.

    quality, cost, doubt  predicted, the cost in units of 1; e^T A^-1 e, ``estimators.ridge.doubt`` (n, k)
    waits                 seconds before each model begins to answer (k,) or (n, k)      willingness  lambda, above 0

    >>> patient = Weights(beta=0.0)
    >>> [worth_of([[0.6, 0.9]], [[0.1, 1.0]], 0.0, willingness=lam, weights=patient).argmax().item() for lam in (1, 9)]
    [0, 1]
    """
    weights, share = weights or Weights(), willingness / (1 + willingness)
    trade = share * np.asarray(quality) - (1 - share) * np.asarray(cost)
    penalty = weights.penalty(np.asarray(waits, np.float64))
    return np.asarray(trade + weights.alpha * np.asarray(doubt) - weights.beta * penalty, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class MixPolicy:
    """Chooses by s; ``willingness`` is lambda, ``unit`` the cost of 1; ``feedback`` corrects ``stack``'s quality."""

    models: tuple[str, ...]
    context: Context
    stack: Stack
    feedback: Corrected
    weights: Weights
    unit: float
    willingness: float

    def terms(self, seen: Seen) -> tuple[Array, Array, Array]:
        """Return quality, cost in units and doubt (n, k)."""
        rows = self.context(seen.features)
        quality, length = self.stack.predict(rows)
        cost = self.stack.cost(length, seen.prompt_tokens) / self.unit
        return self.feedback(quality, rows), cost, self.stack.doubt(rows)

    def worth(self, seen: Seen) -> Array:
        """Return s (n, k)."""
        quality, cost, doubt = self.terms(seen)
        return worth_of(quality, cost, doubt, seen.waits, willingness=self.willingness, weights=self.weights)

    def next(self, seen: Seen) -> Mask:
        """Return the open model of largest s, while none has run (n, k)."""
        return best_of(self.worth(seen), seen.open & ~seen.ran.any(axis=1, keepdims=True))

    def answer(self, seen: Seen) -> Array:
        """Return 1 for the model that has run (n, k); of several, for the one of largest s."""
        return best_of(self.worth(seen), seen.ran).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """MixLLM fitted; ``rows`` are the remembered questions, ``unit`` the cost of 1, ``seed`` the shuffle of budgets."""

    models: tuple[str, ...]
    context: Context
    arms: tuple[Arm, ...]
    liked: Liked
    rows: Rows
    weights: Weights
    unit: float
    seed: int = 0

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> MixPolicy:
        """Return the policy of the largest lambda that keeps the budget on the remembered questions, each as if new."""
        quality, cost, doubt = self.rows.left_out(Stack.of(self.arms))
        bonus = self.weights.alpha * doubt
        value, price = self._feedback()(quality, self.rows.contexts) + bonus, cost / self.unit - bonus
        spent = self.rows.spent(cost)
        return self.willing(1 / price_within(value, price, spent, budget, confidence=confidence, seed=self.seed))

    def willing(self, willingness: float) -> MixPolicy:
        """Return the policy of one lambda, above 0."""
        stack, feedback = Stack.of(self.arms), self._feedback()
        return MixPolicy(self.models, self.context, stack, feedback, self.weights, self.unit, willingness)

    def _feedback(self) -> Corrected:
        graded, liked = (np.array([getattr(arm, name) for arm in self.arms]) for name in ("graded", "liked"))
        return Corrected(self.liked, graded, liked)

    def learn(self, feedback: Feedback) -> Self:
        """Return what it becomes: a grade goes to the model's arm; so does a yes or no, or else to the network."""
        quality = told_quality(feedback)
        if quality is None:
            return self
        row = self.context(feedback.features[None])
        by_network = feedback.quality is None and self.weights.by_network
        liked = self._told(row, quality, feedback.model) if by_network else self.liked
        arm = self.arms[feedback.model]
        arm = arm.learn(row[0], None if by_network else quality, told_length(arm, feedback))
        arms = list(self.arms)
        arms[feedback.model] = replace(arm, liked=arm.liked + by_network)
        return replace(self, arms=tuple(arms), liked=liked)

    def _told(self, row: Array, liked: float, model: int) -> Liked:
        """Return the network after a yes (1) or no (0) to e (1, p)."""
        predicted, _ = Stack.of(self.arms).predict(row)
        believed = float(self._feedback()(predicted, row)[0, model])
        return self.liked.learn(row[0], model, (liked - believed) * (1 - believed))

    def add_model(
        self,
        name: str,
        table: Table | None = None,
        features: Array | None = None,
        *,
        prices: tuple[float, float] = (0.0, 0.0),
        quality: float | None = None,
        length: float | None = None,
    ) -> Self:
        """Return it with one more model behind the others, about which nothing is changed.

        table, features   recorded results with a column of that name and their features (n, d), where there are any:
                          20 to 50 questions say much, for the fit starts from what the others made of each
        prices            else, of a prompt token and an answer token
        quality, length   expected of it before it has answered; None: the means of the others
        PolicyError where the name is there already, or the table has no such column.
        """
        if name in self.models or (table is not None and (features is None or name not in table.models)):
            wanted = "a new name, and a table that has it with the features of its rows"
            raise PolicyError(f"{name} cannot join {', '.join(self.models)}: wanted {wanted}; name it otherwise")
        arm, rows = like_others(self.arms, quality=quality, length=length, prices=prices), self.rows
        if table is None or features is None:
            rows = rows.added(None, 0, np.empty(0))
        else:
            place = table.models.index(name)
            arm, lengths = fit_arm(rows.known(table.ids, self.context(features)), table, place, arm)
            rows = rows.added(table, place, lengths)
        models, arms = (*self.models, name), (*self.arms, arm)
        return replace(self, models=models, arms=arms, rows=rows, liked=self.liked.added(name))

    def remove_model(self, name: str) -> Self:
        """Return it without a model; PolicyError where it is not there, or the last."""
        if name not in self.models or len(self.models) == 1:
            raise PolicyError(f"{name} cannot be removed: found {', '.join(self.models)}; name one of several")
        place = self.models.index(name)
        models, arms = (tuple(np.delete(np.array(all, object), place)) for all in (self.models, self.arms))
        return replace(self, models=models, arms=arms, rows=self.rows.removed(place), liked=self.liked.removed(place))

    def as_json(self) -> dict[str, Any]:
        """Return all of its state."""
        return {
            "models": list(self.models),
            "context": self.context.as_json(),
            "arms": [arm.as_json() for arm in self.arms],
            "liked": self.liked.as_json(),
            "rows": self.rows.as_json(),
            "weights": asdict(self.weights),
            "unit": self.unit,
            "seed": self.seed,
        }


def told_quality(feedback: Feedback) -> float | None:
    """Return the grade, else 1 for a yes and 0 for a no; None where nothing was told, or of features without number."""
    told = feedback.quality if feedback.quality is not None else feedback.liked
    if told is None or not (np.isfinite(told) and np.isfinite(feedback.features).all()):
        return None
    return float(told)


def told_length(arm: Arm, feedback: Feedback) -> float | None:
    """Return the length that feedback tells, in the arm's unit; None: it does not, or no number."""
    told = feedback.tokens
    if not arm.tokens:
        asked = 0.0 if arm.prices[0] == 0 else feedback.prompt_tokens
        told = None if feedback.cost is None or asked is None else feedback.cost - float(arm.prices[0]) * asked
    return told if told is not None and np.isfinite(told) else None


def best_of(worth: Array, allowed: Mask) -> Mask:
    """Return the allowed model of most worth, the first of equals; a row of none where none is allowed (n, k)."""
    best = np.where(allowed, worth, -np.inf).argmax(axis=1)
    return np.asarray(allowed & (np.arange(worth.shape[1]) == best[:, None]))


def fit(training: Training, *, seed: int = 0, weights: Weights | None = None) -> Mixed:
    """Return MixLLM fitted on recorded results: every model has answered every question, so all A are alike."""
    table = training.table
    context, rows = fit_context(training.features, table, seed=seed)
    arms, lengths = zip(*(fit_arm(rows, table, model) for model in range(len(table.models))), strict=True)
    unit = float(table.cost.mean(axis=0).max()) or 1.0
    remembered = Rows.of(table, rows, np.stack(lengths, axis=1), seed=seed)
    liked = new_liked(rows, table.models, seed=seed)
    return Mixed(table.models, context, arms, liked, remembered, weights or Weights(), unit, seed)


def of_json(record: Mapping[str, Any], estimator: Estimator) -> Mixed:
    """Return what was stored; MixLLM predicts by itself and asks no estimator."""
    return Mixed(
        tuple(record["models"]),
        Context.of_json(record["context"]),
        tuple(Arm.of_json(arm) for arm in record["arms"]),
        Liked.of_json(record["liked"]),
        Rows.of_json(record["rows"]),
        Weights(**record["weights"]),
        float(record["unit"]),
        int(record["seed"]),
    )


FITS: Mapping[str, Fit] = {"mixllm": fit}
