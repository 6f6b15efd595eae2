"""What calls to a cloud may cost, and have cost: reserved in the ledger before each, settled after it, retries too."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edgecascade.cloud.calls import Meter, Outgoing, Settled
from edgecascade.records import Limits
from edgecascade.store.ledger import Cap, Ledger, Reservation
from edgecascade.store.ledger.budgets import NOT_SENT
from edgecascade.store.ledger.rows import Purpose
from edgecascade.store.prices import Price, upper_bound, usd

LEASE_SECONDS = 600.0
"""Longer than any call may take: a reservation of a killed process holds its money no longer."""


@dataclass(slots=True)
class Bill:
    """What one attempt has cost by now; ``usd`` is None once a part of it is unknown."""

    calls: int = 0
    _usd: list[float | None] = field(default_factory=list)

    def add(self, cost: float | None) -> None:
        """Add one call."""
        self.calls += 1
        self._usd.append(cost)

    def usd(self) -> float | None:
        """Return the dollars so far."""
        known = [cost for cost in self._usd if cost is not None]
        return math.fsum(known) if len(known) == len(self._usd) else None


@dataclass(frozen=True, slots=True)
class Booking:
    """The ledger as the calls of one answer see it; without one nothing is held to a budget, only counted."""

    ledger: Ledger | None
    answer_id: str
    caps: Sequence[Cap]
    kinds: tuple[str, ...] = ()

    def meter(self, price: Price | None, purpose: Purpose, bill: Bill) -> Meter:
        """Return what a cloud client asks before each request; BudgetError there keeps it from being sent."""

        def before(outgoing: Outgoing) -> Callable[[Settled], None]:
            most = upper_bound(price, outgoing.size, outgoing.max_tokens)
            reservation = self._reserve(outgoing, purpose, most)

            def after(settled: Settled) -> None:
                cost = _cost(settled, price, most)
                self._settle(reservation, settled, cost)
                bill.add(cost)

            return after

        return before

    def _reserve(self, outgoing: Outgoing, purpose: Purpose, most: float | None) -> Reservation | None:
        if self.ledger is None:
            return None
        return self.ledger.reserve(
            self.answer_id,
            host=outgoing.host,
            model=outgoing.model,
            purpose=purpose,
            size=outgoing.size,
            sha256=outgoing.sha256,
            kinds=self.kinds,
            usd=most,
            caps=self.caps,
            lease_seconds=LEASE_SECONDS,
        )

    def _settle(self, reservation: Reservation | None, settled: Settled, cost: float | None) -> None:
        if self.ledger is not None and reservation is not None:
            self.ledger.settle(
                reservation,
                outcome=settled.outcome,
                prompt_tokens=settled.prompt_tokens,
                completion_tokens=settled.completion_tokens,
                told=settled.told,
                usd=cost,
                seconds=settled.seconds,
            )


def limits_as_caps(limits: Limits) -> tuple[Cap, ...]:
    """Return a question's own limits as the ledger keeps them: at each retry too, exactly."""
    caps = (
        None if limits.usd is None else Cap("request", "usd", limits.usd),
        None if limits.calls is None else Cap("request", "calls", limits.calls),
    )
    return tuple(cap for cap in caps if cap)


def _cost(settled: Settled, price: Price | None, most: float | None) -> float | None:
    """Return what a call has cost; what the cloud did not count itself is never more than was asked for."""
    if settled.outcome in NOT_SENT:
        return 0.0
    cost = usd(price, settled.prompt_tokens or 0, settled.completion_tokens or 0)
    return cost if settled.told or cost is None or most is None else min(cost, most)
