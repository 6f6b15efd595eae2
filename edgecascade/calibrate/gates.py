"""Gates that look at an unfinished answer, and stop one that will not be kept.

    G0  after the prompt was read and the first token chosen: the rest of the local decode is skipped
    G1  after 8, 16, 32, 64 and 128 tokens: a decode that will not be kept is stopped
    G2  at the end: the certified threshold itself (``guarantees``)

Each is a logistic regression on the running signals, fitted on the same rows as the head. It fires below the logit that
stops at most ``FALSE_ALARMS`` of the answers which the complete estimate would keep there; or, for a device whose
``Costs`` are known, where that pays most: the time and energy saved, less what the answers are worth that would have
been kept. What a gate stops is not kept, so it can only lower the regret; the selective risk behind the gates is
certified by itself.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecascade.calibrate.choosing import folds
from edgecascade.calibrate.table import Table
from edgecascade.calibrate.training import logistic_head
from edgecascade.guarantees.binomial import interval
from edgecascade.heads import Inputs, LinearHead, Matrix, Vector
from edgecascade.policies import TierView, price
from edgecascade.policies.weighing import gain_of_keeping
from edgecascade.profile import Speed, Weights
from edgecascade.records import HiddenStates
from edgecascade.signals import PREFILL, RUNNING, running_signals
from edgecascade.store.attempts import Attempt

CHECKPOINTS = (1, 8, 16, 32, 64, 128)
FALSE_ALARMS = 0.02
WORTHWHILE = 0.02
"""A gate that stops a smaller share of the answers, those aside that would be kept, is left out."""
FEWEST = 40
"""Answers long enough for a checkpoint, below which it has no gate."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Stop an answer after ``at`` tokens where the head's logit is below ``stop_below``."""

    at: int
    head: LinearHead
    stop_below: float

    def stops(self, table: Table) -> NDArray[np.bool_]:
        """Return which answers it stops, shape (n,); answers that end before are left alone."""
        return np.array([logit is not None and logit < self.stop_below for logit in self.looks(table)], bool)

    def looks(self, table: Table) -> tuple[float | None, ...]:
        """Return the logit that it sees of each answer; None of one that ends before."""
        rows = reach(table, self.at)
        found: list[float | None] = [None] * len(table)
        if len(rows):
            logits = self.head(_matrix(table.take(rows), self.at, self.head.inputs)).tolist()
            for row, logit in zip(rows, logits, strict=True):
                found[row] = logit
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a gate did on answers that it was not fitted on.

    stops         share of all answers that it is the first to stop
    tokens_saved  share of all tokens that this saves
    false_alarms  (rate, low, high): of the answers that would have been kept, those that it stops first
    """

    stops: float
    tokens_saved: float
    false_alarms: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Costs:
    """What answers cost on a device: its speed and its power while it writes, what a user gives, and the cloud."""

    speed: Speed
    watts: float
    weights: Weights
    cloud: TierView

    @property
    def second(self) -> float:
        """The price of a second of writing."""
        return price(self.weights, seconds=1.0, joules=self.watts)

    def saved(self, attempt: Attempt, at: int) -> float:
        """Return what it saves to stop an answer at a checkpoint: one token more was written by then."""
        depth, tokens = attempt.draft.usage.prompt_tokens, len(attempt.draft.tokens)
        left = self.speed.writing(tokens - 1, depth) - self.speed.writing(at, depth)
        return self.second * max(left, 0.0)

    def lost(self, p_correct: float) -> float:
        """Return what an answer is worth that would be kept; 0 where the cloud would be asked all the same."""
        return max(gain_of_keeping(self.weights, p_correct, self.cloud) or 0.0, 0.0)


def fit_gates(
    table: Table, kept: NDArray[np.bool_], *, p: Vector | None = None, costs: Costs | None = None
) -> tuple[Gate, ...]:
    """Return the gates worth having.

    kept   which answers the complete estimate would keep, shape (n,)
    p      that estimate, with ``costs``: stop where it pays most; without a price of time or energy, as without them
    """
    if not table.has_traces or not kept.any():
        return ()
    paying = costs if costs and costs.second > 0 else None
    alive = np.ones(len(table), bool)
    gates: list[Gate] = []
    for at in CHECKPOINTS:
        rows = reach(table, at)
        part = table.take(rows)
        if len(rows) < FEWEST or len(np.unique(part.y)) < 2 or not kept[rows].any():
            continue
        inputs = _inputs(part, at)
        matrix = _matrix(part, at, inputs)
        logits = np.empty(len(part))  # of rows that the head did not see: fitted rows look better than new ones
        for rest, held in folds(part):
            logits[held] = logistic_head(matrix[rest], part.y[rest], inputs)(matrix[held])
        if paying is None or p is None:
            stop_below = float(np.quantile(logits[kept[rows]], FALSE_ALARMS))
        else:
            worth = np.array([paying.saved(row, at) for row in part.attempts])
            worth -= np.where(kept[rows], [paying.lost(each) for each in p[rows]], 0.0)
            stop_below = level(logits, np.where(alive[rows], worth, 0.0))
        if ((logits < stop_below) & ~kept[rows]).sum() >= WORTHWHILE * len(table):
            gates.append(Gate(at, logistic_head(matrix, part.y, inputs), stop_below))
            alive[rows] &= logits >= stop_below
    return tuple(gates)


def level(logits: Vector, worth: Vector) -> float:
    """Return the logit below which stopping is worth most in all; -inf where it is not worth anything.

    worth  what it gains to stop each answer, shape (n,)

    >>> level(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, -0.5, 2.0, -9.0]))
    3.0
    """
    limits, place = np.unique(logits, return_inverse=True)
    gained = np.cumsum(np.bincount(place, worth))  # by stopping all up to each limit
    most = int(np.argmax(gained))
    if gained[most] <= 0:
        return -math.inf
    return float(limits[most + 1] if most + 1 < len(limits) else np.nextafter(limits[most], math.inf))


def measured(
    gates: tuple[Gate, ...], table: Table, kept: NDArray[np.bool_]
) -> tuple[list[Measured], NDArray[np.bool_]]:
    """Return what each gate, in turn, does to answers that it has not seen, and which they stop in all."""
    stopped = np.zeros(len(table), bool)
    lengths = np.array([len(attempt.draft.tokens) for attempt in table.attempts])
    results: list[Measured] = []
    for gate in gates:
        now = gate.stops(table) & ~stopped
        wrong, all_kept = int((now & kept).sum()), int(kept.sum())
        low, high = interval(wrong, all_kept, 0.05) if all_kept else (0.0, 1.0)
        results.append(
            Measured(
                stops=float(now.mean()),
                tokens_saved=float((lengths[now] - gate.at).sum() / max(lengths.sum(), 1)),
                false_alarms=(wrong / all_kept if all_kept else 0.0, float(low), float(high)),
            )
        )
        stopped |= now
    return results, stopped


def reach(table: Table, at: int) -> NDArray[np.int64]:
    """Return the rows whose answers go on beyond a checkpoint."""
    return np.array([number for number, row in enumerate(table.attempts) if len(row.draft.tokens) > at], np.int64)


def _inputs(table: Table, at: int) -> Inputs:
    if at > 1:
        return Inputs(tuple(RUNNING))
    state = table.attempts[0].draft.hidden
    return Inputs(PREFILL, ("prompt",), len(state.prompt)) if table.has_hidden and state else Inputs(PREFILL)


def _matrix(table: Table, at: int, inputs: Inputs) -> Matrix:
    return inputs.matrix([_so_far(attempt, at) for attempt in table.attempts])


def _so_far(attempt: Attempt, at: int) -> tuple[dict[str, float], HiddenStates | None]:
    draft = attempt.draft
    return running_signals(draft.tokens[:at], draft.usage.prompt_tokens), draft.hidden
