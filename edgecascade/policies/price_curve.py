"""From a budget to a price: the mean cost and quality of recorded questions at every price, and what holds on new ones.

    curve    mean cost and quality, steps of the price, exact
    mixed    at a price where they jump over the budget, a share of the questions takes the dear side of it and the rest
             the cheap one: the mean cost is the budget
    ladder   fixed prices from the cheapest setting on, each with what every question cost. New questions keep a budget
             with a stated confidence as far as the betting test (``guarantees.bounded``) passes rung by rung; tested
             in a fixed order, the rungs need no correction for their number (Bauer 1991)

The ladder's promise is for questions drawn like the recorded ones, none dearer than the dearest that was recorded.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edgecascade.guarantees.bounded import bet, betting_p_value
from edgecascade.policies.price_sweep import Ways
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

    cost, quality   means expected on the recorded questions
    feasible        whether the budget can be kept at all; where not, this is the cheapest setting
    """

    cheap: float
    dear: float
    share: float
    cost: float
    quality: float
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

    prices  at which they change (m,), falling     cost, quality  before the first of them, between, after (m + 1,)
    """

    prices: Array
    cost: Array
    quality: Array

    @property
    def top(self) -> float:
        """The price of the cheapest setting, also on questions that were not recorded."""
        return FAR * float(self.prices[0]) if len(self.prices) else 1.0

    def at(self, budget: float) -> Setting:
        """Return the best setting of at most this mean cost; a larger budget never has a lower quality."""
        place = _best(self.cost <= budget * (1 + ROUNDING), self.cost, self.quality)
        if place is None:
            return replace(self.point(0), feasible=False)
        mixed = self._mixed(budget)
        point = self.point(place)
        return mixed if mixed is not None and mixed.quality > point.quality else point

    def priced(self, price: float) -> Setting:
        """Return the setting of one price for all."""
        place = int((self.prices > price).sum())
        return replace(self.point(place), cheap=price, dear=price)

    def point(self, place: int) -> Setting:
        """Return the setting between two prices of the curve."""
        upper = self.top if place == 0 else float(self.prices[place - 1])
        lower = float(self.prices[place]) if place < len(self.prices) else 0.0
        price = upper if place == 0 else float(np.sqrt(upper * lower)) if lower else upper / 2
        return Setting(price, price, 0.0, float(self.cost[place]), float(self.quality[place]))

    def _mixed(self, budget: float) -> Setting | None:
        """Return the best mixture of a price's two sides that costs the budget."""
        before, after = self.cost[:-1] - budget, self.cost[1:] - budget
        crossing = np.flatnonzero(before * after < 0)
        if not len(crossing):
            return None
        share = before[crossing] / (before[crossing] - after[crossing])
        quality = (1 - share) * self.quality[crossing] + share * self.quality[crossing + 1]
        best = int(quality.argmax())
        price = float(self.prices[crossing[best]])
        return Setting(price * (1 + SIDE), price * (1 - SIDE), float(share[best]), budget, float(quality[best]))

    def as_json(self) -> dict[str, Any]:
        """Return its arrays."""
        return {"prices": self.prices, "cost": self.cost, "quality": self.quality}


def curve(ways: Ways, quality: Array, n: int) -> Curve:
    """Return the curve of n questions' ways, each of which ends with an answer of some quality."""
    values = np.stack([ways.cost, quality], 1) / n
    starts, ends = np.isfinite(ways.high), ways.low > 0
    prices = np.concatenate([ways.high[starts], ways.low[ends]])
    changes = np.concatenate([values[starts], -values[ends]])
    order = np.argsort(-prices, kind="stable")
    prices, sums = prices[order], np.cumsum(changes[order], 0)
    last = np.append(prices[1:] < prices[:-1] * (1 - SAME), True) if len(prices) else np.empty(0, bool)
    means = values[~starts].sum(0) + np.concatenate([np.zeros((1, 2)), sums[last]])
    return Curve(prices[last], means[:, 0], means[:, 1])


def curve_of_json(record: dict[str, Any]) -> Curve:
    """Return the curve that was saved."""
    arrays = [np.asarray(record[name], np.float64) for name in ("prices", "cost", "quality")]
    return Curve(*arrays)


# Confidence


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """What each recorded question costs at fixed prices.

    prices  falling (m,); the first is the cheapest setting's      costs  (m, n), questions in random order
    quality  mean at each (m,)                                     most   that a question can cost
    """

    prices: Array
    costs: Array
    quality: Array
    most: float

    def at(self, budget: float, confidence: float) -> Setting:
        """Return the best setting whose mean cost is at most the budget with this confidence on new questions."""
        best = self._setting(0, 0, feasible=False)
        if budget >= self.most:
            return self._setting(int(self.quality.argmax()), 0)
        if budget <= 0:
            return best
        epsilon, delta = budget / self.most, 1 - confidence
        c = bet(self.costs.shape[1], epsilon, delta)
        for rung in range(len(self.prices)):
            for quarter in range(QUARTERS if rung < len(self.prices) - 1 else 1):
                losses = self._costs(rung, quarter) / self.most
                if betting_p_value(losses, epsilon, c) > delta:
                    return best
                found = self._setting(rung, quarter)
                best = found if not best.feasible or found.quality > best.quality else best
        return best

    def _costs(self, rung: int, quarter: int) -> Array:
        share = quarter / QUARTERS
        after = self.costs[min(rung + 1, len(self.costs) - 1)]
        return np.asarray((1 - share) * self.costs[rung] + share * after)

    def _setting(self, rung: int, quarter: int, *, feasible: bool = True) -> Setting:
        share, after = quarter / QUARTERS, min(rung + 1, len(self.prices) - 1)
        quality = (1 - share) * self.quality[rung] + share * self.quality[after]
        cost = float(self._costs(rung, quarter).mean())
        return Setting(float(self.prices[rung]), float(self.prices[after]), share, cost, float(quality), feasible)

    def as_json(self) -> dict[str, Any]:
        """Return its arrays."""
        return {"prices": self.prices, "costs": self.costs, "quality": self.quality, "most": self.most}


def ladder(ways: Ways, quality: Array, n: int, *, highest: float, top: float, most: float, seed: int) -> Ladder:
    """Return the ladder from the cheapest setting down to a price of almost nothing.

    highest  the price at which nothing is worth its cost     top  the cheapest setting's price
    """
    prices = np.append(max(top, highest), highest * 2.0 ** (-np.arange(HALF_OCTAVES) / 2))
    order = np.random.default_rng(seed).permutation(n)
    costs, means = np.empty((len(prices), n)), np.empty(len(prices))
    for rung, price in enumerate(prices):
        here = np.flatnonzero((ways.low <= price) & (price < ways.high))
        costs[rung, ways.rows[here]] = ways.cost[here]
        means[rung] = quality[here].mean()
    return Ladder(prices, costs[:, order], means, most)


def ladder_of_json(record: dict[str, Any]) -> Ladder:
    """Return the ladder that was saved."""
    prices, costs, quality = (np.asarray(record[name], np.float64) for name in ("prices", "costs", "quality"))
    return Ladder(prices, costs, quality, float(record["most"]))


def _best(allowed: np.ndarray[Any, Any], cost: Array, quality: Array) -> int | None:
    """Return the place of the highest quality that is allowed, the cheapest of equals."""
    if not allowed.any():
        return None
    best = quality[allowed].max()
    return int(np.where(allowed & (quality >= best - ROUNDING), cost, np.inf).argmin())
