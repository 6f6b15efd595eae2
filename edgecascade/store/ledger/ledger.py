"""``Ledger``: what was answered, what left the device, what it cost, and what may still be spent.

Each method is one transaction, so that a kill at any moment leaves the file as it was before or after it. Only
``prune``, ``export`` and ``shadows`` take several, and let others in between.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

from edgecascade.errors import BudgetError, ClosedError, InputError
from edgecascade.store.ledger import budgets, exporting, lessons, pruning, queue, reading
from edgecascade.store.ledger.budgets import Cap, Reservation
from edgecascade.store.ledger.exporting import Form
from edgecascade.store.ledger.file import as_ours, open_file
from edgecascade.store.ledger.lessons import Choice, Lesson
from edgecascade.store.ledger.queue import Queued
from edgecascade.store.ledger.reading import Summary
from edgecascade.store.ledger.rows import AnswerRow, Purpose, ShadowRow, Table, insert_answer

CHECKPOINT_EVERY = 500
"""Transactions. SQLite itself would do it in the middle of one, while all others wait for tens of milliseconds."""


class Ledger:
    """An append-only SQLite file, opened when it is first used; safe to call from several threads and processes.

    path     the file; made for this user alone where there is none
    clock    seconds since 1970, UTC: windows of budgets and leases follow it
    content  whether the texts of questions and answers are written too

    Every method raises LedgerError, or NoSpaceError, where the file or the disk does not let it; ClosedError after
    ``close``.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float], content: bool = False) -> None:
        self.path = path
        self._clock = clock
        self._content = content
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._written = 0

    def answered(self, row: AnswerRow) -> None:
        """Append an answer; InputError for an id that is there already."""
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM answers WHERE id = ?", (row.id,)).fetchone():
                raise InputError(
                    f"an answer is written once: found {row.id} in the ledger, wanted a new id; make one an answer"
                )
            insert_answer(connection, row, content=self._content)

    def feedback(self, answer_id: str, correct: bool | None, *, liked: bool | None = None) -> None:
        """Write down whether an answer was right, the latest word counts; InputError for an unknown id.

        liked  whether the user was content, where nobody knows if it was right; the first word of either teaches the
               policy that chose the answer, if that one learns
        """
        with self._transaction() as connection:
            if not connection.execute("SELECT 1 FROM answers WHERE id = ?", (answer_id,)).fetchone():
                raise InputError(
                    f"no answer to judge: found none with the id {answer_id!r}, wanted one of the ledger; "
                    "see `edgecascade ledger tail`"
                )
            if correct is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO feedback (answer_id, at, correct) VALUES (?, ?, ?)",
                    (answer_id, self._clock(), correct),
                )
            lessons.insert_lesson(connection, answer_id, correct, liked)

    # What learners are taught

    def chose(self, choice: Choice) -> None:
        """Append whose answer a learning policy gave."""
        with self._transaction() as connection:
            lessons.insert_choice(connection, choice, self._clock())

    def lessons(self, policy: str, after: int = 0) -> Iterator[Lesson]:
        """Yield what was said of a policy's choices behind a lesson's number, in the order in which it was said."""
        while True:
            with self._transaction("BEGIN") as connection:
                found = lessons.lessons(connection, policy, after)
            if not found:
                return
            yield from found
            after = found[-1].number

    # Budgets

    def reserve(
        self,
        answer_id: str,
        *,
        host: str,
        model: str,
        purpose: Purpose,
        size: int,
        sha256: str,
        kinds: Sequence[str],
        usd: float | None,
        caps: Sequence[Cap],
        lease_seconds: float,
    ) -> Reservation:
        """Return the right to make one call; BudgetError where it would pass a cap.

        size, sha256   of the bytes that will leave        kinds  private things that were taken out of them
        usd            the most that it may cost; None: unknown, which no cap in dollars allows
        lease_seconds  from then on it counts no longer, and the call is taken for lost
        """
        with self._transaction() as connection:
            now = self._clock()
            budgets.lose_expired(connection, now)
            refused = budgets.refusal(connection, answer_id, now, model, usd, caps)
            if not refused:
                return budgets.reserve(
                    connection,
                    answer_id,
                    now,
                    host=host,
                    model=model,
                    purpose=purpose,
                    size=size,
                    sha256=sha256,
                    kinds=kinds,
                    usd=usd,
                    lease_seconds=lease_seconds,
                )
        raise BudgetError(refused)  # not within the transaction, which would be undone

    def refused(self, answer_id: str, model: str, usd: float | None, caps: Sequence[Cap]) -> str | None:
        """Return why ``reserve`` would refuse a call just now; None where it would not. Nothing is reserved."""
        with self._transaction("BEGIN") as connection:
            return budgets.refusal(connection, answer_id, self._clock(), model, usd, caps)

    def settle(
        self,
        reservation: Reservation,
        *,
        outcome: str,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        told: bool,
        usd: float | None,
        seconds: float,
    ) -> bool:
        """Append the call with what it cost; False where that was done before.

        A call that was taken for lost is settled too, and counts again. ``usd`` None: unknown, and the budget counts
        the most that was reserved. Outcomes "offline" and "breaker" count nothing: no byte left.
        """
        with self._transaction() as connection:
            return budgets.settle(
                connection,
                reservation,
                outcome=outcome,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                told=told,
                usd=usd,
                seconds=seconds,
            )

    # The queue

    def enqueue(self, answer_id: str, question_json: str) -> None:
        """Keep a question to be asked later, text and all; the same one again changes nothing."""
        with self._transaction() as connection:
            queue.enqueue(connection, answer_id, question_json, self._clock())

    def claim(self, lease_seconds: float) -> Queued | None:
        """Return the oldest question that nobody works on, for this caller alone until the lease is over."""
        with self._transaction() as connection:
            return queue.claim(connection, self._clock(), lease_seconds)

    def finish(self, answer_id: str, answer_json: str) -> bool:
        """Write down a waiting question's answer; False where it has one, or does not wait."""
        with self._transaction() as connection:
            return queue.finish(connection, answer_id, answer_json)

    def release(self, answer_id: str, not_before: float) -> bool:
        """Let a question be claimed again from a moment on; False where it has an answer, or does not wait."""
        with self._transaction() as connection:
            return queue.release(connection, answer_id, not_before)

    def give_up(self, answer_id: str) -> bool:
        """Delete a question that waits without an answer; True for exactly one caller."""
        with self._transaction() as connection:
            return queue.take(connection, answer_id, answered=False)

    def undelivered(self) -> list[Queued]:
        """Return the questions whose answer nobody has taken yet, oldest first."""
        with self._transaction("BEGIN") as connection:
            return queue.undelivered(connection)

    def mark_delivered(self, answer_id: str) -> bool:
        """Delete a question whose answer is handed over; True for exactly one caller, in all processes."""
        with self._transaction() as connection:
            return queue.take(connection, answer_id, answered=True)

    # Shadows

    def shadowed(self, answer_id: str, identity_json: str, row_json: str, numbers: bytes) -> None:
        """Append both sides of a question, for a fit."""
        sha256 = hashlib.sha256(identity_json.encode()).hexdigest()
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO identities (sha256, identity) VALUES (?, ?)", (sha256, identity_json)
            )
            connection.execute(
                "INSERT INTO shadows (answer_id, at, sha256, row, numbers) VALUES (?, ?, ?, ?, ?)",
                (answer_id, self._clock(), sha256, row_json, numbers),
            )

    def shadows(self, identity_sha256: str | None = None) -> Iterator[ShadowRow]:
        """Yield what was shadowed, oldest first, of one identity or of all."""
        after = 0
        while True:
            with self._transaction("BEGIN") as connection:
                after, rows = reading.shadow_page(connection, identity_sha256, after)
            if not rows:
                return
            yield from rows

    # Reading

    def answer(self, prefix: str) -> dict[str, Any]:
        """Return all that is known of one answer, by its id or a beginning; InputError where not exactly one fits."""
        with self._transaction("BEGIN") as connection:
            return reading.answer(connection, prefix)

    def usual_tokens(self, tier: str) -> float | None:
        """Return the mean length of a tier's latest whole answers, in tokens; None where there are none."""
        with self._transaction("BEGIN") as connection:
            return reading.usual_tokens(connection, tier)

    def usual_seconds(self, tier: str) -> float | None:
        """Return the mean time of a tier's latest whole answers, in seconds; None where there are none."""
        with self._transaction("BEGIN") as connection:
            return reading.usual_seconds(connection, tier)

    def tail(self, count: int) -> list[dict[str, Any]]:
        """Return the latest answers as plain values, the latest last."""
        with self._transaction("BEGIN") as connection:
            return reading.tail(connection, count)

    def summary(self, since: float = 0.0, *, expected: Mapping[str, float] | None = None) -> Summary:
        """Return the sums since a moment; ``expected`` is the share kept that each calibration was certified with."""
        with self._transaction("BEGIN") as connection:
            return reading.summary(connection, since, self._clock(), expected or {})

    def export(self, form: Form, out: BinaryIO, *, table: Table = "answers", since: float = 0.0) -> int:
        """Write rows as csv, jsonl or parquet, and return how many; LibraryMissingError without pyarrow for parquet."""
        return exporting.write(form, table, self._pages(table, since), out)

    def _pages(self, table: Table, since: float) -> Iterator[list[dict[str, Any]]]:
        after = 0
        while True:
            with self._transaction("BEGIN") as connection:
                after, rows = reading.page(connection, table, since, after)
            if not rows:
                return
            yield rows

    def prune(self, before: float) -> int:
        """Delete the answers, calls and shadows older than a moment, and return how many; sums of budgets stay."""
        deleted = 0
        for step in pruning.STEPS:
            while True:
                with self._transaction() as connection:
                    gone = step(connection, before)
                if not gone:
                    break
                deleted += gone
        with self._lock, as_ours(self.path):
            pruning.shrink(self._open())
        return deleted

    # Open and close

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        with self._lock, as_ours(self.path):
            self._closed = True
            if self._connection:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        """Return the ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def _transaction(
        self, begin: Literal["BEGIN", "BEGIN IMMEDIATE"] = "BEGIN IMMEDIATE"
    ) -> Iterator[sqlite3.Connection]:
        """Hold the connection for one transaction, undone where it fails."""
        with self._lock, as_ours(self.path):
            connection = self._open()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
            self._written += 1
            due = self._written % CHECKPOINT_EVERY == 0
        if due:
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Copy the log into the file: nearly all of it while others go on, then what they added, so that it ends."""
        with suppress(sqlite3.Error):  # what was committed is safe in the log, and the next time copies it
            with closing(sqlite3.connect(self.path)) as beside:
                beside.execute("PRAGMA wal_checkpoint(PASSIVE)")
            with self._lock:
                if self._connection:
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise ClosedError(
                f"the ledger {self.path} was closed: found a call after close(), wanted none; open another"
            )
        if self._connection is None:
            connection = open_file(self.path)
            try:
                connection.execute("BEGIN IMMEDIATE")
                budgets.lose_expired(connection, self._clock())
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection
