"""Heads: evidence to one real number, the logit of being right, before it is calibrated.

Every head is an ONNX file beside its fitted file, named there with its sha256. A linear one also stands in the fitted
file itself as weights, so that a small device needs no onnxruntime; both give the same number to 1e-6.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import AttemptsError, FittedFileError
from edgecascade.records import HiddenStates

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
State = Literal["prompt", "answer"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a head looks at, in this order: ``squeezed`` signals by name, then hidden states ("prompt", "answer")."""

    signals: tuple[str, ...]
    hidden: tuple[State, ...] = ()
    width: int = 0

    def __len__(self) -> int:
        return len(self.signals) + len(self.hidden) * self.width

    def vector(self, signals: Mapping[str, float], hidden: HiddenStates | None) -> Vector:
        """Return one answer's inputs, shape (len(self),); an answer of one token has the prompt's state for its own.

        Raises AttemptsError where hidden states are wanted and were not kept.
        """
        parts = [np.array([squeezed(name, signals[name]) for name in self.signals])]
        for name in self.hidden:
            if hidden is None:
                raise AttemptsError(
                    "this head looks at hidden states: found a draft without them, wanted one written with hidden=True"
                )
            parts.append(np.asarray(_state(hidden, name), np.float64))
        return np.concatenate(parts) if self.hidden else parts[0]

    def matrix(self, rows: Sequence[tuple[Mapping[str, float], HiddenStates | None]]) -> Matrix:
        """Return the inputs of many answers, shape (answers, len(self))."""
        return np.array([self.vector(*row) for row in rows]).reshape(len(rows), len(self))


def squeezed(name: str, value: float) -> float:
    """Return a signal on the scale that heads look at: the logarithm of 1 + x, with its sign; log-odds as they are.

    Lengths, sums and entropies have long tails: a head that is linear in them is ruled by the few longest answers.

    >>> squeezed("tokens", 0.0), squeezed("second_look", -6.0), squeezed("sum_logprob", 1 - math.e)
    (0.0, -6.0, -1.0)
    """
    return value if name in LOG_ODDS else math.copysign(math.log1p(abs(value)), value)


def _state(hidden: HiddenStates, name: State) -> NDArray[np.float32]:
    return hidden.prompt if name == "prompt" or hidden.answer_mean is None else hidden.answer_mean


LOG_ODDS = frozenset({"second_look"})


class Head(Protocol):
    """Gives each row of inputs a logit."""

    @property
    def inputs(self) -> Inputs:
        """What it looks at."""

    def __call__(self, matrix: Matrix) -> Vector:
        """Return the logits, shape (rows,)."""


@dataclass(frozen=True, slots=True)
class LinearHead:
    """x @ weights + intercept."""

    inputs: Inputs
    weights: Vector
    intercept: float

    def __call__(self, matrix: Matrix) -> Vector:
        """Return the logits, shape (rows,); summed row by row, so that one answer gets the bits it got among many."""
        logits: Vector = (matrix * self.weights).sum(axis=1) + self.intercept
        return logits


def checked_onnx(path: Path, sha256: str) -> bytes:
    """Return the bytes of a head's ONNX file; FittedFileError where it is missing, or not the one that was fitted."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FittedFileError(
            f"the head {path} cannot be read: {error.strerror or error}; wanted the ONNX file that was fitted; "
            "put it beside the fitted file, or fit again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise FittedFileError(
            f"the head {path} is not the one that was fitted: found sha256 {found[:16]}, wanted {sha256[:16]}; "
            "restore it, or fit again"
        )
    return content


class OnnxHead:
    """A head run by onnxruntime."""

    def __init__(self, path: Path, inputs: Inputs, *, sha256: str) -> None:
        """Load the file; raises FittedFileError where it is missing, tampered with, or not of these inputs."""
        self._load(checked_onnx(path, sha256), inputs, path)

    @classmethod
    def of(cls, content: bytes, inputs: Inputs) -> "OnnxHead":
        """Return the head of a file that is not yet written."""
        head = cls.__new__(cls)
        head._load(content, inputs, Path("new.onnx"))
        return head

    def _load(self, content: bytes, inputs: Inputs, path: Path) -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as native

        self.inputs = inputs
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except (native.Fail, native.InvalidGraph, native.InvalidProtobuf, native.NotImplemented) as error:
            raise FittedFileError(f"the head {path} is no ONNX model that runs here: {error}; fit again") from error
        (wanted,) = self._session.get_inputs()
        if wanted.shape[-1] not in (None, len(inputs)):
            raise FittedFileError(
                f"the head {path} takes {wanted.shape[-1]} inputs, the fitted file names {len(inputs)}; fit again"
            )
        self._name, self._output = wanted.name, self._session.get_outputs()[-1].name
        self._kind: Any = np.float64 if "double" in wanted.type else np.float32

    def __call__(self, matrix: Matrix) -> Vector:
        """Return the logits, shape (rows,)."""
        (scores,) = self._session.run([self._output], {self._name: matrix.astype(self._kind)})
        scores = np.asarray(scores, np.float64)
        return scores[:, -1] if scores.ndim > 1 else scores
