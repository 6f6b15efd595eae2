"""The training questions that are remembered, to say what a policy would spend: as if each were new.

    leverage h   e^T A^-1 e of a question that the model has answered

A ridge regression without one of its rows is known from the whole one: the row's prediction y^ becomes
(y^ - h y) / (1 - h), its doubt h / (1 - h). So nothing is fitted twice, and it holds after online updates too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecascade.estimators.stored import arrays
from edgecascade.policies.frontier import SLACK, Sweep, affordable, lagrangian_sweep
from edgecascade.policies.mixllm.arms import Stack
from edgecascade.pool import Array, Table

MOST = 2000
"""More are not remembered: their mean cost is known well enough."""
STEPS = 64
"""Settings that are tried for a budget with confidence."""
SMALLEST, LARGEST = 1e-6, 1e6
"""Of the price of cost: MixLLM's willingness to pay is swept from 1e-6 to 1e6."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """m questions: e (m, p), and by model quality, length and cost (m, k), NaN where it did not answer."""

    ids: tuple[str, ...]
    contexts: Array
    prompt_tokens: Array
    quality: Array
    length: Array
    cost: Array

    @classmethod
    def of(cls, table: Table, contexts: Array, length: Array, *, seed: int) -> Self:
        """Return up to ``MOST`` rows of a table, drawn at random; e (n, p), length (n, k)."""
        places = np.sort(np.random.default_rng(seed).permutation(len(table))[:MOST])
        parts = (array[places] for array in (contexts, table.prompt_tokens, table.quality, length, table.cost))
        return cls(tuple(table.ids[place] for place in places), *parts)

    def added(self, table: Table | None, model: int, length: Array) -> Self:
        """Return the rows with one more model: what a table's column says of the questions that are remembered."""
        place = {} if table is None else dict(zip(table.ids, range(len(table)), strict=True))
        found = np.full((3, len(self.ids)), np.nan)
        for row, name in enumerate(self.ids):
            if table is not None and name in place:
                at = place[name]
                found[:, row] = table.quality[at, model], length[at], table.cost[at, model]
        quality, lengths, cost = (np.column_stack([old, new]) for old, new in zip(self._columns, found, strict=True))
        return replace(self, quality=quality, length=lengths, cost=cost)

    def removed(self, model: int) -> Self:
        """Return the rows without a model."""
        quality, lengths, cost = (np.delete(old, model, axis=1) for old in self._columns)
        return replace(self, quality=quality, length=lengths, cost=cost)

    @property
    def _columns(self) -> tuple[Array, Array, Array]:
        return self.quality, self.length, self.cost

    def known(self, ids: Sequence[str], contexts: Array) -> Array:
        """Return e (n, p) of questions, with the remembered one where there is one."""
        place = dict(zip(self.ids, range(len(self.ids)), strict=True))
        pairs = zip(ids, contexts, strict=True)
        return np.array([self.contexts[place[name]] if name in place else row for name, row in pairs])

    def left_out(self, stack: Stack) -> tuple[Array, Array, Array]:
        """Return quality, cost and doubt (m, k) believed of each question by models that had not seen it."""
        doubt, (quality, length) = stack.doubt(self.contexts), stack.predict(self.contexts)
        known = np.isfinite(self.quality)
        leverage = np.where(known, doubt, 0.0)
        quality, length = (
            (predicted - leverage * np.where(known, answered, 0.0)) / (1 - leverage)
            for predicted, answered in ((quality, self.quality), (length, self.length))
        )
        return quality, stack.cost(length, self.prompt_tokens), doubt / (1 - leverage)

    def spent(self, expected: Array) -> Array:
        """Return what each question cost (m, k), or would cost where that is not known."""
        return np.where(np.isfinite(self.cost), self.cost, expected)

    def as_json(self) -> dict[str, Any]:
        """Return the rows."""
        names = ("contexts", "prompt_tokens", "quality", "length", "cost")
        return {"ids": list(self.ids)} | {name: getattr(self, name) for name in names}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        columns = arrays(record, contexts="mp", prompt_tokens="m", quality="mk?", length="mk?", cost="mk?")
        return cls(tuple(record["ids"]), *columns)


def price_within(
    value: Array, cost: Array, spent: Array, budget: float | None, *, confidence: float | None, seed: int
) -> float:
    """Return the lowest price of cost at which the argmax of value - price cost spends at most ``budget``.

    value, cost  believed of questions (m, k), the price's units           spent  what they do cost (m, k)
    Between ``SMALLEST`` and ``LARGEST``; the largest where nothing keeps the budget.
    """
    if budget is None:
        return SMALLEST
    sweep = lagrangian_sweep(value, cost)
    places = _settings(sweep)
    if confidence is not None:
        places = places[np.unique(np.linspace(0, len(places) - 1, STEPS).round().astype(int))]
        rows = np.arange(len(value))
        costs = np.stack([spent[rows, sweep.after(int(place))] for place in places])
        place = int(places[affordable(costs, budget, confidence=confidence, seed=seed)])
    else:
        kept = np.flatnonzero(sweep.means(spent)[places] <= budget * (1 + SLACK))
        place = int(places[kept.max(initial=0)])
    return _between(sweep.prices, place)


def _settings(sweep: Sweep) -> NDArray[np.intp]:
    """Return after how many changes of a sweep a price within the limits leads to just these (s,)."""
    edges = np.concatenate([[np.inf], sweep.prices, [0.0]])
    reachable = (edges[:-1] > edges[1:] * (1 + 1e-9)) & (edges[1:] < LARGEST) & (edges[:-1] > SMALLEST)
    return np.flatnonzero(reachable)


def _between(prices: Array, place: int) -> float:
    """Return a price at which just the first ``place`` changes have been made."""
    above = min(float(prices[place - 1]), LARGEST) if place else LARGEST
    below = max(float(prices[place]), SMALLEST) if place < len(prices) else SMALLEST
    return float(np.sqrt(above * below))
