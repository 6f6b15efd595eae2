"""This run against an earlier one: a verdict a row, and none where the two cannot be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from edgecascade.bench.fixed_work import TEST as CONTROL
from edgecascade.bench.rows import FEWEST, LEVEL, SEED, Row, Unit, medians, model_of

Outcome = Literal["faster", "slower", "more", "less", "no difference seen", "not comparable"]
WORDS: Mapping[Unit, tuple[Outcome, Outcome]] = {"tokens/s": ("faster", "slower"), "ms": ("slower", "faster")}
"""What a larger and a smaller figure mean; "more" and "less" of other units."""
SAME = (("cpu_info", "another device"), ("gpu_info", "another device"), ("n_threads", "other threads"),
        ("questions", "other questions"), ("minutes", "another length in minutes"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a row stands to the earlier one.

    ratio      of the medians, now to then, with its 95 % interval; None where nothing is concluded
    reason     why not comparable, or why nothing is concluded from the interval
    """

    suite: str
    test: str
    outcome: Outcome
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def compare(now: Sequence[Row], then: Sequence[Row]) -> list[Verdict]:
    """Return a verdict for each row of now, matched by suite, test and model.

    What took time is only called different where it is by more than the machine itself may have changed.
    """
    found = [_verdict(row, _partner(row, then)) for row in now]
    controls = {one.suite: one for one in found if one.test == CONTROL}
    return [_allowing(row.unit, one, controls.get(row.suite)) for row, one in zip(now, found, strict=True)]


def without_control(verdicts: Sequence[Verdict]) -> bool:
    """Return whether something is concluded of a suite of which the two runs have no fixed work to compare."""
    known = {one.suite for one in verdicts if one.test == CONTROL and one.ratio is not None}
    return any(one.ratio is not None and one.suite not in known for one in verdicts)


def _allowing(unit: Unit, verdict: Verdict, control: Verdict | None) -> Verdict:
    """Return the verdict where it stands whatever part of the control's interval, widened to 1, is the machine's."""
    if control is None or control is verdict or unit not in WORDS or None in (control.ratio, verdict.ratio):
        return verdict
    assert control.low is not None and control.high is not None and verdict.low is not None and verdict.high is not None
    quicker, slower = min(control.low, 1.0), max(control.high, 1.0)
    low, high = (verdict.low / slower, verdict.high / quicker)
    if unit == "tokens/s":
        low, high = verdict.low * quicker, verdict.high * slower
    if low > 1 or high < 1 or verdict.outcome == "no difference seen":
        return verdict
    why = f"fixed work took {control.ratio:.2f} x as long: the machine itself changed"
    return replace(verdict, outcome="no difference seen", reason=why)


def _partner(row: Row, then: Sequence[Row]) -> Row | None:
    same = [other for other in then if (other.suite, other.test, other.unit) == (row.suite, row.test, row.unit)]
    of_model = [other for other in same if model_of(other) == model_of(row)]
    return next(iter(of_model or same), None)


def _verdict(row: Row, other: Row | None) -> Verdict:
    if other is None:
        return Verdict(row.suite, row.test, "not comparable", reason="not in the earlier run")
    if reason := why_not(row, other):
        return Verdict(row.suite, row.test, "not comparable", reason=reason)
    paired = "questions" in row.facts and len(row.samples) == len(other.samples)
    ratio, low, high = ratio_of_medians(row.samples, other.samples, paired=paired)
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


def ratio_of_medians(
    now: Sequence[float], then: Sequence[float], *, paired: bool = False
) -> tuple[float, float, float]:
    """Return the ratio of the medians with its 95 % interval, by bootstrap of both.

    paired  the samples are of the same questions, so they are drawn together

    >>> ratio_of_medians([2.0] * 5, [1.0] * 5)
    (2.0, 2.0, 2.0)
    """
    drawn = medians(now, SEED) / medians(then, SEED if paired else SEED + 1)  # one seed draws the same places
    low, high = np.percentile(drawn, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(np.median(now) / np.median(then)), float(low), float(high)
