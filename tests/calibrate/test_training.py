"""Heads that learn: better than chance, linear on the raw inputs, and the same numbers as ONNX."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from edgecascade.calibrate.table import Table, table_of
from edgecascade.calibrate.training import (
    CANDIDATES,
    COMPACT,
    SIGNAL_SCALE,
    STATE_STRENGTHS,
    STRENGTHS,
    logistic_head,
    onnx_of,
)
from edgecascade.heads import Inputs, LinearHead, OnnxHead, Vector
from edgecascade.metrics import auroc
from edgecascade.store.attempts import Attempts

PIECES = {"signals": Inputs(COMPACT[:5]), "states too": Inputs(COMPACT[:5], ("prompt", "answer"), 16)}


@pytest.fixture(scope="module")
def table(world: Any) -> Table:
    """Rows to learn from; half of what decides shows in the states only."""
    return table_of(world(doubt=2.0, shown="everywhere").draw(400), "regret")


@pytest.fixture(scope="module")
def fresh(world: Any) -> Table:
    """Rows of the same world that nobody learnt from."""
    return table_of(world(doubt=2.0, shown="everywhere").draw(400, seed=1), "regret")


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_candidate_beats_chance(name: str, table: Table, fresh: Table) -> None:
    """On rows that it has not seen, by more than chance ever is off with 400 rows."""
    head = CANDIDATES[name](table)

    assert auroc(head(fresh.matrix(head.inputs)), fresh.y) > 0.65


def test_hidden_states_are_read(table: Table, fresh: Table) -> None:
    """What only they show is found by the head on them alone."""
    areas = {
        name: auroc(head(fresh.matrix(head.inputs)), fresh.y)
        for name in ("linear", "hidden")
        if (head := CANDIDATES[name](table))
    }

    assert areas["hidden"] > areas["linear"] + 0.05


@pytest.mark.parametrize("name", CANDIDATES)
def test_the_same_rows_give_the_same_head(name: str, table: Table) -> None:
    """Nothing is left to chance: two fits give one logit a row, to the bit."""
    logits = [head(table.matrix(head.inputs)) for head in (CANDIDATES[name](table), CANDIDATES[name](table))]

    assert np.array_equal(*logits)


def pipeline(inputs: Inputs, matrix: np.ndarray, y: Vector, strength: float) -> Vector:
    """The textbook's form: standardise, weigh signals before states, regress; the logits of the rows themselves."""
    count = len(inputs.signals)
    weigh = FunctionTransformer(lambda values: values * (SIGNAL_SCALE if inputs.hidden else 1.0))
    parts = ColumnTransformer(
        [
            ("signals", make_pipeline(StandardScaler(), weigh), slice(0, count)),
            ("states", StandardScaler() if inputs.hidden else "drop", slice(count, len(inputs))),
        ]
    )
    model = make_pipeline(parts, LogisticRegression(C=strength, tol=1e-9, max_iter=5000))
    return np.asarray(model.fit(matrix, y).decision_function(matrix))


@pytest.mark.parametrize(("kind", "strengths"), [("signals", STRENGTHS), ("states too", STATE_STRENGTHS)])
def test_a_folded_head_equals_the_standardised_pipeline(kind: str, strengths: tuple[float, ...], table: Table) -> None:
    """Weights on raw inputs give what scikit-learn's own steps give, at one of the strengths that are tried."""
    inputs = PIECES[kind]
    matrix = table.matrix(inputs)
    logits = logistic_head(matrix, table.y, inputs)(matrix)

    distances = [np.abs(pipeline(inputs, matrix, table.y, strength) - logits).max() for strength in strengths]
    assert min(distances) < 5e-2 < max(distances)


@pytest.mark.parametrize("name", ["linear", "hidden", "trees"])
def test_onnx_gives_the_same_numbers(name: str, table: Table, fresh: Table, tmp_path: Path) -> None:
    """A head as bytes, run by onnxruntime, to 1e-6 of the head itself."""
    head = CANDIDATES[name](table)
    path, matrix = tmp_path / "head.onnx", fresh.matrix(head.inputs)
    path.write_bytes(content := onnx_of(head))
    logits = OnnxHead(path, head.inputs, sha256=hashlib.sha256(content).hexdigest())(matrix)

    assert logits.shape == (len(fresh),)
    assert logits == pytest.approx(head(matrix), rel=1e-6, abs=1e-6)


def test_a_head_without_signals_that_change_is_the_base_rate(table: Table) -> None:
    """Constant inputs get no weight; what is left is the intercept."""
    inputs = Inputs(("valid_json", "looked_again"))
    head = logistic_head(np.full((len(table), 2), 3.0), table.y, inputs)

    assert head.weights.tolist() == [0.0, 0.0]
    assert head.intercept == pytest.approx(np.log(table.y.mean() / (1 - table.y.mean())), abs=1e-3)


@pytest.mark.parametrize("name", ["linear", "hidden"])
def test_a_signal_that_never_changed_does_not_matter_later(name: str, table: Table) -> None:
    """A value that was not seen when it was fitted moves nothing."""
    head = CANDIDATES[name](table)
    place = head.inputs.signals.index("valid_json")
    matrix = table.matrix(head.inputs)
    moved = matrix.copy()
    moved[:, place] += 5.0

    assert isinstance(head, LinearHead) and np.ptp(matrix[:, place]) == 0
    assert np.array_equal(head(moved), head(matrix))


def test_the_value_of_a_constant_signal_does_not_matter(table: Table) -> None:
    """The same rows with another constant give the same head."""

    def with_value(value: float) -> Table:
        rows = tuple(replace(row, signals={**row.signals, "valid_json": value}) for row in table.attempts)
        return replace(table, attempts=rows)

    heads = [CANDIDATES["linear"](with_value(value)) for value in (0.0, 7.0)]

    assert np.array_equal(heads[0](table.matrix(heads[0].inputs)), heads[1](table.matrix(heads[1].inputs)))


@pytest.mark.parametrize("name", [name for name in CANDIDATES if name != "hidden"])
def test_only_one_candidate_needs_states(name: str, attempts: Attempts) -> None:
    """The others look at signals alone, so that drafts need not be written with their states."""
    assert CANDIDATES[name](table_of(Attempts(attempts.header, attempts.rows[:100]), "regret")).inputs.hidden == ()
