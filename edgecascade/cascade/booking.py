"""What calls to a cloud may cost, and have cost: reserved in the ledger before each, settled after it, retries too."""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edgecascade.cloud.calls import Meter, Outgoing, Settled
from edgecascade.errors import BudgetError, LedgerError, NoSpaceError
from edgecascade.records import Limits
from edgecascade.store.ledger import Cap, Ledger, Reservation
from edgecascade.store.ledger.budgets import NOT_SENT
from edgecascade.store.ledger.rows import Purpose
from edgecascade.store.prices import Price, upper_bound, usd

LEASE_SECONDS = 600.0
"""Longer than any call may take: a reservation of a killed process holds its money no longer."""

log = logging.getLogger("edgecascade")


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


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The calls of one answer that no ledger counts, with the most that each may cost, or has; for several threads."""

    usd: dict[object, float | None] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Booking:
    """The ledger as the calls of one answer see it; without one only what the question itself allows is kept.

    held  what all bookings of one answer share, where no ledger does
    """

    ledger: Ledger | None
    answer_id: str
    caps: Sequence[Cap]
    kinds: tuple[str, ...] = ()
    held: Held = field(default_factory=Held)

    def meter(self, price: Price | None, purpose: Purpose, bill: Bill) -> Meter:
        """Return what a cloud client asks before each request; BudgetError there keeps it from being sent."""

        def before(outgoing: Outgoing) -> Callable[[Settled], None]:
            most = upper_bound(price, outgoing.size, outgoing.max_tokens)
            reservation = self._reserve(outgoing, purpose, most) if self.ledger else self._hold(outgoing, most)

            def after(settled: Settled) -> None:
                cost = _cost(settled, price, most)
                bill.add(cost)  # first: the call is paid for, whether or not it can be written down
                self._settle(reservation, settled, cost)

            return after

        return before

    def _reserve(self, outgoing: Outgoing, purpose: Purpose, most: float | None) -> Reservation:
        assert self.ledger is not None
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

    def _hold(self, outgoing: Outgoing, most: float | None) -> object:
        """Count a call that no ledger counts; raise BudgetError where it would pass a cap of this request."""
        with self.held.guard:
            calls = len(self.held.usd)
            known = [cost for cost in (*self.held.usd.values(), most) if cost is not None]
            for cap in self.caps:
                dear = cap.unit == "usd" and (len(known) <= calls or math.fsum(known) > cap.most)
                if cap.per == "request" and (dear or (cap.unit == "calls" and calls + 1 > cap.most)):
                    wanted = "a call of unknown price" if most is None else f"1 more call, of at most ${most:.6f}"
                    raise BudgetError(
                        f"the question's own limit of {cap} does not allow it: found {calls} calls made to "
                        f"{outgoing.model} and others, wanted {wanted}; raise it"
                    )
            self.held.usd[held := object()] = most
            return held

    def _settle(self, reservation: object, settled: Settled, cost: float | None) -> None:
        if not isinstance(reservation, Reservation) or self.ledger is None:
            self._release(reservation, settled, cost)
            return
        try:
            self.ledger.settle(
                reservation,
                outcome=settled.outcome,
                prompt_tokens=settled.prompt_tokens,
                completion_tokens=settled.completion_tokens,
                told=settled.told,
                usd=cost,
                seconds=settled.seconds,
            )
        except (LedgerError, NoSpaceError) as error:
            log.warning("a call was made, and the ledger holds only its reservation: %s", error)

    def _release(self, held: object, settled: Settled, cost: float | None) -> None:
        with self.held.guard:
            if settled.outcome in NOT_SENT:
                del self.held.usd[held]
            elif cost is not None:
                self.held.usd[held] = cost


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
