"""The quality of each model's answer by the question alone: logistic regression on features and domains.

Where there is one domain only, the nearest neighbours are mixed in if cross-validation shows that they help; where it
does not even show that features do, each model is believed its mean. Log loss below that of the means, nats, fitted
on 30 % of two tables of 3,875 and 5,386 questions:

    regression .104 .083 | neighbours .104 .064 | both .110 .083 | regression with domains .121 .088 | all .121 .088

Beside domains neighbours pay only where 70 % are fitted on (.126 against .125), and the model of the highest estimate
is then no better. Random forests (.115 .080) and extremely randomised trees (.120 .089) on the same inputs were no
better than the regression.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecascade.calibrators.logistic import sigmoid
from edgecascade.estimators import logistic, nearest
from edgecascade.estimators.domains import Domains, fit_domains
from edgecascade.estimators.folds import Parts
from edgecascade.estimators.logistic import STRENGTHS, Logistic
from edgecascade.estimators.nearest import Nearest
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array

REACH = 2.0
"""How much a domain weighs beside the features, whose rows have a length near 1."""
APART = (1.0, 10.0)
NEIGHBOURS = (20, 40, 80)
SHARES = (0.25, 0.5, 0.75)
"""Of the neighbours in the mixture, if they have one."""
DOUBT = 2.0
"""Neighbours' means are drawn towards the training mean as if by this many rows of it."""
LENGTH = 0.1
"""Size of the standardised log-length of a prompt, relative to a row of features."""
MOST_ROWS = 5_000
COLUMNS = 48
"""The widest columns, which neighbours are near in: as good as all of them, and faster."""
EDGE = 1e-6
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Features divided by ``size``, the prompt's length (centre and scale of ln(1 + prompt tokens)), and domains."""

    size: float
    length: tuple[float, float]
    domains: Domains | None = None

    def __call__(self, features: Array, prompt_tokens: Array) -> Array:
        """Return the rows that the regression is on (n, d + 1 + t)."""
        plain = self.plain(features, prompt_tokens)
        return plain if self.domains is None else np.hstack([plain, REACH * self.domains(plain)])

    def plain(self, features: Array, prompt_tokens: Array) -> Array:
        """Return the rows without domains (n, d + 1)."""
        lengths = (np.log1p(prompt_tokens) - self.length[0]) * self.length[1]
        return np.hstack([features / self.size, lengths[:, None]])

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        domains = None if self.domains is None else self.domains.as_json()
        return {"size": self.size, "length": list(self.length), "domains": domains}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        domains = None if record["domains"] is None else Domains.of_json(record["domains"])
        centre, scale = record["length"]
        return cls(float(record["size"]), (float(centre), float(scale)), domains)


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Neighbours in the ``columns`` that are widest, their ``share``, and the means (k,) that they are drawn to."""

    nearest: Nearest
    share: float
    means: Array
    columns: NDArray[np.intp]

    def __call__(self, rows: Array, p: Array) -> Array:
        """Return ``p`` (n, k) mixed with the neighbours'."""
        found = self.nearest(rows[:, self.columns])
        return _mixed(p, found, self.nearest.neighbours, self.share, self.means)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"nearest": self.nearest.as_json()} | {
            name: getattr(self, name) for name in ("share", "means", "columns")
        }

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        means, columns = arrays(record, means="k", columns="c")
        return cls(Nearest.of_json(record["nearest"]), float(record["share"]), means, columns.astype(np.intp))


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """The regression on the inputs, and neighbours where there are any."""

    inputs: Inputs
    regression: Logistic
    near: Near | None = None

    def __call__(self, features: Array, prompt_tokens: Array) -> Array:
        """Return the quality expected (n, k), strictly between 0 and 1."""
        rows = self.inputs(features, prompt_tokens)
        p = self.regression(rows)
        return p if self.near is None else self.near(rows, p)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        near = None if self.near is None else self.near.as_json()
        return {"inputs": self.inputs.as_json(), "regression": self.regression.as_json(), "near": near}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        near = None if record["near"] is None else Near.of_json(record["near"])
        return cls(Inputs.of_json(record["inputs"]), Logistic.of_json(record["regression"]), near)


