"""How far several answers to one question lie apart, and whose error is the least: Smoothie, without a single label.

Guha, Chen, Chow, Khare, Re, "Smoothie: Label Free Language Model Routing", arXiv:2412.04692. An answer's vector
is the true answer's plus the model's own Gaussian error, independent of the others', so that squares add up:

    D_ij      E |vector_i - vector_j|^2 = v_i + v_j          v_i  E |vector_i - truth|^2
    v_i       the mean over all pairs (j, k) without i of (D_ij + D_ik - D_jk) / 2
    theta_i   d / (2 v_i), divided by their sum: the weight

With S_i the sum of row i of D and T that over all pairs of m models, v_i = ((m - 1) S_i - T) / ((m - 1) (m - 2)): all
pairs at once. The v_i add up to T / (m - 1), so their mean is never negative, though a single one may be.

Different from the paper: the least v_i is taken, not the largest theta_i, which has no meaning where v_i is not
positive; in the weights a v_i below FLOOR of their mean counts as FLOOR of it. An answer without a vector (NaN, or all
zeros) says nothing and is left out.

``vector_signals`` are of several drafts of one question. They stand beside the signals of one decode, not among them:
fitted heads look at the latter only. Five samples beside SmolLM2-135M's own answer, 76 questions, words for vectors,
AUROC of that answer's being right (two standard errors: .14): sample_distance .65, the share of equal answers .68,
sum_logprob of the one decode .76. They are for answers that are never equal word by word.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LEAST_MODELS = 3
"""With two answers there is one distance, and nothing to tell whose error it is."""
FLOOR = 0.01
ROUNDING = 1e-12
WORD = re.compile(r"\w+|[^\w\s]")


def squared_distances(vectors: ArrayLike) -> Array:
    """Return |a - b|^2 between the answers of each question: vectors (..., m, d), distances (..., m, m).

    NaN to and from an answer whose vector is all zeros or holds NaN or infinity.
    """
    vectors = np.asarray(vectors, np.float64)
    speaks = np.isfinite(vectors).all(axis=-1) & (vectors != 0).any(axis=-1)
    vectors = np.where(speaks[..., None], vectors, 0.0)
    squares = np.einsum("...d,...d->...", vectors, vectors)
    products = vectors @ np.swapaxes(vectors, -1, -2)
    far = np.maximum(squares[..., :, None] + squares[..., None, :] - 2 * products, 0.0)
    # What is left of equal vectors by rounding is no distance.
    far[far <= ROUNDING * (squares[..., :, None] + squares[..., None, :])] = 0.0
    far[..., range(far.shape[-1]), range(far.shape[-1])] = 0.0
    return np.where(speaks[..., :, None] & speaks[..., None, :], far, np.nan)


def disagreement(vectors: ArrayLike) -> Array:
    """Return D (m, m): the mean squared distance between the answers of m models to n questions, vectors (n, m, d).

    Over the questions that both have answered; NaN where there is none.
    """
    return mean_of_known(squared_distances(vectors))


def mean_of_known(values: Array) -> Array:
    """Return the mean over the first axis of what is not NaN; NaN where nothing is known."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def error_variances(distances: ArrayLike) -> Array:
    """Return v (..., m) of distances (..., m, m): each model's mean squared distance from the truth, up to chance.

    NaN for a model without distances, and for all where fewer than 3 have any.

    >>> error_variances([[0, 3, 4], [3, 0, 5], [4, 5, 0]]).tolist()
    [1.0, 2.0, 3.0]
    """
    far = np.asarray(distances, np.float64)
    off = np.isfinite(far) & ~np.eye(far.shape[-1], dtype=bool)
    count = off.sum(axis=-1)
    models = (count > 0).sum(axis=-1, keepdims=True)
    sums = np.where(off, far, 0.0).sum(axis=-1) * (models - 1) / np.maximum(count, 1)
    total = sums.sum(axis=-1, keepdims=True) / 2
    pairs = (models - 1) * (models - 2)
    found = ((models - 1) * sums - total) / np.maximum(pairs, 1)
    return np.where((count > 0) & (models >= LEAST_MODELS), found, np.nan)


def weights(variances: ArrayLike) -> Array:
    """Return theta (..., m), which add up to 1: 0 for NaN, equal where all answers are the same.

    >>> weights([1.0, 2.0, np.nan]).round(3).tolist()
    [0.667, 0.333, 0.0]
    """
    found = np.asarray(variances, np.float64)
    known = np.isfinite(found)
    count = known.sum(axis=-1, keepdims=True)
    mean = np.where(known, found, 0.0).sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    apart = mean > 0
    floored = np.where(apart, np.maximum(found, FLOOR * mean), 1.0)
    inverse = np.where(known, 1 / np.where(known, floored, 1.0), 0.0)
    return np.asarray(inverse / np.maximum(inverse.sum(axis=-1, keepdims=True), np.finfo(float).tiny))


def word_vectors(texts: Sequence[str]) -> Array:
    """Return how often each text has each of their words, as rows of length 1 (m, words); zeros for one without words.

    Two texts are then at squared distance 0 where they are the same words, 2 where they share none. Nothing is fitted:
    an answer in words that were never seen is still told from another.
    """
    counts = [Counter(WORD.findall(text.casefold())) for text in texts]
    places = {word: place for place, word in enumerate(sorted(set().union(*counts)))}
    vectors = np.zeros((len(texts), max(len(places), 1)))
    for row, found in enumerate(counts):
        vectors[row, [places[word] for word in found]] = list(found.values())
    return unit(vectors)


def unit(vectors: ArrayLike) -> Array:
    """Return vectors (..., d) of length 1; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float64)
    lengths = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))[..., None]
    return vectors / np.where(lengths > 0, lengths, 1.0)


def vector_signals(vectors: ArrayLike, chosen: int = 0) -> dict[str, float]:
    """Return how far one answer lies from the others, by vectors (m, d) of any length; none below 3 that have one.

    sample_distance  the mean squared distance of the chosen from the others, 0 (all alike) to 4
    sample_weight    its Smoothie weight, 0 to 1: 1/m where none stands out
    sample_rank      how many of the others have a smaller error, as a share of them, 0 to 1
    """
    far = squared_distances(unit(vectors))
    error = error_variances(far)
    others = np.flatnonzero(np.isfinite(error) & (np.arange(len(error)) != chosen))
    if not np.isfinite(error[chosen]):
        return {}
    return {
        "sample_distance": float(far[chosen, others].mean()),
        "sample_weight": float(weights(error)[chosen]),
        "sample_rank": float((error[others] < error[chosen]).mean()),
    }
