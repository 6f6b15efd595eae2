"""What a call may cost is reserved before it, what it has cost is settled after it, and a bill adds it up."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecascade.cascade.booking import Bill, Booking, limits_as_caps
from edgecascade.cloud.calls import Outgoing, Settled
from edgecascade.errors import BudgetError, NoSpaceError
from edgecascade.records import Limits
from edgecascade.store.ledger import Cap, Ledger
from edgecascade.store.prices import Price

PRICE = Price(input=1.0, output=10.0)
CALL = Outgoing("example.org", "large", 1000, "0" * 64, 400, 100, 1)
MOST = (1000 * 1.0 + 100 * 10.0) / 1e6


def settled(outcome: str = "ok", read: int | None = 10, written: int | None = 5, *, told: bool = True) -> Settled:
    """Return how a request ended."""
    return Settled(outcome, read, written, 0.1, 200, told)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger on disk."""
    with Ledger(tmp_path / "ledger.db", clock=time.time) as opened:
        yield opened


def spent(ledger: Ledger) -> tuple[int, float]:
    """Return the calls and dollars of this day."""
    day = next(window for window in ledger.summary().spent if window.per == "day")
    return day.calls, day.usd


def test_a_bill_adds_up_and_knows_when_it_does_not() -> None:
    """It is the sum of its parts, 0 of none, and unknown once one part is."""
    bill = Bill()
    sums = [bill.usd()]
    for cost in (0.1, 0.2, None, 0.3):
        bill.add(cost)
        sums.append(bill.usd())

    assert sums == [0.0, 0.1, pytest.approx(0.3), None, None] and bill.calls == 4


def test_the_most_is_held_until_the_cost_is_known(ledger: Ledger) -> None:
    """While a call is on its way the budget counts all that it may cost, and then what it did."""
    bill = Bill()
    settle = Booking(ledger, "answer", ()).meter(PRICE, "answer", bill)(CALL)
    before = spent(ledger)
    settle(settled())

    assert before == (1, pytest.approx(MOST)) and spent(ledger) == (1, pytest.approx(60e-6))
    assert bill.usd() == pytest.approx(60e-6)


@pytest.mark.parametrize("outcome", ["offline", "breaker"])
def test_what_never_left_costs_nothing(ledger: Ledger, outcome: str) -> None:
    """A call that reached no server counts neither as one nor in dollars, at whatever price."""
    for price in (PRICE, None):
        bill = Bill()
        Booking(ledger, "answer", ()).meter(price, "answer", bill)(CALL)(settled(outcome, 10, 0, told=False))

        assert bill.usd() == 0.0 and spent(ledger) == (0, 0.0)


@pytest.mark.parametrize("outcome", ["ok", "timeout", "cancelled", "protocol"])
def test_an_unknown_price_stays_unknown(ledger: Ledger, outcome: str) -> None:
    """Whatever became of the call, nobody says that it cost nothing."""
    bill = Bill()
    Booking(ledger, "answer", ()).meter(None, "answer", bill)(CALL)(settled(outcome))

    assert bill.usd() is None


def test_a_guess_is_never_above_what_was_asked_for(ledger: Ledger) -> None:
    """A server that talks without end is not believed to charge for it; one that counts is."""
    costs = []
    for told in (False, True):
        bill = Bill()
        Booking(ledger, "answer", ()).meter(PRICE, "answer", bill)(CALL)(settled("protocol", 10, 17_000, told=told))
        costs.append(bill.usd())

    assert costs == [pytest.approx(MOST), pytest.approx(0.17001)]


def test_a_call_above_the_budget_is_not_made(ledger: Ledger) -> None:
    """The request is refused before it leaves, and nothing is booked of it."""
    meter = Booking(ledger, "answer", (Cap("day", "usd", 1.5 * MOST),)).meter(PRICE, "answer", Bill())
    meter(CALL)
    with pytest.raises(BudgetError):
        meter(CALL)

    assert spent(ledger) == (1, pytest.approx(MOST))


class FullLedger(Ledger):
    """A ledger whose disk is full once the answer is there."""

    def settle(self, *_: Any, **__: Any) -> bool:
        """Fail."""
        raise NoSpaceError("no space left")


def test_what_was_paid_stays_paid_where_the_ledger_cannot_hold_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is not lost for it, its cost counts, and the log says so."""
    bill = Bill()
    with FullLedger(tmp_path / "ledger.db", clock=time.time) as ledger, caplog.at_level(logging.WARNING, "edgecascade"):
        Booking(ledger, "answer", ()).meter(PRICE, "answer", bill)(CALL)(settled())

    assert bill.usd() == pytest.approx(60e-6) and "the ledger holds only its reservation" in caplog.text


@pytest.mark.parametrize(
    ("limits", "made"), [(Limits(calls=2), 2), (Limits(calls=0), 0), (Limits(usd=60e-6 + MOST), 2), (Limits(usd=0), 0)]
)
def test_a_questions_own_limits_hold_without_a_ledger(limits: Limits, made: int) -> None:
    """What was made counts with its cost, the next one with the most that it may cost."""
    meter = Booking(None, "answer", limits_as_caps(limits)).meter(PRICE, "answer", Bill())
    for _ in range(made):
        meter(CALL)(settled())
    with pytest.raises(BudgetError, match="the question's own limit"):
        meter(CALL)


def test_without_a_ledger_what_never_left_counts_nothing_and_an_unknown_price_fits_no_dollars() -> None:
    """As with one."""
    calls, dollars = limits_as_caps(Limits(calls=1)), limits_as_caps(Limits(usd=9.0))
    meter = Booking(None, "answer", calls).meter(PRICE, "answer", Bill())
    meter(CALL)(settled("offline"))
    meter(CALL)(settled())

    with pytest.raises(BudgetError, match="unknown price"):
        Booking(None, "answer", dollars).meter(None, "answer", Bill())(CALL)


def test_without_a_ledger_no_budget_is_kept() -> None:
    """The bill is the same; what days and months allow nobody knows."""
    bill = Bill()
    meter = Booking(None, "answer", (Cap("day", "calls", 0),)).meter(PRICE, "answer", bill)
    meter(CALL)(settled())

    assert bill.usd() == pytest.approx(60e-6) and bill.calls == 1


@pytest.mark.parametrize(
    ("limits", "caps"),
    [
        (Limits(), ()),
        (Limits(seconds=1.0), ()),
        (Limits(usd=0.5), (Cap("request", "usd", 0.5),)),
        (Limits(usd=0.0, calls=0), (Cap("request", "usd", 0.0), Cap("request", "calls", 0))),
    ],
)
def test_limits_are_caps_of_one_request(limits: Limits, caps: Any) -> None:
    """A question's own limits are kept like budgets; 0 is a limit, none is none."""
    assert limits_as_caps(limits) == caps
