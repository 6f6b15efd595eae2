"""Cascade routing, cascading and routing as policies of a pool: fitted on a table, they decide from what is seen.

``cascade_routing`` fits them. Here the estimates come from the pool's estimator.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.policies.pooled import Estimator
from edgecascade.policies.routing.routed import CascadeRouting
from edgecascade.policies.routing.supersets import Places, Views, looked_at, next_models
from edgecascade.pool import Array, Feedback, Mask, Seen

CHEAPER_FIRST = 1e-9
FAR_BELOW = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class RoutingPolicy:
    """Decides by a fitted cascade routing at its budget.

    estimator  whose quality and cost it goes by
    """

    routing: CascadeRouting
    estimator: Estimator

    @property
    def models(self) -> tuple[str, ...]:
        """The pool."""
        return self.estimator.models

    @property
    def feasible(self) -> bool:
        """Whether the budget can be kept."""
        return self.routing.feasible

    def next(self, seen: Seen) -> Mask:
        """Return which model to run now (n, k), at most one a question; sets with a closed model are not looked at."""
        found = np.zeros(seen.ran.shape, bool)
        quality, cost = self.estimator.quality(seen), self.estimator.cost(seen)
        for rows, ran, is_open in _alike(seen):
            views, price = self._views(quality[rows], cost[rows], ran), self._price(seen.draw[rows], ran)
            model = next_models(views, ran, price, self.routing.rules, is_open)
            found[rows[model >= 0], model[model >= 0]] = True
        return found

    def answer(self, seen: Seen) -> Array:
        """Return 1 for the model that is believed best of those that have run (n, k)."""
        order = list(self.routing.rules.order)
        quality = np.where(seen.ran, self.estimator.quality(seen), -np.inf)[:, order]
        found = np.zeros(seen.ran.shape)
        found[np.arange(len(seen)), np.array(order)[quality.argmax(1)]] = seen.ran.any(1)
        return found

    def worth(self, seen: Seen) -> Array:
        """Return, for each model, what the best set with it is worth less its cost (n, k), whoever is open."""
        quality, cost = self.estimator.quality(seen), self.estimator.cost(seen)
        found = np.empty(seen.ran.shape)
        for rows, ran, _ in _alike(seen):
            views, price = self._views(quality[rows], cost[rows], ran), self._price(seen.draw[rows], ran)
            found[rows] = self._ranked(views, ran, price)
        cheaper = np.argsort(np.argsort(cost, axis=1, kind="stable"), axis=1)
        return np.asarray(found - CHEAPER_FIRST * cheaper)

    def _ranked(self, views: Views, ran: int, price: Array) -> Array:
        found = views.means - price[:, None] * views.cost - FAR_BELOW
        for some, sets in looked_at(views, ran, self.routing.rules):
            values = sets.worth - price[some][:, None] * sets.cost
            for place, model in enumerate(sets.models):
                found[some, model] = values[:, sets.members[:, place]].max(1)
        return found

    def _views(self, quality: Array, cost: Array, ran: int) -> Views:
        return Views(quality, cost, *self.routing.spread.at(slice(None), ran))

    def _price(self, draw: Array, ran: int) -> Array:
        ratios = self.routing.prices.ratios
        return self.routing.setting.price(draw) * ratios[min(ran.bit_count(), len(ratios) - 1)]


@dataclass(frozen=True, slots=True, eq=False)
class FittedRouting:
    """Cascade routing fitted on a table."""

    routing: CascadeRouting
    estimator: Estimator

    @property
    def models(self) -> tuple[str, ...]:
        """The pool."""
        return self.estimator.models

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> RoutingPolicy:
        """Return the policy at a budget; below the cheapest model's cost, the one that always runs the cheapest."""
        return RoutingPolicy(self.routing.at(budget, confidence=confidence), self.estimator)

    def learn(self, feedback: Feedback) -> Self:
        """Return itself: it is fitted once."""
        return self

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` makes it from again."""
        return self.routing.as_json()


def _alike(seen: Seen) -> Iterator[tuple[Places, int, tuple[int, ...]]]:
    """Yield questions that have run the same models and may ask the same ones: rows, R, open models."""
    k = seen.ran.shape[1]
    powers = 1 << np.arange(k)
    ran, may = seen.ran @ powers, (seen.open & ~seen.ran) @ powers
    kinds = sorted(set(zip(ran.tolist(), may.tolist(), strict=True)))
    for has_run, is_open in kinds:
        rows = np.arange(len(ran)) if len(kinds) == 1 else np.flatnonzero((ran == has_run) & (may == is_open))
        yield rows, has_run, tuple(i for i in range(k) if is_open >> i & 1)
