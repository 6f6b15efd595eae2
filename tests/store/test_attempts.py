"""Recorded attempts: read back to the bit, and never lost or doubled, whenever the writer was killed."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.errors import AttemptsError, NoSpaceError
from edgecascade.identity import sampler_of
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Draft, HiddenStates, Message, Sampling, SecondLook, Timings, Token, Usage
from edgecascade.store.attempts import (
    COLUMNS,
    Attempt,
    Attempts,
    AttemptsLog,
    Header,
    digest_of,
    header_of,
    merge_attempts,
    read_attempts,
    sidecar_of,
    write_attempts,
)
from edgecascade.testing import TINY_IDENTITY as IDENTITY

WIDTH = 3
HEADER = Header(
    identity=IDENTITY,
    questions="d" * 64,
    system="Be brief.",
    cloud="big",
    shard="1/1",
    created="2026-11-21",
    width=WIDTH,
    fingerprint=((5, -0.25), (7, -1.1)),
)


def header(**changes: Any) -> Header:
    """The header with some fields changed."""
    return HEADER.model_copy(update=changes)


def attempt(name: str, *, tokens: int = 2, states: int = 2, **changes: Any) -> Attempt:
    """An attempt whose numbers are random, but the same for the same name."""
    random = np.random.default_rng(list(name.encode()))
    texts = ["Zürich", " 東京\n", ' "🙂"'][:tokens]
    end = bool(random.integers(2)) and tokens > 0
    drawn = [random.normal(size=len(COLUMNS)).tolist() for _ in texts]
    rows = [
        Token(number, text, *drawn[number], end and number == tokens - 1)  # type: ignore[misc]
        for number, text in enumerate(texts)
    ]
    hidden = [random.normal(size=WIDTH).astype(np.float32) for _ in range(states)]
    draft = Draft(
        text="".join(texts),
        tokens=tuple(rows),
        finish_reason="end" if end else "length",
        usage=Usage(int(random.integers(99)), tokens - end),
        timings=Timings(1.0, 2.0, 3.0, 4.0, 5.0),
        hidden=HiddenStates(hidden[0], hidden[1] if states > 1 else None) if states else None,
        second_look=SecondLook(float(random.random()), float(random.random())) if end else None,
    )
    signals = {"mean_logprob": -float(random.exponential()), "tokens": float(tokens), "odd": 0.1 + 0.2}
    whole = Attempt(name, "geography", "exact", draft, signals, Grade(1.0), 0.25, "Zürich.", 1.0)
    return replace(whole, **changes)


QUESTION = LabelledQuestion(
    id="a", task="geography", messages=(Message("user", "Where?"),), metric="choice", gold=("A",), choices=("x", "y"),
    scores={"big": 1.0},
)  # fmt: skip
ROWS = tuple(attempt(name) for name in ("a", "b", "c"))


def written(path: Path, *rows: Attempt, header: Header = HEADER) -> Path:
    """Write attempts and return where."""
    write_attempts(path, Attempts(header, rows))
    return path


def plain(attempt: Attempt) -> Any:
    """Everything that a file keeps of an attempt, numbers as float32."""
    draft = attempt.draft
    trace = np.array([[getattr(token, name) for name in COLUMNS] for token in draft.tokens], np.float32).tobytes()
    hidden = draft.hidden and (
        draft.hidden.prompt.tobytes(),
        None if draft.hidden.answer_mean is None else draft.hidden.answer_mean.tobytes(),
    )
    kept = replace(attempt, draft=None, signals=dict(attempt.signals))  # type: ignore[arg-type]
    words = [(token.text, token.end) for token in draft.tokens]
    return kept, trace, hidden, words, draft.text, draft.finish_reason, draft.usage, draft.second_look


def same(found: Attempts, *wanted: Attempt) -> bool:
    """Whether exactly these attempts were read, to the bit."""
    return [plain(row) for row in found.rows] == [plain(row) for row in wanted]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of three attempts."""
    return written(tmp_path / "run.jsonl", *ROWS)


