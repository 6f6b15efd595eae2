"""A cascade of up to three models, each with a threshold: what looks good enough is kept, else the next model runs.

Chen, Zaharia, Zou, "FrugalGPT", arXiv:2305.05176, section 3, strategy 3: chain and thresholds are those of most
training quality at a mean cost within the budget.

    chain       models in the order in which they run          n, k   questions, models
    look        p_correct of an answer once it is there: by what it showed, else by the query alone
    thresholds  of the chain's first models: an answer that looks at least as good is kept

All ordered chains and, for each stage, thresholds at 40 quantiles of the looks are tried. For one chain all 1,600
pairs come from one histogram of both looks and its cumulated sums, and the frontier of all chains holds every budget
at once.

Different from the paper: the look is the calibrated estimate that all policies share, not a DistilBERT scorer of its
own, and every pair on the grid is tried, where the paper's program refines some of them. That a dear model may stand
before a cheap one is worth .008 of area on ``edge_table`` where answers show nothing, and nothing where they do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import PolicyError
from edgecascade.policies.frontier import affordable
from edgecascade.policies.pooled import Estimator, Fit, Training
from edgecascade.policies.ranking import RUNGS, one_of, wanted
from edgecascade.pool import Array, Beliefs, Feedback, Mask, Seen, Table

Places = NDArray[np.intp]

KIND = "threshold"
LONGEST = 3
GRID = 40
"""Quantiles of the looks at each stage, as in the paper's program."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A chain with the thresholds of all its models but the last."""

    chain: tuple[int, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The policy."""

    models: tuple[str, ...]
    setting: Setting
    estimator: Estimator

    def next(self, seen: Seen) -> Mask:
        """Return the model to run (n, k): the chain's next where nothing that ran looks good enough."""
        looks, asked = self.estimator.quality(seen), np.zeros(seen.ran.shape, bool)
        going = np.ones(len(seen), bool)
        for place, model in enumerate(self.setting.chain):
            asked[:, model] = going & ~seen.ran[:, model] & seen.open[:, model]
            going &= ~asked[:, model]
            if place < len(self.setting.thresholds):
                last = seen.ran[:, model] & ~seen.ran[:, self.setting.chain[place + 1 :]].any(axis=1)
                going &= ~(last & (looks[:, model] >= self.setting.thresholds[place]))
        rows = np.flatnonzero(going & ~seen.ran.any(axis=1) & seen.open.any(axis=1))  # the whole chain is closed
        if rows.size:
            asked[rows, np.where(seen.open, self.worth(seen), -np.inf)[rows].argmax(axis=1)] = True
        return asked

    def answer(self, seen: Seen) -> Array:
        """Return weight 1 for the last of the chain that has run (n, k), else for another that has."""
        worth = self.worth(seen)
        worth[:, list(self.setting.chain)] = np.arange(1, len(self.setting.chain) + 1)
        return one_of(worth, seen.ran)

    def worth(self, seen: Seen) -> Array:
        """Return the ranking (n, k): the chain in its order, then the others by what is expected of them."""
        worth = self.estimator.quality(seen) - 1.0
        worth[:, list(self.setting.chain)] = np.arange(len(self.setting.chain), 0, -1)
        return worth


@dataclass(frozen=True, slots=True, eq=False)
class Frugal:
    """Settings of rising cost and rising training quality: each is the best at its cost.

    cost, quality  means on the training questions (m,)
    rungs          which settings a budget with confidence is tried on, and ``costs`` of them by question (rungs, n)
    """

    models: tuple[str, ...]
    settings: tuple[Setting, ...]
    cost: Array
    quality: Array
    rungs: Places
    costs: Array
    estimator: Estimator

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> Chain:
        """Return the cascade of most training quality within the budget; the cheapest where none is."""
        if budget is None or confidence is None:
            place = affordable(self.cost[:, None], budget)
        else:
            place = int(self.rungs[affordable(self.costs, budget, confidence=confidence)])
        return Chain(self.models, self.settings[place], self.estimator)

    def learn(self, feedback: Feedback) -> Self:
        """Return itself: it does not learn."""
        return self

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` makes it from again; -1 and NaN fill up short chains."""
        chains = [[*one.chain, *[-1] * (LONGEST - len(one.chain))] for one in self.settings]
        thresholds = [[*one.thresholds, *[np.nan] * (LONGEST - 1 - len(one.thresholds))] for one in self.settings]
        return {
            "kind": KIND,
            "models": list(self.models),
            "chains": np.array(chains, np.intp),
            "thresholds": np.array(thresholds, np.float64),
            "cost": self.cost,
            "quality": self.quality,
            "rungs": self.rungs,
            "costs": self.costs,
        }


def of_json(record: Mapping[str, Any], estimator: Estimator) -> Frugal:
    """Return what was saved; PolicyError where the record is not one of these."""
    wanted(record, [KIND])
    chains = [tuple(int(model) for model in row if model >= 0) for row in record["chains"]]
    thresholds = [tuple(float(one) for one in row if not np.isnan(one)) for row in record["thresholds"]]
    if any(len(chain) != len(row) + 1 for chain, row in zip(chains, thresholds, strict=True)):
        raise PolicyError(
            "a saved threshold cascade: found chains and thresholds that do not fit; fit and save it again"
        )
    return Frugal(
        tuple(record["models"]),
        tuple(map(Setting, chains, thresholds)),
        np.asarray(record["cost"], np.float64),
        np.asarray(record["quality"], np.float64),
        np.asarray(record["rungs"], np.intp),
        np.asarray(record["costs"], np.float64),
        estimator,
    )


def fit(training: Training, *, seed: int = 0) -> Frugal:
    """Return the frontier of all chains and thresholds on the training questions; nothing is drawn from the seed."""
    table = training.table
    settings, cost, quality = frontier(table, training.beliefs)
    rungs = np.unique(np.linspace(0, len(settings) - 1, RUNGS).round().astype(np.intp))
    costs = np.stack([spent(settings[rung], table, training.beliefs) for rung in rungs])
    return Frugal(table.models, tuple(settings), cost, quality, rungs, costs, training.estimator)


def frontier(table: Table, beliefs: Beliefs) -> tuple[list[Setting], Array, Array]:
    """Return the settings that no other beats, with their mean cost and quality, cheapest first."""
    found: list[tuple[float, float, Setting]] = []
    for chain in chains(len(table.models)):
        looks = looks_of(beliefs, chain)
        grids = [grid_of(look) for look in looks]
        bins = [np.searchsorted(grid, look, side="right") for grid, look in zip(grids, looks, strict=True)]
        cost = over_thresholds(np.cumsum(table.cost[:, chain], axis=1), bins, grids)
        quality = over_thresholds(table.quality[:, chain], bins, grids)
        for place in pareto(cost.ravel(), quality.ravel()):
            cell = np.unravel_index(place, cost.shape)
            thresholds = tuple(float(grid[at]) for grid, at in zip(grids, cell, strict=True))
            found.append((float(cost[cell]), float(quality[cell]), Setting(chain, thresholds)))
    costs, qualities = np.array([one[:2] for one in found]).T
    places = pareto(costs, qualities)
    return [found[place][2] for place in places], costs[places], qualities[places]


def chains(models: int) -> Iterator[tuple[int, ...]]:
    """Yield every order of up to three of the models."""
    for length in range(1, min(LONGEST, models) + 1):
        yield from permutations(range(models), length)


def looks_of(beliefs: Beliefs, chain: Sequence[int]) -> list[Array]:
    """Return how good the answer of each model but the last looks, once the chain has run so far (n,) each."""
    ran, looks = 0, []
    for model in chain[:-1]:
        ran |= 1 << model
        looks.append(beliefs.means[:, beliefs.state[ran], model])
    return looks


def grid_of(looks: Array) -> Array:
    """Return the thresholds to try, rising: quantiles of the looks (n,), the least of which keeps every answer."""
    return np.unique(np.quantile(looks, np.arange(GRID) / GRID, method="higher"))


def over_thresholds(values: Array, bins: Sequence[Places], grids: Sequence[Array]) -> Array:
    """Return the mean value at every choice of thresholds, an axis for each.

    values  of stopping at each model of the chain (n, length)
    bins    how many thresholds of each grid each look reaches (n,)
    """
    if not bins:
        return np.asarray(values.mean())
    sizes = [len(grid) + 1 for grid in grids]
    cells = np.ravel_multi_index(tuple(bins), sizes)
    total = np.zeros([len(grid) for grid in grids])
    for place, column in enumerate(values.T):
        stopped = np.asarray(np.bincount(cells, column, int(np.prod(sizes))).reshape(sizes), np.float64)
        for axis in range(len(bins)):
            stopped = (_passed if axis < place else _kept if axis == place else _any)(stopped, axis)
        total += stopped
    return np.asarray(total / len(values))


def _passed(sums: Array, axis: int) -> Array:
    """Return, for each threshold, the sum over the bins that do not reach it."""
    return np.asarray(np.delete(np.cumsum(sums, axis=axis), -1, axis=axis))


def _kept(sums: Array, axis: int) -> Array:
    """Return, for each threshold, the sum over the bins that reach it."""
    return np.asarray(np.delete(np.flip(np.cumsum(np.flip(sums, axis), axis=axis), axis), 0, axis=axis))


def _any(sums: Array, axis: int) -> Array:
    """Return the sum over all bins, whatever the threshold."""
    return np.asarray(sums.sum(axis=axis, keepdims=True))


def pareto(cost: Array, quality: Array) -> Places:
    """Return the places of points that have more quality than every cheaper one, cheapest first (m,)."""
    order = np.lexsort((-quality, cost))
    best = np.maximum.accumulate(quality[order])
    return order[np.flatnonzero(np.diff(best, prepend=-np.inf) > 0)]


def spent(setting: Setting, table: Table, beliefs: Beliefs) -> Array:
    """Return what a setting costs on each training question (n,)."""
    cost, going = np.zeros(len(table)), np.ones(len(table), bool)
    looks = looks_of(beliefs, setting.chain)
    for place, model in enumerate(setting.chain):
        cost += np.where(going, table.cost[:, model], 0.0)
        if place < len(looks):
            going &= looks[place] < setting.thresholds[place]
    return cost


FITS: Mapping[str, Fit] = {KIND: fit}
