"""Two tiers: the small model answers first, and where its first token was a close call the large one answers.

Ramirez, Birch, Titov, "Optimising Calls to Large Language Models with Uncertainty-Based Two-Tier Selection",
arXiv:2405.02134, algorithm for a cascade. No labels are used.

    margin   between the two likeliest first tokens of the small model's answer      b   budget a question
    c1, c2   cost of the small model and of the large one
    p        (b - c1) / c2: the share of questions that the large model can also answer

The threshold is the p-quantile of the margins seen so far, so it follows the stream.

Different from the paper: the log-odds of the two tokens, as every evidence records it, stands for the difference of
logits, which it equals. As a pool's policy the threshold starts from the training questions' margins, not after 20
questions, goes on with those of the rows in their order, and p is what the training questions could spend, each
question's own cost counted; and there are no guard rails, for nobody says how long the stream is.
``margin_cascade`` is the published form.
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.errors import PolicyError
from edgecascade.policies.frontier import SLACK, keeps
from edgecascade.policies.playing import margins
from edgecascade.policies.pooled import Estimator, Fit, Training
from edgecascade.policies.ranking import RUNGS, one_of, wanted
from edgecascade.pool import Array, Feedback, Mask, Seen, Table

KIND = "margin"
WARM_UP = 20


def margin_cascade(margins: Sequence[float], c1: float, c2: float, budget: float) -> Mask:
    """Return which questions of a stream the large model answers as well (n,), as published.

    margins  in the order of the stream      c1, c2, budget  of a question, in one unit

    Nobody is escalated among the first 20. Guard rails: never what would leave too little for the small model on the
    rest; everything once the rest can be paid for.

    >>> margin_cascade([0.5] * 20 + [0.1, 0.9], c1=1.0, c2=2.0, budget=2.0)[20:].tolist()
    [True, True]
    """
    n, p = len(margins), (budget - c1) / c2 if c2 > 0 else 1.0
    left, past = budget * n, list[float]()
    escalate = np.zeros(n, bool)
    for row, margin in enumerate(margins):
        left -= c1
        rest = n - row - 1
        insort(past, margin)
        close = len(past) > WARM_UP and margin < quantile(past, min(max(p, 0.0), 1.0))
        covered = left * (1 + SLACK) >= (rest + 1) * c2 + rest * c1
        escalate[row] = (close or covered) and left * (1 + SLACK) >= c2 + rest * c1
        left -= c2 * escalate[row]
    return escalate


def quantile(ordered: Sequence[float], p: float) -> float:
    """Return what a share ``p`` of rising numbers lies below; infinity where all do."""
    place = int(p * len(ordered) + SLACK)
    return ordered[place] if place < len(ordered) else np.inf


@dataclass(frozen=True, slots=True, eq=False)
class MarginCascade:
    """The policy: rows are a stream, in their order.

    small, large  places of the two models      past  margins seen before, rising      share  of questions, p
    """

    models: tuple[str, ...]
    small: int
    large: int
    past: tuple[float, ...]
    share: float

    def next(self, seen: Seen) -> Mask:
        """Return the small model where nobody has run, the large one where the margin is close (n, k)."""
        asked = np.zeros(seen.ran.shape, bool)
        first = np.where(seen.open & ~seen.ran.any(axis=1, keepdims=True), self.worth(seen), -np.inf)
        rows = np.flatnonzero(np.isfinite(first).any(axis=1))
        asked[rows, first[rows].argmax(axis=1)] = True
        asked[:, self.large] |= self._close(seen) & seen.open[:, self.large] & ~seen.ran[:, self.large]
        return asked

    def _close(self, seen: Seen) -> Mask:
        """Return where the small model has run and was less sure than the threshold of its time (n,).

        An answer without a first token has no margin: it counts as unsure.
        """
        close, past = np.zeros(len(seen), bool), list(self.past)
        for row in np.flatnonzero(seen.ran[:, self.small]):
            margin = float(np.nan_to_num(seen.margin[row, self.small], nan=0.0))
            insort(past, margin)
            close[row] = margin < quantile(past, self.share)
        return close

    def answer(self, seen: Seen) -> Array:
        """Return weight 1 for the large model where it has run (n, k), else for the small one, else for another."""
        worth = self.worth(seen)
        worth[:, self.large] = 2.0
        return one_of(worth, seen.ran)

    def worth(self, seen: Seen) -> Array:
        """Return the ranking (n, k): the small model, the large one, then the others as they come."""
        worth = np.tile(-np.arange(len(self.models), dtype=np.float64), (len(seen), 1))
        worth[:, self.large], worth[:, self.small] = 1.0, 1.5
        return worth


@dataclass(frozen=True, slots=True, eq=False)
class Margin:
    """The two models, the margins of the training questions (n,), and what each model did cost on them (n, 2)."""

    models: tuple[str, ...]
    small: int
    large: int
    margins: Array
    cost: Array

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> MarginCascade:
        """Return the policy that escalates as many as the budget allows: below c1 nobody, without a budget all."""
        share = 1.0 if budget is None else self._share(budget, confidence)
        return MarginCascade(self.models, self.small, self.large, tuple(np.sort(self.margins).tolist()), share)

    def _share(self, budget: float, confidence: float | None) -> float:
        """Return the largest share of the closest calls that the budget pays for."""
        small, large = self.cost.T
        n, order = len(small), np.argsort(self.margins, kind="stable")
        if confidence is None:
            spent = small.mean() + np.concatenate([[0.0], np.cumsum(large[order])]) / n
            return float(np.flatnonzero(spent <= budget * (1 + SLACK)).max(initial=0)) / n
        rank, last = np.argsort(order), 0
        shuffled = np.random.default_rng(0).permutation(n)
        for many in np.unique(np.linspace(0, n, RUNGS).round().astype(int)):
            if not keeps((small + large * (rank < many))[shuffled], budget, confidence):
                break
            last = int(many)
        return last / n

    def learn(self, feedback: Feedback) -> Self:
        """Return itself: feedback tells no margin."""
        return self

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` makes it from again."""
        pair = {"small": self.small, "large": self.large}
        return {"kind": KIND, "models": list(self.models), **pair, "margins": self.margins, "cost": self.cost}


