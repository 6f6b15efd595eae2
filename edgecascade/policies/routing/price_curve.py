"""From a budget to a price: the mean cost and quality of recorded questions at every price, and what holds on new ones.

    curve    mean cost and quality, steps of the price, exact
    mixed    at a price where they jump over the budget, a share of the questions takes the dear side of it and the rest
             the cheap one: the mean cost is the budget
    ladder   fixed prices from the cheapest setting on, each with what every question cost. New questions keep a budget
             with a stated confidence as far as the betting test (``guarantees.bounded``) passes rung by rung; tested
             in a fixed order, the rungs need no correction for their number (Bauer 1991)

The ladder's promise is for questions drawn like the recorded ones, none dearer than the dearest that was recorded, and
it takes the recorded costs' smallest and largest, which scale its rungs, as known.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edgecascade.guarantees.bounded import bet, betting_p_value
from edgecascade.policies.routing.price_sweep import Ways
from edgecascade.pool import Array

SAME = 1e-9
"""Prices that differ by less than this share are one: their questions change together."""
SIDE = 1e-7
"""How far beside a price its cheap and its dear side are looked up, as a share of it."""
FAR = 1e6
"""The cheapest setting's price, in units of the highest at which any recorded question changed."""
HALF_OCTAVES = 48
QUARTERS = 4
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Setting:
    """The prices that keep a budget: ``dear`` for a share of the questions, ``cheap`` for the rest.

    cost       mean expected on the recorded questions
    quality    mean believed of their answers; a larger budget never lowers it
    measured   what these answers were worth, where that is known; else as believed
    feasible   whether the budget can be kept at all; where not, this is the cheapest setting
    """

    cheap: float
    dear: float
    share: float
    cost: float
    quality: float
    measured: float
    feasible: bool = True

    def price(self, draw: Array) -> Array:
        """Return each question's price by its draw from 0 to 1 (n,)."""
        return np.where(draw < self.share, self.dear, self.cheap)

    def as_json(self) -> dict[str, Any]:
        """Return its fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Means over the recorded questions, by price.

    prices  at which they change (m,), falling
    means   cost, believed and measured quality before the first of them, between, after (m + 1, 3)
    slack   by how much measured means may differ by chance
    """

    prices: Array
    means: Array
    slack: float

    @property
    def top(self) -> float:
        """The price of the cheapest setting, also on questions that were not recorded."""
        return FAR * float(self.prices[0]) if len(self.prices) else 1.0

    def at(self, budget: float) -> Setting:
        """Return the setting of the highest believed quality that costs at most the budget.

        Measured quality follows its own noise, and its highest point mostly lies below the budget by chance; it has a
        say only where it contradicts belief by more than chance can.
        """
        if not (self.means[:, 0] <= budget * (1 + ROUNDING)).any():
            return replace(self.point(0), feasible=False)
        return contradicted(self._best(budget, 1), self._best(budget, 2), self.slack)

    def priced(self, price: float) -> Setting:
        """Return the setting of one price for all."""
        place = int((self.prices > price).sum())
        return replace(self.point(place), cheap=price, dear=price)

    def point(self, place: int) -> Setting:
        """Return the setting between two prices of the curve."""
        upper = self.top if place == 0 else float(self.prices[place - 1])
        lower = float(self.prices[place]) if place < len(self.prices) else 0.0
        price = upper if place == 0 else float(np.sqrt(upper * lower)) if lower else upper / 2
        return Setting(price, price, 0.0, *self.means[place].tolist())

    def _best(self, budget: float, column: int) -> Setting:
        """Return the setting of the best mean of a column, one price or the two sides of one."""
        cost, values = self.means[:, 0], self.means[:, column]
        allowed = cost <= budget * (1 + ROUNDING)
        place = int(np.where(allowed & (values >= values[allowed].max() - ROUNDING), cost, np.inf).argmin())
        before, after = cost[:-1] - budget, cost[1:] - budget
        crossing = np.flatnonzero(before * after < 0)
        if not len(crossing):
            return self.point(place)
        share = (before[crossing] / (before[crossing] - after[crossing]))[:, None]
        mixed = (1 - share) * self.means[crossing] + share * self.means[crossing + 1]
        best = int(mixed[:, column].argmax())
        if mixed[best, column] <= values[place]:
            return self.point(place)
        price = float(self.prices[crossing[best]])
        return Setting(price * (1 + SIDE), price * (1 - SIDE), float(share[best, 0]), *mixed[best].tolist())

    def as_json(self) -> dict[str, Any]:
        """Return its arrays."""
        return {"prices": self.prices, "means": self.means, "slack": self.slack}


