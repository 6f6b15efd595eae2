"""The ledger's rows: written once, read back whole, summed rightly, kept in a file that says what is wrong with it."""

import csv
import importlib.util
import io
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from edgecascade.errors import ClosedError, InputError, LedgerError, LibraryMissingError, NoSpaceError
from edgecascade.store.ledger import AnswerRow, Ledger, Reservation
from edgecascade.store.ledger.file import as_ours
from edgecascade.store.ledger.ledger import CHECKPOINT_EVERY
from edgecascade.store.ledger.rows import COLUMNS, DETAILS
from edgecascade.store.ledger.schema import MIGRATIONS, migrate, version_of

DAY = 86_400.0
NOW = 1_795_305_600.0
ROW = AnswerRow(
    id="a1",
    at=NOW,
    mode="prefer_on_device",
    tier="local",
    place="device",
    model="tiny",
    code="kept",
    reason='p_correct 0.90, "kept" from 0.57, 東京',
    p_correct=0.9,
    threshold=1 / 3,
    promise=None,
    calibration="f1",
    calibration_verdict="fresh",
    kept=True,
    escalated=False,
    blocked=False,
    queued=False,
    with_cloud=True,
    finish_reason="end",
    prompt_tokens=12,
    completion_tokens=3,
    seconds=0.5,
    usd=0.0,
    joules=4.0,
    usd_saved=0.25,
    tokens_saved=8.0,
    seconds_saved=1.5,
    question_sha256="0" * 64,
    kinds=("email", "phone"),
    record='{"gates": []}',
    question_text="Why?",
    answer_text="So.",
)
ESCALATED = replace(
    ROW, id="b1", tier="cloud", place="cloud", code="not_kept", kept=False, escalated=True, usd=0.5, joules=None,
    usd_saved=None, kinds=(),
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger will lie, in a folder that is not there yet."""
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """A ledger that keeps content, at one moment."""
    with Ledger(path, clock=lambda: NOW, content=True) as opened:
        yield opened


def call(ledger: Ledger, answer_id: str = "b1", host: str = "cloud.test", *, size: int = 100) -> Reservation:
    """Reserve a call."""
    return ledger.reserve(
        answer_id, host=host, model="big", purpose="answer", size=size, sha256="1" * 64, kinds=("email",), usd=0.01,
        caps=(), lease_seconds=60,
    )  # fmt: skip


def settle(ledger: Ledger, reservation: Reservation, *, outcome: str = "ok", usd: float | None = 0.004) -> bool:
    """Settle it."""
    return ledger.settle(
        reservation, outcome=outcome, prompt_tokens=9, completion_tokens=2, told=True, usd=usd, seconds=0.25
    )


def lines(ledger: Ledger, **options: float) -> list[str]:
    """The ids of all answers, as they are exported."""
    ledger.export("jsonl", out := io.BytesIO(), **options)  # type: ignore[arg-type]
    return [json.loads(line)["id"] for line in out.getvalue().splitlines()]


def test_an_answer_is_read_back_whole(ledger: Ledger) -> None:
    """Every field comes back as it was written, numbers to the last bit, beside its calls and its feedback."""
    ledger.answered(ROW)
    settle(ledger, call(ledger, "a1"))
    ledger.feedback("a1", False)

    found = ledger.answer("a1")
    written = {field.name: getattr(ROW, field.name) for field in fields(ROW)}
    assert {name: found[name] for name in written} == written | {"kinds": list(ROW.kinds), "record": {"gates": []}}
    assert found["feedback"] is False
    assert [(row["host"], row["purpose"], row["size"], row["kinds"], row["outcome"]) for row in found["calls"]] == [
        ("cloud.test", "answer", 100, ["email"], "ok")
    ]


def test_no_content_unless_it_is_turned_on(path: Path) -> None:
    """The texts of question and answer do not reach the disk, in whatever file."""
    secret = replace(ROW, question_text="my secret question", answer_text="my secret answer")
    with Ledger(path, clock=lambda: NOW) as ledger:
        ledger.answered(secret)
        written = b"".join(file.read_bytes() for file in path.parent.iterdir())
        found = ledger.answer("a1")

    assert found["question_text"] is None and found["answer_text"] is None
    assert b"kept" in written and b"secret" not in written


def test_an_answer_is_written_once(ledger: Ledger) -> None:
    """A second row of the same id is refused, and the first one stands."""
    ledger.answered(ROW)

    with pytest.raises(InputError, match="found a1 in the ledger"):
        ledger.answered(replace(ROW, tier="other"))
    assert ledger.answer("a1")["tier"] == "local"


@pytest.mark.parametrize("statement", ["UPDATE answers SET usd = 0", "UPDATE calls SET usd = 0"])
def test_what_is_written_is_never_changed(ledger: Ledger, path: Path, statement: str) -> None:
    """Not by another program either: the file itself refuses."""
    ledger.answered(ROW)
    settle(ledger, call(ledger))

    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        sqlite3.connect(path).execute(statement)


@pytest.mark.parametrize(
    ("prefix", "named"),
    [("c", "none that begins so"), ("ab", "several"), ("", "several"), ("%", "none"), ("a_", "none")],
)
def test_a_prefix_must_name_one_answer(ledger: Ledger, prefix: str, named: str) -> None:
    """None or several are told apart, and no sign is a wildcard."""
    for name in ("abc", "abd", "b"):
        ledger.answered(replace(ROW, id=name))

    with pytest.raises(InputError, match=f"names no one answer: found {named}"):
        ledger.answer(prefix)


def test_a_whole_id_wins_over_longer_ones(ledger: Ledger) -> None:
    """An id that is the beginning of another can still be named; so can the shortest beginning that only one has."""
    for name in ("ab", "abc", "b77"):
        ledger.answered(replace(ROW, id=name))

    assert (ledger.answer("ab")["id"], ledger.answer("abc")["id"], ledger.answer("b")["id"]) == ("ab", "abc", "b77")


def test_the_latest_feedback_counts(ledger: Ledger) -> None:
    """It may be given again, and counts once."""
    ledger.answered(ROW)
    ledger.feedback("a1", False)
    ledger.feedback("a1", True)

    assert (ledger.summary().right, ledger.summary().wrong) == (1, 0)


def test_feedback_on_an_unknown_answer_is_refused(ledger: Ledger) -> None:
    """A beginning of an id is not enough to judge by."""
    ledger.answered(ROW)

    with pytest.raises(InputError, match="found none with the id 'a'"):
        ledger.feedback("a", True)


def test_the_summary_adds_up(ledger: Ledger) -> None:
    """Tiers, codes, calls and money each sum to what was written; what is unknown is counted, not taken for 0."""
    for row in (ROW, ESCALATED, replace(ROW, id="a2", with_cloud=False), replace(ESCALATED, id="b2", usd=None)):
        ledger.answered(row)
    for outcome, usd in (("ok", 0.004), ("ok", None), ("offline", 0.0), ("timeout", 0.001)):
        settle(ledger, call(ledger), outcome=outcome, usd=usd)

    found = ledger.summary(expected={"f1": 0.75})
    assert found.answers == sum(found.tiers.values()) == sum(found.codes.values()) == 4
    assert (found.saved_calls, found.kept, found.escalated) == (1, 2, 2)
    assert found.escalation_rate == 2 / 3
    assert [(c.calibration, c.answers, c.share_kept, c.expected) for c in found.calibrations] == [("f1", 4, 0.5, 0.75)]
    assert (found.joules, found.answers_with_joules, found.usd_saved) == (8.0, 2, 0.5)
    assert found.calls + 1 == sum(found.hosts.values()) + 1 == sum(found.outcomes.values()) == 4  # one was not sent
    assert (found.usd, found.calls_of_unknown_price) == (pytest.approx(0.005), 1)
    assert (found.bytes_left, found.kinds) == (300, {"email": 3})


@pytest.mark.parametrize("outcome", ["offline", "breaker"])
def test_what_was_tried_in_vain_did_not_leave(ledger: Ledger, outcome: str) -> None:
    """A call that nothing left by is among the outcomes alone, in agreement with the windows of budgets."""
    ledger.answered(ROW)
    settle(ledger, call(ledger), outcome=outcome, usd=0.0)

    found = ledger.summary()
    assert (found.calls, found.hosts, found.bytes_left, found.kinds) == (0, {}, 0, {})
    assert [window.calls for window in found.spent] == [0, 0, 0]
    assert found.outcomes == {outcome: 1}


@pytest.mark.parametrize(
    ("outcome", "kinds", "found"),
    [("ok", ("email",), {}), ("ok", (), {"email": 1, "phone": 1}), ("offline", ("email",), {"email": 1, "phone": 1})],
)
def test_what_was_found_and_not_taken_out_is_told_apart(
    ledger: Ledger, outcome: str, kinds: tuple[str, ...], found: dict[str, int]
) -> None:
    """Private things in a question count as found, unless a call of it left without them."""
    ledger.answered(ROW)
    held = ledger.reserve(
        ROW.id, host="cloud.test", model="big", purpose="answer", size=100, sha256="1" * 64, kinds=kinds, usd=0.01,
        caps=(), lease_seconds=60,
    )  # fmt: skip
    settle(ledger, held, outcome=outcome)

    assert ledger.summary().found == found


def test_a_call_that_never_left_is_no_call_saved(ledger: Ledger) -> None:
    """An answer given on the device because the cloud was away saved nothing."""
    for code in ("offline", "budget", "blocked", "breaker", "no_cloud"):
        ledger.answered(replace(ROW, id=code, code=code))  # type: ignore[arg-type]

    assert ledger.summary().saved_calls == 0


def test_an_empty_ledger_has_an_empty_summary(ledger: Ledger) -> None:
    """Nothing is divided by nothing."""
    found = ledger.summary()

    assert (found.answers, found.escalation_rate, found.calibrations, found.usd) == (0, None, (), 0.0)
    assert ledger.tail(3) == [] and json.dumps(found.as_json())


def test_since_cuts_off_what_is_older(ledger: Ledger) -> None:
    """The moment itself belongs to what is kept; summary and export agree."""
    for number in range(4):
        ledger.answered(replace(ROW, id=f"a{number}", at=NOW + number))

    assert ledger.summary(NOW + 2).answers == len(lines(ledger, since=NOW + 2)) == 2


def test_the_tail_is_the_latest_written(ledger: Ledger) -> None:
    """The latest last, whatever their clocks said; without long texts."""
    for number in range(5):
        ledger.answered(replace(ROW, id=f"a{number}", at=NOW - number))

    assert [row["id"] for row in ledger.tail(2)] == ["a3", "a4"]
    assert not set(DETAILS) & set(ledger.tail(1)[0])


def test_every_page_is_exported(ledger: Ledger) -> None:
    """More rows than a page holds come out once each, in order."""
    names = [f"{number:04}" for number in range(1201)]
    for name in names:
        ledger.answered(replace(ROW, id=name))

    assert lines(ledger) == names


def test_csv_is_read_back(ledger: Ledger) -> None:
    """Quotes, commas and other scripts survive; a column each."""
    ledger.answered(ROW)
    count = ledger.export("csv", out := io.BytesIO())

    (row,) = csv.DictReader(io.StringIO(out.getvalue().decode(), newline=""))
    assert count == 1 and list(row) == list(COLUMNS["answers"])
    assert (row["reason"], row["kinds"], float(row["threshold"]), row["promise"]) == (
        ROW.reason,
        "email phone",
        1 / 3,
        "",
    )


def test_calls_are_exported_too(ledger: Ledger) -> None:
    """What left the device, by host, size and digest; an unknown price stays unknown."""
    settle(ledger, call(ledger), usd=None)
    ledger.export("jsonl", out := io.BytesIO(), table="calls")

    row = json.loads(out.getvalue())
    assert (row["host"], row["size"], row["sha256"], row["kinds"], row["usd"], row["told"]) == (
        "cloud.test", 100, "1" * 64, ["email"], None, True,
    )  # fmt: skip


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is here")
def test_parquet_without_pyarrow_says_what_to_install(ledger: Ledger) -> None:
    """One sentence, and nothing is written."""
    with pytest.raises(LibraryMissingError, match="pip install pyarrow"):
        ledger.export("parquet", out := io.BytesIO())
    assert out.getvalue() == b""


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not here")
def test_parquet_is_read_back(ledger: Ledger) -> None:
    """With the types of the rows, also where a whole page holds no value."""
    for number in range(501):
        ledger.answered(replace(ROW, id=f"{number:03}", promise=None if number < 500 else "It holds."))
    ledger.export("parquet", out := io.BytesIO())

    rows = importlib.import_module("pyarrow.parquet").read_table(io.BytesIO(out.getvalue())).to_pylist()
    assert rows == ledger.tail(501)


def test_prune_deletes_what_is_older_and_nothing_else(ledger: Ledger) -> None:
    """Answers with their texts and feedback, calls and shadows; what was spent, and what is still out, stay."""
    for number in range(1200):
        ledger.answered(replace(ROW, id=f"{number:04}", at=NOW - 40 * DAY, record=json.dumps("x" * 1000)))
    ledger.answered(ROW)
    ledger.feedback("0000", True)
    ledger.shadowed("0000", "{}", "{}", b"")
    settle(ledger, call(ledger))
    call(ledger)
    size, spent = ledger.path.stat().st_size, ledger.summary().spent

    assert ledger.prune(NOW - 30 * DAY) == 1200
    assert lines(ledger) == ["a1"] and ledger.summary().right == 0
    assert len([*ledger.shadows()]) == 1
    assert ledger.prune(NOW + 1) == 3  # the last answer, the settled call, the shadow
    assert ledger.summary().spent == spent and [window.calls for window in spent] == [2, 2, 2]
    ledger.close()
    assert ledger.path.stat().st_size < size / 2


def test_what_is_pruned_is_not_left_in_the_file(ledger: Ledger, path: Path) -> None:
    """A text that was deleted cannot be read from the bytes of the file."""
    ledger.answered(replace(ROW, question_text="my secret question"))
    ledger.answered(replace(ROW, id="a2", at=NOW + 1))
    ledger.prune(NOW + 1)
    ledger.close()

    assert b"secret" not in path.read_bytes()


def test_threads_may_share_one_ledger(ledger: Ledger) -> None:
    """No row is lost, none is doubled."""

    def write(thread: int) -> None:
        for number in range(50):
            ledger.answered(replace(ROW, id=f"{thread}-{number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(lines(ledger))) == len(lines(ledger)) == 400


def test_the_log_beside_the_file_stays_short(ledger: Ledger, path: Path) -> None:
    """It is begun again each time that it was copied into the file, however many rows are written while it is open."""
    sizes = []
    for part in range(4):
        for number in range(CHECKPOINT_EVERY):
            ledger.answered(replace(ROW, id=f"{part}-{number}", record=json.dumps("x" * 3000)))
        sizes.append(path.with_name("ledger.db-wal").stat().st_size)

    assert max(sizes) < 1.5 * sizes[0]
    assert path.stat().st_size > 3 * CHECKPOINT_EVERY * 3000


@pytest.mark.skipif(os.name == "nt", reason="no such rights")
def test_a_ledger_is_made_when_it_is_first_used(path: Path) -> None:
    """Not before; for this user's eyes alone; closing it leaves one file and its empty lock."""
    ledger = Ledger(path, clock=lambda: NOW)
    before = path.exists()
    ledger.answered(ROW)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (path.parent, *path.parent.glob("ledger.db*"))}
    ledger.close()

    assert not before
    assert (modes["state"], modes["ledger.db"], modes["ledger.db-wal"]) == (0o700, 0o600, 0o600)
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.db", "ledger.db.lock"]


