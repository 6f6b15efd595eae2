"""Questions in the order of their estimate, the surest first. Equal estimates are one block: kept or not together."""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.errors import AttemptsError

SHUFFLE_SEED = 20_240_229


@dataclass(frozen=True, slots=True)
class Ranked:
    """What every threshold would keep.

    n        questions, those never kept (estimate -inf) among them
    p        (n,) estimates as given
    losses   (n,) as given
    values   (blocks,) distinct finite estimates, falling
    counts   (blocks,) questions kept down to each value
    totals   (blocks,) the sum of their losses
    binary   whether every loss is 0 or 1
    """

    n: int
    p: NDArray[np.float64]
    losses: NDArray[np.float64]
    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    totals: NDArray[np.float64]
    binary: bool

    @classmethod
    def of(cls, p: ArrayLike, losses: ArrayLike) -> "Ranked":
        """Return the ranking of estimates (n,) and losses (n,) in [0, 1]."""
        p, losses = np.asarray(p, np.float64), np.asarray(losses, np.float64)
        _check(p, losses)
        order = np.argsort(-p)
        falling = p[order]
        kept = int(np.searchsorted(-falling, np.inf))
        falling = falling[:kept]
        ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if kept else np.empty(0, np.intp)
        totals = np.cumsum(losses[order[:kept]])[ends]
        binary = bool(((losses == 0) | (losses == 1)).all())
        return cls(len(p), p, losses, falling[ends], ends.astype(np.int64) + 1, totals, binary)

    def threshold(self, blocks: int) -> float:
        """Return the lowest threshold that keeps so many blocks and not the next.

        Just above the next value, so that what is certified of the questions strictly above that value holds as it is.
        """
        if blocks == len(self.values):
            smallest = float(self.values[-1])
            return 0.0 if smallest >= 0 else -sys.float_info.max
        return float(np.nextafter(self.values[blocks], np.inf))

    def shuffled(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return estimates and losses in an order that has nothing to do with them, the same each time."""
        order = np.random.default_rng(SHUFFLE_SEED).permutation(self.n)
        return self.p[order], self.losses[order]


def _check(p: NDArray[np.float64], losses: NDArray[np.float64]) -> None:
    if p.ndim != 1 or p.shape != losses.shape or not p.size:
        raise AttemptsError(
            f"estimates and losses do not pair up: found shapes {p.shape} and {losses.shape}, "
            "wanted one of each for at least one question"
        )
    wrong = int(np.isnan(p).sum() + np.isposinf(p).sum())
    if wrong:
        raise AttemptsError(f"{wrong} of {p.size} estimates are NaN or +inf; wanted numbers, or -inf for never kept")
    outside = int((~((losses >= 0) & (losses <= 1))).sum())
    if outside:
        raise AttemptsError(f"{outside} of {losses.size} losses are not in 0 to 1; wanted 0 for harmless, 1 for worst")


def check_promise(epsilon: float, delta: float) -> None:
    """Refuse a promise that cannot be meant."""
    for name, found in (("epsilon", epsilon), ("delta", delta)):
        if not 0 < found < 1:
            raise AttemptsError(f"{name} = {found} promises nothing; wanted above 0 and below 1, such as 0.05")
