"""Venn-Abers, inductive: two probabilities, one of which is calibrated whatever the distribution, and their merger.

Vovk, Petej, Fedorova, "Large-scale probabilistic predictors with and without guarantees of validity", arXiv:1511.00213,
section 4 for the predictor, section 5 for p.

    p0, p1   the isotonic level at s after (s, 0), or (s, 1), has been added to the fitted rows
    p        p1 / (1 - p0 + p1), the merger with the smallest regret in log-loss
    p1 - p0  how little is known at s: about 2 / (rows nearby)

All p0 and p1 there can be are found beforehand: p1 is constant from above one fitted score up to the next, p0 from one
up to below the next. Different from the paper: its sweep over the corners of the cumulative sums is replaced by the
common tangent of two convex hulls, O(n) after sorting, in whole numbers.
"""

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np

from edgecascade.calibrators.calibrator import Floats, Labels, Scores, checked_rows, stored_numbers
from edgecascade.calibrators.isotonic import tallied
from edgecascade.calibrators.logistic import untied
from edgecascade.errors import FittedFileError

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class VennAbers:
    """The fitted scores at which something changes, with p0 from each on and p1 up to each.

    Below the first score p0 is 0, above the last p1 is 1.

    >>> fitted = VennAbers(scores=(0.0,), zeros=(0.5,), ones=(0.75,))
    >>> round(fitted(0.0), 6), fitted.width(0.0)
    (0.6, 0.25)
    """

    kind: ClassVar[str] = "venn_abers"
    scores: tuple[float, ...]
    zeros: tuple[float, ...]
    ones: tuple[float, ...]

    def __call__(self, scores: Scores) -> Scores:
        """Return p_correct."""
        zero, one = self.bounds(scores)
        return untied(one / (1.0 - zero + one), scores)

    def width(self, scores: Scores) -> Scores:
        """Return p1 - p0, 0 to 1: large where few fitted rows are near."""
        zero, one = self.bounds(scores)
        return one - zero

    def bounds(self, scores: Scores) -> tuple[Scores, Scores]:
        """Return p0 and p1."""
        if isinstance(scores, float):
            if scores != scores:
                return math.nan, math.nan
            below, above = bisect_right(self.scores, scores), bisect_left(self.scores, scores)
            return self.zeros[below - 1] if below else 0.0, self.ones[above] if above < len(self.ones) else 1.0
        values = np.asarray(scores, np.float64)
        zero = np.append(0.0, self.zeros)[np.searchsorted(self.scores, values, side="right")]
        one = np.append(self.ones, 1.0)[np.searchsorted(self.scores, values, side="left")]
        lost = np.isnan(values)
        return np.where(lost, math.nan, zero), np.where(lost, math.nan, one)

    def as_json(self) -> dict[str, Any]:
        """Return the table."""
        return {"kind": self.kind, "scores": list(self.scores), "zeros": list(self.zeros), "ones": list(self.ones)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "VennAbers":
        """Return the calibrator that was stored; FittedFileError for a damaged one."""
        scores = stored_numbers(record, "scores", strictly=True)
        zeros, ones = (
            stored_numbers(record, name, length=len(scores), probabilities=True) for name in ("zeros", "ones")
        )
        if zeros[-1] >= 1 or ones[0] <= 0 or any(zero >= one for zero, one in zip(zeros, ones, strict=True)):
            raise FittedFileError(
                "a damaged calibrator: found a p0 of 1, a p1 of 0, or a p0 that is not below its p1, wanted "
                "0 <= p0 < p1 <= 1; calibrate again"
            )
        return cls(scores, zeros, ones)


def fit(scores: Floats, labels: Labels) -> VennAbers:
    """Return the fit to scores and labels (1 = right), shapes (n,); AttemptsError where they cannot be fitted."""
    scores, truth = checked_rows(scores, labels)
    distinct, counts, right = tallied(scores, truth)
    ones = _levels_with_a_one(counts, right)
    wrong = [count - hits for count, hits in zip(counts, right, strict=True)]
    zeros = [1.0 - level for level in reversed(_levels_with_a_one(counts[::-1], wrong[::-1]))]
    before, after = [0.0, *zeros], [*ones[1:], 1.0]
    changes = [place for place in range(len(ones)) if zeros[place] != before[place] or ones[place] != after[place]]
    return VennAbers(*(tuple([values[place] for place in changes]) for values in (distinct, zeros, ones)))


def _levels_with_a_one(counts: list[int], right: list[int]) -> list[float]:
    """Return, for each distinct score, its isotonic level after one more row with label 1 has been added there.

    The level at k is the slope of the lower hull of the cumulative (count, right), k onwards moved by (1, 1), where it
    crosses from k-1 to k: of the common lower tangent to the points before k and the moved ones. Both its ends only
    ever move right while k grows, so that each point is passed once.
    """
    points: list[Point] = list(zip(accumulate(counts, initial=0), accumulate(right, initial=0), strict=True))
    moved = [(x + 1, y + 1) for x, y in points]
    following = _hull_from_each(points)
    before: deque[Point] = deque()
    end = 1
    levels = []
    for place in range(1, len(points)):
        while len(before) > 1 and _turn(before[-2], before[-1], points[place - 1]) <= 0:
            before.pop()
        before.append(points[place - 1])
        end = max(end, place)
        while True:
            while following[end] and _turn(before[0], moved[end], moved[following[end]]) <= 0:
                end = following[end]
            if len(before) < 2 or _turn(before[0], before[1], moved[end]) < 0:
                break
            before.popleft()
        (x, y), (x_end, y_end) = before[0], moved[end]
        levels.append((y_end - y) / (x_end - x))
    return levels


def _hull_from_each(points: list[Point]) -> list[int]:
    """Return, for each point, the next corner of the lower hull of it and all to its right; 0 after the last."""
    following = [0] * len(points)
    corners: list[int] = []
    for place in range(len(points) - 1, -1, -1):
        while len(corners) > 1 and _turn(points[place], points[corners[-1]], points[corners[-2]]) <= 0:
            corners.pop()
        following[place] = corners[-1] if corners else 0
        corners.append(place)
    return following


def _turn(a: Point, b: Point, c: Point) -> int:
    """Return more than 0 where the way from a over b to c turns left, 0 where it is straight."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
