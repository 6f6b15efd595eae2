"""What a policy of prices spends and gets on recorded questions, at every price at once.

At each R a question's choice changes at a few prices only (``supersets``). So its way through the models, its cost and
its answer's quality are step functions of the price, found exactly by following every piece of the price axis to the
end. Their mean over the questions is the curve on which a budget is looked up; nothing is searched by bisection.

    price     lambda, of one unit of cost in units of quality; at step j it is multiplied by ``ratios[j]``
    piece     of the price axis, [low, high)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecascade.policies.routing.supersets import STOP, Places, Rules, Sets, Views, looked_at
from edgecascade.pool import Array

See = Callable[[Places, int], Views]
"""Returns what is believed of some questions (their numbers) once the models R have run."""


@dataclass(slots=True, eq=False)
class Choices:
    """The choice of each question at one R, by price, for those that came there.

    place   of the question in the arrays, -1: not yet (n,)
    prices  below which each model is run (m, pieces), falling; the first is infinite, unused ones are -1
    models  run then (m, pieces), STOP: none
    """

    place: Places
    prices: Array
    models: Places


@dataclass(slots=True, eq=False)
class Lattice:
    """All that was found of n questions so far: choices by R."""

    see: See
    rules: Rules
    n: int
    known: dict[int, Choices] = field(default_factory=dict)

    def choices(self, rows: Places, ran: int) -> tuple[Array, Places]:
        """Return prices and models (len(rows), pieces) of some questions at R."""
        known = self.known.get(ran)
        if known is None:
            known = Choices(np.full(self.n, -1), np.empty((0, 1)), np.empty((0, 1), np.intp))
        if (new := np.unique(rows[known.place[rows] < 0])).size:
            known.place[new] = len(known.prices) + np.arange(len(new))
            prices, models = _choices(self.see(new, ran), ran, self.rules)
            self.known[ran] = known = Choices(
                known.place, _stacked(known.prices, prices, -1.0), _stacked(known.models, models, STOP)
            )
        places = known.place[rows]
        return known.prices[places], known.models[places]


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """How questions go through the models, by piece of the price axis: one row a question and piece.

    rows  the question     low, high  the piece     ran  the models at its end     cost  spent on the way
    """

    rows: Places
    low: Array
    high: Array
    ran: Places
    cost: Array

    def part(self, chosen: Places) -> "Ways":
        """Return some of the rows."""
        return Ways(self.rows[chosen], self.low[chosen], self.high[chosen], self.ran[chosen], self.cost[chosen])


def ways(lattice: Lattice, spent: Array, ratios: Sequence[float]) -> Ways:
    """Return every question's ways; ``spent`` (n, k): what each call costs."""
    n = lattice.n
    ends: list[Ways] = []
    level = [Ways(np.arange(n), np.zeros(n), np.full(n, np.inf), np.zeros(n, np.intp), np.zeros(n))]
    for ratio in [*ratios, 1.0]:
        following: list[Ways] = []
        for now in _by_set(level):
            stopped, went_on = _step(lattice, now, spent, ratio)
            ends.append(stopped)
            following.append(went_on)
        level = following
    return _joined(ends)


def _step(lattice: Lattice, now: Ways, spent: Array, ratio: float) -> tuple[Ways, Ways]:
    """Return the pieces that end at this R, and those that go on, one model further."""
    ran = int(now.ran[0])
    if not lattice.rules.others(ran):
        return now, now.part(np.empty(0, np.intp))
    prices, models = lattice.choices(now.rows, ran)
    edges = prices / ratio
    high = np.minimum(now.high[:, None], edges)
    low = np.maximum(now.low[:, None], np.concatenate([edges[:, 1:], np.full((len(edges), 1), -1.0)], 1))
    place, piece = np.nonzero(high > low)
    rows, model = now.rows[place], models[place, piece]
    cost = now.cost[place] + np.where(model == STOP, 0.0, spent[rows, model])
    into = np.where(model == STOP, ran, ran | np.left_shift(1, np.maximum(model, 0)))
    found = Ways(rows, low[place, piece], high[place, piece], into, cost)
    return found.part(np.flatnonzero(model == STOP)), found.part(np.flatnonzero(model != STOP))


def _by_set(parts: list[Ways]) -> list[Ways]:
    """Return the pieces grouped by the models that have run."""
    if not sum(len(part.rows) for part in parts):
        return []
    every = _joined(parts)
    order = np.argsort(every.ran, kind="stable")
    starts = np.flatnonzero(np.diff(every.ran[order])) + 1
    return [every.part(chosen) for chosen in np.split(order, starts)]


def _joined(parts: list[Ways]) -> Ways:
    fields = ("rows", "low", "high", "ran", "cost")
    return Ways(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _stacked(old: NDArray[Any], new: NDArray[Any], filler: float) -> NDArray[Any]:
    """Return both, one below the other, widened to as many pieces."""
    width = max(old.shape[1], new.shape[1])
    both = [np.pad(one, ((0, 0), (0, width - one.shape[1])), constant_values=filler) for one in (old, new)]
    return np.concatenate(both)


# The choice by price


def _choices(views: Views, ran: int, rules: Rules) -> tuple[Array, Places]:
    prices, models = np.full((len(views), 1), np.inf), np.full((len(views), 1), STOP)
    for rows, sets in looked_at(views, ran, rules):
        found, which = _hull(sets)
        width = max(prices.shape[1], found.shape[1])
        prices = np.pad(prices, ((0, 0), (0, width - prices.shape[1])), constant_values=-1.0)
        models = np.pad(models, ((0, 0), (0, width - models.shape[1])), constant_values=STOP)
        prices[rows, : found.shape[1]], models[rows, : found.shape[1]] = found, which
    return prices, models


def _hull(sets: Sets) -> tuple[Array, Places]:
    """Return the prices at which the best set's first model changes (n, pieces), falling, and that model."""
    n = len(sets.worth)
    now = np.where(sets.cost == sets.cost.min(1, keepdims=True), sets.worth, -np.inf).argmax(1)
    price = np.full(n, np.inf)
    prices, models = [price.copy()], [sets.first(now)]
    left = np.arange(n)
    worth, cost = sets.worth, sets.cost
    while len(left):
        rows = np.arange(len(left))
        dearer = cost - cost[rows, now[left], None]
        better = worth - worth[rows, now[left], None]
        slope = np.divide(better, dearer, out=np.full_like(better, -1.0), where=(dearer > 0) & (better > 0))
        to = slope.argmax(1)
        price = slope[rows, to]
        on = price > 0
        left, worth, cost = left[on], worth[on], cost[on]
        now[left] = to[on]
        reached = np.full(n, -1.0)
        reached[left] = price[on]
        prices.append(reached)
        models.append(sets.first(now))
    return _merged(np.array(prices).T, np.array(models).T)


def _merged(prices: Array, models: Places) -> tuple[Array, Places]:
    """Return the pieces without those at whose start the model does not change, moved together."""
    kept = prices > 0
    kept[:, 1:] &= models[:, 1:] != models[:, :-1]
    order = np.argsort(~kept, axis=1, kind="stable")[:, : max(int(kept.sum(1).max(initial=1)), 1)]
    rows = np.arange(len(prices))[:, None]
    return np.where(kept, prices, -1.0)[rows, order], np.where(kept, models, STOP)[rows, order]
