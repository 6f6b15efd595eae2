"""An alarm on audited answers that may be looked at after every one of them.

Of the kept answers some are drawn at random and checked against the cloud; X_t in [0, 1] is the loss of the t-th. While
the promise holds, E[X_t | past] <= r0, the wealth of a gambler who bets against it is a supermartingale:

    M_t = product of (1 + lam_i (X_i - r0))       lam_i = clip((mu - r0) / (var + (mu - r0)^2), 0, 1 / (2 r0))

with mu and var the mean and variance of the losses before i. By Ville's inequality M_t ever reaches 1/delta with
probability at most delta, at whatever times one looks. Podkopaev, Ramdas, "Tracking the risk of a deployed model and
detecting harmful distribution shifts", arXiv:2110.06177; the bets are after Waudby-Smith, Ramdas, "Estimating means of
bounded random variables by betting", arXiv:2010.09686.

r0 is the promised risk of what is drawn. A promise on the kept answers: draw among them. A promise on all questions
(regret): draw among all, and count an answer that was not kept as loss 0, which needs no check. The draw must not
depend on the answer. An alarm is never taken back: calibrate again, and start a new state.

Simulated at r0 = 0.05, delta = 0.05: 1.5 % false alarms in 4000 audits; median audits until the alarm 647 at 1.5 times
the promised risk, 203 at twice, 73 at three times, 31 at five times.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgecascade.errors import InputError
from edgecascade.monitor.stored import stored_count, stored_number


@dataclass(frozen=True, slots=True)
class AuditState:
    """The gambler's wealth after some audits; five numbers beside the promise.

    risk      r0, the promised mean loss, above 0 and below 1
    delta     the largest probability of a false alarm, ever
    audits    how many losses have been seen
    total     their sum                     squares    the sum of their squares
    wealth    ln M_t                        peak       the largest ln M_t so far

    >>> state = AuditState(risk=0.05, delta=0.05)
    >>> for _ in range(6):
    ...     state = state.update(1.0)
    >>> state.alarm
    True
    """

    risk: float
    delta: float
    audits: int = 0
    total: float = 0.0
    squares: float = 0.0
    wealth: float = 0.0
    peak: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.risk < 1 or not 0 < self.delta < 1:
            raise InputError(
                f"no promise to watch: found risk {self.risk} and delta {self.delta}, wanted both above 0 and below 1; "
                "take them from the certificate"
            )

    @property
    def alarm(self) -> bool:
        """Whether the promise has been refuted at level delta, now or before."""
        return self.peak >= -math.log(self.delta)

    def update(self, loss: float) -> "AuditState":
        """Return the state after one more audited loss, 0 (right) to 1; InputError for any other value."""
        if not 0 <= loss <= 1:
            raise InputError(f"a loss out of range: found {loss}, wanted 0 (right) to 1 (wrong); grade it first")
        wealth = self.wealth + math.log1p(self._bet() * (loss - self.risk))
        return replace(
            self,
            audits=self.audits + 1,
            total=self.total + loss,
            squares=self.squares + loss * loss,
            wealth=wealth,
            peak=max(self.peak, wealth),
        )

    def _bet(self) -> float:
        """Return lam for the next audit, from the past alone, in which one audit at the promised risk is put first."""
        n = self.audits + 1
        mean = (self.total + self.risk) / n
        variance = max((self.squares + self.risk) / n - mean * mean, 0.0)
        edge = mean - self.risk
        if edge <= 0:
            return 0.0
        return min(edge / (variance + edge * edge), 0.5 / self.risk)

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "AuditState":
        """Return what was stored; FittedFileError for a damaged record."""
        risk, delta = (stored_number(record, name, least=1e-9, most=1 - 1e-9) for name in ("risk", "delta"))
        audits = stored_count(record, "audits")
        total, squares = (stored_number(record, name, least=0.0, most=audits) for name in ("total", "squares"))
        peak = stored_number(record, "peak", least=0.0)
        return cls(
            risk, delta, audits, total, squares, stored_number(record, "wealth", least=-math.inf, most=peak), peak
        )
