"""Heads: evidence in a fixed order to one number, in numpy and by onnxruntime alike."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from edgecascade.calibrate.training import onnx_of
from edgecascade.errors import AttemptsError, FittedFileError
from edgecascade.heads import Inputs, LinearHead, OnnxHead
from edgecascade.records import HiddenStates

STATES = HiddenStates(np.array([1, 2], np.float32), np.array([3, 4], np.float32))
BOTH = Inputs(("b", "a"), ("answer", "prompt"), 2)
HEAD = LinearHead(BOTH, np.array([0.5, -1.0, 0.25, 2.0, -0.125, 3.0]), -0.75)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The head as an ONNX file."""
    path = tmp_path / "head.onnx"
    path.write_bytes(onnx_of(HEAD))
    return path


def digest(path: Path) -> str:
    """The sha256 that a fitted file would name."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_inputs_stand_in_the_named_order() -> None:
    """Signals first, then the states, whatever else the evidence holds."""
    vector = BOTH.vector({"a": 10.0, "c": 99.0, "b": 20.0}, STATES)

    assert vector.tolist() == [math.log(21), math.log(11), 3, 4, 1, 2] and vector.dtype == np.float64 and len(BOTH) == 6


def test_an_answer_of_one_token_has_the_prompts_state() -> None:
    """Nothing was decoded behind the prompt, so its state stands for the answer's."""
    vector = BOTH.vector({"a": 0.0, "b": 0.0}, HiddenStates(STATES.prompt, None))

    assert vector.tolist() == [0, 0, 1, 2, 1, 2]


def test_states_are_asked_for_only_where_they_are_looked_at() -> None:
    """A draft without them is refused by a head on states, and good enough for any other."""
    with pytest.raises(AttemptsError, match="found a draft without them, wanted one written with hidden=True"):
        BOTH.vector({"a": 0.0, "b": 0.0}, None)
    assert Inputs(("a",)).vector({"a": -5.0}, None).tolist() == [-math.log(6)]


def test_log_odds_are_looked_at_as_they_are() -> None:
    """They have no long tail; everything else does."""
    assert Inputs(("second_look", "tokens")).vector({"second_look": 4.0, "tokens": 4.0}, None).tolist() == [
        4,
        math.log(5),
    ]


def test_many_answers_are_a_matrix() -> None:
    """A row each; none at all keep the width."""
    rows = [({"a": float(number), "b": 0.0}, STATES) for number in range(3)]

    assert np.array_equal(BOTH.matrix(rows), [BOTH.vector(*row) for row in rows])
    assert BOTH.matrix([]).shape == (0, 6)


def test_onnx_and_numpy_agree(path: Path) -> None:
    """On 200 random rows, together and one by one, to 1e-6."""
    matrix = np.random.default_rng(0).normal(size=(200, 6)) * 10
    head = OnnxHead(path, BOTH, sha256=digest(path))

    assert head(matrix) == pytest.approx(matrix @ HEAD.weights - 0.75, rel=1e-6, abs=1e-6)
    assert [head(row[None, :])[0] for row in matrix[:10]] == pytest.approx(HEAD(matrix[:10]), rel=1e-6, abs=1e-6)


def test_a_changed_byte_is_refused(path: Path) -> None:
    """The file must be the one that was fitted, to the bit."""
    wanted, content = digest(path), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(FittedFileError, match=rf"found sha256 {digest(path)[:16]}, wanted {wanted[:16]}; restore it"):
        OnnxHead(path, BOTH, sha256=wanted)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """With its path and what to do."""
    with pytest.raises(FittedFileError, match=r"none\.onnx cannot be read: .*put it beside the fitted file"):
        OnnxHead(tmp_path / "none.onnx", BOTH, sha256="0" * 64)


def test_what_is_no_onnx_is_refused(tmp_path: Path) -> None:
    """Also where its digest is the wanted one."""
    (path := tmp_path / "head.onnx").write_bytes(b"no model")

    with pytest.raises(FittedFileError, match="no ONNX model that runs here"):
        OnnxHead(path, BOTH, sha256=digest(path))


def test_other_inputs_are_refused(path: Path) -> None:
    """A head of six inputs is not fed seven."""
    with pytest.raises(FittedFileError, match="takes 6 inputs, the fitted file names 7"):
        OnnxHead(path, Inputs(("c", "b", "a"), ("answer", "prompt"), 2), sha256=digest(path))
