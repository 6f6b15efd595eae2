"""Gates that look at an unfinished answer, and stop one that will not be kept.

    G0  after the prompt was read and the first token chosen: the rest of the local decode is skipped
    G1  after 8, 16, 32, 64 and 128 tokens: a decode that will not be kept is stopped
    G2  at the end: the certified threshold itself (``guarantees``)

Each is a logistic regression on the running signals, fitted on the same rows as the head. It fires below the logit that
stops at most ``FALSE_ALARMS`` of the answers which the complete estimate would keep there. What a gate stops is not
kept, so it can only lower the regret; the selective risk behind the gates is certified by itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecascade.calibrate.choosing import folds
from edgecascade.calibrate.table import Table
from edgecascade.calibrate.training import logistic_head
from edgecascade.guarantees.binomial import interval
from edgecascade.heads import Inputs, LinearHead, Matrix
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
        rows = reach(table, self.at)
        stopped = np.zeros(len(table), bool)
        if len(rows):
            stopped[rows] = self.head(_matrix(table.take(rows), self.at, self.head.inputs)) < self.stop_below
        return stopped


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


def fit_gates(table: Table, kept: NDArray[np.bool_]) -> tuple[Gate, ...]:
    """Return the gates worth having; ``kept`` says which answers the complete estimate would keep, shape (n,)."""
    if not table.has_traces or not kept.any():
        return ()
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
        stop_below = float(np.quantile(logits[kept[rows]], FALSE_ALARMS))
        if ((logits < stop_below) & ~kept[rows]).sum() >= WORTHWHILE * len(table):
            gates.append(Gate(at, logistic_head(matrix, part.y, inputs), stop_below))
    return tuple(gates)


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
