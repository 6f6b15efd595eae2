"""A calibrator of another device or quantisation, moved up or down by what a few labels from here say.

Shrinkage towards the fleet: the shape is kept, only the intercept is fitted again, as if it had been drawn for each
device from a normal distribution around the fleet's.

    b = argmin  -log likelihood of the labels under sigmoid(logit base(s) + b)  +  n0 b^2 / (2 s_b^2)

    s_b   standard deviation of the intercepts from device to device, logits
    n0    how much that prior weighs; 1 is Bayes' rule
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from edgecascade.calibrators.calibrator import Calibrator, Floats, Labels, Scores, checked_rows
from edgecascade.calibrators.logistic import logit, sigmoid
from edgecascade.errors import AttemptsError


@dataclass(frozen=True, slots=True)
class Shifted:
    """p = sigmoid(logit(calibrator(s)) + shift); shift in logits."""

    kind: ClassVar[str] = "shifted"
    calibrator: Calibrator
    shift: float

    def __call__(self, scores: Scores) -> Scores:
        """Return p_correct."""
        return sigmoid(logit(self.calibrator(scores)) + self.shift)

    def as_json(self) -> dict[str, Any]:
        """Return the shift and the calibrator below it."""
        return {"kind": self.kind, "shift": self.shift, "calibrator": self.calibrator.as_json()}


def refit_intercept(
    calibrator: Calibrator, scores: Floats, labels: Labels, *, prior_strength: float = 1.0, spread: float = 1.0
) -> Shifted:
    """Return the calibrator moved to fit these scores and labels (1 = right), shapes (n,); 30 to 50 rows will do.

    prior_strength is n0 and spread is s_b, both above 0. One kind of label alone is enough: the prior keeps the shift
    finite. A calibrator that was moved before starts again from the one below, so that each refit shrinks to the fleet.
    Raises AttemptsError for rows that cannot be fitted.
    """
    if not (0 < prior_strength < math.inf and 0 < spread < math.inf):
        raise AttemptsError(
            f"no prior to shrink to: found prior_strength {prior_strength:g} and spread {spread:g}, wanted both above "
            "0 and finite; leave them out for 1"
        )
    scores, truth = checked_rows(scores, labels, classes=1)
    base = calibrator.calibrator if isinstance(calibrator, Shifted) else calibrator
    log_odds = logit(base(scores))
    pull = prior_strength / spread**2
    # The slope of the loss rises with the shift, and its sign is known at either end: halve until float64 cannot.
    low, high = -len(truth) / pull, len(truth) / pull
    while low < (middle := (low + high) / 2) < high:
        if float((sigmoid(log_odds + middle) - truth).sum()) + pull * middle > 0:
            high = middle
        else:
            low = middle
    return Shifted(base, middle)