def test_a_closed_ledger_refuses(ledger: Ledger) -> None:
    """Closing twice does nothing; a call afterwards is a bug that is told."""
    ledger.answered(ROW)
    ledger.close()
    ledger.close()

    with pytest.raises(ClosedError, match="open another"):
        ledger.answered(ROW)


def test_an_older_file_is_migrated(ledger: Ledger, path: Path) -> None:
    """A step runs once, and the rows that were there stay."""
    ledger.answered(ROW)
    ledger.close()
    newer = (*MIGRATIONS, ("ALTER TABLE answers ADD COLUMN region TEXT", "CREATE INDEX regions ON answers (region)"))
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, newer)
    migrate(connection, path, newer)

    assert version_of(connection) == len(newer)
    assert connection.execute("SELECT id, region FROM answers").fetchall() == [("a1", None)]
    connection.close()


def test_a_migration_is_whole_or_not_at_all(ledger: Ledger, path: Path) -> None:
    """Where its second statement fails, the first is undone and the version stays."""
    ledger.answered(ROW)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, path, (*MIGRATIONS, ("ALTER TABLE answers ADD COLUMN region TEXT", "nonsense")))

    assert version_of(connection) == len(MIGRATIONS)
    assert "region" not in [row[1] for row in connection.execute("PRAGMA table_info(answers)")]
    connection.close()


