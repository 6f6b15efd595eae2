"""What a question looks like to an estimator: some dozens of numbers, made alike from recorded and from live queries.

text             TF-IDF of words and pairs of words on its principal axes, and the text's outward shape
hidden, encoder  vectors standardised, on their principal axes
recorded         log-odds of the estimates that a table brings, standardised
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.calibrators.logistic import logit
from edgecascade.errors import PolicyError
from edgecascade.estimators.sparse import axes
from edgecascade.estimators.stored import arrays
from edgecascade.estimators.words import Words, fit_words
from edgecascade.pool import Array, FeatureKind, Queries

FLAT = 1e-9
"""A standard deviation below this, relative to the largest number, is rounding."""
EDGE = 1e-3
"""Recorded estimates are kept this far from 0 and 1."""
SHAPE = 0.05
"""Size of a standardised number of the text's shape, where the words' row has length 1."""
CHOICE = re.compile(r"^\s*\(?[A-J][.):]", re.MULTILINE)
DIGITS, SIGNS, CAPITALS = (re.compile(pattern) for pattern in (r"\d", r"[^\w\s]", r"[A-Z]"))


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """(vectors - centre) @ turn, for queries of one kind; of texts the vectors are ``shape_of`` them, words go first.

    centre (w,), turn (w, e); ``words`` only for "text"
    """

    kind: FeatureKind
    centre: Array
    turn: Array
    words: Words | None = None

    def __call__(self, queries: Queries) -> Array:
        """Return the features (n, d); PolicyError for queries of another kind or width than those fitted on."""
        vectors = _vectors(queries)
        if queries.kind != self.kind or vectors.shape[1] != len(self.centre):
            raise PolicyError(
                f"these queries are not like those fitted on: found {queries.kind} of width {vectors.shape[1]}, wanted "
                f"{self.kind} of width {len(self.centre)}; use the same model or encoder, or fit again"
            )
        turned = (np.where(np.isfinite(vectors), vectors, self.centre) - self.centre) @ self.turn
        return turned if self.words is None else np.hstack([self.words(queries.texts), turned])

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers and terms."""
        words = None if self.words is None else self.words.as_json()
        return {"kind": self.kind, "centre": self.centre, "turn": self.turn, "words": words}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        words = None if record["words"] is None else Words.of_json(record["words"])
        centre, turn = arrays(record, centre="w", turn="we")
        return cls(record["kind"], centre, turn, words)


def fit_features(queries: Queries, *, dims: int = 64, seed: int = 0) -> Features:
    """Return how queries like these become at most ``dims`` features; of texts ``dims`` and the text's shape."""
    if not len(queries):
        raise PolicyError("no queries to fit features on: found 0, wanted at least one; give a training part")
    random, vectors = np.random.default_rng(seed), _vectors(queries)
    known = np.isfinite(vectors)
    counts = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, vectors, 0.0).sum(axis=0) / counts
    moved = np.where(known, vectors - centre, 0.0)
    spread = np.sqrt((moved**2).sum(axis=0) / counts)
    flat = spread <= FLAT * np.maximum(np.abs(centre), 1e-300)
    scale = np.where(flat, 0.0, 1 / np.where(flat, 1.0, spread))
    if queries.kind == "text":
        return Features("text", centre, np.diag(scale * SHAPE), fit_words(queries.texts, dims, random))
    if queries.kind == "recorded":
        return Features("recorded", centre, np.diag(scale))
    return Features(queries.kind, centre, scale[:, None] * axes(moved * scale, dims, random))


def shape_of(texts: Sequence[str]) -> Array:
    """Return the outward shape of texts (n, 7): lengths and shares, none of which depends on any vocabulary."""
    rows = []
    for text in texts:
        size = len(text) + 1
        shares = [len(pattern.findall(text)) / size for pattern in (DIGITS, SIGNS, CAPITALS)]
        words, lines, choices = len(text.split()), text.count("\n"), len(CHOICE.findall(text))
        rows.append([np.log(size), size / (words + 1), np.log1p(lines), np.log1p(choices), *shares])
    return np.array(rows, np.float64).reshape(len(texts), 7)


def _vectors(queries: Queries) -> Array:
    if queries.kind == "text":
        return shape_of(queries.texts)
    if queries.vectors is None or queries.vectors.ndim != 2 or len(queries.vectors) != len(queries):
        found = None if queries.vectors is None else queries.vectors.shape
        raise PolicyError(f"queries of kind {queries.kind} without their vectors: found {found}, wanted (n, width)")
    vectors = np.asarray(queries.vectors, np.float64)
    if queries.kind != "recorded" or np.nanmin(vectors, initial=0.0) < 0 or np.nanmax(vectors, initial=1.0) > 1:
        return vectors
    return np.asarray(logit(vectors.clip(EDGE, 1 - EDGE)))
