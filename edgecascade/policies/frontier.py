"""What can be had at which cost: curves of quality by cost, and one model for each question by the price of cost.

    lam     price of one unit of cost, in units of value; infinity: the cheapest model, 0: the one of most value
    point   (mean cost, mean value) of a setting, a question; points (m, 2)

One model a question, so that the mean value is largest at a mean cost: each question takes the argmax of
value - lam cost (Dekoninck, Baader, Vechev, arXiv:2410.10347, theorem 1). Its choice changes only at the slopes of the
upper hull of its own k points, so sorting the slopes of all questions gives every lam at once, in O(n k log n), and
with the true qualities for values the oracle.

Different from the paper: no bisection, and where two models tie at lam the dearer is taken with the chance ``share``
that spends the budget (the reference program's is the other way round).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.guarantees.bounded import bet, betting_p_value
from edgecascade.pool import Array, Mask

Places = NDArray[np.intp]

TIED = 1e-10
"""Terms of v - lam c closer than this, relative to the largest of them, are equal."""
SAME = 1e-11
"""Prices closer than this, relative to them, are one price."""
SLACK = 1e-9
"""A mean cost above the budget by this part of it keeps the budget: it is the last bits of a sum."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Every best assignment of one model to each of n questions, from the cheapest to the one of most value.

    start       the model of each question where cost is all that counts (n,)
    prices      of cost, lam, below which a question changes its model, falling (t,)
    questions   which question changes (t,)      models   to which model (t,)
    cost, value means after so many changes (t + 1,); the hull of all that assignments can reach
    """

    start: Places
    prices: Array
    questions: Places
    models: Places
    cost: Array
    value: Array

    @property
    def points(self) -> Array:
        """The hull, cheapest first (t + 1, 2)."""
        return np.stack([self.cost, self.value], axis=1)

    def assigned(self, lam: float, *, dearest: bool = False) -> Places:
        """Return the model of each question at a price (n,); ``dearest``: as just below it, where models tie."""
        return self.after(int(np.searchsorted(-self.prices, -lam, side="right" if dearest else "left")))

    def after(self, changes: int) -> Places:
        """Return the model of each question after so many of the changes (n,)."""
        models = self.start.copy()
        models[self.questions[:changes]] = self.models[:changes]  # of one question the later change is written last
        return models

    def means(self, cost: Array) -> Array:
        """Return the mean of another cost (n, k) after each change (t + 1,): the true one, where ours is expected."""
        models = np.stack([self.start[self.questions], self.models], axis=1)
        order = np.argsort(self.questions, kind="stable")
        later = self.questions[order][1:] == self.questions[order][:-1]
        models[order[1:][later], 0] = self.models[order[:-1][later]]
        changes = cost[self.questions, models[:, 1]] - cost[self.questions, models[:, 0]]
        first = cost[np.arange(len(self.start)), self.start].mean()
        return np.asarray(first + np.concatenate([[0.0], np.cumsum(changes)]) / len(self.start))

    def mix(self, budget: float | None, spent: Array | None = None) -> "Mix":
        """Return the price, and the share of the dearer model where two tie, that spend ``budget`` on average.

        spent  what has been spent after each of the changes, by ``means``; None: ``cost``
        """
        spent = self.cost if spent is None else spent
        if budget is None or budget >= spent[-1] * (1 - SLACK):
            return Mix(0.0, 0.0)
        new = self.prices[1:] < self.prices[:-1] * (1 - SAME)
        ends = np.concatenate([[0], np.flatnonzero(new) + 1, [len(self.prices)]])
        within = np.flatnonzero(spent[ends[:-1]] <= budget * (1 + SLACK))
        if not within.size:
            return Mix(math.inf, 0.0)
        low, high = ends[within[-1]], ends[within[-1] + 1]
        share = (budget - spent[low]) / (spent[high] - spent[low])
        return Mix(float(self.prices[low]), float(np.clip(share, 0.0, 1.0)))


@dataclass(frozen=True, slots=True)
class Mix:
    """One model a question at a price; where two tie, the dearer in ``share`` of the cases, decided by a draw."""

    price: float
    share: float

    def choose(self, value: Array, cost: Array, draw: Array, allowed: Mask | None = None) -> Places:
        """Return the model of each question (n,): value, cost and allowed (n, k), draw (n,) from 0 to 1."""
        cheap = taken(value, cost, self.price, allowed=allowed)
        if self.share <= 0:
            return cheap
        dear = taken(value, cost, self.price, allowed=allowed, dearest=True)
        return np.where(draw < self.share, dear, cheap)


def taken(
    value: ArrayLike, cost: ArrayLike, lam: float, *, allowed: Mask | None = None, dearest: bool = False
) -> Places:
    """Return the argmax of value - lam cost among the allowed (n,); of those that tie the cheapest, or the dearest.

    Of those that tie in cost as well, the one of most value, then the first.
    """
    value, cost = np.broadcast_arrays(np.asarray(value, np.float64), np.asarray(cost, np.float64))
    open = np.ones(value.shape, bool) if allowed is None else allowed
    if not math.isinf(lam):
        worth = np.where(open, value - lam * cost, -np.inf)
        scale = np.where(open, np.abs(value) + lam * np.abs(cost), 0.0).max(axis=1, keepdims=True)
        open = open & (worth >= worth.max(axis=1, keepdims=True) - TIED * scale)
        dear = np.where(open, cost if dearest else -cost, -np.inf)
    else:
        dear = np.where(open, -cost, -np.inf)
    open = open & (dear == dear.max(axis=1, keepdims=True))
    return np.asarray(np.where(open, value, -np.inf).argmax(axis=1), np.intp)


def lagrangian_sweep(value: ArrayLike, cost: ArrayLike) -> Sweep:
    """Return all best assignments of one model to each question; value and cost (n, k), finite.

    >>> sweep = lagrangian_sweep([[0.2, 0.9], [0.5, 0.6]], [[1.0, 3.0], [1.0, 3.0]])
    >>> sweep.assigned(0.1).tolist(), sweep.mix(2.0)
    ([1, 0], Mix(price=0.04999999999999999, share=0.0))
    """
    value, cost = np.broadcast_arrays(np.asarray(value, np.float64), np.asarray(cost, np.float64))
    rows = np.arange(len(value))
    start = now = taken(value, cost, math.inf)
    steps: list[tuple[Array, Places, Places, Array, Array]] = []
    while True:
        dearer, better = cost - cost[rows, now][:, None], value - value[rows, now][:, None]
        slopes = np.divide(better, dearer, out=np.full(value.shape, -np.inf), where=(dearer > 0) & (better > 0))
        steepest = slopes.max(axis=1)
        changes = np.flatnonzero(steepest > 0)
        if not changes.size:
            break
        along = slopes >= steepest[:, None] * (1 - TIED)
        new = np.where(along, cost, -np.inf).argmax(axis=1)
        steps.append(
            (steepest[changes], changes, new[changes], dearer[changes, new[changes]], better[changes, new[changes]])
        )
        now = np.where(steepest > 0, new, now)
    return _sorted(start, steps, float(cost[rows, start].mean()), float(value[rows, start].mean()))


def _sorted(start: Places, steps: list[tuple[Array, Places, Places, Array, Array]], cost: float, value: float) -> Sweep:
    """Return the sweep whose changes come in falling order of price, those of one question in their own order."""
    if not steps:
        none = np.empty(0, np.intp)
        return Sweep(start, np.empty(0), none, none, np.array([cost]), np.array([value]))
    prices, questions, models, dearer, better = (np.concatenate(column) for column in zip(*steps, strict=True))
    order = np.argsort(-prices, kind="stable")
    n = len(start)
    return Sweep(
        start,
        prices[order],
        questions[order],
        models[order],
        np.concatenate([[cost], cost + np.cumsum(dearer[order]) / n]),
        np.concatenate([[value], value + np.cumsum(better[order]) / n]),
    )


def upper_hull(points: ArrayLike) -> Array:
    """Return the corners of the least concave curve above (cost, quality) points that never falls, cheapest first.

    Every point of it can be had, by mixing its two neighbours at random; a point below it is not worth its cost.
    """
    costs, qualities = np.asarray(points, np.float64).reshape(-1, 2).T
    order = lagrangian_sweep(qualities[None, :], costs[None, :])
    return np.stack([costs, qualities], axis=1)[[*order.start, *order.models]]


def area(points: ArrayLike, low: float, high: float) -> float:
    """Return the mean height, between two costs, of the line through points (cost, quality) (m, 2): 0 to 1.

    low, high  of everyone who is compared the same: the mean costs of the cheapest and of the dearest single model

    The line begins at (0, 0), asking nobody, and goes on level behind the dearest point. Where low = high it is the
    quality there. Different from RouterBench (Hu et al., arXiv:2403.12031): it is not the points' hull, which takes the
    luckiest settings, chosen on the very questions that are played, and so is the higher the more settings there are.

    >>> area([[1.0, 0.5], [3.0, 0.9]], 1.0, 3.0)
    0.7
    """
    costs, heights = np.asarray(points, np.float64).reshape(-1, 2).T
    order = np.argsort(costs, kind="stable")
    last = order[-1]
    costs, heights = np.r_[0.0, costs[order], max(high, costs[last])], np.r_[0.0, heights[order], heights[last]]
    if high <= low:
        return float(np.interp(low, costs, heights))
    within = np.clip(costs, low, high)
    heights = np.where(within == costs, heights, np.interp(within, costs, heights))
    return float(np.trapezoid(heights, within) / (high - low))


def affordable(costs: Array, budget: float | None, *, confidence: float | None = None, seed: int = 0) -> int:
    """Return the last of m settings that keeps a budget; the first where none does. Costs (m, n) a question.

    confidence  None: whose mean on these questions is within it. Else: up to which each in turn is shown, at this
                confidence, to keep it on new ones, by the betting test of ``guarantees.bounded`` on costs between the
                least and the most that any of these questions costs. They are tried from the first on, an order fixed
                beforehand, up to the first that fails, so all that passed hold at once. Wanted: settings by cost
    """
    costs = np.atleast_2d(np.asarray(costs, np.float64))
    if budget is None:
        return len(costs) - 1
    if confidence is None:
        return int(np.flatnonzero(costs.mean(axis=1) <= budget * (1 + SLACK)).max(initial=0))
    shuffled = np.random.default_rng(seed).permutation(costs.shape[1])
    last = 0
    for place, row in enumerate(costs):
        if not keeps(row[shuffled], budget, confidence):
            break
        last = place
    return last


def keeps(costs: Array, budget: float, confidence: float) -> bool:
    """Return whether costs (n,), in random order, show at ``confidence`` that their mean is at most ``budget``."""
    least, most = float(costs.min(initial=math.inf)), float(costs.max(initial=0.0))
    if most <= budget * (1 + SLACK):
        return True
    if budget <= least:
        return False
    share, delta = (budget - least) / (most - least), 1 - confidence
    return betting_p_value((costs - least) / (most - least), share, bet(len(costs), share, delta)) <= delta
