"""What each superset of the models that have run is worth, and which model to run next for a price of cost.

    R        the models that have run: a number, model i is bit i
    S        a superset of R;  worth(S) = E[max over S];  cost(S) = of the models of S that have not run
    lambda   the price of one unit of cost, in units of quality

At R the policy runs a model of the S that maximises worth(S) - lambda cost(S), the cheapest first, and stops where
that S is R. Worths and costs know nothing of lambda: for each question and R they are found once, and so are the
prices at which the choice changes (the upper hull of worth over cost).

Of equal sets the one of fewer models, of equal models the first in the order of the pool (by mean cost, then mean
quality, then place): the choice does not depend on how models are numbered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgecascade.policies.routing.expected_max import correlated_maxima, maxima
from edgecascade.pool import Array, Mask

Places = NDArray[np.intp]
Strategy = Literal["cascade_routing", "cascading", "routing"]

STOP = -1
WIDTH = 11
"""All supersets of up to this many models that have not run; of more, a question looks at its most promising.

What that loses: of eleven models at width 8 (RouterBench's noise, 250 questions) 1e-4 of fitted quality, at width 6
twice that; of nine at width 8 nothing.
"""
CORRELATED_WIDTH = 8
LEAST_GAIN = 1e-10
"""What a model must add to the worth of a set to be in it."""
CELLS = 1 << 18
PLANS = 1 << 14


@dataclass(frozen=True, slots=True)
class Rules:
    """Which sets may be chosen: all, prefixes of the order, or one model; at most ``depth`` models a question.

    order   the pool's models, the one to try first at equal value first
    """

    strategy: Strategy
    depth: int
    order: tuple[int, ...]

    def others(self, ran: int, allowed: Sequence[int] | None = None) -> tuple[int, ...]:
        """Return what may still be run after R, in order; ``allowed``: of these."""
        count = ran.bit_count()
        if count >= self.depth or (count and self.strategy == "routing"):
            return ()
        return tuple(i for i in self.order if not ran >> i & 1 and (allowed is None or i in allowed))


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What is believed of n questions at one R.

    means (n, k)     cost  expected of each model (n, k)
    sds   standard deviations of the means (n, k), or (1, k) for all; or else ``covariance`` (k, k), one for all
    """

    means: Array
    cost: Array
    sds: Array | None
    covariance: Array | None = None

    def __len__(self) -> int:
        return len(self.means)

    def rows(self, chosen: slice | Places) -> "Views":
        """Return what is believed of some of the questions."""
        sds = self.sds if self.sds is None or len(self.sds) == 1 else self.sds[chosen]
        return Views(self.means[chosen], self.cost[chosen], sds, self.covariance)


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """Sets of models that may be added to R, for n questions.

    models  that have not run, in order (u,)     members  which of them each set adds (s, u)     sizes  how many (s,)
    worth   of R with the set (n, s)             cost     of the set (n, s)                      each  model's (n, u)
    """

    models: Places
    members: Mask
    sizes: Places
    worth: Array
    cost: Array
    each: Array

    def best(self, price: Array) -> Places:
        """Return the set of most worth less its cost times the price (n,)."""
        return np.asarray((self.worth - price[:, None] * self.cost).argmax(1))

    def first(self, chosen: Places) -> Places:
        """Return the cheapest model of each question's set (n,), STOP where it has none."""
        place = np.where(self.members[chosen], self.each, np.inf).argmin(1)
        return np.where(self.sizes[chosen] > 0, self.models[place], STOP)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is the same for all questions at one R: which models have run, which others are looked at, which sets."""

    ran: Places
    others: Places
    both: Places
    choice: "Choice"


@lru_cache(PLANS)
def _plan(rules: Rules, ran: int, others: tuple[int, ...]) -> Plan:
    before = tuple(i for i in rules.order if ran >> i & 1)
    choice = _choices(rules.strategy, len(others), len(before), rules.depth)
    run, left, both = (np.array(part, np.intp) for part in (before, others, before + others))
    return Plan(run, left, both, choice)


def looked_at(
    views: Views, ran: int, rules: Rules, allowed: Sequence[int] | None = None
) -> Iterator[tuple[Places | slice, Sets]]:
    """Yield groups of questions with the sets that they look at; nothing where no model may be run.

    allowed  models that may be asked; None: all. Groups are small enough to stay near the processor.
    """
    others = rules.others(ran, allowed)
    if not others:
        return
    width = WIDTH if views.covariance is None else CORRELATED_WIDTH
    if rules.strategy != "cascade_routing" or len(others) <= width:
        plan = _plan(rules, ran, others)
        step = max(CELLS >> len(others), 1) if rules.strategy == "cascade_routing" else CELLS
        for start in range(0, len(views), step):
            some = slice(start, start + step)
            yield some, _sets(views if step >= len(views) else views.rows(some), plan, rules.strategy)
        return
    promising = _promising(views, others, width)
    lists, group = np.unique(promising, axis=0, return_inverse=True)
    for number, chosen in enumerate(lists):
        rows = np.flatnonzero(group.ravel() == number)
        plan = _plan(rules, ran, tuple(others[j] for j in np.flatnonzero(chosen)))
        yield rows, _sets(views.rows(rows), plan, rules.strategy)


def next_models(views: Views, ran: int, price: Array, rules: Rules, allowed: Sequence[int] | None = None) -> Places:
    """Return which model each question runs next (n,), STOP where none; price (n,), of one unit of cost."""
    found = np.full(len(views), STOP)
    for rows, sets in looked_at(views, ran, rules, allowed):
        found[rows] = sets.first(sets.best(price[rows]))
    return found


def _sets(views: Views, plan: Plan, strategy: Strategy) -> Sets:
    choice, each = plan.choice, views.cost[:, plan.others]
    worth = _worths(views, plan, strategy)[:, choice.places] - choice.least
    return Sets(plan.others, choice.members, choice.sizes, worth, each @ choice.counted, each)


def _worths(views: Views, plan: Plan, strategy: Strategy) -> Array:
    if strategy == "routing":
        return views.means[:, plan.others]
    prefixes = strategy == "cascading"
    if views.covariance is not None:
        covariance = views.covariance[plan.both][:, plan.both]
        ran, others = views.means[:, plan.ran], views.means[:, plan.others]
        return correlated_maxima(ran, others, covariance, prefixes=prefixes)
    assert views.sds is not None
    return maxima(views.means[:, plan.both], views.sds[:, plan.both], len(plan.ran), prefixes=prefixes)


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Which sets of u models may be added: their members (s, u), and their places among all worths."""

    members: Mask
    sizes: Places
    places: Places | slice
    counted: Array
    least: Array


@cache
def _choices(strategy: Strategy, u: int, ran: int, depth: int) -> Choice:
    """Return the sets that may be added; none at all is one of them only where some have run."""
    if strategy == "cascade_routing":
        every = bits(u)
    else:
        every = np.eye(u, dtype=bool) if strategy == "routing" else np.arange(u + 1)[:, None] > np.arange(u)
    sizes = every.sum(1)
    kept = np.flatnonzero((sizes <= depth - ran) & (sizes + ran > 0))
    members = every[kept]
    first = len(every) - len(kept)  # a slice copies nothing
    places = slice(first, None) if (kept == np.arange(first, len(every))).all() else kept
    return Choice(members, members.sum(1), places, members.T.astype(np.float64), LEAST_GAIN * members.sum(1))


@lru_cache(PLANS)
def has_run(ran: int, k: int) -> Mask:
    """Return which of k models are in R (k,), read only."""
    found = np.array([bool(ran >> i & 1) for i in range(k)])
    found.flags.writeable = False
    return found


@cache
def bits(u: int) -> Mask:
    """Return the members of every subset of u models (2**u, u)."""
    return (np.arange(1 << u)[:, None] >> np.arange(u) & 1).astype(bool)


def _promising(views: Views, others: Sequence[int], width: int) -> Mask:
    """Return the ``width`` models a question that the fewest others beat in both cost and hope, mean + sd (n, u)."""
    sds = views.sds if views.covariance is None else np.sqrt(np.diag(views.covariance))[None]
    assert sds is not None
    hope = (views.means + sds)[:, others]
    cost = views.cost[:, others]
    better = (hope[:, None] > hope[:, :, None]) & (cost[:, None] <= cost[:, :, None])
    ranks = np.argsort(better.sum(2), axis=1, kind="stable")[:, :width]
    found = np.zeros(hope.shape, bool)
    np.put_along_axis(found, ranks, True, axis=1)
    return found