def fit_before(
    features: Array, prompt_tokens: Array, tasks: Sequence[str], quality: Array, parts: Parts
) -> tuple[Before, Array]:
    """Return the fit, and the quality expected of the training rows (n, k), each without its fold.

    ``apart`` and strength are those of least log loss over these folds, and so are the neighbours and their share;
    features, and then neighbours, are taken only where they gain more than the gain's standard error. Of many rows
    some are enough to choose by, and neighbours are not tried: they would be slow to ask and large to store.
    """
    plain = _inputs(features, prompt_tokens)
    rows = plain(features, prompt_tokens)
    domains, shares = fit_domains(rows, tasks, parts)
    inputs, rows = replace(plain, domains=domains), np.hstack([rows, REACH * shares])
    regression, z = fit_regression(rows, quality, parts)
    near, p = _neighbours(rows, sigmoid(z), quality, parts) if domains is None else (None, sigmoid(z))
    return Before(inputs, regression, near), p


def fit_regression(rows: Array, quality: Array, parts: Parts) -> tuple[Logistic, Array]:
    """Return the regression of targets (n, k) on rows (n, d), and the log-odds of every row without its fold (n, k).

    Chosen are ``apart`` and strength as ``fit_before`` says.
    """
    some = slice(None, None, -(-len(rows) // MOST_ROWS))
    tried: dict[tuple[float, float], Array] = {}
    for apart in APART if quality.shape[1] > 1 else (1.0,):
        held = logistic.out_of_fold(rows[some], quality[some], STRENGTHS, parts[some], apart=apart)
        tried |= {(apart, strength): sigmoid(z) for strength, z in zip(STRENGTHS, held, strict=True)}
    apart, strength = _best(tried, quality[some])
    held = logistic.out_of_fold(rows, quality, [strength], parts, apart=apart)
    return logistic.path(rows, quality, [strength], apart=apart)[0], held[0]


def _neighbours(rows: Array, p: Array, quality: Array, parts: Parts) -> tuple[Near | None, Array]:
    """Return the neighbours where they help, and what is then expected of the rows (n, k)."""
    if len(rows) > MOST_ROWS:
        return None, p
    means = (quality.sum(axis=0) + 0.5) / (len(quality) + 1)
    columns = np.sort(np.argsort(-rows.var(axis=0), kind="stable")[:COLUMNS])
    held = nearest.out_of_fold(rows[:, columns], quality, NEIGHBOURS, parts)
    pairs = product(SHARES, zip(NEIGHBOURS, held, strict=True))
    mixed = {(share, count): _mixed(p, mean, count, share, means) for share, (count, mean) in pairs}
    share, count = _best({(0.0, 0): p} | mixed, quality)
    if not share:
        return None, p
    return Near(Nearest.of(rows[:, columns], quality, count), share, means, columns), mixed[share, count]


def _inputs(features: Array, prompt_tokens: Array) -> Inputs:
    """Return inputs scaled so that features have rows of mean square length 1 about their centre."""
    lengths = np.log1p(prompt_tokens)
    size = float(np.sqrt(features.var(axis=0).sum()))
    return Inputs(size or 1.0, (float(lengths.mean()), LENGTH / max(float(lengths.std()), 1e-9)))


def _best(tried: Mapping[Key, Array], quality: Array) -> Key:
    """Return the key of least log loss, or the first one where the gain on it is within its standard error."""
    losses = {key: _losses(p, quality) for key, p in tried.items()}
    first, best = next(iter(losses)), min(losses, key=lambda key: float(losses[key].mean()))
    gain = losses[first] - losses[best]
    return best if float(gain.mean()) > float(gain.std()) / np.sqrt(len(gain)) else first


def _losses(p: Array, quality: Array) -> Array:
    """Return the log loss of each row (n,), nats, mean over models."""
    p = p.clip(EDGE, 1 - EDGE)
    return np.asarray(-(quality * np.log(p) + (1 - quality) * np.log1p(-p)).mean(axis=1))


def _mixed(p: Array, near: Array, count: int, share: float, means: Array) -> Array:
    return (1 - share) * p + share * (near * count + DOUBT * means) / (count + DOUBT)
