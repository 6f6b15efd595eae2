"""What the ledger's rows hold, as they are written and as they are read."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from edgecascade.records import Code, FinishReason, Mode, Place

Purpose = Literal["answer", "audit", "shadow", "queue", "hedge", "probe", "calibrate"]
Table = Literal["answers", "calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One answer.

    at                   seconds since 1970, UTC
    calibration          the fitted file's id; ``calibration_verdict`` as in ``Calibration.verdict``
    kept                 whether a promise covers it; None where nothing was judged
    escalated            a cloud was asked for it          with_cloud     a cloud was set up
    usd, joules          what it cost; None: unknown       usd_saved      what the call not made would have cost
    kinds                private things found in the question
    record               decisions, gates, attempts and numbers as JSON text, for ``explain``
    question_text, answer_text   written only where the ledger keeps content
    """

    id: str
    at: float
    mode: Mode
    tier: str
    place: Place
    model: str
    code: Code
    reason: str
    p_correct: float | None
    threshold: float | None
    promise: str | None
    calibration: str | None
    calibration_verdict: str | None
    kept: bool | None
    escalated: bool
    blocked: bool
    queued: bool
    with_cloud: bool
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    usd: float | None
    joules: float | None
    usd_saved: float | None
    tokens_saved: float
    seconds_saved: float
    question_sha256: str
    kinds: tuple[str, ...]
    record: str
    question_text: str | None = None
    answer_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call that left, or was about to leave, this device.

    size, sha256  of the bytes sent           kinds   private things that were taken out of them
    outcome       "ok", a ``CloudError.code``, or "lost": the process that made it ended before it was settled
    told          whether the cloud counted its tokens itself
    usd           what it cost; None: unknown
    """

    id: int
    answer_id: str
    at: float
    host: str
    model: str
    purpose: Purpose
    size: int
    sha256: str
    kinds: tuple[str, ...]
    outcome: str
    prompt_tokens: int | None
    completion_tokens: int | None
    told: bool
    usd: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class ShadowRow:
    """Both sides of one question; ``identity`` is JSON, ``identity_sha256`` its digest."""

    answer_id: str
    at: float
    identity_sha256: str
    identity: str
    row: str
    numbers: bytes


DETAILS = ("record", "question_text", "answer_text")
"""Long texts lie in a table of their own, so that sums need not step over them."""


def _kind(annotation: object) -> type:
    """Return what a field holds, be it None or not: bool, int, float, a tuple of texts, or else a text."""
    plain = next((kind for kind in (bool, int, float) if annotation in (kind, kind | None)), str)
    return tuple if annotation == tuple[str, ...] else plain


COLUMNS: dict[Table, dict[str, type]] = {
    "answers": {field.name: _kind(field.type) for field in fields(AnswerRow) if field.name not in DETAILS},
    "calls": {field.name: _kind(field.type) for field in fields(CallRow)},
}
_ANSWER = tuple(COLUMNS["answers"])
_INSERT_ANSWER = f"INSERT INTO answers ({', '.join(_ANSWER)}) VALUES ({', '.join('?' * len(_ANSWER))})"


def insert_answer(connection: sqlite3.Connection, row: AnswerRow, *, content: bool) -> None:
    """Append an answer and its details."""
    values = [getattr(row, name) for name in _ANSWER]
    values[_ANSWER.index("kinds")] = as_text(row.kinds)
    number = connection.execute(_INSERT_ANSWER, values).lastrowid
    texts = (row.question_text, row.answer_text) if content else (None, None)
    connection.execute(
        "INSERT INTO details (number, record, question_text, answer_text) VALUES (?, ?, ?, ?)",
        (number, row.record, *texts),
    )


def as_text(kinds: Sequence[str]) -> str:
    """Return the kinds as the JSON list that is stored."""
    return json.dumps(list(kinds)) if kinds else "[]"


def as_record(table: Table, values: Sequence[Any]) -> dict[str, Any]:
    """Return a stored row as plain values: flags as booleans, kinds as a list."""
    record = dict(zip(COLUMNS[table], values, strict=True))
    for name, kind in COLUMNS[table].items():
        if kind is bool and record[name] is not None:
            record[name] = bool(record[name])
    return record | {"kinds": json.loads(record["kinds"])}