def change_line(path: Path, number: int, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite one line of JSON; lines count from 1."""
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[number - 1] = json.dumps(change(json.loads(lines[number - 1])))
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("tokens", [0, 1, 3])
@pytest.mark.parametrize("states", [0, 1, 2])
def test_a_round_trip_keeps_every_bit(tmp_path: Path, tokens: int, states: int) -> None:
    """Texts, grades and signals as they were; traces and hidden states as float32."""
    rows = tuple(attempt(name, tokens=tokens, states=states) for name in "abcdefgh")
    found = read_attempts([written(tmp_path / "run.jsonl", *rows)])

    assert found.header == HEADER
    assert same(found, *rows)


def test_a_round_trip_keeps_what_is_unknown(tmp_path: Path) -> None:
    """No cloud, no text of it, nothing parsed: read as they were written."""
    row = attempt("a", cloud=None, cloud_text=None, agrees=None, grade=Grade(0.0, parsed=False))
    found = read_attempts([written(tmp_path / "run.jsonl", row)])

    assert same(found, row)


def test_a_second_round_trip_changes_nothing(tmp_path: Path, path: Path) -> None:
    """What was read and is written again has the same bytes."""
    again = tmp_path / "again.jsonl"
    write_attempts(again, read_attempts([path]))

    assert again.read_bytes() == path.read_bytes()
    assert sidecar_of(again).read_bytes() == sidecar_of(path).read_bytes()


def test_a_file_is_gone_on_with(tmp_path: Path) -> None:
    """Opening it again tells what is done, and appends behind it."""
    path = written(tmp_path / "run.jsonl", *ROWS[:2])
    with AttemptsLog(path, HEADER) as log:
        done = log.done
        log.append(ROWS[2])

    assert done == {"a", "b"} and same(read_attempts([path]), *ROWS)


def test_opening_a_whole_file_changes_nothing(path: Path) -> None:
    """Not a byte of the lines or of the numbers."""
    before = path.read_bytes(), sidecar_of(path).read_bytes()
    with AttemptsLog(path, HEADER):
        pass

    assert (path.read_bytes(), sidecar_of(path).read_bytes()) == before


def killed(path: Path, tmp_path: Path, *, lines: int | None = None, numbers: int | None = None) -> Path:
    """Return a copy of the file of which only so many bytes were written."""
    copy = tmp_path / "killed.jsonl"
    shutil.copy(path, copy)
    shutil.copy(sidecar_of(path), sidecar_of(copy))
    for file, length in ((copy, lines), (sidecar_of(copy), numbers)):
        if length is not None:
            with file.open("r+b") as opened:
                opened.truncate(length)
    return copy


def mended(copy: Path) -> frozenset[str]:
    """Open it, append what is missing, check that all is there once; return what had survived."""
    with AttemptsLog(copy, HEADER) as log:
        done = log.done
        for row in ROWS:
            if row.id not in done:
                log.append(row)
    assert same(read_attempts([copy]), *ROWS)
    return done


def test_a_kill_at_any_byte_of_the_last_line_loses_no_earlier_row(path: Path, tmp_path: Path) -> None:
    """The attempt in hand is cut off, its numbers too; going on gives the bytes of a run that was never killed."""
    whole, numbers = path.read_bytes(), sidecar_of(path).read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for length in range(start, len(whole) + 1):
        copy = killed(path, tmp_path, lines=length)

        done = mended(copy)

        assert done == ({"a", "b", "c"} if length == len(whole) else {"a", "b"})
        assert (copy.read_bytes(), sidecar_of(copy).read_bytes()) == (whole, numbers)


def test_a_kill_at_any_byte_of_the_numbers_loses_no_earlier_row(path: Path, tmp_path: Path) -> None:
    """An attempt's numbers come before its line: where they end early, its line is not there yet."""
    whole = path.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    size = sidecar_of(path).stat().st_size
    for length in range(size * 2 // 3, size + 1):
        copy = killed(path, tmp_path, lines=start, numbers=length)

        assert mended(copy) == {"a", "b"}
        assert sidecar_of(copy).read_bytes() == sidecar_of(path).read_bytes()


def test_a_power_failure_costs_the_rows_whose_numbers_are_gone(path: Path, tmp_path: Path) -> None:
    """Whatever of the numbers reached the disk, the rows that have theirs stay and the others are collected anew."""
    size = sidecar_of(path).stat().st_size
    for length in range(size + 1):
        copy = killed(path, tmp_path, numbers=length)

        done = mended(copy)

        assert done == frozenset("abc"[: length * 3 // size])
        assert sidecar_of(copy).read_bytes() == sidecar_of(path).read_bytes()


def test_a_killed_file_can_be_read_before_it_is_mended(path: Path, tmp_path: Path) -> None:
    """Half a line, half a character and half a number at the ends are passed over."""
    whole, size = path.read_bytes(), sidecar_of(path).stat().st_size
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for length in range(start, len(whole), 3):
        copy = killed(path, tmp_path, lines=length, numbers=size - length % 7)

        assert same(read_attempts([copy]), *ROWS[:2])


def test_an_empty_file_is_begun(tmp_path: Path) -> None:
    """A kill before the first line leaves nothing; numbers of an earlier file of that name do not count."""
    (path := tmp_path / "run.jsonl").touch()
    sidecar_of(path).write_bytes(b"old numbers!")
    with AttemptsLog(path, HEADER) as log:
        log.append(ROWS[0])

    assert same(read_attempts([path]), ROWS[0])


def test_half_a_first_line_is_begun_anew(path: Path, tmp_path: Path) -> None:
    """A kill inside it leaves a run that was not begun."""
    first = path.read_bytes().find(b"\n")
    for length in {1, *range(2, first, 29), first}:
        copy = killed(path, tmp_path, lines=length)
        header = header_of(copy)

        assert mended(copy) == frozenset() and header is None
        assert copy.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("content", ["a note", '{"schema":"edgecascade.attempts/2",', '{"id":"q1"}', " "])
def test_half_a_line_of_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """What no kill can have left of a first line stays as it is."""
    (path := tmp_path / "run.jsonl").write_text(content)

    with pytest.raises(AttemptsError, match="found no complete line"), AttemptsLog(path, HEADER):
        pass
    assert path.read_text() == content


def test_what_is_not_done_is_missing(path: Path) -> None:
    """An id that is there counts as done where its question is unknown or the same."""
    same_question = attempt("d", question=digest_of(replace(QUESTION, id="d")))
    with AttemptsLog(path, HEADER) as log:
        log.append(same_question)
    with AttemptsLog(path, HEADER) as log:
        missing = log.missing([replace(QUESTION, id=name) for name in "edfa"])

    assert [question.id for question in missing] == ["e", "f"]


def test_another_question_under_a_done_id_is_refused(tmp_path: Path) -> None:
    """Two question files that number their questions alike are not one run."""
    path = written(tmp_path / "run.jsonl", attempt("a", question=digest_of(QUESTION)))
    other = replace(QUESTION, gold=("B",))

    with AttemptsLog(path, HEADER) as log, pytest.raises(AttemptsError, match="another question under the id 'a'"):
        log.missing([other])


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "history"},
        {"messages": (Message("user", "When?"),)},
        {"messages": (Message("system", "Where?"),)},
        {"metric": "exact"},
        {"gold": ("B",)},
        {"choices": ("y", "x")},
        {"grading": {"tolerance": 0.1}},
    ],
)
def test_a_digest_changes_with_what_decides_the_grade(changes: dict[str, Any]) -> None:
    """Everything that is asked and compared; neither the id nor what others scored."""
    digest = digest_of(QUESTION)

    assert len(digest) == 12 and digest != digest_of(replace(QUESTION, **changes))
    assert digest == digest_of(replace(QUESTION, id="z", scores={}))


def test_files_without_the_newer_fields_are_read(path: Path) -> None:
    """What an earlier version did not record is unknown, and agrees with anything."""
    change_line(path, 1, lambda first: {k: v for k, v in first.items() if k not in ("max_tokens", "judge")})
    for number in (2, 3, 4):
        change_line(path, number, lambda row: {k: v for k, v in row.items() if k != "question"})
    with AttemptsLog(path, header(max_tokens=24, judge="openai:x")) as log:
        missing = log.missing([QUESTION])

    assert same(read_attempts([path]), *ROWS) and missing == []


def test_rows_without_their_numbers_are_not_thrown_away(path: Path) -> None:
    """A copy that came without its sidecar is not gone on with, and stays as it is."""
    sidecar_of(path).unlink()
    before = path.read_bytes()

    with (
        pytest.raises(AttemptsError, match=r"found no run\.f32 beside it.*put that file back"),
        AttemptsLog(path, HEADER),
    ):
        pass

    assert path.read_bytes() == before


def test_lines_that_changed_places_keep_their_numbers(path: Path) -> None:
    """Who sorts a file by hand can still go on with it."""
    first, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([first, *rows[::-1]]), encoding="utf-8")
    with AttemptsLog(path, HEADER):
        pass

    assert same(read_attempts([path]), *ROWS[::-1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"system": None}, "found system = 'Be brief.', wanted None"),
        ({"cloud": "huge"}, "found cloud = 'big', wanted 'huge'"),
        ({"max_tokens": 24}, "found max_tokens = None, wanted 24"),
        ({"judge": "openai:x"}, "found judge = None, wanted 'openai:x'"),
        ({"identity": replace(IDENTITY, sha256="b" * 64)}, "found sha256 = 'aaaa.*', wanted 'bbbb"),
        ({"identity": replace(IDENTITY, chunk=32)}, "found chunk = 64, wanted 32"),
        ({"identity": replace(IDENTITY, sampler=sampler_of(Sampling(top_k=3)))}, "found sampler = .*wanted"),
    ],
)
def test_a_file_of_another_run_is_refused(path: Path, changes: dict[str, Any], message: str) -> None:
    """What was found and what is wanted are named, and the file stays as it is."""
    before = path.read_bytes()

    with pytest.raises(AttemptsError, match=message), AttemptsLog(path, header(**changes)):
        pass

    assert path.read_bytes() == before


def test_what_does_not_matter_may_differ(path: Path) -> None:
    """Other questions, another day, another shard: one model run in one way."""
    with AttemptsLog(path, header(questions="e" * 64, created="2027-01-01", shard="2/4")) as log:
        log.append(attempt("d"))

    assert same(read_attempts([path]), *ROWS, attempt("d"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row | {"id": "a"}, r"run\.jsonl:3 repeats id 'a' of line 2"),
        (lambda row: row | {"signals": {"odd": float("nan")}}, r"run\.jsonl:3 .*found odd = nan, wanted a finite one"),
        (lambda row: row | {"signals": {"odd": float("inf")}}, r"run\.jsonl:3 .*found odd = inf"),
        (lambda row: row | {"signals": {"odd": None}}, r"run\.jsonl:3 .*signals\.odd: found None"),
        (lambda row: {k: v for k, v in row.items() if k != "local"}, r"run\.jsonl:3 .*local: .*[Ff]ield required"),
        (lambda row: row | {"local": None}, r"run\.jsonl:3 .*local: found None"),
        (lambda row: row | {"local": 1.5}, r"run\.jsonl:3 .*local: found 1\.5"),
        (lambda row: row | {"cloud": float("nan")}, r"run\.jsonl:3 .*cloud: found nan"),
        (lambda row: row | {"task": ""}, r"run\.jsonl:3 .*task: found ''"),
        (lambda row: row | {"finish_reason": "tired"}, r"run\.jsonl:3 .*finish_reason: found 'tired'"),
        (lambda row: row | {"at": -1}, r"run\.jsonl:3 .*at: found -1"),
        (lambda row: row | {"new": 1}, r"run\.jsonl:3 .*new: found 1"),
        (lambda row: [row], r"run\.jsonl:3 is no attempt"),
        (lambda row: None, r"run\.jsonl:3 is no attempt"),
    ],
)
def test_a_bad_line_is_refused_by_number(path: Path, change: Callable[[Any], Any], message: str) -> None:
    """Reading and going on both name the file, the line and what was found there."""
    change_line(path, 3, change)

    with pytest.raises(AttemptsError, match=message):
        read_attempts([path])
    with pytest.raises(AttemptsError, match=message), AttemptsLog(path, HEADER):
        pass


