"""Does a fitted file still hold on this device? Identity, fingerprint and drift, asked again."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from edgecascade import evidence
from edgecascade.calibrate.collect import first_token
from edgecascade.errors import DeviceError
from edgecascade.fingerprint import LARGEST, difference
from edgecascade.fitted import Fitted
from edgecascade.identity import Identity, State, Verdict, verdict
from edgecascade.monitor.psi import drift_verdict, psi, worth
from edgecascade.store.files import write_whole
from edgecascade.store.locks import locked
from edgecascade.store.paths import Folders
from edgecascade.watch import Watch


@dataclass(frozen=True, slots=True)
class Check:
    """What was found.

    verdict, reason  of all together
    identity         of the model and the way it is run alone, with its reason
    fingerprint      root mean square difference of 64 fixed prompts' first tokens, nats; None where it was not asked
    psi              of the estimates seen since, and ``answers`` of them; drift: what that says
    """

    id: str
    verdict: State
    reason: str
    identity: State
    identity_reason: str
    fingerprint: float | None
    psi: float
    answers: int
    drift: str

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)


def check(
    fitted: Fitted,
    engine: evidence.Tier,
    here: Identity,
    watch: Watch,
    *,
    say: Callable[[int], None] = lambda done: None,
) -> Check:
    """Return whether the file holds for an engine or a server; ``say`` is told how many fixed prompts were asked."""
    identity = verdict(fitted.file.identity, here)
    apart = None
    if identity.state != "refused":
        apart = difference(first_token(engine), fitted.file.fingerprint, say=say)
    holds = watch.verdict(_with_fingerprint(identity, apart))
    state = watch.state.drift
    index, weight = psi(state, watch.reference), worth(state, watch.reference)
    return Check(
        id=fitted.file.id,
        verdict=holds.state,
        reason=holds.reason,
        identity=identity.state,
        identity_reason=identity.reason,
        fingerprint=apart,
        psi=index,
        answers=math.floor(state.count + 0.5),
        drift=drift_verdict(index, weight),
    )


def forget(fitted: Fitted, folders: Folders) -> int:
    """Begin all monitors of a fitted file anew, and return how many; DeviceError where the disk does not let us.

    Each memory is replaced by an empty one: where it were deleted, a process that runs would write its own back.
    """
    paths = sorted((folders.state / "monitor").glob(f"{fitted.file.id}-*.json"))
    for path in paths:
        try:
            with locked(path.with_name(f".{path.name}.lock")):
                write_whole(path, "{}\n", durable=False)
        except OSError as error:
            raise DeviceError(
                f"{path} cannot be written: {error.strerror or error}; wanted a file that is yours; look at its rights"
            ) from error
    return len(paths)


def _with_fingerprint(identity: Verdict, apart: float | None) -> Verdict:
    if identity.state != "fresh" or apart is None or apart <= LARGEST:
        return identity
    return Verdict(
        "stale",
        f"the model answers the fixed prompts differently: {apart:.3f} nats, at most {LARGEST} wanted; calibrate again "
        "on this device",
    )
