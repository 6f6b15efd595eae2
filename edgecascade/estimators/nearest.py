"""The mean over a question's nearest neighbours among those recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecascade.estimators.folds import Parts, folds_of
from edgecascade.estimators.logistic import checked
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array

NEIGHBOURS = (10, 20, 40, 80)
"""What cross-validation chooses from."""
FOLDS = 5
CHUNK = 4_000_000
"""Distances held at a time: 32 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Rows (n, d) with their targets (n, k), and how many neighbours are asked; ``squares`` are |row|^2 / 2 (n,)."""

    features: Array
    targets: Array
    neighbours: int
    squares: Array

    @classmethod
    def of(cls, features: Array, targets: Array, neighbours: int) -> Self:
        """Return these rows, each known by its Euclidean distance; at most all of them are asked."""
        return cls(features, targets, min(neighbours, len(features)), np.einsum("nd,nd->n", features, features) / 2)

    def __call__(self, features: Array) -> Array:
        """Return the mean target of each row's neighbours (n, k)."""
        return np.asarray(self.targets[self.places(features)].mean(axis=1))

    def places(self, features: Array) -> NDArray[np.intp]:
        """Return which recorded rows are nearest to each row (n, neighbours), the nearest first."""
        step = max(CHUNK // max(len(self.features), 1), 1)
        found = [self._nearest(features[start : start + step]) for start in range(0, len(features), step)]
        return np.concatenate(found) if found else np.empty((0, self.neighbours), np.intp)

    def _nearest(self, features: Array) -> NDArray[np.intp]:
        far = self.squares - features @ self.features.T  # half of |a - b|^2, less what is the same for all
        if self.neighbours == len(self.features):
            return np.argsort(far, axis=1, kind="stable")
        found = np.argpartition(far, self.neighbours - 1, axis=1)[:, : self.neighbours]
        order = np.argsort(np.take_along_axis(far, found, axis=1), axis=1, kind="stable")
        return np.take_along_axis(found, order, axis=1)

    def as_json(self) -> dict[str, Any]:
        """Return the rows and the number of neighbours."""
        return {"features": self.features, "targets": self.targets, "neighbours": self.neighbours}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        features, targets = arrays(record, features="nd", targets="nk")
        return cls.of(features, targets, int(record["neighbours"]))


def fit_nearest(features: Array, targets: Array, *, neighbours: int | None = None, seed: int = 0) -> Nearest:
    """Return neighbours for features (n, d) and targets (n, k) in [0, 1].

    neighbours  None: of ``NEIGHBOURS`` the number of least cross-validated squared error
    """
    features, targets = checked(features, targets)
    if neighbours is None and len(features) < 2:
        neighbours = 1
    if neighbours is None:
        parts = folds_of(len(features), FOLDS, seed)
        held = out_of_fold(features, targets, NEIGHBOURS, parts)
        neighbours = NEIGHBOURS[int(np.argmin([np.mean((mean - targets) ** 2) for mean in held]))]
    return Nearest.of(features, targets, neighbours)


def out_of_fold(features: Array, targets: Array, neighbours: Sequence[int], parts: Parts) -> Array:
    """Return, by number of neighbours, every row's mean without its fold (len(neighbours), n, k)."""
    found = np.empty((len(neighbours), *targets.shape))
    for part in range(int(parts.max(initial=0)) + 1):
        held = parts == part
        most = Nearest.of(features[~held], targets[~held], max(neighbours))
        means = np.cumsum(most.targets[most.places(features[held])], axis=1)
        for number, count in enumerate(neighbours):
            asked = min(count, most.neighbours)
            found[number, held] = means[:, asked - 1] / asked
    return found
