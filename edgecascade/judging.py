"""What a draft is worth here: a fitted file, the verdict on whether it holds, and the monitors that watch it.

Whether the file holds is ``identity.verdict``, less what the monitors have seen since: fresh, with its promise; stale,
with p_correct but no promise; refused, with neither.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecascade.errors import FittedFileError
from edgecascade.fitted import Fitted, find_fitted
from edgecascade.identity import Identity, Verdict, verdict
from edgecascade.llama.engine import Engine
from edgecascade.local import identity_of
from edgecascade.pull import sha256_of_model
from edgecascade.records import Calibration, Draft, Estimate, Sampling
from edgecascade.store.paths import Folders
from edgecascade.watch import Watch


@dataclass(frozen=True, slots=True)
class Judge:
    """Says what drafts are worth; the verdict was found out when it was made.

    epsilon   the risk of the ladder that is promised; None: the fitted file's own
    stricter  what is added to the certified threshold, at least 0
    """

    fitted: Fitted
    watch: Watch
    holds: Verdict
    epsilon: float | None = None
    stricter: float = 0.0

    @classmethod
    def of(cls, fitted: Fitted, here: Identity, folders: Folders, *, epsilon: float | None = None) -> "Judge":
        """Return a file with its monitors and the verdict here; FittedFileError for an epsilon not on its ladder."""
        fitted.certificate(epsilon)
        watch = Watch(fitted, folders)
        return cls(fitted, watch, watch.verdict(verdict(fitted.file.identity, here)), epsilon, watch.stricter)

    @property
    def wants_hidden(self) -> bool:
        """Whether drafts must be written with their hidden states."""
        return self.holds.state != "refused" and self.fitted.wants_hidden

    def __call__(self, draft: Draft, measured: Mapping[str, float] | None = None) -> Estimate:
        """Return what a draft is worth, and let the monitors see it; ``measured`` are its signals, if known."""
        state, reason = self.holds.state, self.holds.reason
        calibration = Calibration(self.fitted.file.id, state, reason)
        if state == "refused":
            return Estimate(None, None, None, calibration)
        p = self.fitted.p_correct(draft, measured)
        if draft.finish_reason != "cancelled":
            self.watch.saw(p)
        certificate = self.fitted.certificate(self.epsilon)
        if state == "stale":
            return Estimate(p, None, None, calibration)
        if not certificate.feasible:
            reason = f"nothing certified: {certificate.reason}"
            return Estimate(p, None, None, Calibration(self.fitted.file.id, state, reason))
        sentence = certificate.sentence(self.fitted.file.created)
        return Estimate(p, certificate.threshold + self.stricter, sentence, calibration)


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
) -> Judge | None:
    """Return the same for an engine whose file's sha256 is known; None where there is no fitted file."""
    here = identity_of(engine, sampling, sha256=sha256)
    fitted = find_fitted(here, folders, explicit=explicit)
    return Judge.of(fitted, here, folders, epsilon=epsilon) if fitted else None
