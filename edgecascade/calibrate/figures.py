"""What a fitted file tells of questions that it has not seen: how good its estimate is, and the columns themselves."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecascade.calibrate.gates import Gate
from edgecascade.calibrate.table import Table, ended
from edgecascade.heads import Vector
from edgecascade.metrics import (
    Interval,
    auroc,
    bootstrap,
    brier,
    deferral_area,
    ece,
    macro_auroc,
    oracle_share,
    prr,
    share_kept,
    smooth_ece,
)
from edgecascade.store.fitted_files import HeldOut

REPEATS = 400
BASELINES = ("sum_logprob", "mean_logprob", "min_logprob", "first_probability_margin", "mean_entropy")
RISING_RISK = frozenset({"mean_entropy"})
"""Baselines that grow when the answer is worse."""


def metrics_of(p: Vector, table: Table) -> dict[str, Any]:
    """Return how good the estimate is on questions that it has not seen, with 95 % bootstrap intervals."""
    y, task = table.y, table.family
    boot = partial(bootstrap, groups=task, repeats=REPEATS)
    found: dict[str, Any] = {
        "accuracy": boot(lambda p, y: float(y.mean()), p, y),
        "auroc": boot(auroc, p, y),
        "auroc_within_tasks": boot(macro_auroc, p, y, task),
        "prr": boot(prr, p, y),
        "smooth_ece": boot(smooth_ece, p, y),
        "ece_10_bins": boot(ece, p, y),
        "brier": boot(brier, p, y),
    }
    if not np.isnan(table.cloud).any():
        found["cloud_accuracy"] = boot(lambda p, cloud: float(cloud.mean()), p, table.cloud)
        found["deferral_area"] = boot(deferral_area, p, table.local, table.cloud)
    for epsilon in (0.01, 0.02, 0.05):
        found[f"share_kept_at_{epsilon:g}"] = boot(partial(share_kept, epsilon=epsilon), p, table.loss)
        found[f"oracle_share_at_{epsilon:g}"] = boot(partial(_oracle_share, epsilon), p, table.loss)
    found["baselines"] = {name: boot(macro_auroc, baseline(table, name), y, task) for name in BASELINES}
    return dict(plain(found))


def _oracle_share(epsilon: float, p: Vector, loss: Vector) -> float:
    return oracle_share(loss, epsilon)


def baseline(table: Table, name: str) -> Vector:
    """Return a signal as an estimate: higher is surer, shape (n,)."""
    sign = -1.0 if name in RISING_RISK else 1.0
    return sign * np.array([row.signals[name] for row in table.attempts])


def held_out(p: Vector, table: Table, gates: Sequence[Gate] = ()) -> HeldOut:
    """Return the certificate's own questions as columns; what nothing is compared with is rounded."""

    def column(values: NDArray[np.float64], digits: int = 4) -> tuple[float, ...]:
        return tuple(round(float(value), digits) for value in values)

    known = not np.isnan(table.cloud).any()
    return HeldOut(
        task=tuple(int(task) for task in table.task),
        p=column(p),
        local=column(table.local),
        cloud=column(table.cloud) if known else None,
        loss=column(table.loss),
        seconds=column(np.array([row.draft.timings.total_s for row in table.attempts])),
        baselines={name: column(baseline(table, name)) for name in BASELINES},
        exact=tuple(p.tolist()),
        prompt_tokens=tuple(row.draft.usage.prompt_tokens for row in table.attempts),
        tokens=tuple(len(row.draft.tokens) for row in table.attempts),
        ended=tuple(ended(table).tolist()),
        turned=tuple(row.draft.second_look is not None for row in table.attempts),
        looks=tuple(gate.looks(table) for gate in gates),
    )


def plain(value: Any) -> Any:
    """Return intervals as dictionaries, and a figure that is not defined on these questions as null."""
    if isinstance(value, Interval):
        value = asdict(value)
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
