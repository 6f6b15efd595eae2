"""Rows of which most numbers are 0, and their principal axes without a dense copy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecascade.pool import Array

CHUNK = 4_000_000
"""Numbers held at a time: 32 MB."""
SPARE = 10
ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """n rows of ``width`` columns; row i holds ``values`` at ``columns`` from starts[i] to starts[i + 1]."""

    values: Array
    columns: NDArray[np.intp]
    starts: NDArray[np.intp]
    width: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __matmul__(self, dense: Array) -> Array:
        """Return the product with ``dense`` (width, d), shape (n, d)."""
        found = np.zeros((len(self), dense.shape[1]))
        step = max(CHUNK // max(dense.shape[1], 1), 1)
        row = 0
        while row < len(self):
            last = max(int(np.searchsorted(self.starts, self.starts[row] + step, side="right")) - 1, row + 1)
            cut = slice(self.starts[row], self.starts[last])
            filled = row + np.flatnonzero(np.diff(self.starts[row : last + 1]))
            if len(filled):
                parts = dense[self.columns[cut]] * self.values[cut, None]
                found[filled] = np.add.reduceat(parts, self.starts[filled] - self.starts[row], axis=0)
            row = last
        return found

    def turned(self) -> "Sparse":
        """Return the transpose."""
        order = np.argsort(self.columns, kind="stable")
        rows = np.repeat(np.arange(len(self)), np.diff(self.starts))[order]
        counts = np.bincount(self.columns, minlength=self.width)
        return Sparse(self.values[order], rows, np.concatenate([[0], np.cumsum(counts)]), len(self))


def axes(rows: "Sparse | Array", dims: int, random: np.random.Generator) -> Array:
    """Return up to ``dims`` orthonormal directions (width, d) in which the rows reach farthest: a truncated SVD.

    Halko, Martinsson, Tropp, "Finding structure with randomness" (2011), algorithm 4.4: a random range finder with
    power iterations, orthonormal after each. Each direction's largest number is positive. Directions in which nothing
    lies are left out.
    """
    across = rows.turned() if isinstance(rows, Sparse) else rows.T
    width = len(across)
    size = min(dims + SPARE, len(rows), width)
    basis = _orthonormal(rows @ random.normal(size=(width, size)))
    for _ in range(ROUNDS):
        basis = _orthonormal(rows @ _orthonormal(across @ basis))
    small = across @ basis
    spread, turns = np.linalg.eigh(small.T @ small)
    kept = np.flatnonzero(spread > 1e-12 * max(float(spread.max(initial=0.0)), 1e-300))[::-1][:dims]
    found = small @ (turns[:, kept] / np.sqrt(spread[kept]))
    return np.asarray(found * np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]))


def _orthonormal(columns: Array) -> Array:
    return np.asarray(np.linalg.qr(columns)[0])
