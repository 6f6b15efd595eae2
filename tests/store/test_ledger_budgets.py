"""Budgets: no sequence of calls passes a cap, none is refused too early, and what left stays visible."""

import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edgecascade.errors import BudgetError, ConfigError, InputError
from edgecascade.store.ledger import Cap, Ledger, Reservation, caps_of
from edgecascade.store.ledger.budgets import window_of

NOON = datetime(2026, 11, 30, 12, 30, tzinfo=UTC).timestamp()
HOUR = 3600.0


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = NOON

    def __call__(self) -> float:
        """Return the moment."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Half past noon on the last day of a month."""
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """A ledger that follows the clock."""
    with Ledger(tmp_path / "ledger.db", clock=clock) as opened:
        yield opened


def reserve(
    ledger: Ledger, caps: str, usd: float | None = 0.1, *, answer_id: str = "a", lease: float = 60
) -> Reservation:
    """Reserve a call under the caps of a text."""
    return ledger.reserve(
        answer_id, host="h", model="big", purpose="answer", size=10, sha256="0" * 64, kinds=(), usd=usd,
        caps=caps_of(caps), lease_seconds=lease,
    )  # fmt: skip


def settle(ledger: Ledger, reservation: Reservation, usd: float | None = 0.1, outcome: str = "ok") -> bool:
    """Settle it."""
    return ledger.settle(
        reservation, outcome=outcome, prompt_tokens=1, completion_tokens=1, told=True, usd=usd, seconds=0.5
    )


def calls(ledger: Ledger) -> list[dict[str, Any]]:
    """Every call row."""
    ledger.export("jsonl", out := io.BytesIO(), table="calls")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_caps_are_read_from_text() -> None:
    """Units and windows in any order, spaces and case aside; nothing is no cap."""
    assert caps_of("1usd/day, 100 calls/HOUR,.01usd/request,1 call/day") == (
        Cap("day", "usd", 1.0), Cap("hour", "calls", 100.0), Cap("request", "usd", 0.01), Cap("day", "calls", 1.0),
    )  # fmt: skip
    assert caps_of("") == caps_of(" , ") == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1usd", "'1usd'"),
        ("1/day", "'1/day'"),
        ("-1usd/day", "'-1usd/day'"),
        ("nanusd/day", "'nanusd/day'"),
        ("1usd/year", "'1usd/year'"),
        ("1.5calls/day", r"'1\.5calls/day'"),
        ("1usd/day,2usd/day", "1 usd a day and 2 usd a day"),
    ],
)
def test_a_cap_that_is_none_is_refused(text: str, found: str) -> None:
    """With what was found and what is wanted."""
    with pytest.raises(ConfigError, match=f"found {found}, wanted"):
        caps_of(text)


@pytest.mark.parametrize("seed", range(20))
def test_windows_tile_the_calendar(seed: int) -> None:
    """Each moment lies in its window, the next one begins where it ends, and days and months begin at midnight UTC."""
    at = random.Random(seed).uniform(0, 4e9)
    for per in ("hour", "day", "month"):
        start, end = window_of(per, at)  # type: ignore[arg-type]

        assert start <= at < end and window_of(per, start) == (start, end) and window_of(per, end)[0] == end  # type: ignore[arg-type]
        first = datetime.fromtimestamp(start, UTC)
        assert (first.minute, first.second) == (0, 0) and (per == "hour" or first.hour == 0)
        assert per != "month" or first.day == 1


