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
from dataclasses import dataclass
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
from edgecascade.pool import Array

REACHES = (2.0, 6.0)
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
    """What the regression is on: features divided by ``size``, the prompt's length, domains times ``reach``.

    length  centre and scale of ln(1 + prompt tokens)
    """

    size: float
    length: tuple[float, float]
    domains: Domains | None
    reach: float

    def __call__(self, features: Array, prompt_tokens: Array) -> Array:
        """Return the rows (n, d + 1 + t)."""
        plain = self.plain(features, prompt_tokens)
        return plain if self.domains is None else np.hstack([plain, self.reach * self.domains(plain)])

    def plain(self, features: Array, prompt_tokens: Array) -> Array:
        """Return the rows without domains (n, d + 1)."""
        lengths = (np.log1p(prompt_tokens) - self.length[0]) * self.length[1]
        return np.hstack([features / self.size, lengths[:, None]])

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        domains = None if self.domains is None else self.domains.as_json()
        return {"size": self.size, "length": list(self.length), "domains": domains, "reach": self.reach}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        domains = None if record["domains"] is None else Domains.of_json(record["domains"])
        centre, scale = record["length"]
        return cls(float(record["size"]), (float(centre), float(scale)), domains, float(record["reach"]))


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """Regression, neighbours (None where their ``share`` is 0), and the means (k,) that these are drawn towards.

    width  the columns of the inputs that neighbours are near in
    """

    inputs: Inputs
    regression: Logistic
    neighbours: Nearest | None
    share: float
    means: Array
    width: NDArray[np.intp]

    def __call__(self, features: Array, prompt_tokens: Array) -> Array:
        """Return the quality expected (n, k), strictly between 0 and 1."""
        rows = self.inputs(features, prompt_tokens)
        p = self.regression(rows)
        if self.neighbours is None:
            return p
        return _mixed(p, self.neighbours(rows[:, self.width]), self.neighbours.neighbours, self.share, self.means)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        neighbours = None if self.neighbours is None else self.neighbours.as_json()
        parts = {"inputs": self.inputs.as_json(), "regression": self.regression.as_json(), "neighbours": neighbours}
        return parts | {"share": self.share, "means": self.means, "width": self.width}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        neighbours = None if record["neighbours"] is None else Nearest.of_json(record["neighbours"])
        means = np.asarray(record["means"], np.float64)
        inputs, regression = Inputs.of_json(record["inputs"]), Logistic.of_json(record["regression"])
        width = np.asarray(record["width"], np.intp)
        return cls(inputs, regression, neighbours, float(record["share"]), means, width)


def fit_before(
    features: Array, prompt_tokens: Array, tasks: Sequence[str], quality: Array, parts: Parts
) -> tuple[Before, Array]:
    """Return the fit, and the quality expected of the training rows (n, k), each without its fold.

    Reach, ``apart`` and strength are those of least log loss over these folds, and so are the neighbours and their
    share; features, and then neighbours, are taken only where they gain more than the gain's standard error. Of many
    rows some are enough to choose by, and neighbours are not tried: they would be slow to ask and large to store.
    """
    plain, n = _inputs(features, prompt_tokens), len(quality)
    rows = plain(features, prompt_tokens)
    domains, likely = fit_domains(rows, tasks, parts)
    some = slice(None, None, -(-n // MOST_ROWS))
    reach, apart, strength = _chosen(rows[some], likely[some], quality[some], parts[some])
    inputs, wide = Inputs(plain.size, plain.length, domains, reach), np.hstack([rows, reach * likely])
    regression = logistic.path(wide, quality, [strength], apart=apart)[0]
    p = sigmoid(logistic.out_of_fold(wide, quality, [strength], parts, apart=apart)[0])
    means = (quality.sum(axis=0) + 0.5) / (n + 1)
    width = np.sort(np.argsort(-wide.var(axis=0), kind="stable")[:COLUMNS])
    near = nearest.out_of_fold(wide[:, width], quality, NEIGHBOURS, parts) if n <= MOST_ROWS and not domains else ()
    pairs = product(SHARES, zip(NEIGHBOURS, near, strict=False))
    mixed = {(share, count): _mixed(p, mean, count, share, means) for share, (count, mean) in pairs}
    share, count = _best({(0.0, 0): p} | mixed, quality)
    if not share:
        return Before(inputs, regression, None, 0.0, means, width), p
    return Before(inputs, regression, Nearest.of(wide[:, width], quality, count), share, means, width), mixed[
        share, count
    ]


def _chosen(rows: Array, likely: Array, quality: Array, parts: Parts) -> tuple[float, float, float]:
    """Return reach, apart and strength."""
    tried: dict[tuple[float, float, float], Array] = {}
    for reach, apart in product(REACHES if likely.size else (0.0,), APART if quality.shape[1] > 1 else (1.0,)):
        held = logistic.out_of_fold(np.hstack([rows, reach * likely]), quality, STRENGTHS, parts, apart=apart)
        tried |= {(reach, apart, one): sigmoid(z) for one, z in zip(STRENGTHS, held, strict=True)}
    return _best(tried, quality)


def _inputs(features: Array, prompt_tokens: Array) -> Inputs:
    """Return inputs without domains, scaled so that features have rows of mean square length 1 about their centre."""
    lengths = np.log1p(prompt_tokens)
    size = float(np.sqrt(features.var(axis=0).sum()))
    return Inputs(size or 1.0, (float(lengths.mean()), LENGTH / max(float(lengths.std()), 1e-9)), None, 0.0)


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
