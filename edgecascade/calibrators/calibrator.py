"""What every calibrator is, and what it may be fitted on and read from."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import AttemptsError, FittedFileError

Floats = NDArray[np.float64]
Labels = NDArray[np.float64] | NDArray[np.bool_]
Scores = TypeVar("Scores", float, Floats)

LARGEST = 1e100
"""Scores beyond it are refused like infinite ones: their sums and squares would overflow."""


class Calibrator(Protocol):
    """A fitted map from a head's raw score, any real number, to the probability that the answer is right.

    Non-decreasing. One float gives one float, an array of shape (n,) gives one of shape (n,), and both are the same to
    the last bit: a threshold found on arrays must hold for one answer. A NaN score gives NaN, which no threshold keeps.
    """

    kind: ClassVar[str]

    def __call__(self, scores: Scores) -> Scores:
        """Return p_correct, strictly between 0 and 1."""

    def as_json(self) -> dict[str, Any]:
        """Return what ``calibrator_from_json`` reads back."""


def checked_rows(scores: Floats, labels: Labels, *, classes: int = 2) -> tuple[Floats, Floats]:
    """Return scores and labels, shapes (n,), in an order of their own, so that the order of the rows cannot matter.

    Raises AttemptsError for lengths that differ, scores that are not finite, labels other than 0 and 1, and fewer than
    ``classes`` different labels.
    """
    scores, truth = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    if scores.ndim != 1 or scores.shape != truth.shape:
        raise AttemptsError(
            f"scores and labels do not belong together: found shapes {scores.shape} and {truth.shape}, wanted (n,) "
            "twice; give one label for each score"
        )
    wild = int(np.count_nonzero(~(np.abs(scores) <= LARGEST)))
    if wild:
        raise AttemptsError(
            f"a score cannot be fitted: found {wild} of {len(scores)} that are NaN, infinite or beyond {LARGEST:g}, "
            "wanted none; leave out the attempts whose head failed"
        )
    strange = truth[(truth != 0) & (truth != 1)]
    if len(strange):
        raise AttemptsError(
            f"a label is neither right nor wrong: found {strange[0]:g}, wanted 0 or 1; grade to 0 or 1 first"
        )
    found = len(np.unique(truth))
    if found < classes:
        raise AttemptsError(
            f"nothing to tell apart: found {len(truth)} attempts with {found} kinds of label, wanted both right (1) "
            "and wrong (0); add questions, harder or easier ones"
            if classes == 2
            else "no attempts: found 0, wanted at least one; collect some first"
        )
    order = np.lexsort((truth, scores))
    return scores[order], truth[order]


def stored_number(record: Mapping[str, Any], name: str, *, least: float = -math.inf) -> float:
    """Return a finite number of a stored record; FittedFileError for anything else, or one below ``least``."""
    value = record.get(name)
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= least
    if not good:
        raise FittedFileError(
            f"a damaged calibrator: found {name} = {value!r:.60}, wanted a finite number"
            f"{'' if least == -math.inf else f' of at least {least:g}'}; calibrate again"
        )
    return float(value)  # type: ignore[arg-type]


def stored_numbers(
    record: Mapping[str, Any],
    name: str,
    *,
    length: int | None = None,
    strictly: bool = False,
    probabilities: bool = False,
) -> tuple[float, ...]:
    """Return a non-decreasing list of a stored record: not empty, ``strictly`` increasing, within 0 to 1, as asked for.

    Raises FittedFileError for anything else.
    """
    values = record.get(name)
    rows = values if isinstance(values, list | tuple) else []
    numbers = tuple(stored_number({name: value}, name) for value in rows)
    pairs = list(pairwise(numbers))
    rising = all(a < b for a, b in pairs) if strictly else all(a <= b for a, b in pairs)
    inside = not probabilities or all(0 <= value <= 1 for value in numbers)
    if not numbers or not rising or not inside or (length is not None and len(numbers) != length):
        raise FittedFileError(
            f"a damaged calibrator: found {name} = {values!r:.60} ({len(numbers)} numbers), wanted "
            f"{'one or more' if length is None else length} numbers, {'rising' if strictly else 'never falling'}"
            f"{', from 0 to 1' if probabilities else ''}; calibrate again"
        )
    return numbers
