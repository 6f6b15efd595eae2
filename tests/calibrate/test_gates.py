"""Gates stop what would not be kept, and hardly anything else."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecascade.calibrate.gates import FALSE_ALARMS, Gate, fit_gates, measured, reach
from edgecascade.calibrate.table import Table, table_of
from edgecascade.heads import Inputs
from edgecascade.signals import PREFILL


def surest(table: Table, share: float = 0.5) -> NDArray[np.bool_]:
    """The answers that an estimate by their mean log-probability would keep."""
    mean = np.array([row.signals["mean_logprob"] for row in table.attempts])
    return np.asarray(mean >= np.quantile(mean, 1 - share))


@pytest.fixture(scope="module")
def table(world: Any) -> Table:
    """Rows to fit on."""
    return table_of(world().draw(1000), "regret")


@pytest.fixture(scope="module")
def fresh(world: Any) -> Table:
    """Rows that the gates have not seen."""
    return table_of(world().draw(2000, seed=1), "regret")


@pytest.fixture(scope="module")
def gates(table: Table) -> tuple[Gate, ...]:
    """Those that are worth having."""
    return fit_gates(table, surest(table))


def test_false_alarms_stay_near_the_nominal(gates: tuple[Gate, ...], fresh: Table) -> None:
    """Of fresh answers that would be kept and go on beyond it, each gate stops a share no larger than was asked for."""
    kept = surest(fresh)
    for gate in gates:
        alone = np.zeros(len(fresh), bool)
        alone[reach(fresh, gate.at)] = True
        rate = gate.stops(fresh)[alone & kept].mean()

        assert rate <= FALSE_ALARMS + 2 * (FALSE_ALARMS / (alone & kept).sum()) ** 0.5


def test_gates_save_what_they_are_for(gates: tuple[Gate, ...], fresh: Table) -> None:
    """Some stand, and together they stop a good part of the answers that would not be kept."""
    _, stopped = measured(gates, fresh, kept := surest(fresh))

    assert gates and stopped[~kept].mean() > 0.2 > stopped[kept].mean()


def test_nothing_is_stopped_where_everything_is_kept(table: Table) -> None:
    """A gate that could only err is left out."""
    assert fit_gates(table, np.ones(len(table), bool)) == ()


def test_there_is_no_gate_where_nothing_is_kept_or_traced(table: Table) -> None:
    """Without an answer to keep, or without tokens, there is nothing to gate."""
    bare = replace(table, attempts=tuple(replace(row, draft=replace(row.draft, tokens=())) for row in table.attempts))

    assert fit_gates(table, np.zeros(len(table), bool)) == fit_gates(bare, surest(table)) == ()


def test_an_answer_that_ended_before_is_left_alone(gates: tuple[Gate, ...], fresh: Table) -> None:
    """A gate looks at unfinished answers only."""
    for gate in gates:
        short = np.array([len(row.draft.tokens) <= gate.at for row in fresh.attempts])

        assert not gate.stops(fresh)[short].any()


def test_a_gate_sees_nothing_that_comes_later(gates: tuple[Gate, ...], fresh: Table) -> None:
    """Cut off one token behind its checkpoint, and with another end, an answer is stopped or not as before."""
    for gate in gates:
        rows = reach(fresh, gate.at)[:200]
        part = fresh.take(rows)
        cut = replace(
            part,
            attempts=tuple(
                replace(row, draft=replace(row.draft, tokens=row.draft.tokens[: gate.at + 1])) for row in part.attempts
            ),
        )

        assert np.array_equal(gate.stops(cut), gate.stops(part))


def test_the_first_gate_looks_at_the_prompt_alone(gates: tuple[Gate, ...]) -> None:
    """After one token: what the prompt's reading gives, its hidden state among it, not the answer's."""
    first = next((gate for gate in gates if gate.at == 1), None)

    assert first is None or first.head.inputs == Inputs(PREFILL, ("prompt",), 16)


def test_what_is_measured_adds_up(gates: tuple[Gate, ...], fresh: Table) -> None:
    """Each answer counts for the first gate that stops it; saved tokens are those behind it."""
    results, stopped = measured(gates, fresh, kept := surest(fresh))
    lengths = np.array([len(row.draft.tokens) for row in fresh.attempts])

    assert sum(result.stops for result in results) == pytest.approx(stopped.mean())
    assert sum(result.false_alarms[0] for result in results) == pytest.approx(stopped[kept].mean())
    assert 0 < sum(result.tokens_saved for result in results) < lengths[stopped].sum() / lengths.sum()
    assert all(result.false_alarms[1] <= result.false_alarms[0] <= result.false_alarms[2] for result in results)