@pytest.mark.parametrize("text", ["not JSON", "", "{", '{"id": "b"', "\x00" * 20])
def test_a_line_that_is_not_json_is_refused_by_number(path: Path, text: str) -> None:
    """A line break inside a row, an empty line, anything else."""
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([*lines[:2], text, *lines[2:]]), encoding="utf-8")

    with pytest.raises(AttemptsError, match=r"run\.jsonl:3 is no attempt: .*; mend or remove that line"):
        read_attempts([path])


@pytest.mark.parametrize(
    "change",
    [
        lambda first: first | {"schema": "edgecascade.attempts/2"},
        lambda first: {k: v for k, v in first.items() if k != "identity"},
        lambda first: first | {"identity": first["identity"] | {"unheard": 1}},
        lambda first: {"id": "q1", "task": "t", "question": "Why?", "metric": "exact"},
        lambda first: [],
    ],
)
def test_another_schema_is_refused(path: Path, change: Callable[[Any], Any]) -> None:
    """A file of another version, or of another kind, is not guessed at."""
    change_line(path, 1, change)

    with pytest.raises(AttemptsError, match=r"no attempts file of this version: .*wanted a first line with schema"):
        read_attempts([path])
    with pytest.raises(AttemptsError, match="no attempts file of this version"):
        header_of(path)


