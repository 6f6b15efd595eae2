"""What a draft is worth here: a fitted file, the verdict on whether it holds, and the monitors that watch it.

Whether the file holds is ``identity.verdict``, less what sets this answer apart from those that were certified, less
what the monitors have seen since: fresh, with its promise; stale, with p_correct but no promise; refused, with neither.
"""

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from edgecascade.errors import FittedFileError
from edgecascade.fitted import Fitted, find_fitted
from edgecascade.grading import letter_of
from edgecascade.identity import Identity, Verdict, verdict
from edgecascade.llama.engine import Engine
from edgecascade.local import identity_of
from edgecascade.pull import sha256_of_model
from edgecascade.records import Calibration, Draft, Estimate, Question, Sampling
from edgecascade.store.fitted_files import FittedFile
from edgecascade.store.paths import Folders
from edgecascade.watch import Watch

REMEMBERED = 1000
"""Questions of this process that are not shown to the monitors a second time."""


class Judge:
    """Says what drafts are worth here; several threads may ask it."""

    def __init__(
        self,
        fitted: Fitted,
        here: Identity,
        folders: Folders,
        *,
        epsilon: float | None = None,
        gated: bool = False,
    ) -> None:
        """Take a fitted file and its monitors to an engine; FittedFileError for an epsilon not on the file's ladder.

        epsilon  the risk of the ladder that is promised; None: the fitted file's own
        gated    promise it of the answers that pass the file's gates, where it can be
        """
        self.fitted = fitted
        self.gated = gated and fitted.gated(epsilon)
        self.certificate = fitted.certificate(epsilon, gated=self.gated)
        self.identity = verdict(fitted.file.identity, here)
        self.watch = Watch(fitted, folders, epsilon=epsilon, gated=self.gated)
        self._guard = threading.Lock()
        self._seen: dict[bytes, None] = {}

    @property
    def system(self) -> str | None:
        """The system message that the file was fitted with; the promise holds for questions that begin with it."""
        return self.fitted.file.system

    @property
    def wants_hidden(self) -> bool:
        """Whether drafts must be written with their hidden states."""
        return self.identity.state != "refused" and self.fitted.wants_hidden

    def __call__(self, question: Question, draft: Draft, measured: Mapping[str, float] | None = None) -> Estimate:
        """Return what a draft is worth as an answer to a question, and let the monitors see it.

        measured  its signals, where they are known
        """
        file = self.fitted.file
        if self.identity.state == "refused":
            return Estimate(None, None, None, Calibration(file.id, "refused", self.identity.reason))
        p = self.fitted.p_correct(draft, measured)
        holds = like_those_certified(question, draft, file, self.identity)
        if holds.state == "fresh":
            if self._is_new(question):
                self.watch.saw(p)
            holds = self.watch.verdict(holds)
        if holds.state == "fresh" and not self.certificate.feasible:
            return Estimate(
                p, None, None, Calibration(file.id, "fresh", f"nothing certified: {self.certificate.reason}")
            )
        calibration = Calibration(file.id, holds.state, holds.reason)
        if holds.state != "fresh":
            return Estimate(p, None, None, calibration)
        threshold = self.certificate.threshold + self.watch.stricter
        return Estimate(p, threshold, self.promise(fewer=self.watch.stricter > 0), calibration)

    def promise(self, *, fewer: bool = False) -> str:
        """Return what is promised, in words; ``fewer``: not all that the certificate covers is kept."""
        return self.certificate.sentence(self.fitted.file.created, fewer=fewer)

    def stopped(self, question: Question) -> None:
        """Let the monitors see that a gate stopped the answer to a question."""
        holds = asked_as_certified(question, self.fitted.file, self.identity)
        if holds.state == "fresh" and self._is_new(question):
            self.watch.stopped()

    def _is_new(self, question: Question) -> bool:
        """Return whether the monitors have not seen it: one question asked over and over is no drift."""
        asked = (question.messages, question.choices, question.schema)
        digest = hashlib.sha256(repr(asked).encode()).digest()
        with self._guard:
            new = digest not in self._seen
            self._seen.pop(digest, None)
            self._seen[digest] = None
            if len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
        return new


def like_those_certified(question: Question, draft: Draft, file: FittedFile, identity: Verdict) -> Verdict:
    """Return the verdict for one answer: stale where it was asked, or ended, as none that was certified."""
    asked = asked_as_certified(question, file, identity)
    if asked.state != "fresh":
        return asked
    if draft.finish_reason != "end":
        return Verdict("stale", f"the answer did not end by itself: found {draft.finish_reason!r}; such are not kept")
    if question.choices and letter_of(draft.text, question.choices) is None:
        return Verdict("stale", "the answer names none of the choices, or more than one")
    if file.longest and len(draft.tokens) > file.longest:
        return Verdict(
            "stale",
            f"longer than any answer that was certified: found {len(draft.tokens)} tokens, at most {file.longest}",
        )
    return identity


def asked_as_certified(question: Question, file: FittedFile, identity: Verdict) -> Verdict:
    """Return the verdict for one question, whatever is answered: stale where it is asked as none that was certified."""
    if identity.state != "fresh":
        return identity
    if _system_of(question) != file.system:  # its text is the user's own, and stays out of the ledger
        return Verdict("stale", "another system message than the one it was fitted with")
    if question.goes_on and not file.provenance.get("conversations"):
        return Verdict("stale", "it goes on with a conversation, and was fitted on questions that stand alone")
    if question.tools:
        return Verdict("stale", "the question brings tools, which the device's model does not call")
    return identity


def _system_of(question: Question) -> str | None:
    first = question.messages[0]
    return first.content if first.role == "system" else None


def calibrated(
    engine: Engine,
    fitted: Path | str | None = None,
    *,
    sampling: Sampling | None = None,
    epsilon: float | None = None,
) -> Judge:
    """Return the judge of an engine's drafts: by a fitted file, else the user's own for its model, else a shipped one.

    sampling  how its answers will be drawn; greedy unless given

    Raises FittedFileError where there is none, or a damaged one, or no certificate for ``epsilon``.
    """
    folders = Folders.of(os.environ)
    found = judge_of(
        engine, sampling or Sampling(), sha256_of_model(engine.path, folders), folders,
        explicit=Path(fitted) if fitted else None, epsilon=epsilon,
    )  # fmt: skip
    if found is None:
        raise FittedFileError(
            f"no fitted file for {engine.path.name}: found none, wanted one; run `edgecascade calibrate --model "
            f"{engine.path}`"
        )
    return found


def judge_of(
    engine: Engine,
    sampling: Sampling,
    sha256: str,
    folders: Folders,
    *,
    explicit: Path | None = None,
    epsilon: float | None = None,
    gated: bool = False,
) -> Judge | None:
    """Return the same for an engine whose file's sha256 is known; None where there is no fitted file."""
    here = identity_of(engine, sampling, sha256=sha256)
    return judge_for(here, folders, explicit=explicit, epsilon=epsilon, gated=gated)


def judge_for(
    here: Identity,
    folders: Folders,
    *,
    explicit: Path | None = None,
    epsilon: float | None = None,
    gated: bool = False,
) -> Judge | None:
    """Return what judges the drafts of whatever has this identity; None where there is no fitted file."""
    fitted = find_fitted(here, folders, explicit=explicit)
    return Judge(fitted, here, folders, epsilon=epsilon, gated=gated) if fitted else None
