"""Ridge regression that takes one row after the other: recursive least squares.

    A    strength * I + sum of x x^T        the row's features x with a 1 behind them, d + 1 numbers
    w    A^-1 (sum of x y)                  one column a model

A new row changes A^-1 by Sherman and Morrison's formula, O(d^2); inverting again would be O(d^3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.errors import PolicyError
from edgecascade.pool import Array


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """k linear models: weights (d + 1, k), the intercept last.

    inverse  A^-1: (1, d + 1, d + 1) where all models have seen the same rows, or (k, d + 1, d + 1), one a model
    """

    weights: Array
    inverse: Array

    def __call__(self, features: Array) -> Array:
        """Return what is expected (n, k) of rows (n, d)."""
        return np.asarray(features @ self.weights[:-1] + self.weights[-1])

    def doubt(self, features: Array) -> Array:
        """Return x^T A^-1 x of rows (n, d) for each model (n, k): how far a row lies from those that it has seen."""
        rows = _with_one(features)
        found = np.stack([np.einsum("nd,nd->n", rows @ one, rows) for one in self.inverse], axis=1)
        return np.broadcast_to(found, (len(rows), self.weights.shape[1]))

    def learn(self, x: Array, y: float | Array, column: int | None = None) -> Self:
        """Return what it becomes by one more row (d,) of model ``column``, or of all models with y (k,).

        PolicyError where one column is to learn, but all models share the rows that they have seen.
        """
        row = np.append(x, 1.0)
        if column is None:
            moved = self.inverse @ row
            gains = moved / (1 + moved @ row)[:, None]
            off = np.broadcast_to(y - row @ self.weights, self.weights.shape[1])
            inverse = self.inverse - gains[:, :, None] * moved[:, None, :]
            return type(self)(self.weights + np.broadcast_to(gains.T, self.weights.shape) * off, inverse)
        if len(self.inverse) != self.weights.shape[1]:
            raise PolicyError(
                f"one model of {self.weights.shape[1]} cannot learn alone: found one shared inverse, wanted one each; "
                "fit with shared=False"
            )
        moved = self.inverse[column] @ row
        gain = moved / (1 + float(moved @ row))
        weights, inverse = self.weights.copy(), self.inverse.copy()
        weights[:, column] += gain * (float(y) - float(row @ weights[:, column]))
        inverse[column] -= np.outer(gain, moved)
        return type(self)(weights, inverse)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"weights": self.weights, "inverse": self.inverse}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(np.asarray(record["weights"], np.float64), np.asarray(record["inverse"], np.float64))


def empty_ridge(width: int, models: int, *, strength: float = 1.0, shared: bool = False) -> Ridge:
    """Return one that has seen nothing: all weights 0; ``width`` features, the penalty ``strength`` above 0."""
    inverse = np.eye(width + 1) / strength
    return Ridge(np.zeros((width + 1, models)), np.stack([inverse] * (1 if shared else models)))


def fit_ridge(features: Array, targets: Array, *, strength: float = 1.0, shared: bool = False) -> Ridge:
    """Return the fit to rows (n, d) with targets (n, k), NaN where a model has not seen a row.

    shared  one inverse for all models: every target must be known. The intercept is penalised like any weight, so
            that learning row by row comes to the same
    """
    rows = _with_one(features)
    known = np.isfinite(targets)
    if shared and not known.all():
        raise PolicyError("a shared inverse needs every target: found NaN, wanted numbers; fit with shared=False")
    filled = np.where(known, targets, 0.0)
    seen = [slice(None)] if shared else [known[:, model] for model in range(targets.shape[1])]
    inverse = np.stack([_inverse(rows[one], strength) for one in seen])
    weights = np.einsum("kab,bk->ak", np.broadcast_to(inverse, (targets.shape[1], *inverse.shape[1:])), rows.T @ filled)
    return Ridge(weights, inverse)


def _inverse(rows: Array, strength: float) -> Array:
    found = np.linalg.inv(rows.T @ rows + strength * np.eye(rows.shape[1]))
    return np.asarray((found + found.T) / 2)


def _with_one(features: Array) -> Array:
    return np.hstack([features, np.ones((len(features), 1))])