def test_what_is_no_file_of_attempts_is_refused(tmp_path: Path) -> None:
    """Nothing there, a folder, an empty file, bytes that are no text, no file at all."""
    (empty := tmp_path / "empty.jsonl").touch()
    (binary := tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\n")
    cases = [
        ([tmp_path / "missing.jsonl"], r"missing\.jsonl cannot be read: found No such file"),
        ([tmp_path], "cannot be read: found Is a directory"),
        ([empty], r"empty\.jsonl is empty"),
        ([binary], r"binary\.jsonl is no attempts file: found bytes that are not UTF-8"),
        ([], "no attempts were given"),
    ]
    for paths, message in cases:
        with pytest.raises(AttemptsError, match=message):
            read_attempts(paths)


def test_only_the_header_is_an_empty_run(tmp_path: Path) -> None:
    """A run that was killed before its first attempt has none."""
    path = written(tmp_path / "run.jsonl")

    assert read_attempts([path]) == Attempts(HEADER, ()) and header_of(path) == HEADER


def test_a_header_can_be_had_alone(path: Path, tmp_path: Path) -> None:
    """Of a file that was begun, whatever its rows are; None where there is none yet."""
    change_line(path, 3, lambda row: None)
    (empty := tmp_path / "empty.jsonl").touch()

    assert header_of(path) == HEADER
    assert header_of(empty) is header_of(tmp_path / "missing.jsonl") is None
    with pytest.raises(AttemptsError, match="cannot be read"):
        header_of(tmp_path)


def test_shards_are_merged_in_order(tmp_path: Path) -> None:
    """Two files are one, each question once, the first file's header for both."""
    one = written(tmp_path / "one.jsonl", *ROWS[:2], header=header(shard="1/2"))
    two = written(tmp_path / "two.jsonl", ROWS[1], ROWS[2], header=header(shard="2/2"))
    found = read_attempts([one, two])

    assert same(found, *ROWS) and found.header.shard == "1/2"
    assert same(read_attempts([one, one]), *ROWS[:2])


def test_shards_of_different_hidden_states_are_read_by_their_own_width(tmp_path: Path) -> None:
    """Rows with and without hidden states stand beside each other."""
    one = written(tmp_path / "one.jsonl", attempt("a", states=0), attempt("b", states=1), attempt("c", tokens=0))
    two = written(tmp_path / "two.jsonl", attempt("d", states=0), header=header(width=0))

    rows = (attempt("a", states=0), attempt("b", states=1), attempt("c", tokens=0), attempt("d", states=0))
    assert same(read_attempts([one, two]), *rows)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "history"}, "task = 'history' beside 'geography'"),
        ({"grade": Grade(0.0)}, "local = 0.0 beside 1.0"),
        ({"cloud": None}, "cloud = None beside 0.25"),
        ({"draft": attempt("a", tokens=1).draft}, "text = 'Zürich' beside"),
    ],
)
def test_shards_that_disagree_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """Two answers to one question name both files and both values."""
    one = written(tmp_path / "one.jsonl", ROWS[0])
    two = written(tmp_path / "two.jsonl", replace(ROWS[0], **changes))

    with pytest.raises(
        AttemptsError, match=rf"two\.jsonl and .*one\.jsonl disagree about question 'a': found {message}"
    ):
        read_attempts([one, two])


