"""What is believed of each model's answer, before it is asked and after: the estimate is the product, not the search.

features   a question as numbers (words, sparse: TF-IDF)     answered  p_correct by what an answer showed
logistic   k targets at once      ridge  row by row           nearest   neighbours      clusters  kinds of questions
before     by the question alone  updates  once some answered cost      of a call       pool      all of it as one value
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
