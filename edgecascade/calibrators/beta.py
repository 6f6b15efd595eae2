"""Beta calibration: three numbers, which bend the two ends apart from each other.

Kull, Silva Filho, Flach, "Beta calibration: a well-founded and easily implemented improvement on logistic calibration
for binary classifiers", AISTATS 2017.

    u = sigmoid(s)      logit p = a ln u - b ln(1 - u) + c,   a, b >= 0      a = b is Platt's curve

In terms of s, ln u = -softplus(-s) and -ln(1 - u) = softplus(s): exact where u itself would round to 0 or 1.

Different from the paper: fitted to Platt's smoothed targets (finite where the scores separate the labels), and a
negative a or b is settled by comparing every case of the constrained optimum. With all scores on one side of 0 and far
from it, one of a and b rests on very little, and says what happens beyond the fitted scores: take Platt there.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from edgecascade.calibrators.calibrator import Floats, Labels, Scores, checked_rows, stored_number
from edgecascade.calibrators.logistic import fit_slopes, sigmoid, smoothed, softplus


@dataclass(frozen=True, slots=True)
class Beta:
    """logit p = a ln u - b ln(1 - u) + c, with u = sigmoid(s).

    >>> Beta(a=1.0, b=1.0, c=0.0)(1.0) == sigmoid(1.0)
    True
    """

    kind: ClassVar[str] = "beta"
    a: float
    b: float
    c: float

    def __call__(self, scores: Scores) -> Scores:
        """Return p_correct."""
        return sigmoid(self.b * softplus(scores) - self.a * softplus(-scores) + self.c)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Beta":
        """Return the calibrator that was stored; FittedFileError for a damaged one."""
        a, b = (stored_number(record, name, least=0.0) for name in ("a", "b"))
        return cls(a, b, stored_number(record, "c"))


def fit(scores: Floats, labels: Labels) -> Beta:
    """Return the fit to scores and labels (1 = right), shapes (n,); AttemptsError where they cannot be fitted."""
    scores, truth = checked_rows(scores, labels)
    features = np.column_stack([-softplus(-scores), softplus(scores)])
    return Beta(*fit_slopes(features, smoothed(truth)))
