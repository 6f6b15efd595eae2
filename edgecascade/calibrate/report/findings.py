"""A fitted file as the columns and certificates that the page shows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import FittedFileError
from edgecascade.guarantees.binomial import lower_bound
from edgecascade.guarantees.certificate import Certificate
from edgecascade.labelled import CORRECT
from edgecascade.metrics import LEAST_ROWS, auroc
from edgecascade.store.fitted_files import FittedFile

Column = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Task:
    """One task among the certificate's questions; NaN where there is nothing to take a mean of.

    risk   what the promise limits, within this task alone      above  whether that is surely above the promise
    """

    name: str
    n: int
    accuracy: float
    cloud: float
    mean_p: float
    kept: float
    wrong_kept: float
    risk: float
    auroc: float
    above: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """n questions as columns, shape (n,), beside what was certified on them.

    y      1 where the device was right      kept  which answers the certificate keeps
    cloud  its scores, None where unknown    loss  what keeping each costs, 0 to 1
    """

    file: FittedFile
    certificate: Certificate
    ladder: tuple[Certificate, ...]
    behind: tuple[Certificate, ...]
    p: Column
    y: Column
    local: Column
    cloud: Column | None
    loss: Column
    task: NDArray[np.int64]
    kept: Mask
    baselines: dict[str, Column]

    @classmethod
    def of(cls, file: FittedFile) -> "Findings":
        """Return what a fitted file holds; FittedFileError where it has no certificate for its own epsilon."""
        ladder = tuple(map(Certificate.from_json, file.certificates))
        own = [certificate for certificate in ladder if certificate.epsilon == file.epsilon]
        if not own:
            known = ", ".join(f"{certificate.epsilon:g}" for certificate in ladder) or "none"
            raise FittedFileError(
                f"the fitted file {file.id} has no certificate of its own: found epsilon {known}, "
                f"wanted {file.epsilon:g}; fit again"
            )
        columns = file.held_out
        p, local = np.array(columns.p, np.float64), np.array(columns.local, np.float64)
        kept = np.zeros(len(p), bool)
        kept[np.argsort(-p, kind="stable")[: own[0].kept]] = True  # p is rounded here, so not by the threshold
        return cls(
            file=file,
            certificate=own[0],
            ladder=ladder,
            behind=tuple(map(Certificate.from_json, file.composed)) if file.gates else (),
            p=p,
            y=(local >= CORRECT).astype(np.float64),
            local=local,
            cloud=None if columns.cloud is None else np.array(columns.cloud, np.float64),
            loss=np.array(columns.loss, np.float64),
            task=np.array(columns.task, np.int64),
            kept=kept,
            baselines={name: np.array(values, np.float64) for name, values in columns.baselines.items()},
        )

    @property
    def over_all(self) -> bool:
        """Whether the promise counts losses among all questions, not among the kept ones."""
        return self.file.promise == "regret"

    def tasks(self) -> tuple[Task, ...]:
        """Return every task that has questions here, the one that keeps most first."""
        present = np.unique(self.task)
        found = [self._task(int(number), len(present)) for number in present]
        return tuple(sorted(found, key=lambda task: (-task.kept, task.name)))

    def _task(self, number: int, tasks: int) -> Task:
        rows = self.task == number
        kept = rows & self.kept
        among = int(rows.sum() if self.over_all else kept.sum())
        lost = float(self.loss[kept].sum())
        # At 95 % for all tasks together; a graded loss is rounded down, so never marked too early.
        surely = lower_bound(min(math.floor(lost), among), among, 0.05 / tasks) if among else 0.0
        y = self.y[rows]
        told = len(y) >= LEAST_ROWS and y.min() < y.max()
        return Task(
            name=self.file.tasks[number],
            n=int(rows.sum()),
            accuracy=float(y.mean()),
            cloud=math.nan if self.cloud is None else float(self.cloud[rows].mean()),
            mean_p=float(self.p[rows].mean()),
            kept=float(self.kept[rows].mean()),
            wrong_kept=mean(1 - self.y[kept]),
            risk=lost / among if among else math.nan,
            auroc=auroc(self.p[rows], y) if told else math.nan,
            above=surely > self.file.epsilon,
        )


def mean(values: Column) -> float:
    """Return the mean, NaN of nothing."""
    return float(values.mean()) if len(values) else math.nan
