"""A stream of questions that come faster than some models answer: MixLLM's published scenario, in virtual time.

    question ─▶ ┌ policy: sees the waits as last refreshed ┐ ─▶ model's queue ─▶ answer, or another model ─▶ ...

Wang et al., "MixLLM", arXiv:2502.18482, section on experiments: 100 queries arrive every 10 s, waiting times are
refreshed every 10 s, and an answer that comes later than the deadline is worth 0. Each model answers ``concurrency``
questions at once, the others wait in the order in which they were sent.

Different from the paper: how long its models take and how many questions they answer at once are not known to us, so
both are given. Questions arrive evenly. A policy may run several models for a question, one after the other or at
once; the answer of most weight is given, equal answers are not counted together.
"""

import heapq
import math
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.errors import PolicyError
from edgecascade.policies.playing import shown, whole_view
from edgecascade.policies.pooled import Fitted, PoolPolicy
from edgecascade.pool import Array, Feedback, Seen, Table

Learning = Literal["none", "graded", "liked"]
Places = NDArray[np.intp]

CONTENT = 0.5
"""A user is content with an answer worth as much."""


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """What became of the questions of a stream.

    quality   mean worth of an answer, 0 where it was late         late    share of answers beyond the deadline
    cost      mean of a question, in the table's unit              calls   of each model, a question (k,)
    wait      mean seconds that a call stood in a queue            seconds mean from a question to its answer
    curve     mean worth by window (w,)
    """

    quality: float
    late: float
    cost: float
    calls: Array
    wait: float
    seconds: float
    curve: Array


def stream(
    policy: PoolPolicy | Fitted,
    table: Table,
    features: ArrayLike,
    after: ArrayLike,
    *,
    seconds: ArrayLike,
    deadline: float,
    per_window: int = 100,
    window: float = 10.0,
    concurrency: ArrayLike = 1,
    learn: Learning = "none",
    budget: float | None = None,
    seed: int = 0,
) -> Streamed:
    """Return what becomes of a table's questions, which arrive in an order drawn by ``seed``.

    features, after   as ``policies.playing.play`` has them (n, d), (n, k)
    seconds           that an answer takes once it is begun, (k,) or (n, k)     concurrency  answers at once, () or (k,)
    deadline, window  seconds; ``per_window`` questions arrive in each window
    learn             what a fitted policy is told when an answer has come: its grade, or whether it was worth at least
                      .5; it then decides at ``budget`` from the next window on
    """
    order = np.random.default_rng(seed).permutation(len(table))
    parts = (np.asarray(array, np.float64)[order] for array in (features, after))
    taken = np.broadcast_to(np.asarray(seconds, np.float64), table.quality.shape)[order]
    at_once = np.broadcast_to(np.asarray(concurrency, np.intp), len(table.models))
    table = table.rows(order)
    arrived = np.arange(len(table), dtype=np.float64) * (window / per_window)
    run = _Run(table, whole_view(table, *parts), taken, window, at_once)
    run.follow(policy, learn, budget)
    run.events = [(float(time), question) for question, time in enumerate(arrived)]
    while run.events:
        run.step(*heapq.heappop(run.events))
    return run.result(arrived, deadline, per_window)


class _Run:
    """One stream on its way: queues, what has run, and the policy as it is now."""

    def __init__(self, table: Table, whole: Seen, taken: Array, window: float, at_once: Places) -> None:
        n, k = table.quality.shape
        self.table, self.whole, self.taken, self.window = table, whole, taken, window
        self.free = [[0.0] * int(count) for count in at_once]  # by model, when each of its places is free: a heap
        self.events: list[tuple[float, int]] = []
        self.told: list[tuple[float, int, int]] = []
        self.ran = np.zeros((n, k), bool)
        self.answered, self.ended = np.full(n, -1), np.zeros(n)
        self.waits, self.waited = np.zeros(k), 0.0
        self.refreshed = 0.0

    def follow(self, policy: PoolPolicy | Fitted, learn: Learning, budget: float | None) -> None:
        """Take a policy, or a fitted one at a budget, which alone can learn."""
        self.learn, self.budget = learn, budget
        self.fitted = None if hasattr(policy, "next") else policy
        self.policy = cast(PoolPolicy, policy) if self.fitted is None else self.fitted.at(budget)
        if learn != "none" and self.fitted is None:
            raise PolicyError("a policy at a budget does not learn: found one, wanted what was fitted; pass that")

    def step(self, now: float, question: int) -> None:
        """Ask the policy about one question, and send it where the policy says, or end it."""
        while self.refreshed + self.window <= now:
            self._refresh(self.refreshed + self.window)
        row = shown(self.whole.rows([question]), self.ran[[question]])
        seen = replace(row, waits=self.waits)
        models = np.flatnonzero(self.policy.next(seen)[0] & ~self.ran[question])
        if models.size:
            heapq.heappush(self.events, (max(self._call(now, question, int(model)) for model in models), question))
            return
        self.ended[question] = now
        votes = self.policy.answer(seen)[0]
        self.answered[question] = int(votes.argmax()) if votes.any() else -1

    def _call(self, now: float, question: int, model: int) -> float:
        """Return when a model has answered a question that is sent to it now."""
        begun = max(now, self.free[model][0])
        ended = begun + float(self.taken[question, model])
        heapq.heapreplace(self.free[model], ended)
        self.ran[question, model] = True
        self.waited += begun - now
        heapq.heappush(self.told, (ended, question, model))
        return ended

    def _refresh(self, now: float) -> None:
        """Look at the queues, and let the policy learn from the answers that have come."""
        self.refreshed = now
        self.waits = np.array([max(places[0] - now, 0.0) for places in self.free])
        if self.fitted is None or self.learn == "none":
            return
        while self.told and self.told[0][0] <= now:
            self.fitted = self.fitted.learn(self._feedback(*heapq.heappop(self.told)[1:]))
        self.policy = self.fitted.at(self.budget)

    def _feedback(self, question: int, model: int) -> Feedback:
        quality, length = float(self.table.quality[question, model]), float(self.table.lengths[question, model])
        graded = self.learn == "graded"
        return Feedback(
            features=self.whole.features[question],
            model=model,
            quality=quality if graded else None,
            liked=None if graded else quality >= CONTENT,
            tokens=length if math.isfinite(length) else None,
            seconds=float(self.taken[question, model]),
            cost=float(self.table.cost[question, model]),
            prompt_tokens=float(self.table.prompt_tokens[question]),
        )

    def result(self, arrived: Array, deadline: float, per_window: int) -> Streamed:
        """Return what became of all questions."""
        took, none = self.ended - arrived, self.answered < 0
        late = took > deadline
        found = self.table.quality[np.arange(len(took)), np.where(none, 0, self.answered)]
        worth = np.where(late | none, 0.0, found)
        windows = np.arange(0, len(worth), per_window)
        sizes = np.diff(np.append(windows, len(worth)))
        return Streamed(
            quality=float(worth.mean()),
            late=float(late.mean()),
            cost=float(np.where(self.ran, self.table.cost, 0.0).sum(axis=1).mean()),
            calls=self.ran.mean(axis=0),
            wait=self.waited / max(int(self.ran.sum()), 1),
            seconds=float(took.mean()),
            curve=np.add.reduceat(worth, windows) / sizes,
        )
