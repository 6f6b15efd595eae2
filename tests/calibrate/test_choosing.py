"""A richer head must earn its place, in its own domain and out of it; a calibrator by its log-loss."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgecascade.calibrate.choosing import (
    PLATT_BELOW,
    Choice,
    choose_calibrator,
    choose_head,
    crossed,
    folds,
    task_folds,
)
from edgecascade.calibrate.table import Table, table_of
from edgecascade.calibrate.training import CANDIDATES
from edgecascade.calibrators import CALIBRATORS
from edgecascade.heads import Head, Vector
from edgecascade.metrics import auroc, nll

DOUBTFUL: dict[str, Any] = {"tasks": 2, "skill": 1.5, "doubt": 3.0}
"""Worlds in which most of what decides does not show in the tokens."""


def drawn(world: Any, count: int = 320, **nature: Any) -> Table:
    """Rows of a world of that nature."""
    return table_of(world(**nature).draw(count), "regret")


@pytest.fixture(scope="module")
def chosen(world: Any) -> Callable[[str], Choice]:
    """What is chosen where the doubt is shown nowhere, everywhere, or by each task in its own way; found out once."""
    found: dict[str, Choice] = {}

    def choice(shown: str) -> Choice:
        if shown not in found:
            found[shown] = choose_head(drawn(world, shown=shown, **DOUBTFUL))
        return found[shown]

    return choice


def test_a_useless_richer_head_is_not_chosen(chosen: Callable[[str], Choice]) -> None:
    """States of noise only: whatever is chosen does not read them."""
    assert chosen("nowhere").name != "hidden"


def test_a_useful_richer_head_is_chosen(chosen: Callable[[str], Choice]) -> None:
    """What decides stands in the states of every task alike: they are read, and the gains are above 0 in both ways."""
    choice = chosen("everywhere")
    (trial,) = [trial for trial in choice.trials if trial.name == "hidden"]

    assert choice.name == "hidden" and trial.kept
    assert trial.gain_in and trial.gain_out and min(trial.gain_in.low, trial.gain_out.low) > 0


def test_a_head_that_knows_its_own_tasks_only_is_vetoed(chosen: Callable[[str], Choice]) -> None:
    """It gains in domain, but on a task that it never saw it does not: it is left out."""
    choice = chosen("by task")
    (trial,) = [trial for trial in choice.trials if trial.name == "hidden"]

    assert trial.gain_in and trial.gain_in.low > 0
    assert choice.name != "hidden" and not trial.kept


def test_the_logits_are_those_of_the_chosen_head_on_rows_it_did_not_see(
    world: Any, chosen: Callable[[str], Choice]
) -> None:
    """They are the cross-fitted ones again, and rank worse than the same head's on its own rows."""
    choice, table = chosen("everywhere"), drawn(world, shown="everywhere", **DOUBTFUL)
    head = choice.candidate(table)

    assert np.array_equal(choice.logits, crossed(table, choice.candidate, folds(table)))
    assert auroc(choice.logits, table.y) < auroc(head(table.matrix(head.inputs)), table.y)


def test_every_candidate_is_on_trial(chosen: Callable[[str], Choice]) -> None:
    """In their order, the plain one without a gain over itself."""
    trials = chosen("nowhere").trials

    assert [trial.name for trial in trials] == list(CANDIDATES)
    assert trials[0].kept and trials[0].gain_in is trials[0].gain_out is None


def test_without_states_and_with_one_task_the_rest_is_chosen_from(world: Any) -> None:
    """No head on states is tried, and nothing is said of other tasks."""
    table = drawn(world, 80, tasks=1)
    bare = replace(table, attempts=tuple(replace(row, draft=replace(row.draft, hidden=None)) for row in table.attempts))
    said: list[str] = []
    choice = choose_head(bare, say=said.append)

    assert [trial.name for trial in choice.trials] == [name for name in CANDIDATES if name != "hidden"]
    assert all(trial.out_of_domain is trial.gain_out is None for trial in choice.trials)
    assert said == [f"head: {trial.name}" for trial in choice.trials]


@pytest.mark.parametrize("parts", [folds, task_folds])
def test_folds_hold_every_row_out_once(world: Any, parts: Any) -> None:
    """And train on the others alone."""
    table = drawn(world, 100)
    found = list(parts(table))

    assert sorted(np.concatenate([held for _, held in found])) == list(range(100))
    assert all(sorted([*rest, *held]) == list(range(100)) for rest, held in found)


def test_folds_keep_the_mixture_and_task_folds_the_tasks_apart(world: Any) -> None:
    """The share of right answers is alike in each fold; a held-out task is nowhere in the rest."""
    table = drawn(world, 200, tasks=12)

    assert all(abs(table.y[held].mean() - table.y.mean()) <= 1 / len(held) for _, held in folds(table))
    for rest, held in task_folds(table):
        assert not set(table.task[rest]) & set(table.task[held])


class Remembering:
    """A candidate that knows the rows that it was fitted on by name."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []

    def __call__(self, table: Table) -> Head:
        """Fit the plain head, and note the rows."""
        self.seen.append({row.id for row in table.attempts})
        return CANDIDATES["compact"](table)


def test_no_row_is_scored_by_a_head_that_saw_it(world: Any) -> None:
    """Each fold's head was fitted on all rows but its own."""
    table, candidate = drawn(world, 100), Remembering()
    crossed(table, candidate, folds(table))

    for seen, (_, held) in zip(candidate.seen, folds(table), strict=True):
        assert seen.isdisjoint(table.attempts[row].id for row in held) and len(seen) + len(held) == 100


def test_tasks_that_leave_one_kind_behind_are_passed_over(world: Any) -> None:
    """Where only one task has right answers no head can be fitted without it: its rows stay undecided."""
    table = drawn(world, 120)
    table = replace(table, y=(table.task == 0).astype(float))

    logits = crossed(table, CANDIDATES["compact"], task_folds(table))

    assert not logits[table.task == 0].any() and logits[table.task != 0].all()


def logits_of(count: int) -> tuple[Vector, Vector]:
    """Overconfident logits, and how the answers were."""
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=count)
    return logits, (random.random(count) < 1 / (1 + np.exp(-0.4 * logits + 0.5))).astype(float)


def test_few_labels_get_platt() -> None:
    """Freer calibrators are not even tried."""
    name, calibrator, losses = choose_calibrator(*logits_of(PLATT_BELOW - 1))

    assert name == calibrator.kind == "platt" and list(losses) == ["platt"]


def test_the_least_loss_wins() -> None:
    """Of all that there are, and the winner is fitted on every row."""
    logits, y = logits_of(PLATT_BELOW)
    name, calibrator, losses = choose_calibrator(logits, y)

    assert set(losses) == set(CALIBRATORS) and losses[name] == min(losses.values())
    assert calibrator.as_json() == CALIBRATORS[name](logits, y).as_json()


def test_a_calibrator_mends_overconfidence() -> None:
    """On fresh rows of the same kind the log-loss is below that of the raw logits."""
    logits, y = logits_of(2000)
    _, calibrator, _ = choose_calibrator(logits[:1000], y[:1000])

    raw = 1 / (1 + np.exp(-logits[1000:]))
    assert nll(calibrator(logits[1000:]), y[1000:]) < nll(raw, y[1000:]) - 0.05
