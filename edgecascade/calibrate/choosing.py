"""Which head, and which calibrator: chosen by cross-validation, the plain one kept unless a richer one earns its place.

    in domain      stratified folds: every row is scored by a head that never saw it
    out of domain  whole tasks are left out: every row is scored by a head that never saw its task

A richer head is kept where its gain over the plain one, ``compact``, in macro-averaged within-task AUROC has a paired
bootstrap interval above 0 in both. Probes that only know their own domain are thus left out. Of those kept, a
later one is used where its AUROC over all rows in domain, which decides how much can be kept, beats the earlier ones',
again with an interval above 0.
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
from edgecascade.metrics import Interval, auroc, bootstrap, macro_auroc, nll, paired_gain

OUTER_FOLDS = 5
TASK_GROUPS = 5
"""Tasks are left out in at most so many groups, so that a fit with many tasks stays quick."""
PLATT_BELOW = 300
"""Labels below which only Platt scaling is tried: freer calibrators need more."""
REPEATS = 400
SIGNALS_ONLY = frozenset({"compact", "linear"})
"""Heads that may be used where there is one task only, and nothing is known of others."""

Say = Callable[[str], None]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Trial:
    """How a candidate did.

    in_domain, out_of_domain   macro-averaged within-task AUROC
    gain_in, gain_out          over the plain head; None for itself, and out of domain where there is one task only
    kept                       whether it earns its place
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
    several = len(np.unique(table.family)) > 1
    rows = (table.y, table.family)

    def within(logits: Vector) -> Interval:
        return bootstrap(macro_auroc, logits, *rows, groups=table.family, repeats=REPEATS)

    def gain(logits: Vector, others: Vector) -> Interval:
        return paired_gain(macro_auroc, logits, others, *rows, groups=table.family, repeats=REPEATS)

    def pooled_gain(logits: Vector, others: Vector) -> Interval:
        return paired_gain(auroc, logits, others, table.y, groups=table.family, repeats=REPEATS)

    trials: list[Trial] = []
    tried: list[tuple[Vector, Vector | None]] = []
    name, logits = "", np.zeros(len(table))
    for other, candidate in CANDIDATES.items():
        if other == "hidden" and not table.has_hidden:
            continue
        say(f"head: {other}")
        own, out = crossed(table, candidate, folds(table)), None
        if several:
            out = crossed(table, candidate, task_folds(table))
        tried.append((own, out))
        plain, plain_out = tried[0]
        first = len(tried) == 1
        gain_in = None if first else gain(own, plain)
        gain_out = None if first or out is None or plain_out is None else gain(out, plain_out)
        abroad = gain_out.low > 0 if gain_out else other in SIGNALS_ONLY
        kept = gain_in is None or (gain_in.low > 0 and abroad)
        trials.append(Trial(other, within(own), None if out is None else within(out), gain_in, gain_out, kept))
        if first or (kept and pooled_gain(own, logits).low > 0):
            name, logits = other, own
    return Choice(name, CANDIDATES[name], logits, tuple(trials))


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
    """Return each row's logit by a head fitted on the other folds; 0 for a row that no fold holds out."""
    logits = np.zeros(len(table))
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
    count = min(TASK_GROUPS, len(np.unique(table.family)))
    for rest, held in GroupKFold(count).split(rows, groups=table.family):
        if len(np.unique(table.y[rest])) > 1:
            yield rest, held


def _stratified(y: Vector, count: int) -> Iterator[Fold]:
    from sklearn.model_selection import StratifiedKFold

    count = max(2, min(count, int(min(y.sum(), len(y) - y.sum()))))
    yield from StratifiedKFold(count, shuffle=True, random_state=1).split(np.zeros(len(y)), y)
