"""Isotonic calibration: any rising curve; from some 500 labels on.

Levels by pooling adjacent violators (Ayer et al. 1955): of all non-decreasing functions they have the smallest log-loss
and the smallest squared error. They are a step function, and steps make ties: every score on one step gets one
probability, and a threshold can no longer choose among them. So the steps are centred (Oron, Flournoy, "Centered
isotonic regression", arXiv:1701.05964): each becomes one knot, and lines join the knots.

Different from the paper: a step's knot stands at its median score, not the mean, which one outlier would carry away.
The levels, 0 to 1, are drawn in to 1.5/(n+2) from either end; from the outermost knots to the outermost scores the
curve moves on by 0.5/(n+2), less than n labels can tell, so that it rises strictly over all that was fitted and stays
within 1/(n+2) and 1 - 1/(n+2). Beyond the fitted scores it is flat.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgecascade.calibrators.calibrator import Floats, Labels, Scores, checked_rows, stored_numbers
from edgecascade.calibrators.logistic import untied
from edgecascade.errors import FittedFileError


@dataclass(frozen=True, slots=True)
class Isotonic:
    """Lines between knots: ``scores``, strictly rising, and their ``probabilities``.

    >>> round(Isotonic(scores=(0.0, 2.0), probabilities=(0.25, 0.75))(1.0), 6)
    0.5
    """

    kind: ClassVar[str] = "isotonic"
    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, scores: Scores) -> Scores:
        """Return p_correct."""
        if isinstance(scores, float):
            return untied(self._one(scores), scores)
        knots, levels = np.array(self.scores), np.array(self.probabilities)
        within = np.clip(np.asarray(scores, np.float64), knots[0], knots[-1])
        right = np.searchsorted(knots, within, side="right")
        left, right = np.maximum(right - 1, 0), np.minimum(right, len(knots) - 1)
        share = (within - knots[left]) / np.where(right > left, knots[right] - knots[left], 1.0)
        return untied(np.minimum(levels[left] + (levels[right] - levels[left]) * share, levels[right]), scores)

    def _one(self, score: float) -> float:
        """Return for one score what the array form returns, by the same arithmetic, without its arrays."""
        if not score > self.scores[0]:
            return self.probabilities[0] if score == score else math.nan
        if score >= self.scores[-1]:
            return self.probabilities[-1]
        right = bisect_right(self.scores, score)
        share = (score - self.scores[right - 1]) / (self.scores[right] - self.scores[right - 1])
        low, high = self.probabilities[right - 1], self.probabilities[right]
        return min(low + (high - low) * share, high)

    def as_json(self) -> dict[str, Any]:
        """Return the knots."""
        return {"kind": self.kind, "scores": list(self.scores), "probabilities": list(self.probabilities)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Isotonic":
        """Return the calibrator that was stored; FittedFileError for a damaged one."""
        scores = stored_numbers(record, "scores", strictly=True)
        probabilities = stored_numbers(record, "probabilities", length=len(scores), probabilities=True)
        if probabilities[0] <= 0 or probabilities[-1] >= 1:
            raise FittedFileError(
                f"a damaged calibrator: found probabilities from {probabilities[0]} to {probabilities[-1]}, wanted "
                "them above 0 and below 1; calibrate again"
            )
        return cls(scores, probabilities)


def fit(scores: Floats, labels: Labels) -> Isotonic:
    """Return the fit to scores and labels (1 = right), shapes (n,); AttemptsError where they cannot be fitted."""
    scores, truth = checked_rows(scores, labels)
    edge = 1.5 / (len(scores) + 2)
    distinct, counts, right = tallied(scores, truth)
    knots: dict[float, float] = {}
    start = 0
    for end in pooled(counts, right):
        level = sum(right[start:end]) / sum(counts[start:end])
        knots[_median(distinct[start:end], counts[start:end])] = edge + (1 - 2 * edge) * level
        start = end
    first, last = min(knots), max(knots)
    if distinct[0] < first:
        knots[distinct[0]] = knots[first] - edge / 3
    if distinct[-1] > last:
        knots[distinct[-1]] = knots[last] + edge / 3
    ordered = sorted(knots)
    return Isotonic(tuple(ordered), tuple(knots[score] for score in ordered))


def isotonic_levels(scores: Floats, labels: Labels) -> Floats:
    """Return the non-decreasing levels of smallest log-loss at each row, shape (n,), before any centring.

    >>> isotonic_levels(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0])).tolist()
    [0.0, 0.5, 0.5]
    """
    ordered, truth = checked_rows(scores, labels)
    distinct, counts, right = tallied(ordered, truth)
    levels = np.empty(len(distinct))
    start = 0
    for end in pooled(counts, right):
        levels[start:end] = sum(right[start:end]) / sum(counts[start:end])
        start = end
    return levels[np.searchsorted(distinct, scores)]


def tallied(scores: Floats, truth: Floats) -> tuple[list[float], list[int], list[int]]:
    """Return the distinct scores, rising, with how many rows each has, and how many of them are right."""
    distinct, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    right: NDArray[np.int64] = np.bincount(place, weights=truth, minlength=len(distinct)).astype(np.int64)
    return distinct.tolist(), counts.tolist(), right.tolist()


def pooled(counts: list[int], right: list[int]) -> list[int]:
    """Return where each level ends (exclusive), by pooling adjacent violators in O(n); equal levels become one.

    In whole numbers, so that no rounding decides what is pooled.

    >>> pooled([1, 1, 1, 1], [0, 1, 0, 1])
    [1, 3, 4]
    """
    blocks: list[tuple[int, int, int]] = []
    for place, (count, hits) in enumerate(zip(counts, right, strict=True)):
        end = place + 1
        while blocks and blocks[-1][2] * count >= hits * blocks[-1][1]:
            _, before, hits_before = blocks.pop()
            count, hits = count + before, hits + hits_before
        blocks.append((end, count, hits))
    return [end for end, _, _ in blocks]


def _median(scores: list[float], counts: list[int]) -> float:
    """Return the lower median of scores that stand ``counts`` times each."""
    half = (sum(counts) + 1) // 2
    return next(score for score, reached in zip(scores, accumulate(counts), strict=True) if reached >= half)
