"""A table's questions as a stream: MixLLM's scenario, by the seconds that the table records (``simulate.stream``)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgecascade.errors import PolicyError
from edgecascade.policies.pooled import PoolPolicy
from edgecascade.pool import Array, Table
from edgecascade.simulate.stream import stream

WINDOW = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """How questions come, ``per_window`` in ten seconds; what comes after ``deadline`` seconds is worth nothing.

    Each model answers ``at_once`` questions, the others wait.
    """

    deadline: float
    per_window: int = 100
    at_once: int = 10

    def sentence(self) -> str:
        """Return it in words."""
        return (
            f"As a stream: {self.per_window} questions every {WINDOW:.0f} s, each model answers {self.at_once} at "
            f"once, an answer after more than {self.deadline:g} s is worth nothing."
        )


class Stream(NamedTuple):
    """What became of a stream: means of a question, but for ``late``, the share beyond the deadline.

    worth  of an answer, 0 where it was late      wait  seconds that a call stood in a queue
    cost   in the table's unit                    seconds  from a question to its answer
    """

    worth: float
    late: float
    cost: float
    wait: float
    seconds: float


def check(table: Table) -> None:
    """Raise PolicyError for a table that does not tell how long each answer took."""
    lost = [table.models[place] for place in np.flatnonzero(np.isnan(table.seconds).any(axis=0))]
    if lost:
        raise PolicyError(
            f"nothing can be streamed: found no seconds in at least one row of {', '.join(lost)}, wanted `seconds`, "
            "{model: s}, in every row; record them, or leave out --stream"
        )


def streamed(
    policy: PoolPolicy, table: Table, features: Array, after: Array, arrivals: Arrivals, *, seed: int
) -> Stream:
    """Return what becomes of a table's questions under a policy at its budget, which learns nothing on the way."""
    found = stream(
        policy,
        table,
        features,
        after,
        seconds=table.seconds,
        deadline=arrivals.deadline,
        per_window=arrivals.per_window,
        window=WINDOW,
        concurrency=arrivals.at_once,
        seed=seed,
    )
    return Stream(found.quality, found.late, found.cost, found.wait, found.seconds)
