"""Attempts as columns: what a fit works on, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import AttemptsError
from edgecascade.heads import Inputs, Matrix, Vector
from edgecascade.labelled import CORRECT
from edgecascade.signals import SIGNALS
from edgecascade.store.attempts import Attempt, Attempts

Promise = Literal["regret", "selective", "agreement"]
FEWEST = 50
"""Below so many questions nothing can be fitted."""


@dataclass(frozen=True, slots=True)
class Table:
    """n attempts as columns.

    attempts  the rows themselves                    y      1 where the device was right, shape (n,)
    tasks     names, and ``task`` the index of each  loss   what keeping each answer would cost, 0 to 1
    cloud     its scores; NaN where unknown          local  the device's own scores
    """

    attempts: tuple[Attempt, ...]
    tasks: tuple[str, ...]
    task: NDArray[np.int64]
    y: Vector
    loss: Vector
    local: Vector
    cloud: Vector

    def __len__(self) -> int:
        return len(self.attempts)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Table":
        """Return some of the rows."""
        chosen = np.arange(len(self))[rows]
        attempts = tuple(self.attempts[number] for number in chosen)
        return Table(
            attempts,
            self.tasks,
            task=self.task[chosen],
            y=self.y[chosen],
            loss=self.loss[chosen],
            local=self.local[chosen],
            cloud=self.cloud[chosen],
        )

    def matrix(self, inputs: Inputs) -> Matrix:
        """Return the inputs of every row, shape (n, len(inputs))."""
        return inputs.matrix([(attempt.signals, attempt.draft.hidden) for attempt in self.attempts])

    @property
    def family(self) -> NDArray[np.int64]:
        """The index of each row's family, shape (n,): its task up to a /; the whole task where all share one.

        So "mmlu/law" and "mmlu/anatomy", of a few questions each, are one family beside "gsm8k".
        """
        names = [task.partition("/")[0] for task in self.tasks]
        families = sorted(set(names))
        return np.array([families.index(name) for name in names])[self.task] if len(families) > 1 else self.task

    @property
    def has_hidden(self) -> bool:
        """Whether every row has its hidden states."""
        return all(attempt.draft.hidden is not None for attempt in self.attempts)

    @property
    def has_traces(self) -> bool:
        """Whether every row has its tokens."""
        return all(attempt.draft.tokens for attempt in self.attempts)


def table_of(attempts: Attempts, promise: Promise, *, fewest: int = FEWEST) -> Table:
    """Return the attempts as columns, at least ``fewest`` of them.

    Raises AttemptsError for too few of them, for none right or none wrong, for signals of another version, and where
    the promise needs the cloud's side and there is none.
    """
    rows = tuple(sorted(attempts.rows, key=lambda row: row.id))  # shards, merged, fit as one run would
    if len(rows) < fewest:
        raise AttemptsError(
            f"too few attempts to fit: found {len(rows)}, wanted at least {fewest}, and 500 for a promise worth "
            "having; collect more questions"
        )
    for row in rows:
        if set(row.signals) != set(SIGNALS):
            odd = sorted(set(row.signals) ^ set(SIGNALS))
            raise AttemptsError(
                f"attempt {row.id!r} has other signals than this version: {', '.join(odd[:4])} found on one side only; "
                "collect anew"
            )
    local = np.array([row.grade.score for row in rows])
    right = local >= CORRECT
    if right.all() or not right.any():
        raise AttemptsError(
            f"nothing to tell apart: found {len(rows)} attempts, all {'right' if right.all() else 'wrong'}, wanted "
            f"both; add {'harder' if right.all() else 'easier'} questions"
        )
    tasks = sorted({row.task for row in rows})
    return Table(
        attempts=rows,
        tasks=tuple(tasks),
        task=np.array([tasks.index(row.task) for row in rows]),
        y=right.astype(np.float64),
        loss=_losses(rows, local, promise),
        local=local,
        cloud=np.array([np.nan if row.cloud is None else row.cloud for row in rows]),
    )


def _losses(rows: Sequence[Attempt], local: Vector, promise: Promise) -> Vector:
    """Return what keeping each answer would cost under a promise."""
    if promise == "selective":
        return (local < CORRECT).astype(np.float64)
    name = "cloud" if promise == "regret" else "agrees"
    theirs = [getattr(row, name) for row in rows]
    missing = sum(value is None for value in theirs)
    if missing:
        how = "--cloud-column NAME or --cloud SPEC" if promise == "regret" else "--cloud SPEC"
        raise AttemptsError(
            f"the promise {promise!r} needs the cloud's side of every question: found none in {missing} of "
            f"{len(rows)}; collect with {how}, or fit --promise selective"
        )
    values = np.array(theirs, np.float64)
    if promise == "agreement":
        return (values < CORRECT).astype(np.float64)
    loss: Vector = np.maximum(values - local, 0.0)
    return loss


def ended(table: Table) -> NDArray[np.bool_]:
    """Return which answers ended by themselves, shape (n,): one that was cut off is never kept."""
    return np.array([row.draft.finish_reason == "end" for row in table.attempts])