def contradicted(believed: Setting, measured: Setting, slack: float) -> Setting:
    """Return the setting of belief, or that of measurement where it is better by more than chance."""
    return measured if measured.measured - believed.measured > slack else believed


def curve(ways: Ways, quality: Array, n: int) -> Curve:
    """Return the curve of n questions' ways; ``quality``: believed and measured, of the answer of each (ways, 2)."""
    values = np.concatenate([ways.cost[:, None], quality], 1) / n
    starts, ends = np.isfinite(ways.high), ways.low > 0
    prices = np.concatenate([ways.high[starts], ways.low[ends]])
    changes = np.concatenate([values[starts], -values[ends]])
    order = np.argsort(-prices, kind="stable")
    prices, sums = prices[order], np.cumsum(changes[order], 0)
    last = np.append(prices[1:] < prices[:-1] * (1 - SAME), True) if len(prices) else np.empty(0, bool)
    means = values[~starts].sum(0) + np.concatenate([np.zeros((1, 3)), sums[last]])
    return Curve(prices[last], means, 1 / math.sqrt(n))


def curve_of_json(record: dict[str, Any]) -> Curve:
    """Return the curve that was saved."""
    prices, means = (np.asarray(record[name], np.float64) for name in ("prices", "means"))
    return Curve(prices, means, float(record["slack"]))


# Confidence


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """What each recorded question costs at fixed prices.

    prices  falling (m,); the first is the cheapest setting's      costs  (m, n), questions in random order
    quality  believed and measured, means at each (m, 2)           most   that a question can cost
    """

    prices: Array
    costs: Array
    quality: Array
    most: float

    @property
    def slack(self) -> float:
        """By how much measured means may differ by chance."""
        return 1 / math.sqrt(len(self.costs[0]))

    def at(self, budget: float, confidence: float) -> Setting:
        """Return the best setting whose mean cost is at most the budget with this confidence on new questions."""
        if budget >= self.most:
            return self._best([(rung, 0) for rung in range(len(self.prices))])
        if budget <= 0:
            return self._setting(0, 0, feasible=False)
        epsilon, delta = budget / self.most, 1 - confidence
        c = bet(self.costs.shape[1], epsilon, delta)
        passed: list[tuple[int, int]] = []
        for place in [(rung, quarter) for rung in range(len(self.prices)) for quarter in range(QUARTERS)]:
            if betting_p_value(self._costs(*place) / self.most, epsilon, c) > delta:
                break
            passed.append(place)
        return self._best(passed) if passed else self._setting(0, 0, feasible=False)

    def _best(self, places: list[tuple[int, int]]) -> Setting:
        settings = [self._setting(*place) for place in places]
        measured = max(settings, key=lambda one: one.measured)
        return contradicted(max(settings, key=lambda one: one.quality), measured, self.slack)

    def _costs(self, rung: int, quarter: int) -> Array:
        share = quarter / QUARTERS
        after = self.costs[min(rung + 1, len(self.costs) - 1)]
        return np.asarray((1 - share) * self.costs[rung] + share * after)

    def _setting(self, rung: int, quarter: int, *, feasible: bool = True) -> Setting:
        share, after = quarter / QUARTERS, min(rung + 1, len(self.prices) - 1)
        quality = (1 - share) * self.quality[rung] + share * self.quality[after]
        cost = float(self._costs(rung, quarter).mean())
        cheap, dear = float(self.prices[rung]), float(self.prices[after])
        return Setting(cheap, dear, share, cost, float(quality[0]), float(quality[1]), feasible)

    def as_json(self) -> dict[str, Any]:
        """Return its arrays."""
        return {"prices": self.prices, "costs": self.costs, "quality": self.quality, "most": self.most}


def ladder(ways: Ways, quality: Array, n: int, *, highest: float, top: float, most: float, seed: int) -> Ladder:
    """Return the ladder from the cheapest setting down to a price of almost nothing.

    highest  the price at which nothing is worth its cost     top  the cheapest setting's price
    """
    prices = np.append(max(top, highest), highest * 2.0 ** (-np.arange(HALF_OCTAVES) / 2))
    order = np.random.default_rng(seed).permutation(n)
    costs, means = np.empty((len(prices), n)), np.empty((len(prices), 2))
    for rung, price in enumerate(prices):
        here = np.flatnonzero((ways.low <= price) & (price < ways.high))
        costs[rung, ways.rows[here]] = ways.cost[here]
        means[rung] = quality[here].mean(0)
    return Ladder(prices, costs[:, order], means, most)


def ladder_of_json(record: dict[str, Any]) -> Ladder:
    """Return the ladder that was saved."""
    prices, costs, quality = (np.asarray(record[name], np.float64) for name in ("prices", "costs", "quality"))
    return Ladder(prices, costs, quality, float(record["most"]))
