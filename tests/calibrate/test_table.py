"""Attempts as columns, checked once: what a promise costs, and what cannot be fitted."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgecascade.calibrate.table import FEWEST, Promise, table_of
from edgecascade.errors import AttemptsError
from edgecascade.heads import Inputs
from edgecascade.labelled import Grade
from edgecascade.store.attempts import Attempt, Attempts

LOCAL, CLOUD = (0.0, 0.0, 1.0, 1.0, 0.4), (0.0, 1.0, 0.0, 1.0, 1.0)


def changed(attempts: Attempts, change: Callable[[int, Attempt], Attempt]) -> Attempts:
    """The attempts, each one changed."""
    return Attempts(attempts.header, tuple(change(number, row) for number, row in enumerate(attempts.rows)))


@pytest.fixture
def few(world: Any) -> Attempts:
    """As many as must be there."""
    drawn: Attempts = world().draw(FEWEST)
    return drawn


@pytest.fixture
def known(few: Attempts) -> Attempts:
    """Device and cloud right or wrong in every combination, and the device half right."""

    def graded(number: int, row: Attempt) -> Attempt:
        local, cloud = LOCAL[number % 5], CLOUD[number % 5]
        return replace(row, grade=Grade(local), cloud=cloud, agrees=float(number % 5 in (0, 3)))

    return changed(few, graded)


@pytest.mark.parametrize(
    ("promise", "losses"),
    [("regret", (0, 1, 0, 0, 0.6)), ("selective", (1, 1, 0, 0, 1)), ("agreement", (0, 1, 1, 0, 1))],
)
def test_a_loss_is_what_keeping_the_answer_costs(known: Attempts, promise: Promise, losses: tuple[float, ...]) -> None:
    """Regret: what the cloud had better; selective: a wrong answer; agreement: another one than the cloud's."""
    table = table_of(known, promise)

    assert table.loss[:5] == pytest.approx(losses)


def test_right_is_half_of_the_score_or_more(known: Attempts) -> None:
    """Graded answers become right or wrong, and both scores stay beside."""
    table = table_of(known, "regret")

    assert table.y[:5].tolist() == [0, 0, 1, 1, 0]
    assert table.local[:5].tolist() == list(LOCAL) and table.cloud[:5].tolist() == list(CLOUD)


def test_rows_keep_their_order_and_tasks_their_names(few: Attempts) -> None:
    """Column i belongs to attempt i; the task's number leads back to its name."""
    table = table_of(few, "regret")

    assert [row.id for row in table.attempts] == [row.id for row in few.rows]
    assert [table.tasks[task] for task in table.task] == [row.task for row in few.rows]


@pytest.mark.parametrize("rows", [np.array([7, 3, 3]), np.arange(FEWEST) % 2 == 0])
def test_a_part_takes_every_column(known: Attempts, rows: np.ndarray) -> None:
    """By numbers or by a mask, in that order, the same rows of each."""
    table = table_of(known, "regret")
    part = table.take(rows)

    assert part.attempts == tuple(np.array(table.attempts, object)[rows])
    for name in ("y", "loss", "local", "cloud", "task"):
        assert np.array_equal(getattr(part, name), getattr(table, name)[rows])


def test_inputs_are_signals_and_then_states(few: Attempts) -> None:
    """In the order in which they are named, a row an attempt."""
    inputs = Inputs(("min_logprob", "tokens"), ("answer", "prompt"), 16)
    matrix = table_of(few, "regret").matrix(inputs)

    row, draft = few.rows[4], few.rows[4].draft
    assert draft.hidden is not None and draft.hidden.answer_mean is not None
    assert matrix.shape == (FEWEST, len(inputs)) == (FEWEST, 34)
    assert matrix[4] == pytest.approx(
        [
            -math.log1p(-row.signals["min_logprob"]),
            math.log1p(row.signals["tokens"]),
            *draft.hidden.answer_mean,
            *draft.hidden.prompt,
        ]
    )


def test_what_one_row_lacks_the_table_lacks(few: Attempts) -> None:
    """States and traces are used where every row has them."""
    whole = table_of(few, "regret")

    def bare(number: int, row: Attempt) -> Attempt:
        return row if number else replace(row, draft=replace(row.draft, tokens=(), hidden=None))

    table = table_of(changed(few, bare), "regret")

    assert (whole.has_hidden, whole.has_traces) == (True, True)
    assert (table.has_hidden, table.has_traces) == (False, False)


def test_too_few_are_refused(few: Attempts) -> None:
    """One below the least number, told with both numbers."""
    with pytest.raises(AttemptsError, match=r"found 49, wanted at least 50, .*; collect more questions"):
        table_of(Attempts(few.header, few.rows[1:]), "regret")


@pytest.mark.parametrize(("score", "kind", "add"), [(1.0, "right", "harder"), (0.0, "wrong", "easier")])
def test_all_of_one_kind_is_refused(few: Attempts, score: float, kind: str, add: str) -> None:
    """There is nothing to tell apart, and the message says which questions to add."""
    one_kind = changed(few, lambda number, row: replace(row, grade=Grade(score)))

    with pytest.raises(AttemptsError, match=f"found 50 attempts, all {kind}, wanted both; add {add} questions"):
        table_of(one_kind, "selective")


@pytest.mark.parametrize(("promise", "how"), [("regret", "--cloud-column NAME or --cloud SPEC"), ("agreement", "SPEC")])
def test_a_promise_about_the_cloud_needs_the_cloud(few: Attempts, promise: Promise, how: str) -> None:
    """Where one question lacks its side the promise is refused, with what to do; the selective one never is."""
    lacking = changed(few, lambda number, row: row if number else replace(row, cloud=None, agrees=None))

    with pytest.raises(AttemptsError, match=f"found none in 1 of 50; .*{how}, or fit --promise selective"):
        table_of(lacking, promise)
    assert np.isnan(table_of(lacking, "selective").cloud[0])


@pytest.mark.parametrize("name", ["mean_logprob", "invented"])
def test_signals_of_another_version_are_refused(few: Attempts, name: str) -> None:
    """One more or one fewer, named with the attempt that has it."""

    def other(number: int, row: Attempt) -> Attempt:
        odd = {key: row.signals.get(key, 0.0) for key in set(row.signals) ^ {name}}
        return replace(row, signals=odd) if number == 7 else row

    with pytest.raises(AttemptsError, match=f"q00007.*{name} found on one side only; collect anew"):
        table_of(changed(few, other), "regret")
