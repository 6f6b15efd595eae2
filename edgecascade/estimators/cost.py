"""What a call to each model will cost: prompt at its price, and as many answer tokens as such questions get.

flat     a + b * prompt tokens, by least squares; a, b >= 0
ratio    cost / flat - 1, by ridge regression on the question's features: longer answers to harder questions
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.estimators.folds import Parts
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array

STRENGTHS = (1.0, 0.1, 0.01, 0.001)
VARIES = 1e-6
"""Relative to the mean: below it nothing is left to predict."""


@dataclass(frozen=True, slots=True, eq=False)
class Cost:
    """(base + slope * tokens) * (1 + (x - centre) @ weights), the factor within its training range; all by model (k,).

    base, slope (k,); weights (d, k); centre (d,); least, most (k,) of the factor
    """

    base: Array
    slope: Array
    weights: Array
    centre: Array
    least: Array
    most: Array

    def __call__(self, features: Array, prompt_tokens: Array) -> Array:
        """Return the cost expected (n, k)."""
        flat = self.base + np.outer(prompt_tokens, self.slope)
        if not self.weights.any():
            return flat
        return np.asarray(flat * (1 + (features - self.centre) @ self.weights).clip(self.least, self.most))

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {name: getattr(self, name) for name in ("base", "slope", "weights", "centre", "least", "most")}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(*arrays(record, base="k", slope="k", weights="dk", centre="d", least="k", most="k"))


def fit_cost(features: Array, prompt_tokens: Array, cost: Array, parts: Parts) -> tuple[Cost, Array]:
    """Return the fit, and the cost expected of the training rows (n, k), each without its fold.

    The strength of each model's ridge regression is that of least squared error over these folds; none: no features.
    """
    strengths = [np.inf, *STRENGTHS]
    held = np.empty((len(strengths), *cost.shape))
    for part in range(int(parts.max(initial=0)) + 1):
        out = parts == part
        if not out.any():
            continue
        inside = ~out if (~out).any() else out
        for number, strength in enumerate(strengths):
            fit = _fit(features[inside], prompt_tokens[inside], cost[inside], np.full(cost.shape[1], strength))
            held[number, out] = fit(features[out], prompt_tokens[out])
    best = ((held - cost) ** 2).mean(axis=1).argmin(axis=0)
    fit = _fit(features, prompt_tokens, cost, np.array(strengths)[best])
    return fit, np.take_along_axis(held, best[None, None, :], axis=0)[0]


def _fit(features: Array, tokens: Array, cost: Array, strengths: Array) -> Cost:
    base, slope = _flat(tokens, cost)
    flat = base + np.outer(tokens, slope)
    ratio = np.divide(cost, flat, out=np.ones_like(cost), where=flat > 0)
    centre = features.mean(axis=0)
    moved = features - centre
    spread, axes = np.linalg.eigh(moved.T @ moved / len(moved))
    total = max(float(spread.clip(0).sum()), 1e-300)
    turned = axes.T @ (moved.T @ (ratio - ratio.mean(axis=0))) / len(moved)
    varies = ratio.std(axis=0) > VARIES
    finite = np.isfinite(strengths) & varies
    shrunk = turned / (spread.clip(0)[:, None] + np.where(finite, strengths, 1.0) * total)
    weights = np.where(finite, axes @ shrunk, 0.0)
    return Cost(base, slope, weights, centre, ratio.min(axis=0), ratio.max(axis=0))


def _flat(tokens: Array, cost: Array) -> tuple[Array, Array]:
    """Return base and slope (k,), neither below 0 where costs are not."""
    moved = tokens - tokens.mean()
    spread = float(moved @ moved)
    if spread <= 0:
        return cost.mean(axis=0), np.zeros(cost.shape[1])
    slope = np.maximum(moved @ (cost - cost.mean(axis=0)) / spread, 0.0)
    base = cost.mean(axis=0) - slope * tokens.mean()
    through = (tokens @ cost) / float(tokens @ tokens)
    return np.where(base < 0, 0.0, base), np.where(base < 0, through, slope)
