"""Smoothie: whom to trust, told by how far the models' answers lie apart; no answer's quality is ever looked at.

Guha, Chen, Chow, Khare, Re, "Smoothie: Label Free Language Model Routing", arXiv:2412.04692; v as in
``signals.disagreement``, smaller is better.

    global       v over all questions: one model             local       v of the question itself and its neighbours
    train-time   v of a question's neighbours in training: only the chosen model runs

The policy is train-time where the budget is below the cost of asking everybody, and local with one neighbour (the
question's own answers, the paper's best) from there on.

It picks wrong where models err alike, for it knows agreement only. Seven models, 250 questions of ten choices, c of the
models giving the same wrong answer with chance s whenever they err; quality of the global pick, 100 worlds:

                           independent   c=3 s=.5   c=3 s=1   c=5 s=.5   c=5 s=1
    the best was picked        .86          .74       .34        .65       .40
    quality (best single)   .71 (.72)    .71 (.71)  .65 (.71)  .69 (.71)  .65 (.71)
    Spearman of v and truth    .96          .92       .60        .87       .54

Hence: never escalate by it alone. A copy of a model is the worst such case: with two copies of the worst of three
models the pair is picked in 100 % of 200 worlds, of five in 27 %; models whose answers differ by less than SAME of the
mean therefore count as one.

With real qualities (edge_table, seven models, wrong answers drawn from three; 30 % to train on, 5 seeds) it does not
beat the best single model at its price: train-time .641 against .657, which is .012 above mixing single models at equal
cost; local .671 for 3.6 times the cost. Where all wrong answers to a question are the same: .594 and .591.

Different from the paper: neighbours come from training questions, as others of the test are not there yet; their number
is the one that best tells held-out v, 10 to all; local ties are broken by train-time trust (one-hot answers: +2 to +5
points against the first of them); a price of cost, so that train-time keeps a budget; fewer than three different
answers: the train-time ranking. Without an embedding, answers are compared by the words that they announce.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.errors import PolicyError
from edgecascade.estimators.folds import folds_of
from edgecascade.estimators.nearest import Nearest, out_of_fold
from edgecascade.estimators.stored import arrays
from edgecascade.policies.answer_distances import Embed, alike, distances, filled, grouped_variances
from edgecascade.policies.frontier import SLACK, keeps, lagrangian_sweep, taken
from edgecascade.policies.pooled import Estimator, Fit, PoolPolicy, Training
from edgecascade.pool import Array, Feedback, Mask, Seen
from edgecascade.signals.disagreement import LEAST_MODELS, error_variances, mean_of_known, squared_distances

NEIGHBOURS = (10, 20, 40, 80, 160, 1_000_000)
"""What is chosen from; the last: all, one ranking for every question."""
FOLDS = 5
MOST_ROWS = 4000
PRICES = 64
TIED = 1e-9
APART = 1e-5
DIGITS = 12
"""Of v / mean |v|: what lies behind them is the order of a sum, not trust."""


def global_variances(vectors: ArrayLike) -> Array:
    """Return v (m,) of answers' vectors (n, m, d): Smoothie-Global, which gives every question to the least of them.

    ``signals.disagreement.weights`` of it are the paper's theta, divided by their sum.

    >>> global_variances([[[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]]).tolist()
    [0.0, 0.0, 5.0]
    """
    return error_variances(mean_of_known(squared_distances(vectors)))


def local_variances(vectors: ArrayLike, queries: ArrayLike, neighbours: int = 1) -> Array:
    """Return v (n, m) of each question with its nearest, itself among them, by queries (n, q): Smoothie-Local.

    1 neighbour: its own answers alone, so that the least v is the answer nearest to the others.
    """
    own = filled(error_variances(squared_distances(vectors)))
    queries = np.asarray(queries, np.float64)
    return own if neighbours == 1 else Nearest.of(queries, own, neighbours)(queries)


def train_time_variances(vectors: ArrayLike, queries: ArrayLike, new: ArrayLike, neighbours: int = 20) -> Array:
    """Return v (len(new), m) of new questions by answers to others: Smoothie-Train."""
    own = filled(error_variances(squared_distances(vectors)))
    return Nearest.of(np.asarray(queries, np.float64), own, neighbours)(np.asarray(new, np.float64))


def fit(training: Training, *, seed: int = 0, embed: Embed | None = None) -> "Smoothie":
    """Return Smoothie, fitted on the answers of a table and never on their quality.

    embed  answers' texts to vectors; None: by their words

    PolicyError where no answers are recorded, or fewer than 3 models answer differently.
    """
    table = training.table
    if table.answers is None:
        raise PolicyError(
            "smoothie compares answers: found none in the table, wanted `answers` of every model; record them, or "
            "choose a policy that learns from quality"
        )
    drawn = np.sort(np.random.default_rng(seed).permutation(len(table))[:MOST_ROWS])
    table, features = table.rows(drawn), training.features[drawn]
    far = distances(table.answers or (), embed)
    groups = alike(mean := mean_of_known(far))
    own = filled(found := grouped_variances(far, groups))
    different = len(set(groups[np.isfinite(mean.diagonal())].tolist()))
    if different < LEAST_MODELS or not np.isfinite(own).any():
        raise PolicyError(
            f"smoothie needs models that answer differently: found {different} of {len(table.models)}, and "
            f"{int(np.isfinite(found).any(axis=1).sum())} questions that {LEAST_MODELS} of them have answered; wanted "
            f"at least {LEAST_MODELS} models and some questions; add models, or record more answers"
        )
    own = np.where(np.isfinite(own), own, np.nanmax(own))  # one that never answered is trusted least
    own /= float(np.abs(own).mean())
    # What is equal for a question is told apart by all of them, copies by their names: never by their order.
    own += APART * (own.mean(axis=0) + APART * np.argsort(np.argsort(table.models)))
    held = out_of_fold(features, own, NEIGHBOURS, folds_of(table.tasks, FOLDS, seed))
    best = int(np.argmin([np.mean((one - own) ** 2) for one in held]))
    trust = Nearest.of(features, own, NEIGHBOURS[best])
    again = training.estimator.cost(Seen.first(features, len(table.models), prompt_tokens=table.prompt_tokens))
    believed = np.stack([held[best], trust(features)]).round(DIGITS)
    expected = np.stack([training.beliefs.cost[drawn], again])
    return Smoothie(table.models, groups, trust, training.estimator, believed, expected, table.cost, embed)


@dataclass(frozen=True, slots=True, eq=False)
class Smoothie:
    """Fitted on n questions and k models.

    groups    equal for models that answer all but the same (k,)        trust  v / mean |v| by the query
    believed, expected  v / mean |v| and the cost of a call, of training rows: believed without their fold, and as they
              would be if these very questions were asked again (2, n, k)
    cost      that they had (n, k)
    """

    models: tuple[str, ...]
    groups: NDArray[np.intp]
    trust: Nearest
    estimator: Estimator
    believed: Array
    expected: Array
    cost: Array
    embed: Embed | None = None

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> PoolPolicy:
        """Return local Smoothie where asking everybody keeps the budget, else train-time at the least such price."""
        everybody = self.cost.sum(axis=1)
        if budget is None or self._kept(np.stack([everybody, everybody]), budget, confidence):
            return SmoothiePolicy(self, None)
        changes = lagrangian_sweep(-self.believed[0], self.expected[0]).prices
        prices = np.quantile(changes, np.linspace(1, 0, PRICES)) if changes.size else changes
        price = np.inf
        for lower in [*prices * (1 - TIED), 0.0]:  # just below a price those change whose price it is
            if not self._kept(self._costs(float(lower)), budget, confidence):
                break
            price = float(lower)
        return SmoothiePolicy(self, price)

    def _costs(self, price: float) -> Array:
        """Return what each training row costs (2, n), as a new question and asked again."""
        rows = np.arange(len(self.cost))
        views = zip(self.believed, self.expected, strict=True)
        return np.stack([self.cost[rows, taken(-v, expected, price)] for v, expected in views])

    def _kept(self, costs: Array, budget: float, confidence: float | None) -> bool:
        """Return whether both rows keep the budget on average, and the first at the confidence."""
        if (costs.mean(axis=1) > budget * (1 + SLACK)).any():
            return False
        shuffled = np.random.default_rng(0).permutation(costs.shape[1])
        return confidence is None or keeps(costs[0][shuffled], budget, confidence)

    def learn(self, feedback: Feedback) -> Self:
        """Return itself: it learns of no label."""
        return self

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` reads; an embedding of one's own is left to the reader."""
        return {
            "models": list(self.models),
            "groups": self.groups,
            "trust": self.trust.as_json(),
            "believed": self.believed,
            "expected": self.expected,
            "cost": self.cost,
            "embed": "words" if self.embed is None else "own",
        }


def of_json(record: Mapping[str, Any], estimator: Estimator, *, embed: Embed | None = None) -> Smoothie:
    """Return what was saved; PolicyError where it was fitted with an embedding and none is given."""
    if (record["embed"] == "own") != (embed is not None):
        raise PolicyError(
            f"a saved smoothie compares answers by another embedding: found {record['embed']!r}, given "
            f"{'one' if embed else 'none'}; give the one that it was fitted with"
        )
    groups, believed, expected, cost = arrays(record, groups="k", believed="2nk", expected="2nk", cost="nk")
    trust, models = Nearest.of_json(record["trust"]), tuple(record["models"])
    return Smoothie(models, groups.astype(np.intp), trust, estimator, believed, expected, cost, embed)


@dataclass(frozen=True, slots=True, eq=False)
class SmoothiePolicy:
    """Train-time Smoothie at a price of cost; local where the price is None."""

    fitted: Smoothie
    price: float | None

    @property
    def models(self) -> tuple[str, ...]:
        """The pool."""
        return self.fitted.models

    def next(self, seen: Seen) -> Mask:
        """Return everybody (local), or the one model of most worth for its price."""
        if self.price is None:
            return seen.open & ~seen.ran
        asked = np.zeros(seen.ran.shape, bool)
        waiting = np.flatnonzero(seen.open.any(axis=1) & ~seen.ran.any(axis=1))
        asked[waiting, self._taken(seen.rows(waiting), seen.open[waiting])] = True
        return asked

    def answer(self, seen: Seen) -> Array:
        """Return weight 1 for one model that has run: nearest to the others (local), or most trusted."""
        allowed = seen.ran
        if self.price is None and seen.answers is not None:
            allowed = self._nearest(seen)
        rows = np.flatnonzero(allowed.any(axis=1))
        weight = np.zeros(seen.ran.shape)
        weight[rows, self._taken(seen.rows(rows), allowed[rows])] = 1.0
        return weight

    def worth(self, seen: Seen) -> Array:
        """Return the ranking (n, k): trust less the price of cost; by cost alone where only the cheapest is wanted."""
        cost = self.fitted.estimator.cost(seen)
        if self.price is not None and np.isinf(self.price):
            return -cost
        return -self.fitted.trust(seen.features) - (self.price or 0.0) * cost

    def _taken(self, seen: Seen, allowed: Mask) -> NDArray[np.intp]:
        value, cost = -self.fitted.trust(seen.features).round(DIGITS), self.fitted.estimator.cost(seen)
        return taken(value, cost, self.price or 0.0, allowed=allowed)

    def _nearest(self, seen: Seen) -> Mask:
        """Return which answers have the least v of their question (n, k); all that ran where that is not known."""
        fitted = self.fitted
        found = grouped_variances(distances(seen.answers or (), fitted.embed), fitted.groups)
        found = np.where(seen.ran & np.isfinite(found), found, np.inf)
        least = found.min(axis=1, keepdims=True)
        close = found <= least + TIED
        return np.where(np.isfinite(least), close, seen.ran)


FITS: Mapping[str, Fit] = {"smoothie": fit}
