"""Ridge regression that takes one row after the other: recursive least squares.

    A    strength * I + sum of x x^T        x a row of p numbers; whoever wants an intercept puts a 1 among them
    w    A^-1 (sum of x y)                  one column a target, m in all

A new row changes A^-1 by Sherman and Morrison's formula, O(p^2); inverting again would be O(p^3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Linear in the row: ``weights`` (p, m), ``inverse`` A^-1 (p, p)."""

    weights: Array
    inverse: Array

    def __call__(self, rows: Array) -> Array:
        """Return what is expected (n, m) of rows (n, p)."""
        return np.asarray(rows @ self.weights)

    def learn(self, row: Array, targets: Array) -> Self:
        """Return what it becomes by one more row (p,) with its targets (m,)."""
        moved = self.inverse @ row
        gain = moved / (1 + float(moved @ row))
        weights = self.weights + np.outer(gain, targets - row @ self.weights)
        return type(self)(weights, self.inverse - np.outer(gain, moved))

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"weights": self.weights, "inverse": self.inverse}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(*arrays(record, weights="pm", inverse="pp"))


def doubt(rows: Array, inverse: Array) -> Array:
    """Return how far rows (n, p) lie from those seen, x^T A^-1 x: (n,) by one A^-1 (p, p), (n, k) by k of them.

    >>> doubt(np.array([[1.0, 2.0]]), np.stack([np.eye(2), np.eye(2) / 10])).tolist()
    [[5.0, 0.5]]
    """
    tall = rows.T
    return np.asarray((tall * (inverse @ tall)).sum(axis=-2).T.clip(0.0))  # below 0 is rounding


def empty_ridge(width: int, targets: int, *, strength: float = 1.0) -> Ridge:
    """Return one that has seen no row of ``width`` numbers: all weights 0; the penalty ``strength`` is above 0."""
    return Ridge(np.zeros((width, targets)), np.eye(width) / strength)


def fit_ridge(rows: Array, targets: Array, *, strength: float = 1.0) -> Ridge:
    """Return the fit to rows (n, p) with targets (n, m)."""
    found = np.linalg.inv(rows.T @ rows + strength * np.eye(rows.shape[1]))
    inverse = np.asarray((found + found.T) / 2)
    return Ridge(inverse @ (rows.T @ targets), inverse)
