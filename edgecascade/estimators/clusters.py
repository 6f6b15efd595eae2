"""Kinds of questions that nobody named: k-means with its centres far apart at the start.

Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding" (2007); Lloyd's iterations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array

ROUNDS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Centres (c, d)."""

    centres: Array

    def __len__(self) -> int:
        return len(self.centres)

    def __call__(self, features: Array) -> NDArray[np.intp]:
        """Return the number of the nearest centre of each row (n,); of two at the same distance the lower."""
        return np.asarray(_far(features, self.centres).argmin(axis=1), np.intp)

    def as_json(self) -> dict[str, Any]:
        """Return the centres."""
        return {"centres": self.centres}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(*arrays(record, centres="cd"))


def fit_clusters(features: Array, clusters: int, *, seed: int) -> Clusters:
    """Return up to ``clusters`` centres of rows (n, d): fewer where fewer rows differ.

    A centre that loses all its rows moves to the row that is farthest from its own.
    """
    centres = _first(features, clusters, np.random.default_rng(seed))
    before = np.full(len(features), -1)
    for _ in range(ROUNDS):
        nearest = _far(features, centres).argmin(axis=1)
        if (nearest == before).all():
            break
        before = nearest
        centres = _means(features, nearest, centres)
    return Clusters(centres)


def _first(features: Array, clusters: int, random: np.random.Generator) -> Array:
    """Return rows drawn one by one, each with a chance that grows with its squared distance from those drawn."""
    chosen = [int(random.integers(len(features)))]
    far = _squares(features, features[chosen[0]])
    while len(chosen) < clusters and far.max() > 0:
        chosen.append(int(random.choice(len(features), p=far / far.sum())))
        far = np.minimum(far, _squares(features, features[chosen[-1]]))
    return features[chosen]


def _means(features: Array, nearest: NDArray[np.intp], centres: Array) -> Array:
    far = _squares(features, centres[nearest])
    counts = np.bincount(nearest, minlength=len(centres))
    order = np.argsort(nearest, kind="stable")
    filled = np.flatnonzero(counts)
    centres = np.empty_like(centres)
    starts = (np.cumsum(counts) - counts)[filled]
    centres[filled] = np.add.reduceat(features[order], starts, axis=0) / counts[filled, None]
    empty = np.flatnonzero(counts == 0)
    centres[empty] = features[np.argsort(-far, kind="stable")[: len(empty)]]
    return centres


def _squares(features: Array, centre: Array) -> Array:
    """Return the squared distances (n,); by differences, so that a row is at 0 from itself."""
    moved = features - centre
    return np.asarray(np.einsum("nd,nd->n", moved, moved))


def _far(features: Array, centres: Array) -> Array:
    """Return half the squared distances (n, c), less what is the same for all centres of a row."""
    return np.asarray(np.einsum("cd,cd->c", centres, centres) / 2 - features @ centres.T)
