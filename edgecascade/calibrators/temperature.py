"""Temperature scaling: p = sigmoid(s / T), one number; for a score that is a logit already and only too loud or soft.

Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", arXiv:1706.04599, section 4.2, two classes.

Different from the paper: fitted to Platt's smoothed targets, so that scores that separate the labels give a finite fit.
Stored is 1/T, which is 0, not infinite, where the score says nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from edgecascade.calibrators.calibrator import Floats, Labels, Scores, checked_rows, stored_number
from edgecascade.calibrators.logistic import fit_slopes, sigmoid, smoothed


@dataclass(frozen=True, slots=True)
class Temperature:
    """p = sigmoid(slope * s), slope = 1/T at least 0.

    >>> Temperature(slope=0.5)(0.0)
    0.5
    """

    kind: ClassVar[str] = "temperature"
    slope: float

    def __call__(self, scores: Scores) -> Scores:
        """Return p_correct."""
        return sigmoid(self.slope * scores)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted number."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Temperature":
        """Return the calibrator that was stored; FittedFileError for a damaged one."""
        return cls(stored_number(record, "slope", least=0.0))


def fit(scores: Floats, labels: Labels) -> Temperature:
    """Return the fit to scores and labels (1 = right), shapes (n,); AttemptsError where they cannot be fitted."""
    scores, truth = checked_rows(scores, labels)
    slope, _ = fit_slopes(scores[:, None], smoothed(truth), intercept=False)
    return Temperature(slope)