def of_json(record: Mapping[str, Any], estimator: Estimator) -> Margin:
    """Return what was saved; PolicyError where the record is not one of these."""
    wanted(record, [KIND])
    return Margin(
        tuple(record["models"]),
        int(record["small"]),
        int(record["large"]),
        np.asarray(record["margins"], np.float64),
        np.asarray(record["cost"], np.float64),
    )


def fit(training: Training, *, seed: int = 0) -> Margin:
    """Return the cascade of the cheapest model that tells its margin and the best of the others.

    Nothing is drawn from the seed. PolicyError where no model tells a margin, or none is left to escalate to.
    """
    table = training.table
    small, large = tiers(table)
    found = np.nan_to_num(margins(table)[:, small], nan=0.0)
    return Margin(table.models, small, large, found, table.cost[:, [small, large]])


def tiers(table: Table) -> tuple[int, int]:
    """Return the places of the small model and of the large one."""
    tells: Mask = np.asarray(np.isfinite(margins(table)).any(axis=0))
    if not tells.any() or len(table.models) < 2:
        raise PolicyError(
            f"the margin cascade: found {tells.sum()} of {len(table.models)} models with a first-token margin, wanted "
            "one and another to escalate to; give a local model's attempts"
        )
    cost, quality = table.cost.mean(axis=0), table.quality.mean(axis=0)
    small = int(np.where(tells, cost, np.inf).argmin())
    return small, int(np.where(np.arange(len(cost)) == small, -np.inf, quality).argmax())


FITS: Mapping[str, Fit] = {KIND: fit}
