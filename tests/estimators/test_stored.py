"""Tests of saved arrays: what does not belong together is refused with words."""

from typing import Any

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.estimators import Clusters, Logistic, Nearest, Ridge, empty_ridge, fit_clusters, fit_logistic
from edgecascade.estimators.nearest import fit_nearest
from edgecascade.estimators.stored import arrays

RANDOM = np.random.default_rng(0)
FITTED = [
    fit_logistic(RANDOM.normal(size=(20, 3)), RANDOM.random((20, 2))),
    fit_nearest(RANDOM.normal(size=(20, 3)), RANDOM.random((20, 2)), neighbours=5),
    fit_clusters(RANDOM.normal(size=(20, 3)), 2, seed=0),
    empty_ridge(3, 2),
]


@pytest.mark.parametrize("fitted", FITTED, ids=lambda one: type(one).__name__)
def test_a_damaged_record_is_refused(fitted: Logistic | Nearest | Clusters | Ridge) -> None:
    """Each array that is missing, of another shape, of texts or of NaN makes it one."""
    record: dict[str, Any] = fitted.as_json()
    for name, array in record.items():
        if isinstance(array, np.ndarray):
            wrong = [array[None], array * np.nan, None, "x", np.array(["x"])]
            for other in [record | {name: one} for one in wrong] + [{k: v for k, v in record.items() if k != name}]:
                with pytest.raises(PolicyError, match=f"damaged: found .*{name}"):
                    type(fitted).of_json(other)


def test_nan_passes_only_where_it_may() -> None:
    """Of rows some models may not have answered, their cost is NaN."""
    record = {"cost": np.array([[1.0, np.nan]]), "tokens": np.ones(1)}

    assert np.isnan(arrays(record, cost="mk?", tokens="m")[0][0, 1])
    with pytest.raises(PolicyError, match="NaN or infinity in cost"):
        arrays(record, cost="mk", tokens="m")


def test_axes_that_differ_are_told() -> None:
    """The message names the array and both sizes."""
    with pytest.raises(PolicyError, match=r"intercepts of shape \(3,\), with \{'d': 2, 'k': 2\}"):
        arrays({"weights": np.eye(2), "intercepts": np.ones(3)}, weights="dk", intercepts="k")
