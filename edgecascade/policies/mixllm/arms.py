"""What MixLLM knows of each model alone: quality, length, price, doubt.

    e    what is made of a query (p,), ``context``
    A    I + sum of e e^T over what a model has answered (MixLLM, arXiv:2502.18482, eq. 9 and 14), one a model

Different from the paper: quality and length are predicted by ridge regression, which learns from one answer at a time
exactly; the paper uses a random forest and the best of three. Offline a forest of 200 trees was no better: area .662
against .664, and .810 against .810, on two tables with clusters for domains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from edgecascade.estimators.ridge import Ridge, doubt, empty_ridge, fit_ridge
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array, Table

EXPLAINED = 0.01
"""Costs that tokens and prices explain but for this part of them are costs of tokens."""
TOKENS = 250.0
"""What a new model is expected to write where no other model's answers were counted."""
QUALITY, LENGTH = 0, 1
"""The two columns that every model's regression predicts."""


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One model, known by its own answers alone.

    ridge    e -> (quality, length), each less ``start``        start  what is expected of a query of which e is 0 (2,)
    prices   of a prompt token and of a unit of length          tokens  whether that unit is a token; else it is the
    part of an answer's cost that its prompt does not explain   graded, liked  answers of which either was told
    """

    ridge: Ridge
    start: Array
    prices: Array
    tokens: bool
    graded: float = 0.0
    liked: float = 0.0

    def predict(self, rows: Array) -> Array:
        """Return quality and length (n, 2) of e (n, p)."""
        return self.ridge(rows) + self.start

    def learn(self, row: Array, quality: float | None, length: float | None) -> "Arm":
        """Return the arm after one more answer to e (p,).

        What is not told counts as if it had come out as predicted: A grows, which says that the model was tried, and
        the prediction stays.
        """
        pairs = zip((quality, length), self.predict(row[None])[0], strict=True)
        told = np.array([expected if given is None else given for given, expected in pairs])
        ridge = self.ridge.learn(row, told - self.start)
        return replace(self, ridge=ridge, graded=self.graded + (quality is not None))

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {
            "ridge": self.ridge.as_json(), "start": self.start, "prices": self.prices, "tokens": self.tokens,
            "graded": self.graded, "liked": self.liked,
        }  # fmt: skip

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        start, prices = arrays(record, start="t", prices="t")
        counts = float(record["graded"]), float(record["liked"])
        return cls(Ridge.of_json(record["ridge"]), start, prices, bool(record["tokens"]), *counts)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Arms side by side, for many queries and for one: ``weights`` (p, 2 k), the others as in ``Arm``, stacked."""

    weights: Array
    inverse: Array
    start: Array
    prices: Array

    @classmethod
    def of(cls, arms: Sequence[Arm]) -> Self:
        """Return what these arms predict, and nothing that changes with them."""
        weights = np.concatenate([arm.ridge.weights for arm in arms], axis=1)
        parts = ([arm.ridge.inverse for arm in arms], [arm.start for arm in arms], [arm.prices for arm in arms])
        return cls(weights, *(np.stack(part) for part in parts))

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Return quality and length (n, k) of e (n, p)."""
        found = (rows @ self.weights).reshape(len(rows), -1, 2) + self.start
        return found[:, :, QUALITY], found[:, :, LENGTH]

    def doubt(self, rows: Array) -> Array:
        """Return e^T A^-1 e of each model (n, k)."""
        return doubt(rows, self.inverse)

    def cost(self, length: Array, prompt_tokens: Array) -> Array:
        """Return what answers of some length cost (n, k): MixLLM, eq. 5."""
        return prompt_tokens[:, None] * self.prices[:, 0] + np.maximum(length, 0.0) * self.prices[:, 1]


def fit_arm(rows: Array, table: Table, model: int, prior: Arm | None = None) -> tuple[Arm, Array]:
    """Return the arm of one column of a table and its lengths (n,); rows are e (n, p).

    prior  what is expected of the model's quality before: the fit shrinks toward it; None: toward the mean
    """
    prices, lengths, tokens = lengths_of(table, model)
    targets = np.stack([table.quality[:, model], lengths], axis=1)
    start = targets.mean(axis=0)
    before = np.zeros((rows.shape[1], 2))
    if prior is not None:
        before[:, QUALITY], start[QUALITY] = prior.ridge.weights[:, QUALITY], prior.start[QUALITY]
    ridge = fit_ridge(rows, targets - start - rows @ before)
    ridge = replace(ridge, weights=ridge.weights + before)
    return Arm(ridge, start, prices, tokens, graded=float(len(rows))), lengths


def like_others(
    arms: Sequence[Arm], *, quality: float | None = None, length: float | None = None, prices: tuple[float, float]
) -> Arm:
    """Return the arm of a model that has answered nothing yet: the mean of the others until it does.

    What is hard for the others is likely hard for it: by 50 answers of a model that was left out of seven, its other
    answers were predicted with a loss of .615 nats from here, .643 from 0, .668 by their mean alone.
    """
    stack, ridge = Stack.of(arms), arms[0].ridge
    weights = np.zeros((len(ridge.weights), 2))
    weights[:, QUALITY] = stack.weights[:, QUALITY::2].mean(axis=1)
    usual = stack.start[[arm.tokens for arm in arms], LENGTH]
    start = np.array([stack.start[:, QUALITY].mean(), usual.mean() if usual.size else TOKENS])
    given = np.array([np.nan if value is None else value for value in (quality, length)])
    start = np.where(np.isnan(given), start, given)
    return Arm(replace(empty_ridge(len(weights), 2), weights=weights), start, np.array(prices), True)


def lengths_of(table: Table, model: int) -> tuple[Array, Array, bool]:
    """Return a model's two prices, the lengths (n,) that they are prices of, and whether these are tokens.

    The prices are those under which tokens explain the recorded costs. Where they do not, or lengths are not recorded,
    length is what an answer cost beyond its prompt, at a price of 1.
    """
    cost, lengths = table.cost[:, model], table.lengths[:, model]
    if np.isfinite(lengths).all():
        prices = _least_squares(table.prompt_tokens, lengths, cost)
        explained = table.prompt_tokens * prices[0] + lengths * prices[1]
        if np.abs(explained - cost).mean() <= EXPLAINED * np.abs(cost).mean():
            return prices, lengths, True
    asked = _least_squares(table.prompt_tokens, np.ones(len(cost)), cost)[0]
    return np.array([asked, 1.0]), cost - asked * table.prompt_tokens, False


def _least_squares(first: Array, second: Array, cost: Array) -> Array:
    """Return the two prices of least squared error, none below 0."""
    columns = np.stack([first, second], axis=1)
    scale = np.maximum(np.abs(columns).max(axis=0, initial=0.0), 1e-300)
    found = np.linalg.lstsq(columns / scale, cost, rcond=None)[0] / scale
    for place in (0, 1):
        if found[place] < 0:
            other = columns[:, 1 - place]
            found = np.zeros(2)
            found[1 - place] = max(float(other @ cost) / max(float(other @ other), 1e-300), 0.0)
    return np.asarray(found)
