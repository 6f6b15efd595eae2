"""What is believed of each model's answer, before it is asked and after: the estimate is the product, not the search.

    what a question looks like   features: as some dozens of numbers      words, sparse: TF-IDF and its axes
    learners, for any target     logistic: k targets at once              ridge: row by row
                                 nearest: neighbours                      clusters: kinds that nobody named
    what is believed             before: by the question alone            domains: which task it seems to come from
                                 answered: p_correct by what was shown    updates: what that says of the others
                                 cost: of a call                          pool: all of it as one value
    beneath                      folds: who is left out together          stored: arrays out of a record

Whoever fits a whole pool calls ``fit_features``, ``fit_after`` and ``fit_estimator``, in this order.
"""

from edgecascade.estimators.answered import After, fit_after
from edgecascade.estimators.clusters import Clusters, fit_clusters
from edgecascade.estimators.features import Features, fit_features
from edgecascade.estimators.logistic import Logistic, fit_logistic
from edgecascade.estimators.nearest import Nearest, fit_nearest
from edgecascade.estimators.pool import PoolEstimator, fit_estimator
from edgecascade.estimators.ridge import Ridge, empty_ridge, fit_ridge

__all__ = [
    "After",
    "Clusters",
    "Features",
    "Logistic",
    "Nearest",
    "PoolEstimator",
    "Ridge",
    "empty_ridge",
    "fit_after",
    "fit_clusters",
    "fit_estimator",
    "fit_features",
    "fit_logistic",
    "fit_nearest",
    "fit_ridge",
]