@pytest.mark.parametrize("seed", range(30))
def test_a_call_is_refused_exactly_when_a_cap_would_be_passed(tmp_path: Path, seed: int) -> None:
    """Over a random history of calls, costs, clocks and kills the ledger decides as the literal sum over all does.

    A call counts in the window of its reservation: with what was reserved while it is out, with its cost once that is
    settled (what was reserved where it is unknown), not at all once its lease is over, or where nothing was sent.
    """
    rng, clock = random.Random(seed), Clock()
    caps = [Cap("request", "calls", 3), Cap("hour", "usd", 0.7), Cap("day", "calls", 14), Cap("month", "usd", 2.1)]
    history: list[dict[str, Any]] = []
    with Ledger(tmp_path / "ledger.db", clock=clock) as ledger:
        for _ in range(150):
            clock.now += rng.choice([1, 30, 900])
            name, usd = rng.choice("abc") + str(clock.now // 7200), rng.randint(0, 30) / 100
            allowed = all(literal(history, cap, clock.now, name, usd) for cap in caps)
            try:
                made = reserve(ledger, "3calls/request,0.7usd/hour,14calls/day,2.1usd/month", usd, answer_id=name)
            except BudgetError:
                assert not allowed
            else:
                assert allowed
                history.append({"it": made, "name": name, "at": clock.now, "until": clock.now + 60, "cents": usd * 100})
            for entry in rng.sample(history, min(2, len(history))):
                outcome, cost = rng.choice(["ok", "ok", "timeout", "offline"]), rng.choice([None, 0.05, 0.4])
                if settle(ledger, entry["it"], cost, outcome):
                    entry["until"] = float("inf") if outcome != "offline" else 0.0
                    entry["cents"] = entry["cents"] if cost is None else cost * 100


def literal(history: list[dict[str, Any]], cap: Cap, now: float, name: str, usd: float) -> bool:
    """Whether a cap lets one more call pass, summed over everything that ever happened, in whole cents."""
    counting = [entry for entry in history if entry["until"] > now]
    if cap.per == "request":
        counting = [entry for entry in counting if entry["name"] == name]
    else:
        start, end = window_of(cap.per, now)
        counting = [entry for entry in counting if start <= entry["at"] < end]
    if cap.unit == "calls":
        return len(counting) + 1 <= cap.most
    return sum(round(entry["cents"]) for entry in counting) + round(usd * 100) <= round(cap.most * 100)


def test_tenths_of_a_dollar_add_up(ledger: Ledger) -> None:
    """Three times 0.1 fits into 0.3, which it does not in floats; a fourth does not."""
    for _ in range(3):
        settle(ledger, reserve(ledger, "0.3usd/day"))

    with pytest.raises(BudgetError, match=r"0\.3 usd a day does not allow it: found \$0\.300000 .*, wanted \$0\.1"):
        reserve(ledger, "0.3usd/day")


def test_the_error_says_when_the_window_ends(ledger: Ledger) -> None:
    """In UTC; the last day of the month ends the month too."""
    reserve(ledger, "")

    for per, end in (("hour", "2026-11-30 13:00"), ("day", "2026-12-01 00:00"), ("month", "2026-12-01 00:00")):
        with pytest.raises(BudgetError, match=f"found 1 spent or reserved, wanted 1 more; .* until {end} UTC"):
            reserve(ledger, f"1calls/{per}")


def test_a_new_window_is_empty(ledger: Ledger, clock: Clock) -> None:
    """What was spent in the last hour does not count in this one, but still in this day."""
    settle(ledger, reserve(ledger, "1calls/hour"))
    clock.now += HOUR / 2

    assert reserve(ledger, "1calls/hour")
    with pytest.raises(BudgetError, match="2 calls a day"):
        reserve(ledger, "2calls/day")


def test_a_call_belongs_to_the_window_of_its_reservation(ledger: Ledger, clock: Clock) -> None:
    """One that is settled in the next hour was paid for in the last one."""
    made = reserve(ledger, "", lease=HOUR)
    clock.now += HOUR / 2
    settle(ledger, made)

    assert [(window.per, window.calls) for window in ledger.summary().spent] == [("hour", 0), ("day", 1), ("month", 1)]


def test_an_unknown_price_is_refused_by_dollars_only(ledger: Ledger) -> None:
    """Calls can still be counted; unknown is never taken for 0."""
    assert reserve(ledger, "5calls/day", None)
    with pytest.raises(BudgetError, match=r"price of big is unknown: found a budget of 1 usd a day"):
        reserve(ledger, "5calls/day,1usd/day", None)


def test_an_unknown_cost_counts_with_what_was_reserved(ledger: Ledger) -> None:
    """The row says that it is unknown, and the budget does not forget it."""
    settle(ledger, reserve(ledger, ""), None)

    assert calls(ledger)[0]["usd"] is None
    for caps in ("0.15usd/day", "0.15usd/request"):
        with pytest.raises(BudgetError, match=r"found \$0\.100000 spent"):
            reserve(ledger, caps)


def test_a_real_cost_above_the_bound_counts_whole(ledger: Ledger) -> None:
    """What was spent was spent."""
    settle(ledger, reserve(ledger, "0.2usd/day"), 0.3)

    assert ledger.summary().spent[1].usd == 0.3


def test_a_call_is_settled_once(ledger: Ledger) -> None:
    """The second time changes nothing and says so."""
    made = reserve(ledger, "")

    assert [settle(ledger, made), settle(ledger, made, 5.0, "timeout")] == [True, False]
    assert [(row["outcome"], row["usd"]) for row in calls(ledger)] == [("ok", 0.1)]
    assert ledger.summary().spent[0].calls == 1


@pytest.mark.parametrize("outcome", ["offline", "breaker"])
def test_a_call_that_reached_no_server_counts_nothing(ledger: Ledger, outcome: str) -> None:
    """Its row stays, but no byte left, and a day without network uses no budget up."""
    settle(ledger, reserve(ledger, "1calls/day,1calls/request"), 0.0, outcome)

    assert ledger.summary().bytes_left == 0 and len(calls(ledger)) == 1
    assert reserve(ledger, "1calls/day,1calls/request")


def test_a_reservation_ends_with_its_lease(ledger: Ledger, clock: Clock) -> None:
    """Until then it counts; from then on it is a call that was lost: visible, because its bytes may have left."""
    reserve(ledger, "1calls/day", lease=60)
    clock.now += 59.9
    with pytest.raises(BudgetError):
        reserve(ledger, "1calls/day")
    clock.now += 0.2

    assert reserve(ledger, "1calls/day,1calls/request")
    assert [(row["outcome"], row["usd"], row["size"]) for row in calls(ledger)] == [("lost", None, 10)]
    assert ledger.summary().bytes_left == 10


def test_a_refused_call_still_finds_what_was_lost(ledger: Ledger, clock: Clock) -> None:
    """Refusing does not undo that an old reservation became a call."""
    reserve(ledger, "", lease=1)
    clock.now += 2

    with pytest.raises(BudgetError):
        reserve(ledger, "0calls/day")
    assert [row["outcome"] for row in calls(ledger)] == ["lost"]


def test_opening_finds_what_was_lost(ledger: Ledger, clock: Clock, tmp_path: Path) -> None:
    """Without waiting for a next call."""
    reserve(ledger, "", lease=1)
    clock.now += 2

    with Ledger(tmp_path / "ledger.db", clock=clock) as again:
        assert [row["outcome"] for row in calls(again)] == ["lost"]


def test_a_lost_call_that_comes_back_is_charged(ledger: Ledger, clock: Clock) -> None:
    """It was slow, not dead: its cost counts after all, once, and its row tells how it ended."""
    made = reserve(ledger, "", lease=1)
    clock.now += 2
    reserve(ledger, "", answer_id="b")

    assert [settle(ledger, made), settle(ledger, made)] == [True, False]
    assert [row["outcome"] for row in calls(ledger)] == ["ok"]
    assert ledger.summary().spent[1].calls == 2


def test_a_request_has_a_budget_of_its_own(ledger: Ledger) -> None:
    """Calls of other answers do not count in it, open or settled ones of its own do."""
    settle(ledger, reserve(ledger, "", answer_id="other"))
    settle(ledger, reserve(ledger, "2calls/request"))
    reserve(ledger, "2calls/request")

    with pytest.raises(BudgetError, match=r"2 calls a request .*wanted 1 more; raise it$"):
        reserve(ledger, "2calls/request")


@pytest.mark.parametrize("usd", [-0.01, float("nan"), float("inf")])
def test_a_cost_that_cannot_be_is_refused(ledger: Ledger, usd: float) -> None:
    """It would open the budget, or close it for ever; nothing is written."""
    made = reserve(ledger, "")
    with pytest.raises(InputError, match="wanted 0 or more"):
        reserve(ledger, "", usd)
    with pytest.raises(InputError, match="wanted 0 or more"):
        settle(ledger, made, usd)

    assert ledger.summary().spent[0].calls == 1 and calls(ledger) == []
