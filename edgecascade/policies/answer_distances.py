"""How far the answers of a pool lie apart, question by question, and whose error is the least.

far      squared distances between models' answers (n, k, k); NaN where one has none
groups   equal for models that answer all but the same (k,)
v        mean squared distance from the truth, as in ``signals.disagreement`` (n, k)
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecascade.policies.voting import statement
from edgecascade.pool import Array, Samples
from edgecascade.signals.disagreement import error_variances, mean_of_known, squared_distances, unit, word_vectors

Embed = Callable[[Sequence[str]], Array]
"""Texts to vectors (len(texts), d)."""
Answers = Sequence[Sequence[Samples]]

SAME = 0.02
"""Of the mean distance: models closer than that are one."""


def distances(answers: Answers, embed: Embed | None = None) -> Array:
    """Return the squared distances (n, k, k) between models' answers, several of one model at their mean.

    NaN where a model has none. Vectors are brought to length 1, so that every question weighs the same.
    """
    if embed is None:
        return np.stack(
            [_apart(row, word_vectors([statement(text) for one in row for text in one])) for row in answers]
        )
    texts = [text for row in answers for one in row for text in one]
    vectors = unit(embed(texts)) if texts else np.zeros((0, 1))
    ends = np.cumsum([sum(map(len, row)) for row in answers])[:-1]
    return np.stack([_apart(row, part) for row, part in zip(answers, np.split(vectors, ends), strict=True)])


def _apart(row: Sequence[Samples], vectors: Array) -> Array:
    """Return the squared distances (k, k) of one question's models, whose samples' vectors stand one below another."""
    counts = np.array([len(one) for one in row])
    owners = np.repeat(np.arange(len(row)), counts)
    total = np.zeros((len(row), vectors.shape[1]))
    np.add.at(total, owners, vectors)
    return squared_distances(total / np.maximum(counts, 1)[:, None])


def alike(mean_distances: Array) -> NDArray[np.intp]:
    """Return a number for each model (k,), the same for those that answer all but the same, from D (k, k)."""
    off = mean_distances[~np.eye(len(mean_distances), dtype=bool)]
    limit = SAME * float(np.nanmean(off)) if np.isfinite(off).any() else 0.0
    close = mean_distances <= limit
    np.fill_diagonal(close, True)
    for _ in range(len(close)):  # whoever is like one of a group is of it
        close = close @ close
    return np.asarray(close.argmax(axis=1), np.intp)


def grouped_variances(far: Array, groups: NDArray[np.intp]) -> Array:
    """Return v (n, k) where models of a group have one voice in each question: that of the first that has answered."""
    k = far.shape[1]
    speaks = np.isfinite(far[:, range(k), range(k)])
    same = groups[:, None] == groups[None, :]
    earlier = (speaks[:, None, :] & (same & np.tri(k, k=-1, dtype=bool))[None]).any(axis=2)
    voice = speaks & ~earlier
    found = error_variances(np.where(voice[:, :, None] & voice[:, None, :], far, np.nan))
    shared = np.where(np.isfinite(found), found, 0.0) @ same.astype(np.float64)
    heard = np.isfinite(found) @ same
    return np.where(speaks & heard, shared, np.nan)


def filled(variances: Array) -> Array:
    """Return v (n, m) with the model's mean where an answer says nothing; v is linear in D, so means may be taken."""
    return np.where(np.isfinite(variances), variances, mean_of_known(variances))
