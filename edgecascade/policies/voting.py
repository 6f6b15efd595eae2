"""Whose answer is given when several models have answered: equal answers are a group, the heaviest group wins.

    n, k, s   questions, models, samples of each model
    label     a number of an answer: equal answers of one question have equal numbers, -1: no answer known

Two texts are equal answers when what they announce is the same words: "The answer is (B)." and "b" are.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.grading.text import final_statement, words_of
from edgecascade.pool import Array, Samples, Table

Labels = NDArray[np.intp]

NO_LABEL = -1
ALMOST = 1 - 1e-9
"""Groups as heavy as the heaviest but for the last bits weigh the same, in whichever order they were added."""


def labels_of(table: Table) -> Labels:
    """Return the answers' labels (n, k, s); where none are recorded, those of ``labels_of_quality``."""
    return labels_of_quality(table.quality) if table.answers is None else labels_of_answers(table.answers)


def labels_of_answers(answers: Iterable[Iterable[Samples]]) -> Labels:
    """Return the labels (n, k, s) of texts by question, then by model; s is the most samples that any has, at least 1.

    >>> labels_of_answers(((("The answer is (B).",), (), ("b", "C")),))[0].tolist()
    [[0, -1], [-1, -1], [0, 1]]
    """
    rows = [[[statement(text) for text in samples] for samples in row] for row in answers]
    samples = max([len(texts) for row in rows for texts in row], default=1)
    labels = np.full((len(rows), len(rows[0]) if rows else 0, max(samples, 1)), NO_LABEL, np.intp)
    for question, row in enumerate(rows):
        numbers: dict[str, int] = {}
        for model, texts in enumerate(row):
            labels[question, model, : len(texts)] = [numbers.setdefault(text, len(numbers)) for text in texts]
    return labels


def labels_of_quality(quality: Array) -> Labels:
    """Return labels (n, k, 1) by which answers of equal quality are equal answers: the least that voting could get.

    Wrong answers that differ stand together in them, which they would not do if the texts were known.
    """
    first = (quality[:, :, None] == quality[:, None, :]).argmax(axis=2)
    return np.asarray(first[:, :, None], np.intp)


def statement(answer: str) -> str:
    """Return what an answer announces, as words that can be compared; the bare text where it has no words."""
    words = words_of(final_statement(answer), articles=True)
    return " ".join(words) or answer.strip()


def chosen(weights: ArrayLike, labels: Labels) -> Labels:
    """Return the model whose answer is given (n,): of the heaviest group the member of most weight; -1: no weight.

    weights  of each model's vote (n, k), at least 0; its samples share it, so that ten do not outvote one
    labels   (n, k, s); a model of weight whose answer is not known votes for itself alone

    Of equally heavy groups the one that holds the heaviest member wins, then the one with the lowest index.

    >>> chosen([[0.4, 0.3, 0.3]], np.array([[[0], [1], [1]]]))
    array([1])
    """
    weights = np.asarray(weights, np.float64)
    votes = shares(weights, labels)
    groups = votes.sum(axis=1)
    winning = groups >= groups.max(axis=1, keepdims=True) * ALMOST
    best = np.where(winning[:, None, :], votes, 0.0).max(axis=2, initial=0.0)
    close = best >= best.max(axis=1, keepdims=True) * ALMOST
    return np.where(weights.sum(axis=1) > 0, close.argmax(axis=1), -1).astype(np.intp)


def shares(weights: Array, labels: Labels) -> Array:
    """Return the weight that each model gives to each group (n, k, groups)."""
    n, k, _ = labels.shape
    silent = (labels < 0).all(axis=2, keepdims=True)
    own = int(labels.max(initial=NO_LABEL)) + 1
    labels = np.where(silent, own + np.arange(k)[None, :, None], labels)
    known = labels >= 0
    each = np.divide(weights, known.sum(axis=2), out=np.zeros((n, k)), where=known.any(axis=2))
    groups = own + k
    places = np.arange(n * k).reshape(n, k, 1) * groups + np.where(known, labels, 0)
    spread = np.where(known, each[:, :, None], 0.0)
    votes = np.bincount(places.ravel(), spread.ravel(), minlength=n * k * groups)
    return np.asarray(votes.reshape(n, k, groups), np.float64)
