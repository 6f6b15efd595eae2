"""Is the calibration still true? The monitors of one fitted file, kept on disk from one process to the next.

    every answer      its p_correct goes into the drift index        (``monitor.psi``: no labels needed)
    an audited one    its loss goes to the alarm and the threshold   (``monitor.audited``, ``monitor.adaptive``)

They only ever take a promise back: drift beyond the limit or an alarm withdraws it, and the adaptive threshold is never
looser than the certified one. The state is a few hundred bytes, whatever was seen.
"""

import json
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from edgecascade.errors import AttemptsError, DownloadError, FittedFileError
from edgecascade.fitted import Fitted
from edgecascade.identity import Verdict
from edgecascade.monitor.adaptive import AdaptiveThreshold
from edgecascade.monitor.audited import AuditState
from edgecascade.monitor.psi import PsiState, Reference, drift_verdict, psi, worth
from edgecascade.store.files import write_whole
from edgecascade.store.locks import locked
from edgecascade.store.paths import Folders

SCHEMA = 1
ALARM_DELTA = 0.05
"""How often the audits may ever raise a false alarm."""


@dataclass(frozen=True, slots=True)
class State:
    """What the monitors remember."""

    drift: PsiState
    audit: AuditState
    threshold: AdaptiveThreshold

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {
            "schema_version": SCHEMA,
            "drift": self.drift.as_json(),
            "audit": self.audit.as_json(),
            "threshold": self.threshold.as_json(),
        }


Change = Callable[[State], State]


class Watch:
    """The monitors of one promise for this user; several threads and processes may share them.

    ``write_every``: so many answers' estimates are written down together; a kill loses fewer.
    """

    def __init__(self, fitted: Fitted, folders: Folders, *, epsilon: float | None = None, gated: bool = False) -> None:
        """Take up where the last process stopped; a damaged memory is begun anew.

        epsilon  the risk of the ladder that is promised; None: the fitted file's own. Each is watched by itself.
        gated    the promise is about answers that pass the gates
        """
        self.fitted = fitted
        self.certificate = fitted.certificate(epsilon, gated=gated)
        self.reference = Reference.from_json(fitted.file.reference)
        self._least = self.certificate.threshold if gated else -math.inf
        if gated:
            with suppress(AttemptsError):  # of a file that holds too few: all its bins are watched
                self.reference = Reference.above(fitted.file.held_out.p, self._least)
        behind = "-gated" if gated else ""
        self.path = folders.state / "monitor" / f"{fitted.file.id}-{self.certificate.epsilon:g}{behind}.json"
        self._guard = threading.Lock()
        self._unwritten: list[Change] = []
        self._written = self.state = self._read()
        self.write_every = 1

    def saw(self, p_correct: float) -> None:
        """Take note of one more answer's estimate, 0 to 1; behind gates, all below the threshold are one.

        Gates stop the least sure answers first: told apart down there, their own work would look like drift.
        """
        seen = p_correct if p_correct >= self._least else -math.inf
        self._change(lambda state: replace(state, drift=state.drift.update(seen, self.reference)), now=False)

    def stopped(self) -> None:
        """Take note of one more answer that a gate stopped: its estimate would be below the threshold."""
        self.saw(-math.inf)

    def audited(self, *, kept: bool, loss: float | None, probability: float) -> None:
        """Take note of one more question, drawn for an audit or not.

        kept         whether the device's answer was kept
        loss         what the audit found of it, 0 (right) to 1; None where it was not drawn
        probability  with which questions are drawn, above 0; it must not depend on the answer

        Regret is a promise about all questions, so one that was not kept counts with loss 0; the others are about kept
        answers only, and a question that was not kept says nothing about them.
        """
        if not kept and self.certificate.promise != "regret":
            return
        found = loss if kept or loss is None else 0.0

        def change(state: State) -> State:
            audit = state.audit if found is None else state.audit.update(found)
            return replace(state, audit=audit, threshold=state.threshold.update(found, probability))

        self._change(change, now=True)

    def flush(self) -> None:
        """Write down what was seen since the last time."""
        with self._guard:
            if self._unwritten:
                self._write()

    def verdict(self, holds: Verdict) -> Verdict:
        """Return what is left of a verdict on the identity, given what was seen since."""
        if holds.state != "fresh":
            return holds
        if self.state.audit.alarm:
            return Verdict("stale", "the audits refute the promise: calibrate again on questions like the present ones")
        index = psi(self.state.drift, self.reference)
        match drift_verdict(index, worth(self.state.drift, self.reference)):
            case "void":
                return Verdict("stale", f"drift: PSI {index:.2f}, above 0.2; calibrate again on questions like these")
            case "refit":
                return Verdict("stale", f"drift: PSI {index:.2f}, above 0.05; refit with 30 or more labelled questions")
        return holds

    @property
    def stricter(self) -> float:
        """How far above the certified threshold the audits have moved the one in use, at least 0."""
        threshold = self.state.threshold
        return threshold.current - threshold.certified if math.isfinite(threshold.current) else 0.0

    def _read(self) -> State:
        try:
            record = json.loads(self.path.read_text(encoding="utf-8"))
            drift = PsiState.from_json(record["drift"])
            if len(drift.weights) != len(self.reference.shares):
                return self._new()
            return State(drift, AuditState.from_json(record["audit"]), AdaptiveThreshold.from_json(record["threshold"]))
        except (OSError, ValueError, KeyError, TypeError, FittedFileError):
            return self._new()

    def _new(self) -> State:
        epsilon = self.certificate.epsilon
        return State(
            PsiState.of(self.reference),
            AuditState(epsilon, ALARM_DELTA),
            AdaptiveThreshold.of(self.certificate.threshold, epsilon),
        )

    def _change(self, change: Change, *, now: bool) -> None:
        """Change what is remembered here; write it down ``now``, or when ``write_every`` changes have come together."""
        with self._guard:
            self.state = change(self.state)
            self._unwritten.append(change)
            if now or len(self._unwritten) >= self.write_every:
                self._write()

    def _write(self) -> None:
        """Add our changes to what is on disk; where nothing can be written, this process alone remembers."""
        with suppress(OSError, DownloadError), locked(self.path.with_name(f".{self.path.name}.lock")):
            state = self._read() if self.path.exists() else self._written
            for change in self._unwritten:
                state = change(state)
            write_whole(self.path, json.dumps(state.as_json()) + "\n", durable=False)
            self._written = self.state = state
        self._unwritten.clear()
