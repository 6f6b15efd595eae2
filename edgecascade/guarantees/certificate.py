"""A promise about the answers that are kept on this device: as a record, and as one sentence that can be signed."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from edgecascade.errors import FittedFileError

Promise = Literal["regret", "selective", "agreement"]

CLAIMS: dict[Promise, str] = {
    "regret": "Keeping answers on this device costs at most {share} of questions an answer that the cloud had right",
    "selective": "Of the answers kept on this device at most {share} are wrong",
    "agreement": "Of the answers kept on this device at most {share} differ from the cloud's",
}
OF_FEWER = "; here fewer may be kept, and no test was of those alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What held on the questions that it was fitted on, and what follows for others of the same kind.

    promise    regret: E[loss of a kept answer, 0 where none is kept]; selective, agreement: E[loss | kept]
    epsilon    the risk is at most this, 0 to 1
    delta      the chance that a calibration promises it wrongly, 0 to 1
    n          questions
    threshold  keep an answer if and only if p >= threshold; infinity keeps none
    kept       how many of the n that keeps
    losses     the sum of their losses
    bound      upper confidence bound on the risk at the threshold, at the level of the test there; 1 if infeasible
    reason     why nothing can be promised; "" where something is
    needed     about how many questions would do; None where no number would, or where these did
    method     the test
    """

    promise: Promise
    epsilon: float
    delta: float
    n: int
    threshold: float
    kept: int
    losses: float
    bound: float
    reason: str
    needed: int | None
    method: str

    @property
    def feasible(self) -> bool:
        """Whether any answer may be kept."""
        return math.isfinite(self.threshold)

    @property
    def share_kept(self) -> float:
        """The part of the n questions whose answer is kept, 0 to 1."""
        return self.kept / self.n

    def sentence(self, fitted_on: str, *, fewer: bool = False) -> str:
        """Return the promise in words; ``fitted_on`` is a date, such as 2026-11-21.

        fewer  something else than the threshold takes answers away as well: regret only falls by that, but a share
               among those kept may rise, and is promised of all that the threshold keeps
        """
        if not self.feasible:
            more = f" About {_grouped(self.needed)} questions would be needed." if self.needed else ""
            return f"No promise can be made, every question goes to the cloud: {self.reason}.{more}"
        claim = CLAIMS[self.promise].format(share=_percent(self.epsilon))
        basis = f"n = {_grouped(self.n)}, fitted {fitted_on}, valid until the drift alarm"
        of_more = fewer and self.promise != "regret"
        if of_more:
            claim = claim.replace("kept on this device", "that this device may keep")
        return f"{claim}, with {_percent(1 - self.delta)} confidence ({basis}){OF_FEWER if of_more else ''}."

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values; an infinite threshold is null."""
        return asdict(self) | {"threshold": self.threshold if self.feasible else None}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Certificate":
        """Return the certificate that ``as_json`` wrote."""
        if set(record) != set(cls.__slots__) or record["promise"] not in get_args(Promise):
            raise FittedFileError(
                f"not a certificate: found {', '.join(map(repr, record))}, wanted {', '.join(cls.__slots__)}; fit again"
            )
        try:
            return cls(
                promise=record["promise"],
                epsilon=float(record["epsilon"]),
                delta=float(record["delta"]),
                n=int(record["n"]),
                threshold=math.inf if record["threshold"] is None else float(record["threshold"]),
                kept=int(record["kept"]),
                losses=float(record["losses"]),
                bound=float(record["bound"]),
                reason=str(record["reason"]),
                needed=None if record["needed"] is None else int(record["needed"]),
                method=str(record["method"]),
            )
        except (TypeError, ValueError) as error:
            raise FittedFileError(f"a certificate holds a value of the wrong kind: {error}; fit again") from error


def _percent(share: float) -> str:
    return f"{100 * share:.10g} %"


def _grouped(count: int | None) -> str:
    return f"{count:,}".replace(",", " ")
