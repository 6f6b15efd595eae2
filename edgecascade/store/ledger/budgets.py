"""What may be spent: reserved before a call is made, settled after it, exact for all processes.

Windows are hours, days and months of the calendar in UTC, and a call belongs to those in which it was reserved. A
running total for each window is kept by the transaction that settles, so the cost of asking does not grow with the
ledger. Sums are whole billionths of a dollar: floats do not add up exactly.

A reservation counts with the most that the call may cost, until it is settled or its lease is over. A settled call
counts with its cost; where that is unknown, with the most still. A call that reached no server counts nothing. One that
was lost counts nothing either, but its row stays: its bytes may have left.
"""

import math
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast, get_args

from edgecascade.errors import ConfigError, InputError
from edgecascade.store.ledger.rows import Purpose, as_text

Per = Literal["request", "hour", "day", "month"]
Unit = Literal["usd", "calls"]

WINDOWS: tuple[Per, ...] = ("hour", "day", "month")
NOT_SENT = ("offline", "breaker")
"""Outcomes of calls that no byte of left the device."""
LOST = "lost"
NANO = 1_000_000_000

_CAP = re.compile(r"(\d+(?:\.\d+)?|\.\d+) ?(usd|calls?)/(request|hour|day|month)")


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many dollars or calls in each window."""

    per: Per
    unit: Unit
    most: float

    def __str__(self) -> str:
        return f"{self.most:g} {self.unit} {'an' if self.per == 'hour' else 'a'} {self.per}"


@dataclass(frozen=True, slots=True)
class Reservation:
    """The right to make one call until its lease is over."""

    id: int
    answer_id: str
    at: float
    lease_until: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What one window holds: settled calls and open reservations."""

    per: Per
    ends: int
    calls: int
    usd: float


def caps_of(text: str) -> tuple[Cap, ...]:
    """Return the caps of a text; ConfigError for one that is none.

    >>> [str(cap) for cap in caps_of("1usd/day, 100calls/hour")]
    ['1 usd a day', '100 calls an hour']
    """
    caps: dict[tuple[str, str], Cap] = {}
    for part in (part.strip() for part in text.split(",") if part.strip()):
        found = _CAP.fullmatch(part.lower())
        unit: Unit = "usd" if found and found[2] == "usd" else "calls"
        if not found or (unit == "calls" and not float(found[1]).is_integer()):
            raise ConfigError(
                f"a budget that cannot be kept: found {part!r}, wanted NUMBERusd/PER or NUMBERcalls/PER, where PER is "
                f"{', '.join(get_args(Per))}; write it like 1usd/day,100calls/hour"
            )
        cap = Cap(cast(Per, found[3]), unit, float(found[1]))
        if caps.setdefault((cap.per, cap.unit), cap) != cap:
            raise ConfigError(
                f"two budgets for one window: found {caps[cap.per, cap.unit]} and {cap}, wanted one; leave one out"
            )
    return tuple(caps.values())


