"""Which rows are left out together, so that every estimate of a training row is made without it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Parts = NDArray[np.intp]
"""The fold of each row (n,), 0 to folds - 1."""


def folds_of(groups: Sequence[str] | int, folds: int, seed: int) -> Parts:
    """Return the fold of each row (n,): as many rows in each, and of each group in each, as can be.

    groups  the task of each row, or how many rows there are; with fewer rows than folds some folds stay empty

    >>> np.bincount(folds_of(["a"] * 4 + ["b"] * 6, 2, seed=0)).tolist()
    [5, 5]
    """
    names = np.zeros(groups, np.intp) if isinstance(groups, int) else np.unique(groups, return_inverse=True)[1]
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(names[shuffled], kind="stable")]
    parts = np.empty(len(names), np.intp)
    parts[order] = np.arange(len(names)) % folds
    return parts
