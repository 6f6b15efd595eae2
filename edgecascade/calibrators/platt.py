"""Platt scaling: p = sigmoid(slope * s + intercept), two numbers; the choice below some 300 labels.

Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods" (1999),
section 2.2 for the smoothed targets; Lin, Lin, Weng, "A note on Platt's probabilistic outputs" (2007) for Newton's
method with backtracking.

Different from the paper: the slope cannot be negative. A score that ranks the wrong way is not turned round, it is
given no weight, and every answer gets the base rate.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from edgecascade.calibrators.calibrator import Floats, Labels, Scores, checked_rows, stored_number
from edgecascade.calibrators.logistic import fit_slopes, sigmoid, smoothed


@dataclass(frozen=True, slots=True)
class Platt:
    """p = sigmoid(slope * s + intercept), slope at least 0.

    >>> Platt(slope=2.0, intercept=1.0)(-0.5)
    0.5
    """

    kind: ClassVar[str] = "platt"
    slope: float
    intercept: float

    def __call__(self, scores: Scores) -> Scores:
        """Return p_correct."""
        return sigmoid(self.slope * scores + self.intercept)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Platt":
        """Return the calibrator that was stored; FittedFileError for a damaged one."""
        return cls(stored_number(record, "slope", least=0.0), stored_number(record, "intercept"))


def fit(scores: Floats, labels: Labels) -> Platt:
    """Return the fit to scores and labels (1 = right), shapes (n,); AttemptsError where they cannot be fitted."""
    scores, truth = checked_rows(scores, labels)
    slope, intercept = fit_slopes(scores[:, None], smoothed(truth))
    return Platt(slope, intercept)
