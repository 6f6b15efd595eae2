"""Which head, and which calibrator: chosen by cross-validation, the plain one kept unless a richer one earns its place.

    in domain      stratified folds: every row is scored by a head that never saw it
    out of domain  whole tasks are left out: every row is scored by a head that never saw its task

A richer head replaces a plainer one where its gain in macro-averaged within-task AUROC has a paired bootstrap interval
above 0 in both. Probes that look good in their own domain only are thus left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecascade.calibrate.table import Table
from edgecascade.calibrate.training import CANDIDATES, Candidate
from edgecascade.calibrators import CALIBRATORS, Calibrator
from edgecascade.heads import Vector
from edgecascade.metrics import Interval, bootstrap, macro_auroc, nll, paired_gain

OUTER_FOLDS = 5
TASK_GROUPS = 5
"""Tasks are left out in at most so many groups, so that a fit with many tasks stays quick."""
PLATT_BELOW = 300
"""Labels below which only Platt scaling is tried: freer calibrators need more."""
REPEATS = 400

Say = Callable[[str], None]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Trial:
    """How a candidate did.

    in_domain, out_of_domain   macro-averaged within-task AUROC
    gain_in, gain_out          over the best plainer candidate; None for the first, and where there is one task only
    kept                       whether it replaced that one
    """

    name: str
    in_domain: Interval
    out_of_domain: Interval | None
    gain_in: Interval | None
    gain_out: Interval | None
    kept: bool

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Choice:
    """The head that was chosen, with the logits it gives to rows it did not see, shape (n,)."""

    name: str
    candidate: Candidate
    logits: Vector
    trials: tuple[Trial, ...]


def choose_head(table: Table, *, say: Say = lambda line: None) -> Choice:
    """Return the richest head that earns its place."""
    chosen: Choice | None = None
    chosen_out: Vector | None = None
    trials: list[Trial] = []
    several = len(np.unique(table.task)) > 1
    rows = (table.y, table.task)

    def auroc(logits: Vector) -> Interval:
        return bootstrap(macro_auroc, logits, *rows, groups=table.task, repeats=REPEATS)

    def gain(logits: Vector, others: Vector) -> Interval:
        return paired_gain(macro_auroc, logits, others, *rows, groups=table.task, repeats=REPEATS)

    for name, candidate in CANDIDATES.items():
        if name == "hidden" and not table.has_hidden:
            continue
        say(f"head: {name}")
        logits = crossed(table, candidate, folds(table))
        out = crossed(table, candidate, task_folds(table)) if several else None
        gain_in = gain_out = None
        kept = chosen is None
        if chosen is not None:
            gain_in = gain(logits, chosen.logits)
            kept = gain_in.low > 0
            if out is not None and chosen_out is not None:
                gain_out = gain(out, chosen_out)
                kept = kept and gain_out.low > 0
        trials.append(
            Trial(
                name,
                auroc(logits),
                None if out is None else auroc(out),
                gain_in,
                gain_out,
                kept,
            )
        )
        if kept:
            chosen, chosen_out = Choice(name, candidate, logits, ()), out
    assert chosen is not None
    return Choice(chosen.name, chosen.candidate, chosen.logits, tuple(trials))


def choose_calibrator(logits: Vector, y: Vector) -> tuple[str, Calibrator, dict[str, float]]:
    """Return the calibrator with the least cross-validated log-loss, fitted on all rows, and each one's loss.

    ``logits`` must come from a head that did not see their rows.
    """
    names = list(CALIBRATORS) if len(y) >= PLATT_BELOW else ["platt"]
    losses: dict[str, float] = {}
    for name in names:
        p = np.empty(len(y))
        for rest, held in _stratified(y, OUTER_FOLDS):
            p[held] = CALIBRATORS[name](logits[rest], y[rest])(logits[held])
        losses[name] = float(nll(p, y))
    best = min(losses, key=lambda name: losses[name])
    return best, CALIBRATORS[best](logits, y), losses


def crossed(table: Table, candidate: Candidate, parts: Iterator[Fold]) -> Vector:
    """Return each row's logit by a head fitted on the other folds."""
    logits = np.empty(len(table))
    for rest, held in parts:
        head, own = candidate(table.take(rest)), table.take(held)
        logits[held] = head(own.matrix(head.inputs))
    return logits


def folds(table: Table) -> Iterator[Fold]:
    """Yield (other rows, held-out rows), the mixture of right and wrong alike in each."""
    return _stratified(table.y, OUTER_FOLDS)


def task_folds(table: Table) -> Iterator[Fold]:
    """Yield (other rows, held-out rows), whole tasks held out; a rest of one kind only is passed over."""
    from sklearn.model_selection import GroupKFold

    rows = np.arange(len(table))
    count = min(TASK_GROUPS, len(np.unique(table.task)))
    yield from GroupKFold(count).split(rows, groups=table.task)


def _stratified(y: Vector, count: int) -> Iterator[Fold]:
    from sklearn.model_selection import StratifiedKFold

    count = max(2, min(count, int(min(y.sum(), len(y) - y.sum()))))
    yield from StratifiedKFold(count, shuffle=True, random_state=1).split(np.zeros(len(y)), y)