@pytest.mark.parametrize("known", [("0" * 12, ""), ("", "1" * 12), ("1" * 12, "1" * 12)])
def test_shards_agree_where_a_question_is_unknown_or_the_same(tmp_path: Path, known: tuple[str, str]) -> None:
    """A digest is compared where both have one."""
    paths = [written(tmp_path / f"{n}.jsonl", attempt("a", question=digest)) for n, digest in enumerate(known)]

    assert len(read_attempts(paths).rows) == 1


def test_shards_of_different_questions_are_refused(tmp_path: Path) -> None:
    """The same id and the same answer, to another question."""
    paths = [written(tmp_path / f"{n}.jsonl", attempt("a", question=n * 12)) for n in "01"]

    with pytest.raises(AttemptsError, match=r"disagree about question 'a': found question = '1{12}'"):
        read_attempts(paths)


@pytest.mark.parametrize("changes", [{"max_tokens": 24}, {"judge": "openai:x"}])
def test_shards_of_different_runs_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The longest answer and the judge belong to how a model was run."""
    one = written(tmp_path / "one.jsonl", ROWS[0])
    two = written(tmp_path / "two.jsonl", ROWS[1], header=header(**changes))

    with pytest.raises(AttemptsError, match=rf"two\.jsonl was collected differently: found {next(iter(changes))} = "):
        read_attempts([one, two])


def test_shards_become_one_file(tmp_path: Path) -> None:
    """Merging writes what reading them together gives."""
    paths = [written(tmp_path / f"{row.id}.jsonl", row) for row in ROWS]
    merged = merge_attempts(paths, tmp_path / "all.jsonl")

    assert same(merged, *ROWS) and same(read_attempts([tmp_path / "all.jsonl"]), *ROWS)


@pytest.mark.parametrize("left", [None, b""])
def test_a_shard_without_its_numbers_is_not_merged(path: Path, tmp_path: Path, left: bytes | None) -> None:
    """The file that is missing is named, and nothing is written."""
    other, out = written(tmp_path / "other.jsonl", attempt("d")), tmp_path / "all.jsonl"
    sidecar_of(path).unlink() if left is None else sidecar_of(path).write_bytes(left)

    with pytest.raises(AttemptsError, match=r"run\.jsonl cannot be merged: found no numbers in .*run\.f32, wanted"):
        merge_attempts([other, path], out)
    assert not out.exists()


def test_rows_that_came_without_their_tokens_are_not_written(path: Path, tmp_path: Path) -> None:
    """Read without the sidecar, they would be taken for empty answers."""
    sidecar_of(path).unlink()
    bare = read_attempts([path])

    with pytest.raises(AttemptsError, match=r"question 'a' came without its tokens: found none, wanted"):
        write_attempts(tmp_path / "all.jsonl", bare)


def test_numbers_of_an_input_are_not_written_over(path: Path) -> None:
    """An output whose numbers would take an input's place is refused."""
    renamed = path.rename(path.with_suffix(".txt"))
    before = sidecar_of(renamed).read_bytes()

    with pytest.raises(AttemptsError, match=r"run\.f32 exists already"):
        merge_attempts([renamed], path)
    assert sidecar_of(renamed).read_bytes() == before


def test_shards_of_different_models_are_refused(tmp_path: Path) -> None:
    """One fit is of one model, run in one way."""
    one = written(tmp_path / "one.jsonl", ROWS[0])
    two = written(tmp_path / "two.jsonl", ROWS[1], header=header(identity=replace(IDENTITY, quantisation="Q8_0")))

    with pytest.raises(
        AttemptsError, match=r"two\.jsonl was collected differently: found quantisation = 'Q8_0', wanted"
    ):
        read_attempts([one, two])


def test_one_writer_at_a_time(path: Path) -> None:
    """A second one is refused while the first holds the file, and let in afterwards; the rows stay."""
    with AttemptsLog(path, HEADER) as first:
        with pytest.raises(AttemptsError, match="is being written by another process"), AttemptsLog(path, HEADER):
            pass
        first.append(attempt("d"))
    with AttemptsLog(path, HEADER) as second:
        second.append(attempt("e"))

    assert same(read_attempts([path]), *ROWS, attempt("d"), attempt("e"))


