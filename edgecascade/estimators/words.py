"""Words and pairs of words as numbers: TF-IDF on its principal axes, fitted and live by the same function.

    tf    1 + ln(how often the term stands in the text)
    idf   1 + ln((1 + n) / (1 + in how many of the n texts it stands))      rows are then scaled to length 1

Salton and Buckley, "Term-weighting approaches in automatic text retrieval" (1988); the truncated SVD behind it is
latent semantic analysis (Deerwester et al., 1990). Different from both: numbers and signs are words too, for a formula
is made of them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np

from edgecascade.errors import PolicyError
from edgecascade.estimators.sparse import Sparse, axes
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array

WORD = re.compile(r"\w+|[^\w\s]")
LONGEST = 20_000
"""Characters of a text that are read."""
MOST_TERMS = 10_000
MOST_ROWS = 10_000
"""Texts that terms and axes are found on, drawn at random."""
CHUNK = 2_000
"""Texts whose terms are held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Terms with their idf (v,) and axes (v, d)."""

    terms: tuple[str, ...]
    idf: Array
    axes: Array
    places: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(cls, terms: Sequence[str], idf: Array, directions: Array) -> Self:
        """Return the words of these terms."""
        return cls(tuple(terms), idf, directions, {term: place for place, term in enumerate(terms)})

    def __call__(self, texts: Sequence[str]) -> Array:
        """Return each text on the axes (n, d); zeros for one of unknown words."""
        chunks = [self.rows(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
        return np.concatenate([rows @ self.axes for rows in chunks] or [np.empty((0, self.axes.shape[1]))])

    def rows(self, texts: Sequence[str]) -> Sparse:
        """Return each text's TF-IDF row of length 1, or of zeros."""
        return _rows((Counter(_terms(text)) for text in texts), self.places, self.idf)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"terms": list(self.terms), "idf": self.idf, "axes": self.axes}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        idf, directions = arrays(record, idf="v", axes="vd")
        if len(record["terms"]) != len(idf):
            raise PolicyError(f"saved words are damaged: found {len(idf)} weights for {len(record['terms'])} terms")
        return cls.of(record["terms"], idf, directions)


def fit_words(texts: Sequence[str], dims: int, random: np.random.Generator) -> Words:
    """Return up to ``dims`` axes of the terms that stand in at least two of the texts; of many texts some are read."""
    if len(texts) > MOST_ROWS:
        texts = [texts[row] for row in np.sort(random.permutation(len(texts))[:MOST_ROWS])]
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(set(_terms(text)))
    common = sorted((-count, term) for term, count in seen.items() if count > 1)[:MOST_TERMS]
    terms = sorted(term for _, term in common)
    if not terms:
        return Words.of((), np.empty(0), np.empty((0, 0)))
    idf = 1 + np.log((1 + len(texts)) / (1 + np.array([seen[term] for term in terms], np.float64)))
    rows = Words.of(terms, idf, np.empty((len(terms), 0))).rows(texts)
    return Words.of(terms, idf, axes(rows, dims, random))


def _terms(text: str) -> list[str]:
    """Return the words of a text and the pairs of neighbours."""
    words = WORD.findall(text[:LONGEST].lower())
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def _rows(counted: Iterable[Counter[str]], places: Mapping[str, int], idf: Array) -> Sparse:
    columns: list[int] = []
    counts: list[int] = []
    starts = [0]
    for terms in counted:
        known = [(places[term], count) for term, count in terms.items() if term in places]
        columns.extend(place for place, _ in known)
        counts.extend(count for _, count in known)
        starts.append(len(columns))
    where, ends = np.array(columns, np.intp), np.array(starts, np.intp)
    values = (1 + np.log(np.array(counts, np.float64))) * idf[where]
    rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    lengths = np.sqrt(np.bincount(rows, weights=values**2))
    return Sparse(values / lengths[rows], where, ends, len(idf))
