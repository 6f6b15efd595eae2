"""A ceiling as a price: the Lagrange multiplier of "95 of 100 answers within so many seconds", or "so many dollars".

Whoever decides each answer by worth - price x seconds makes, at a higher price, answers that take less time on average:
of two prices a < b with decisions A and B, worth(A) - a sec(A) >= worth(B) - a sec(B) and worth(B) - b sec(B) >=
worth(A) - b sec(A); added, (b - a)(sec(A) - sec(B)) >= 0. The same holds of dollars and what a right answer is worth.
So the least price that keeps a ceiling is found by bisection. The 95th percentile mostly follows the mean; that the
price which is found keeps the ceiling is looked at, not inferred.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from edgecascade.errors import ConfigError
from edgecascade.profile import Weights
from edgecascade.simulate.playing import Scene, play
from edgecascade.simulate.rows import Row

DEAREST = 1e6
"""Dollars a second, or a right answer: where a price no longer changes what is decided."""
CHEAPEST = 1e-9
STEPS = 20
"""Halvings of the logarithm of a price, to a part in 10^4; each plays every answer again."""


def priced(weights: Weights, rows: Sequence[Row], scene: Scene) -> Weights:
    """Return the weights with their ceilings as prices: ``seconds`` raises that of a second, ``usd`` lowers V.

    A ceiling that is kept anyway changes nothing. Without V nothing can be lowered: the certificate alone keeps it, or
    nothing does.

    Raises ConfigError where no price keeps a ceiling, or what keeps the one breaks the other.
    """
    usd = weights.usd
    if usd is not None:
        weights = _within_usd(weights, usd, rows, scene)
    if weights.seconds is not None:
        weights = _within_seconds(weights, weights.seconds, rows, scene)
        if usd is not None and (found := _mean_usd(weights, rows, scene)) > usd:
            raise ConfigError(
                f"the two ceilings cannot be kept together: found ${found:.6f} an answer where 95 of 100 are in time, "
                f"wanted ${usd:g}; allow more of one, or choose a smaller model or another cloud"
            )
    return weights


def _within_seconds(weights: Weights, most: float, rows: Sequence[Row], scene: Scene) -> Weights:
    def at(price: float) -> Weights:
        return replace(weights, usd_per_second=price, seconds=None)

    def p95(price: float) -> float:
        played = play(rows, replace(scene, weights=at(price)))
        return float(np.quantile([one.seconds for one in played], 0.95, method="inverted_cdf"))

    if p95(weights.usd_per_second) <= most:
        return at(weights.usd_per_second)
    if (best := p95(DEAREST)) > most:
        raise ConfigError(
            f"no price of a second keeps 95 of 100 answers within {most:g} s: found {best:.3g} s at best, wanted "
            f"{most:g}; allow more time, or choose a smaller model or a faster cloud"
        )
    low = max(weights.usd_per_second, CHEAPEST)
    return at(_least(lambda price: p95(price) <= most, low, DEAREST))


def _within_usd(weights: Weights, most: float, rows: Sequence[Row], scene: Scene) -> Weights:
    def at(value: float | None) -> Weights:
        return replace(weights, value_usd=value, usd=None)

    def mean(value: float | None) -> float:
        return _mean_usd(replace(at(value), seconds=None), rows, scene)

    dearest = weights.value_usd
    best = mean(dearest)
    if best <= most:
        return at(dearest)
    if dearest is None or (best := mean(CHEAPEST)) > most:
        raise ConfigError(
            f"no worth of a right answer keeps the mean price within ${most:g}: found ${best:.6f} at best, wanted "
            f"${most:g}; allow more, or a larger epsilon, or choose a cheaper cloud"
        )
    return at(1 / _least(lambda inverse: mean(1 / inverse) <= most, 1 / dearest, 1 / CHEAPEST))


def _mean_usd(weights: Weights, rows: Sequence[Row], scene: Scene) -> float:
    costs = [one.usd for one in play(rows, replace(scene, weights=weights))]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        raise ConfigError(
            "a budget cannot be kept: found a cloud whose price is unknown, wanted one; write it into [prices]"
        )
    return fmean(known)


def _least(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return about the least price for which something holds: it does not at ``low``, it does at ``high``."""
    for _ in range(STEPS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