def test_a_refused_writer_leaves_the_file_free(path: Path) -> None:
    """A log that could not be opened holds no lock."""
    with pytest.raises(AttemptsError, match="collected differently"), AttemptsLog(path, header(cloud="huge")):
        pass

    with AttemptsLog(path, HEADER) as log:
        assert log.done == {"a", "b", "c"}


def test_an_error_inside_the_block_keeps_what_was_appended(tmp_path: Path) -> None:
    """A collection that fails has its rows, and its file is free."""
    path = tmp_path / "run.jsonl"
    with pytest.raises(ZeroDivisionError), AttemptsLog(path, HEADER) as log:
        log.append(ROWS[0])
        raise ZeroDivisionError

    assert mended(path) == {"a"}


def test_rows_count_as_soon_as_they_are_appended(tmp_path: Path) -> None:
    """A reader sees each attempt while the file is still being written."""
    path = tmp_path / "run.jsonl"
    with AttemptsLog(path, HEADER) as log:
        for count, row in enumerate(ROWS, 1):
            log.append(row)

            assert same(read_attempts([path]), *ROWS[:count])


def test_without_the_sidecar_rows_have_no_tokens(path: Path) -> None:
    """Grades, signals and texts are read; traces and hidden states are left out, and the counts stay."""
    sidecar_of(path).unlink()
    found = read_attempts([path]).rows

    assert [(row.id, row.grade, dict(row.signals)) for row in found] == [
        (row.id, row.grade, dict(row.signals)) for row in ROWS
    ]
    assert all(row.draft.tokens == () and row.draft.hidden is None for row in found)
    assert [row.draft.usage for row in found] == [row.draft.usage for row in ROWS]


def test_numbers_that_are_cut_off_are_told(path: Path) -> None:
    """Lines whose numbers are partly gone are not read as something else; going on mends the file."""
    with sidecar_of(path).open("r+b") as numbers:
        numbers.truncate(sidecar_of(path).stat().st_size - 4)

    with pytest.raises(AttemptsError, match="numbers of question 'c' are cut off: found 19, wanted 20"):
        read_attempts([path])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_signal_that_is_no_number_is_not_written(path: Path, value: float) -> None:
    """It is refused before a byte is written, so that the file stays readable."""
    before = path.read_bytes(), sidecar_of(path).read_bytes()

    with (
        pytest.raises(AttemptsError, match="question 'd' has a signal that is no number: found odd = "),
        AttemptsLog(path, HEADER) as log,
    ):
        log.append(attempt("d", signals={"odd": value}))

    assert (path.read_bytes(), sidecar_of(path).read_bytes()) == before


@pytest.mark.parametrize("name", ["run", "run.f32", "run.1", "run.json"])
def test_a_name_must_end_in_jsonl(tmp_path: Path, name: str) -> None:
    """Two files never share their numbers, and a file is never its own sidecar."""
    with pytest.raises(AttemptsError, match=r"wanted '\.jsonl'"), AttemptsLog(tmp_path / name, HEADER):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file where a folder should be, or a folder where the file should be."""
    (tmp_path / "file").touch()
    (tmp_path / "folder.jsonl").mkdir()

    for path in (tmp_path / "file" / "run.jsonl", tmp_path / "folder.jsonl"):
        with pytest.raises(AttemptsError, match=r"cannot be written to: found .*, wanted"), AttemptsLog(path, HEADER):
            pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """The reason is named, not shown as a bug."""
    (path := tmp_path / "run.jsonl").symlink_to("/dev/full")

    with pytest.raises(NoSpaceError, match=r"the disk of .* is full"), AttemptsLog(path, HEADER):
        pass


def test_an_existing_file_is_not_written_over(path: Path) -> None:
    """Writing attempts at once wants a new name."""
    with pytest.raises(AttemptsError, match="exists already"):
        write_attempts(path, Attempts(HEADER, ()))

    assert same(read_attempts([path]), *ROWS)
