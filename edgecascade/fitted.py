"""A fitted file at work: draft to p_correct.

    draft ─▶ signals ─▶ head ─▶ calibrator ─▶ p_correct ≥ threshold?

The same three functions ran when it was fitted.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from edgecascade.calibrators import calibrator_from_json
from edgecascade.errors import FittedFileError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.heads import Head, Inputs, LinearHead, OnnxHead, checked_onnx
from edgecascade.identity import Identity, State, verdict
from edgecascade.records import Draft
from edgecascade.signals import SIGNALS, signals
from edgecascade.store.fitted_files import FittedFile, fitted_files, onnx_beside, read_fitted, user_fitted
from edgecascade.store.paths import Folders


class Fitted:
    """A fitted file, read and checked once; several threads may use it."""

    def __init__(self, path: Path, *, onnx: bool = False) -> None:
        """Read the file; ``onnx`` runs a linear head by onnxruntime as well. Raises FittedFileError."""
        self.path = path
        self.file = read_fitted(path)
        self.head = head_of(self.file, path, onnx=onnx)
        self.calibrator = calibrator_from_json(self.file.calibrator)
        self._certificates = {found.epsilon: found for found in map(Certificate.from_json, self.file.certificates)}
        self._composed = {found.epsilon: found for found in map(Certificate.from_json, self.file.composed)}

    @property
    def wants_hidden(self) -> bool:
        """Whether drafts must be written with their hidden states."""
        return bool(self.head.inputs.hidden)

    def gated(self, epsilon: float | None = None) -> bool:
        """Return whether there are gates, and something is promised of the answers that pass them."""
        certificate = self.certificate(epsilon, gated=True)
        return bool(self.file.gates) and certificate.epsilon in self._composed and certificate.feasible

    def certificate(self, epsilon: float | None = None, *, gated: bool = False) -> Certificate:
        """Return the certificate of a risk on the ladder, the file's own unless named; FittedFileError for another.

        gated  of the answers that pass the gates as well as the threshold
        """
        wanted = self.file.epsilon if epsilon is None else epsilon
        if wanted not in self._certificates:
            ladder = ", ".join(f"{known:g}" for known in self._certificates)
            raise FittedFileError(
                f"no certificate for epsilon {wanted:g}: found {ladder}; "
                "choose one of them, or fit again with --epsilon"
            )
        return (self._composed if gated and wanted in self._composed else self._certificates)[wanted]

    def p_correct(self, draft: Draft, measured: Mapping[str, float] | None = None) -> float:
        """Return the calibrated probability, 0 to 1, that a draft is right; ``measured`` are its signals, if known.

        A draft without tokens is not right.
        """
        if not draft.tokens:
            return 0.0
        row = self.head.inputs.vector(signals(draft) if measured is None else measured, draft.hidden)
        return float(self.calibrator(float(self.head(row[None, :])[0])))


def head_of(file: FittedFile, path: Path, *, onnx: bool) -> Head:
    """Return a fitted file's head; a linear one needs no ONNX file, but one that lies beside it must be its own."""
    part = file.head
    inputs = Inputs(part.signals, part.hidden, part.width)
    unknown = sorted(set(part.signals) - set(SIGNALS))
    if unknown:
        raise FittedFileError(
            f"{path} looks at signals that this version does not have: found {', '.join(unknown)}; "
            "install the version that fitted it, or fit again"
        )
    beside = onnx_beside(path)
    if part.kind == "linear" and not onnx:
        if beside.exists():
            checked_onnx(beside, part.sha256)
        return LinearHead(inputs, np.array(part.weights), part.intercept)
    return OnnxHead(beside, inputs, sha256=part.sha256)


ORDER: dict[State, int] = {"fresh": 0, "stale": 1, "refused": 2}


def find_fitted(here: Identity, folders: Folders, *, explicit: Path | None = None) -> Fitted | None:
    """Return the fitted file for an engine: the one that is named, else the user's own, else a shipped one.

    Of those not named, one that holds here; failing that, one of the same model that is refused for how it is run, so
    that the reason can be told; None where there is none.
    """
    if explicit:
        return Fitted(explicit)
    own = user_fitted(folders, here.sha256)
    if own.is_file() and verdict(read_fitted(own).identity, here).state == "fresh":
        return Fitted(own)
    same: list[tuple[int, int, Path]] = []
    for number, path in enumerate(fitted_files(folders)):
        with suppress(FittedFileError):  # a damaged file of another model is no reason to fail
            identity = read_fitted(path).identity
            if identity.family == here.family:
                same.append((ORDER[verdict(identity, here).state], number, path))
    return Fitted(min(same)[2]) if same else None
