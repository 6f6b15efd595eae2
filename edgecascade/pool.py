"""A pool of models: what they made of recorded questions, and what a policy may know before it asks one of them.

    n, k, d   questions, models, query features
    quality   what an answer was worth, 0 to 1          cost   of a call, in the table's ``unit``
    a set of models   a row of k booleans; where sets are numbered, model i is bit i

Rows of every array stand for questions, columns for models in the order of ``models``. NaN: unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.errors import QuestionFileError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Unit = Literal["usd", "calls"]
FeatureKind = Literal["hidden", "encoder", "recorded", "text"]
Samples = tuple[str, ...]
"""What one model answered to one question: once, or several times; () where that is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a model's own answers showed, by name: signals of its log-probabilities; values (n, len(names))."""

    names: tuple[str, ...]
    values: Array

    def column(self, name: str) -> Array:
        """Return one signal (n,); KeyError where it was not recorded."""
        return self.values[:, dict(zip(self.names, range(len(self.names)), strict=True))[name]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Table:
    """Recorded results of k models on n questions.

    texts    what was asked, its choices with it           prompt_tokens  (n,)
    quality, cost  (n, k), known                           lengths  tokens of each answer (n, k)
    seconds  that each answer took (n, k)                  answers  by question, then by model; None: none recorded
    before, after  recorded estimates of quality, made before and after the model has run (n, k)
    evidence by model, of those whose answers were watched
    states   hidden state of the prompt (n, width), of the model ``reader``
    """

    models: tuple[str, ...]
    ids: tuple[str, ...]
    tasks: tuple[str, ...]
    texts: tuple[str, ...]
    quality: Array
    cost: Array
    unit: Unit
    prompt_tokens: Array
    lengths: Array
    seconds: Array
    before: Array
    after: Array
    answers: tuple[tuple[Samples, ...], ...] | None = None
    evidence: Mapping[str, Evidence] = field(default_factory=lambda: MappingProxyType({}))
    states: Array | None = None
    reader: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.models))
        for name in ("quality", "cost", "lengths", "seconds", "before", "after"):
            if (found := getattr(self, name).shape) != shape:
                raise QuestionFileError(f"a table's {name}: found shape {found}, wanted {shape}: questions x models")
        for name in ("quality", "cost"):
            if not np.isfinite(getattr(self, name)).all():
                raise QuestionFileError(f"a table's {name}: found NaN or infinity, wanted numbers; leave such rows out")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, quality: ArrayLike, cost: ArrayLike | None = None, *, models: Sequence[str] = (), **known: Any) -> Self:
        """Return a table of arrays; what is not given is unknown, and a cost that is not given is one call each.

        >>> Table.of([[0.0, 1.0], [1.0, 1.0]]).unit
        'calls'
        """
        quality = np.asarray(quality, np.float64)
        n, k = quality.shape
        unknown = np.full((n, k), np.nan)
        numbered = tuple(str(row) for row in range(n))
        given: dict[str, Any] = {
            "ids": numbered,
            "tasks": ("task",) * n,
            "texts": numbered,
            "prompt_tokens": np.zeros(n),
            "unit": "calls" if cost is None else "usd",
        } | dict.fromkeys(("lengths", "seconds", "before", "after"), unknown)
        costs = np.ones((n, k)) if cost is None else np.broadcast_to(np.asarray(cost, np.float64), (n, k))
        names = tuple(models) or tuple(f"m{model}" for model in range(k))
        return cls(models=names, quality=quality, cost=costs, **(given | known))

    def rows(self, index: ArrayLike) -> Self:
        """Return the table of some questions: their numbers, or a mask (n,)."""
        places = np.arange(len(self))[np.asarray(index)]
        parts: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, np.ndarray):
                parts[one.name] = value[places]
            elif one.name in ("ids", "tasks", "texts", "answers") and value is not None:
                parts[one.name] = tuple(value[place] for place in places)
        seen = {name: Evidence(one.names, one.values[places]) for name, one in self.evidence.items()}
        return replace(self, **parts, evidence=MappingProxyType(seen))

    def only(self, models: Sequence[str]) -> Self:
        """Return the table of some models, in their order."""
        columns = [self.models.index(name) for name in models]
        parts: dict[str, Any] = {
            name: getattr(self, name)[:, columns]
            for name in ("quality", "cost", "lengths", "seconds", "before", "after")
        }
        if self.answers is not None:
            parts["answers"] = tuple(tuple(row[column] for column in columns) for row in self.answers)
        seen = {name: one for name, one in self.evidence.items() if name in models}
        return replace(self, models=tuple(models), **parts, evidence=MappingProxyType(seen))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Queries:
    """What n questions look like before any model of the pool has answered.

    kind     "hidden": the local model's state behind the prompt; "encoder": a sentence encoder's vectors; "recorded":
             estimates that the table brings; "text": nothing but the words
    source   which model, encoder or file, for people
    vectors  (n, width); None for "text"
    sha256   of the model's or encoder's file; None: unknown
    """

    kind: FeatureKind
    source: str
    texts: tuple[str, ...]
    vectors: Array | None = None
    sha256: str | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, index: ArrayLike) -> Self:
        """Return some of them: their numbers, or a mask (n,)."""
        places = np.arange(len(self))[np.asarray(index)]
        vectors = None if self.vectors is None else self.vectors[places]
        return replace(self, texts=tuple(self.texts[place] for place in places), vectors=vectors)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Seen:
    """What a policy may know of n questions now: nothing of a model that has not run.

    features       of the query (n, d)             prompt_tokens  (n,)
    ran            which models have answered (n, k)
    after          p_correct of each answer that has one (n, k); NaN where the model has not run, or shows nothing
    margin         between the two likeliest first tokens of each answer that tells it (n, k); NaN as in ``after``
    answers        by question, then by model; () for a model that has not run
    open           which models may be asked: not down, allowed, within the budget (n, k)
    draw           a number from 0 to 1 for each question: what is mixed at random is decided by it (n,)
    waits          seconds before each model begins to answer (k,)
    """

    features: Array
    prompt_tokens: Array
    ran: Mask
    after: Array
    margin: Array
    answers: tuple[tuple[Samples, ...], ...] | None
    open: Mask
    draw: Array
    waits: Array

    def __len__(self) -> int:
        return len(self.ran)

    def rows(self, index: ArrayLike) -> Self:
        """Return what is seen of some questions: their numbers, or a mask (n,)."""
        places = np.arange(len(self))[np.asarray(index)]
        arrays = {
            name: getattr(self, name)[places]
            for name in ("features", "prompt_tokens", "ran", "after", "margin", "open", "draw")
        }
        answers = None if self.answers is None else tuple(self.answers[place] for place in places)
        return replace(self, **arrays, answers=answers)

    @classmethod
    def first(cls, features: ArrayLike, models: int, **known: Any) -> Self:
        """Return what is seen before any model has run.

        >>> Seen.first(np.zeros((2, 3)), 4).ran.any()
        np.False_
        """
        features = np.asarray(features, np.float64)
        n = len(features)
        unknown = np.full((n, models), np.nan)
        given: dict[str, Any] = {
            "prompt_tokens": np.zeros(n),
            "ran": np.zeros((n, models), bool),
            "after": unknown,
            "margin": unknown,
            "answers": None,
            "open": np.ones((n, models), bool),
            "draw": np.zeros(n),
            "waits": np.zeros(models),
        }
        return cls(features=features, **(given | known))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Beliefs:
    """What is believed of k models' answers to n questions, by which of them have run.

    means        quality expected of each model's answer in each of m states (n, m, k)
    state        which of the m states a numbered set of models that have run leads to (2^k,)
    covariances  of (what is believed in a state) - (what will be, once all have run), from training (m, k, k)
    cost         expected of a call (n, k)
    """

    means: Array
    state: NDArray[np.intp]
    covariances: Array
    cost: Array


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Feedback:
    """What came back of one answer: how good it was, or only whether the user was content.

    features  of the query (d,)      model  its place among ``models``      tokens, seconds, cost  of the answer
    quality   0 to 1, graded         liked  yes or no; either may be None
    prompt_tokens  of the question; with them a cost tells how long the answer was, where its tokens are not known
    """

    features: Array
    model: int
    quality: float | None = None
    liked: bool | None = None
    tokens: float | None = None
    seconds: float | None = None
    cost: float | None = None
    prompt_tokens: float | None = None
