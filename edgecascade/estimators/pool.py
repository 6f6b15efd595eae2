"""What is believed of every model of a pool, before and after some of them have run: the estimate is the product.

before     quality by the question alone          updates   what answers that were seen change
cost       expected of a call
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import PolicyError
from edgecascade.estimators.before import Before, fit_before
from edgecascade.estimators.cost import Cost, fit_cost
from edgecascade.estimators.folds import folds_of
from edgecascade.estimators.logistic import checked
from edgecascade.estimators.stored import arrays
from edgecascade.estimators.updates import Updates, fit_updates
from edgecascade.pool import Array, Beliefs, Mask, Seen, Table


@dataclass(frozen=True, slots=True, eq=False)
class PoolEstimator:
    """Fulfils ``policies.pooled.Estimator``; covariances (m, k, k) as in ``Beliefs``."""

    models: tuple[str, ...]
    covariances: Array
    before: Before
    updates: Updates
    expense: Cost

    def states(self, ran: Mask) -> NDArray[np.intp]:
        """Return which of the m states each row is in (n,)."""
        return self.updates.states(ran)

    def quality(self, seen: Seen) -> Array:
        """Return the quality expected of each model's answer (n, k), strictly between 0 and 1."""
        before = self.before(seen.features, seen.prompt_tokens)
        return self.updates(before, np.where(seen.ran, seen.after, np.nan), self.states(seen.ran))

    def cost(self, seen: Seen) -> Array:
        """Return the cost expected of a call to each model (n, k)."""
        return self.expense(seen.features, seen.prompt_tokens)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {
            "models": list(self.models),
            "covariances": self.covariances,
            "before": self.before.as_json(),
            "updates": self.updates.as_json(),
            "expense": self.expense.as_json(),
        }

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        [covariances] = arrays(record, covariances="mkk")
        return cls(
            tuple(record["models"]),
            covariances,
            Before.of_json(record["before"]),
            Updates.of_json(record["updates"]),
            Cost.of_json(record["expense"]),
        )


def fit_estimator(
    table: Table, features: Array, after: Array, *, folds: int = 5, seed: int = 0
) -> tuple[PoolEstimator, Beliefs]:
    """Return the estimator, and what one that had not seen it would believe of each training row.

    features  (n, d)      after  (n, k) out of fold, as from ``fit_after``, NaN where an answer shows nothing

    Folds are alike in tasks. Raises PolicyError for fewer rows than 2 folds need, arrays that do not fit the table, and
    features or qualities that cannot be fitted.
    """
    n, k = table.quality.shape
    if features.shape[:1] != (n,) or after.shape != (n, k) or n < 2:
        raise PolicyError(
            f"an estimator cannot be fitted: found features {features.shape} and after {after.shape} for {n} questions "
            f"and {k} models, wanted ({n}, d) and ({n}, {k}), at least 2 questions"
        )
    features, quality = checked(features, table.quality)
    tokens = table.prompt_tokens
    if not (np.isfinite(tokens) & (tokens >= 0)).all():
        raise PolicyError(
            "prompt_tokens cannot be fitted on: found NaN, infinity or less than 0, wanted a count of each question; "
            "where it is unknown, 0 of all"
        )
    parts = folds_of(table.tasks, min(folds, n), seed)
    before, expected = fit_before(features, tokens, table.tasks, quality, parts)
    updates, means = fit_updates(expected, after, quality, parts)
    expense, cost = fit_cost(features, tokens, table.cost, parts)
    covariances = np.stack([np.atleast_2d(np.cov(off.T)) for off in np.moveaxis(means - means[:, -1:], 1, 0)])
    estimator = PoolEstimator(table.models, covariances, before, updates, expense)
    sets = (np.arange(1 << k)[:, None] >> np.arange(k) & 1).astype(bool)
    return estimator, Beliefs(means=means, state=estimator.states(sets), covariances=covariances, cost=cost)
