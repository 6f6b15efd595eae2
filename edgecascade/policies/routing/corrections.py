"""Estimates corrected by what answers were worth: a line for each model before it has run, another for after.

    corrected  shift + scale * estimate, by least squares where that gains more than chance (BIC), else as it was
    sds        times how far what a model shows lies from what was expected of it, over what was claimed; then all
               times one share, so that E[max] of all models is what the answers that looked best were worth

The share is below 1 where what a model shows forgets what was known before, or where models err together: E[max] then
promises too much, the more the more models there are. Your own estimates may be shifted, too sure, or on another scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecascade.policies.routing.expected_max import maxima
from edgecascade.pool import Array

FEWEST = 20
"""Questions below which nothing is corrected."""
FLAT = 1e-12
ENOUGH = 200
"""Questions on which the share is sought."""
LEAST_SHARE = 0.35
"""On drawn pools of three to eleven models lesser shares gained no more, or lost."""
HALVINGS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Corrections:
    """``before`` and ``after``: shift and scale of each model (2, k); ``sds``: a factor of each (k,)."""

    before: Array
    after: Array
    sds: Array

    @classmethod
    def none(cls, k: int) -> "Corrections":
        """Return those that change nothing."""
        same = np.stack([np.zeros(k), np.ones(k)])
        return cls(same, same, np.ones(k))

    @classmethod
    def of(cls, before: Array, after: Array, sds: Array, quality: Array) -> "Corrections":
        """Return those of estimates before and after, of what their sds claim (k,), by the truth (n, k)."""
        n, k = quality.shape
        if n < FEWEST:
            return cls.none(k)
        lines = [_line(estimate, quality) for estimate in (before, after)]
        expected, shown = straight(before, lines[0]), straight(after, lines[1])
        claimed = sds > FLAT
        found = np.where(claimed, (shown - expected).std(0), 0.0)
        factor = np.divide(found, sds, out=np.ones(k), where=claimed)
        return cls(lines[0], lines[1], factor * _share(expected, found, shown, quality))

    def as_json(self) -> dict[str, Any]:
        """Return its arrays."""
        return {name: getattr(self, name) for name in ("before", "after", "sds")}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> "Corrections":
        """Return those that were saved."""
        return cls(*(np.asarray(record[name], np.float64) for name in ("before", "after", "sds")))


def straight(estimates: Array, line: Array) -> Array:
    """Return shift + scale * estimate of each model (..., k)."""
    return np.asarray(line[0] + line[1] * estimates)


def _share(expected: Array, sds: Array, shown: Array, quality: Array) -> float:
    """Return the share of the sds at which E[max] of all models is what the best looking answer is worth."""
    some = slice(None, None, -(-len(shown) // ENOUGH))
    goal = quality[np.arange(len(shown)), shown.argmax(1)].mean()
    low, high = LEAST_SHARE, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        promised = maxima(expected[some], middle * sds[None], len(sds))[:, 0].mean()
        low, high = (low, middle) if promised > goal else (middle, high)
    return high


def _line(estimate: Array, quality: Array) -> Array:
    """Return shift and scale of each model (2, k): one line for all, which changes no order, or one of its own."""
    shared = _better(estimate.reshape(-1, 1), quality.reshape(-1, 1), np.array([[0.0], [1.0]]))
    return _better(estimate, quality, shared)


def _better(estimate: Array, quality: Array, known: Array) -> Array:
    """Return the lines of least squares (2, k), or the known ones where these gain no more than chance."""
    apart, of_truth = estimate - estimate.mean(0), quality - quality.mean(0)
    spread = (apart**2).sum(0)
    scale = np.divide((apart * of_truth).sum(0), spread, out=np.ones(len(spread)), where=spread > FLAT)
    line = np.stack([quality.mean(0) - scale * estimate.mean(0), scale])
    wrong, left = (((straight(estimate, one) - quality) ** 2).sum(0) for one in (known, line))
    n = len(quality)
    return np.where(wrong > (left + FLAT) * n ** (2 / n), line, known)
