"""This run against an earlier one: a verdict a row, and none where the two cannot be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgecascade.bench.rows import FEWEST, LEVEL, SEED, Row, Unit, medians, model_of

Outcome = Literal["faster", "slower", "more", "less", "no difference seen", "not comparable"]
WORDS: Mapping[Unit, tuple[Outcome, Outcome]] = {"tokens/s": ("faster", "slower"), "ms": ("slower", "faster")}
"""What a larger and a smaller figure mean; "more" and "less" of other units."""
SAME = (("cpu_info", "another device"), ("gpu_info", "another device"), ("n_threads", "other threads"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a row stands to the earlier one.

    ratio      of the medians, now to then, with its 95 % interval; None where nothing is concluded
    reason     why not comparable
    """

    suite: str
    test: str
    outcome: Outcome
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def compare(now: Sequence[Row], then: Sequence[Row]) -> list[Verdict]:
    """Return a verdict for each row of now, matched by suite, test and model."""
    return [_verdict(row, _partner(row, then)) for row in now]


def _partner(row: Row, then: Sequence[Row]) -> Row | None:
    same = [other for other in then if (other.suite, other.test, other.unit) == (row.suite, row.test, row.unit)]
    of_model = [other for other in same if model_of(other) == model_of(row)]
    return next(iter(of_model or same), None)


def _verdict(row: Row, other: Row | None) -> Verdict:
    if other is None:
        return Verdict(row.suite, row.test, "not comparable", reason="not in the earlier run")
    if reason := why_not(row, other):
        return Verdict(row.suite, row.test, "not comparable", reason=reason)
    ratio, low, high = ratio_of_medians(row.samples, other.samples)
    larger, smaller = WORDS.get(row.unit, ("more", "less"))
    outcome: Outcome = larger if low > 1 else smaller if high < 1 else "no difference seen"
    return Verdict(row.suite, row.test, outcome, ratio, low, high)


def why_not(row: Row, other: Row) -> str:
    """Return why two rows of one test cannot be compared; "" where they can."""
    for when, one in (("this run", row), ("the earlier run", other)):
        if one.worthless:
            return f"{when} is worthless: {one.worthless}"
        if one.unknown:
            return f"{when}: {one.unknown}"
    if model_of(row) != model_of(other):
        return f"another model: {model_of(row)} now, {model_of(other) or 'unnamed'} then"
    for key, what in SAME:
        if row.facts.get(key) != other.facts.get(key):
            return f"{what}: {row.facts.get(key) or 'none'} now, {other.facts.get(key) or 'none'} then"
    fewest = min(len(row.samples), len(other.samples))
    if fewest < FEWEST:
        return f"too few samples: found {fewest}, wanted {FEWEST} or more; give --rounds {FEWEST}"
    if not all(min(one.samples) > 0 for one in (row, other)):
        return "a figure of 0 or below has no ratio"
    return ""


def ratio_of_medians(now: Sequence[float], then: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio of the medians with its 95 % interval, by bootstrap of both.

    >>> ratio_of_medians([2.0] * 5, [1.0] * 5)
    (2.0, 2.0, 2.0)
    """
    drawn = medians(now, SEED) / medians(then, SEED + 1)
    low, high = np.percentile(drawn, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(np.median(now) / np.median(then)), float(low), float(high)
