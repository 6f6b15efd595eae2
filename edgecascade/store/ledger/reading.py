"""What the ledger knows: one answer, sums since a moment, rows in pages."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgecascade.errors import InputError
from edgecascade.store.ledger.budgets import NOT_SENT, Spent, spent
from edgecascade.store.ledger.rows import COLUMNS, DETAILS, ShadowRow, Table, as_record

PAGE = 500
SHADOWS = 20
"""Each may hold the hidden states of a question."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How many answers a fitted file let stay, 0 to 1, beside how many it was expected to; None: unknown."""

    calibration: str
    answers: int
    share_kept: float
    expected: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Sums over what came since a moment.

    escalation_rate  of the answers given while a cloud was set up, 0 to 1; None where there are none
    saved_calls      answers that the device gave although a cloud was set up and could be asked
    usd              known spending                        calls_of_unknown_price  not in it
    joules           known energy                          answers_with_joules     that it was known of
    calls, hosts     that something was sent by, or to     bytes_left              the device
    outcomes         of all calls, those too that nothing left by
    kinds            private things that were taken out of what left, by kind and call
    found            private things in questions that they were not taken out of, by kind and answer
    right, wrong     feedback                              waiting                 questions in the queue
    spent            what the windows of now hold, open reservations among it
    """

    since: float
    until: float
    answers: int
    tiers: Mapping[str, int]
    codes: Mapping[str, int]
    kept: int
    escalated: int
    blocked: int
    queued: int
    escalation_rate: float | None
    calibrations: tuple[Calibrated, ...]
    saved_calls: int
    usd_saved: float
    tokens_saved: float
    seconds_saved: float
    seconds: float
    joules: float
    answers_with_joules: int
    calls: int
    usd: float
    calls_of_unknown_price: int
    hosts: Mapping[str, int]
    outcomes: Mapping[str, int]
    bytes_left: int
    kinds: Mapping[str, int]
    found: Mapping[str, int]
    right: int
    wrong: int
    shadows: int
    waiting: int
    spent: tuple[Spent, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)


_ANSWER_SUMS = """SELECT count(*) AS answers, total(kept) AS kept, total(escalated) AS escalated,
    total(blocked) AS blocked, total(queued) AS queued, total(with_cloud) AS with_cloud,
    total(escalated AND with_cloud) AS escalated_with_cloud,
    total(place = 'device' AND with_cloud AND NOT escalated AND code IN ('kept', 'mode', 'pool')) AS saved_calls,
    total(usd_saved) AS usd_saved, total(tokens_saved) AS tokens_saved, total(seconds_saved) AS seconds_saved,
    total(seconds) AS seconds, total(joules) AS joules, count(joules) AS answers_with_joules
    FROM answers WHERE at >= ?"""
_SENT = f"FROM calls WHERE at >= ? AND outcome NOT IN {NOT_SENT}"
_CALL_SUMS = f"""SELECT count(*) AS calls, total(usd) AS usd, total(usd IS NULL) AS calls_of_unknown_price,
    total(size) AS bytes_left {_SENT}"""
_FOUND = f"""SELECT kinds, count(*) FROM answers WHERE at >= ? AND kinds <> '[]' AND NOT EXISTS (
    SELECT 1 FROM calls WHERE answer_id = answers.id AND kinds <> '[]' AND outcome NOT IN {NOT_SENT}) GROUP BY 1"""
_COUNTS = (
    "kept", "escalated", "blocked", "queued", "saved_calls", "calls_of_unknown_price", "bytes_left",
)  # fmt: skip


def summary(connection: sqlite3.Connection, since: float, now: float, expected: Mapping[str, float]) -> Summary:
    """Return the sums; ``expected`` is the share kept that each calibration was certified with."""
    sums = _row(connection, _ANSWER_SUMS, since) | _row(connection, _CALL_SUMS, since)
    sums |= {name: int(sums[name]) for name in _COUNTS}
    with_cloud, escalated = sums.pop("with_cloud"), sums.pop("escalated_with_cloud")
    judged = connection.execute(
        "SELECT calibration, count(*), avg(kept) FROM answers WHERE at >= ? AND calibration IS NOT NULL "
        "AND kept IS NOT NULL GROUP BY calibration ORDER BY 2 DESC",
        (since,),
    )
    verdicts = _counts(connection, "SELECT correct, count(*) FROM feedback WHERE at >= ? GROUP BY 1", since)
    return Summary(
        since=since,
        until=now,
        tiers=_counts(connection, "SELECT tier, count(*) FROM answers WHERE at >= ? GROUP BY 1", since),
        codes=_counts(connection, "SELECT code, count(*) FROM answers WHERE at >= ? GROUP BY 1", since),
        escalation_rate=escalated / with_cloud if with_cloud else None,
        calibrations=tuple(Calibrated(name, count, kept, expected.get(name)) for name, count, kept in judged),
        hosts=_counts(connection, f"SELECT host, count(*) {_SENT} GROUP BY 1", since),
        outcomes=_counts(connection, "SELECT outcome, count(*) FROM calls WHERE at >= ? GROUP BY 1", since),
        kinds=_kinds(connection, f"SELECT kinds, count(*) {_SENT} GROUP BY 1", since),
        found=_kinds(connection, _FOUND, since),
        right=verdicts.get(1, 0),
        wrong=verdicts.get(0, 0),
        shadows=connection.execute("SELECT count(*) FROM shadows WHERE at >= ?", (since,)).fetchone()[0],
        waiting=connection.execute("SELECT count(*) FROM queue WHERE answer IS NULL").fetchone()[0],
        spent=spent(connection, now),
        **sums,
    )


def _row(connection: sqlite3.Connection, statement: str, since: float) -> dict[str, Any]:
    found = connection.execute(statement, (since,))
    return dict(zip([column[0] for column in found.description], found.fetchone(), strict=True))


def _counts(connection: sqlite3.Connection, statement: str, since: float) -> dict[Any, int]:
    return dict(connection.execute(f"{statement} ORDER BY 2 DESC, 1", (since,)).fetchall())


def _kinds(connection: sqlite3.Connection, statement: str, since: float) -> dict[str, int]:
    found: Counter[str] = Counter()
    for kinds, count in connection.execute(statement, (since,)):
        found.update(dict.fromkeys(json.loads(kinds), count))
    return dict(found.most_common())


def answer(connection: sqlite3.Connection, prefix: str) -> dict[str, Any]:
    """Return everything about one answer: its row, details, calls and feedback; InputError where not one fits."""
    columns = COLUMNS["answers"]
    rows = connection.execute(
        f"SELECT {', '.join((*columns, *DETAILS))}, (SELECT correct FROM feedback WHERE answer_id = id) "
        "FROM answers JOIN details USING (number) WHERE id >= ? AND id < ? ORDER BY id LIMIT 2",
        (prefix, prefix + chr(0x10FFFF)),
    ).fetchall()
    if not rows or not prefix or (len(rows) > 1 and rows[0][0] != prefix):
        raise InputError(
            f"{prefix!r} names no one answer: found {'several that begin so' if rows else 'none that begins so'}, "
            "wanted an id or the beginning of one; see `edgecascade ledger tail`"
        )
    record = as_record("answers", rows[0][: len(columns)])
    details, question, text, correct = rows[0][len(columns) :]
    calls = connection.execute(
        f"SELECT {', '.join(COLUMNS['calls'])} FROM calls WHERE answer_id = ? ORDER BY id", (record["id"],)
    )
    return record | {
        "record": json.loads(details),
        "question_text": question,
        "answer_text": text,
        "feedback": None if correct is None else bool(correct),
        "calls": [as_record("calls", call) for call in calls],
    }


def usual_tokens(connection: sqlite3.Connection, tier: str) -> float | None:
    """Return the mean length of the latest 200 answers that a tier ended itself."""
    (mean,) = connection.execute(
        "SELECT avg(completion_tokens) FROM (SELECT completion_tokens FROM answers WHERE tier = ? "
        "AND finish_reason = 'end' ORDER BY number DESC LIMIT 200)",
        (tier,),
    ).fetchone()
    return None if mean is None else float(mean)


def usual_seconds(connection: sqlite3.Connection, tier: str) -> float | None:
    """Return the mean time of the latest 200 answers that a tier ended itself: a cloud's own, without the device's."""
    (mean,) = connection.execute(
        "SELECT avg(took) FROM (SELECT CASE WHEN place = 'device' THEN seconds ELSE (SELECT max(calls.seconds) FROM "
        "calls WHERE answer_id = answers.id AND outcome = 'ok') END AS took FROM answers WHERE tier = ? "
        "AND finish_reason = 'end' AND NOT (place = 'device' AND escalated) ORDER BY number DESC LIMIT 200)",
        (tier,),
    ).fetchone()
    return None if mean is None else float(mean)


def tail(connection: sqlite3.Connection, count: int) -> list[dict[str, Any]]:
    """Return the latest answers, the latest last, without their details."""
    statement = f"SELECT {', '.join(COLUMNS['answers'])} FROM answers ORDER BY number DESC LIMIT ?"
    rows = connection.execute(statement, (count,))
    return [as_record("answers", row) for row in rows.fetchall()[::-1]]


def page(connection: sqlite3.Connection, table: Table, since: float, after: int) -> tuple[int, list[dict[str, Any]]]:
    """Return up to ``PAGE`` rows behind a number, and the number to go on from; no rows at the end."""
    key = "number" if table == "answers" else "id"
    rows = connection.execute(
        f"SELECT {key}, {', '.join(COLUMNS[table])} FROM {table} WHERE {key} > ? AND at >= ? "
        f"ORDER BY {key} LIMIT {PAGE}",
        (after, since),
    ).fetchall()
    return (rows[-1][0] if rows else after), [as_record(table, row[1:]) for row in rows]


def shadow_page(connection: sqlite3.Connection, identity_sha256: str | None, after: int) -> tuple[int, list[ShadowRow]]:
    """Return some shadows behind a number, and the number to go on from; none at the end."""
    rows = connection.execute(
        "SELECT number, answer_id, at, sha256, identity, row, numbers FROM shadows JOIN identities USING (sha256) "
        f"WHERE number > ? AND (? IS NULL OR sha256 = ?) ORDER BY number LIMIT {SHADOWS}",
        (after, identity_sha256, identity_sha256),
    ).fetchall()
    return (rows[-1][0] if rows else after), [ShadowRow(*row[1:]) for row in rows]