def window_of(per: Per, at: float) -> tuple[int, int]:
    """Return when the window of a moment begins and ends.

    >>> window_of("hour", 7300)
    (7200, 10800)
    """
    day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "hour":
        start = int(at // 3600) * 3600
        return start, start + 3600
    if per == "month":
        first = day.replace(day=1)
        return int(first.timestamp()), int((first + timedelta(days=32)).replace(day=1).timestamp())
    return int(day.timestamp()), int((day + timedelta(days=1)).timestamp())


def lose_expired(connection: sqlite3.Connection, now: float) -> None:
    """Turn reservations whose lease is over into calls that were lost."""
    _lose(connection, "lease_until <= ?", now)


def _lose(connection: sqlite3.Connection, where: str, value: float) -> None:
    """Move reservations to the calls; ``counted`` stays NULL until one is settled."""
    names = "id, answer_id, at, host, model, purpose, size, sha256, kinds, nano_usd"
    connection.execute(
        f"INSERT INTO calls ({names}, outcome, told) SELECT {names}, '{LOST}', 0 FROM reservations WHERE {where}",
        (value,),
    )
    connection.execute(f"DELETE FROM reservations WHERE {where}", (value,))


def refusal(
    connection: sqlite3.Connection, answer_id: str, now: float, model: str, usd: float | None, caps: Iterable[Cap]
) -> str | None:
    """Return why a call may not be made: the first cap that it would pass; None where it may."""
    for cap in caps:
        if cap.unit == "usd" and usd is None:
            return (
                f"the price of {model} is unknown: found a budget of {cap}, wanted the most that a call may cost; "
                "set its price, or a budget in calls"
            )
        calls, nano = _spent(connection, cap.per, now, answer_id)
        if cap.unit == "calls" and calls + 1 > cap.most:
            return _used_up(cap, now, f"{calls}", "1 more")
        if cap.unit == "usd" and nano + as_nano(usd or 0.0) > as_nano(cap.most):
            return _used_up(cap, now, f"${nano / NANO:.6f}", f"${usd:.6f} more")
    return None


def _used_up(cap: Cap, now: float, spent: str, wanted: str) -> str:
    until = "" if cap.per == "request" else f", or wait until {_moment(window_of(cap.per, now)[1])}"
    return f"the budget of {cap} does not allow it: found {spent} spent or reserved, wanted {wanted}; raise it{until}"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _spent(connection: sqlite3.Connection, per: Per, now: float, answer_id: str) -> tuple[int, int]:
    """Return the calls and billionths of a dollar that stand in the window of a moment, or under a request."""
    values: tuple[object, ...]
    if per == "request":
        settled, held = "SELECT 1 AS n, nano_usd FROM calls WHERE answer_id = ? AND counted", "answer_id = ?"
        values = (answer_id, answer_id)
    else:
        start, end = window_of(per, now)
        settled, held = "SELECT calls AS n, nano_usd FROM totals WHERE per = ? AND start = ?", "at >= ? AND at < ?"
        values = (per, start, start, end)
    calls, nano = connection.execute(
        f"SELECT sum(n), sum(nano_usd) FROM ({settled} UNION ALL SELECT 1, nano_usd FROM reservations WHERE {held})",
        values,
    ).fetchone()
    return calls or 0, nano or 0


def spent(connection: sqlite3.Connection, now: float) -> tuple[Spent, ...]:
    """Return what the windows of a moment hold."""
    held = [(per, *_spent(connection, per, now, "")) for per in WINDOWS]
    return tuple(Spent(per, window_of(per, now)[1], calls, nano / NANO) for per, calls, nano in held)


def reserve(
    connection: sqlite3.Connection,
    answer_id: str,
    now: float,
    *,
    host: str,
    model: str,
    purpose: Purpose,
    size: int,
    sha256: str,
    kinds: Sequence[str],
    usd: float | None,
    lease_seconds: float,
) -> Reservation:
    """Return the reservation of a call that no cap forbids."""
    row = (answer_id, now, now + lease_seconds, host, model, purpose, size, sha256, as_text(kinds), as_nano(usd or 0.0))
    number = connection.execute(
        "INSERT INTO reservations (answer_id, at, lease_until, host, model, purpose, size, sha256, kinds, nano_usd) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    ).lastrowid
    assert number is not None
    return Reservation(number, answer_id, now, now + lease_seconds)


def settle(
    connection: sqlite3.Connection,
    reservation: Reservation,
    *,
    outcome: str,
    prompt_tokens: int | None,
    completion_tokens: int | None,
    told: bool,
    usd: float | None,
    seconds: float,
) -> bool:
    """Write down how a call ended, also one that was taken for lost; False where that stands already."""
    _lose(connection, "id = ?", reservation.id)
    counted, nano = outcome not in NOT_SENT, None if usd is None else as_nano(usd)
    settled = connection.execute(
        "UPDATE calls SET outcome = ?, prompt_tokens = ?, completion_tokens = ?, told = ?, usd = ?, seconds = ?, "
        "counted = ?, nano_usd = coalesce(?, nano_usd) WHERE id = ? AND counted IS NULL",
        (outcome, prompt_tokens, completion_tokens, told, usd, seconds, counted, nano, reservation.id),
    )
    if settled.rowcount and counted:
        (charged,) = connection.execute("SELECT nano_usd FROM calls WHERE id = ?", (reservation.id,)).fetchone()
        connection.executemany(
            "INSERT INTO totals (per, start, calls, nano_usd) VALUES (?, ?, 1, ?) ON CONFLICT (per, start) "
            "DO UPDATE SET calls = calls + 1, nano_usd = nano_usd + excluded.nano_usd",
            [(per, window_of(per, reservation.at)[0], charged) for per in WINDOWS],
        )
    return settled.rowcount == 1


def as_nano(usd: float) -> int:
    """Return dollars in billionths, rounded up; InputError for what no call can cost.

    >>> as_nano(0.07), as_nano(1e-10)
    (70000000, 1)
    """
    if not (math.isfinite(usd) and usd >= 0):
        raise InputError(f"a cost that cannot be: found {usd} dollars, wanted 0 or more; None where it is unknown")
    return math.ceil(round(usd * NANO, 3))