def test_a_newer_file_is_refused(ledger: Ledger, path: Path) -> None:
    """With what to do; nothing in it is touched."""
    ledger.answered(ROW)
    ledger.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(LedgerError, match=r"newer edgecascade: found schema 99, wanted at most 2; update"):
        Ledger(path, clock=lambda: NOW).tail(1)


def test_a_file_of_another_program_is_refused(path: Path) -> None:
    """No table of ours is put beside its own."""
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (address TEXT)")
    connection.commit()

    with pytest.raises(LedgerError, match="found a table 'bookmarks'"):
        Ledger(path, clock=lambda: NOW).tail(1)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize("begin", [0, 4096])
def test_a_damaged_file_says_how_to_move_it(ledger: Ledger, path: Path, begin: int) -> None:
    """Whether its first page is gone or all others; once it is moved, a new one is begun."""
    for number in range(200):
        ledger.answered(replace(ROW, id=str(number)))
    ledger.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:begin] + b"\xa5" * (len(whole) - begin))
    with pytest.raises(LedgerError, match=r"damaged: .*; move ledger\.db, ledger\.db-wal and ledger\.db-shm"):
        Ledger(path, clock=lambda: NOW).summary()
    path.rename(path.with_name("moved.db"))

    with Ledger(path, clock=lambda: NOW) as new:
        assert new.summary().answers == 0


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A folder where the file should be, and a file where its folder should be."""
    (tmp_path / "file").touch()

    for path in (tmp_path, tmp_path / "file" / "ledger.db"):
        with pytest.raises(LedgerError, match=r"cannot be opened: .*; wanted a file that may be read and written"):
            Ledger(path, clock=lambda: NOW).answered(ROW)


def test_a_full_disk_and_a_read_only_file_are_told(ledger: Ledger, path: Path) -> None:
    """What SQLite says becomes our error, with what to do; a mistake in a statement stays a bug."""
    ledger.answered(ROW)
    full = sqlite3.connect(path, isolation_level=None)
    full.execute(f"PRAGMA max_page_count = {full.execute('PRAGMA page_count').fetchone()[0]}")
    bound = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)

    with pytest.raises(NoSpaceError, match=r"disk is full: .*ledger prune"), as_ours(path):
        full.execute("INSERT INTO details VALUES (99, ?, NULL, NULL)", ("x" * 1_000_000,))
    with pytest.raises(LedgerError, match="cannot be written: attempt to write a readonly database"), as_ours(path):
        bound.execute("DELETE FROM details")
    with pytest.raises(sqlite3.OperationalError, match="no such table"), as_ours(path):
        full.execute("SELECT * FROM elsewhere")
    full.close()
    bound.close()
