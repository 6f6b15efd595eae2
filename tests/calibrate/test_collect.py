"""Questions become attempts on a real model: resumed after a kill, in shards, beside a cloud."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgecascade.calibrate.collect import Progress, booked, collect, part_of, questions_of
from edgecascade.errors import AttemptsError, BudgetError, ConfigError, QuestionFileError
from edgecascade.fingerprint import PROMPTS
from edgecascade.grading import grade
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Message, Question
from edgecascade.signals import SIGNALS, signals
from edgecascade.store.attempts import Attempt, Attempts, AttemptsLog, Header, digest_of, read_attempts
from edgecascade.store.config.settings import Settings
from edgecascade.store.files import sha256_of
from edgecascade.store.ledger import Ledger
from edgecascade.store.questions import QuestionFile
from edgecascade.testing import LoopbackCloud, fault

if TYPE_CHECKING:
    from edgecascade.llama.engine import Engine

SYSTEM = "Answer in one short sentence."
LONGEST = 12
OPEN = {"France": "Paris", "Peru": "Lima", "Japan": "Tokyo", "Egypt": "Cairo"}
CHOICES = {"2 + 2": ("3", "4", "5"), "3 + 4": ("7", "8", "9"), "9 - 4": ("4", "5", "6")}
LETTERS = {"2 + 2": "B", "3 + 4": "A", "9 - 4": "B"}
MODEL = "small"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question file: capitals asked openly, sums to be chosen; a recorded cloud that is right but for one."""
    rows: list[dict[str, Any]] = [
        {"task": "capitals", "question": f"What is the capital of {country}?", "gold": city, "metric": "normalised"}
        for country, city in OPEN.items()
    ]
    rows += [
        {"task": "sums", "question": f"What is {sum}?", "choices": choices, "gold": LETTERS[sum], "metric": "choice"}
        for sum, choices in CHOICES.items()
    ]
    for number, row in enumerate(rows):
        row |= {"id": f"q{number}", "scores": {"big": float(number != 2)} | ({"part": 1.0} if number else {})}
    path = tmp_path_factory.mktemp("questions") / "small.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def file(source: Path) -> QuestionFile:
    """The same, read."""
    return questions_of(source)


@pytest.fixture(scope="module")
def run(engine: "Engine", file: QuestionFile) -> Any:
    """Collect with what all runs here have in common."""
    common = {"sha256": sha256_of(engine.path), "source": file.sha256, "system": SYSTEM, "today": "2026-11-21"}

    def collected(out: Path, questions: Sequence[LabelledQuestion] = file.questions, **changes: Any) -> Progress:
        options: dict[str, Any] = common | {"clock": lambda: 0.0, "max_tokens": LONGEST} | changes
        return collect(engine, questions, out, **options)

    return collected


@pytest.fixture(scope="module")
def whole(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Attempts:
    """What a run that was never interrupted writes, beside the recorded cloud."""
    out = tmp_path_factory.mktemp("whole") / "run.jsonl"
    run(out, cloud="big", cloud_name="big")
    return read_attempts([out])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger on disk."""
    with Ledger(tmp_path / "ledger.db", clock=time.time) as opened:
        yield opened


def calls_of(ledger: Ledger) -> list[dict[str, Any]]:
    """Return every call that a ledger holds."""
    out = BytesIO()
    ledger.export("jsonl", out, table="calls")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def begun(path: Path, header: Header, **changes: Any) -> Path:
    """Begin a file for a run like another, which spares it the fingerprint."""
    with AttemptsLog(path, header.model_copy(update=changes)):
        return path


def told(row: Attempt) -> tuple[str, str, float, float | None]:
    """What must not depend on how the run went."""
    return row.id, row.draft.text, row.grade.score, row.cloud


# What is collected


def test_every_question_becomes_an_attempt(whole: Attempts, file: QuestionFile) -> None:
    """In the file's order, with tokens, states, the signals of the draft, and the grade of its text."""
    assert [row.id for row in whole.rows] == [question.id for question in file.questions]
    for row, question in zip(whole.rows, file.questions, strict=True):
        assert row.draft.tokens and row.draft.hidden is not None
        assert set(row.signals) == set(SIGNALS) and row.signals == pytest.approx(signals(row.draft), rel=1e-4, abs=1e-4)
        assert row.grade == grade(row.draft.text, question)
        assert row.question == digest_of(question)


def test_the_header_says_what_was_run(whole: Attempts, engine: "Engine", file: QuestionFile) -> None:
    """Model, questions, system message, cloud, and a fingerprint of as many marks as there are prompts."""
    header = whole.header

    assert header.identity.model == engine.path.stem and header.identity.context == engine.context_length
    assert (header.questions, header.system, header.cloud, header.width) == (file.sha256, SYSTEM, "big", engine.width)
    assert (header.max_tokens, header.judge) == (LONGEST, None)
    assert len(header.fingerprint) == len(PROMPTS) and all(logprob <= 0 for _, logprob in header.fingerprint)


def test_choices_are_looked_at_twice_and_open_questions_once(whole: Attempts) -> None:
    """A second look stands beside every choice that was made, and nowhere else."""
    looked = {row.id: row.draft.second_look for row in whole.rows}

    assert all(looked[row.id] is None for row in whole.rows if row.task == "capitals")
    assert any(looked[row.id] is not None for row in whole.rows if row.task == "sums")
    for row in whole.rows:
        assert row.signals["looked_again"] == (looked[row.id] is not None)
        assert row.grade.parsed or looked[row.id] is None


def test_the_recorded_column_is_the_clouds_side(whole: Attempts) -> None:
    """Its scores, and neither a text nor an agreement that nobody recorded."""
    assert [row.cloud for row in whole.rows] == [1, 1, 0, 1, 1, 1, 1]
    assert all(row.cloud_text is row.agrees is None for row in whole.rows)


def test_a_column_that_is_missing_is_refused_before_anything_is_asked(
    run: Any, whole: Attempts, tmp_path: Path
) -> None:
    """With the question that lacks it and what there is; no file is begun."""
    with pytest.raises(QuestionFileError, match=r"'q0' has no recorded score of 'part': found big; .*--cloud-column"):
        run(tmp_path / "run.jsonl", cloud="part", cloud_name="part")
    assert not list(tmp_path.iterdir())


def test_what_is_too_long_is_left_out(run: Any, whole: Attempts, file: QuestionFile, tmp_path: Path) -> None:
    """It is counted, the others are answered, and the file does not hold it."""
    long = replace(file.questions[0], id="long", messages=(Message("user", "word " * 3000),))
    out = begun(tmp_path / "run.jsonl", whole.header, cloud=None)
    progress = run(out, [long, *file.questions[:1]])

    assert (progress.done, progress.answered, progress.left_out) == (2, 1, 1)
    assert [row.id for row in read_attempts([out]).rows] == ["q0"]


def test_two_shards_are_the_whole(run: Any, whole: Attempts, file: QuestionFile, tmp_path: Path) -> None:
    """Collected apart and read together they hold the same answers, grades and scores."""
    paths = [tmp_path / "1.jsonl", tmp_path / "2.jsonl"]
    for path, shard in zip(paths, ("1/2", "2/2"), strict=True):
        begun(path, whole.header, shard=shard)
        run(path, part_of(file.questions, shard=shard), shard=shard, cloud="big", cloud_name="big")
    merged = read_attempts(paths)

    assert sorted(map(told, merged.rows)) == sorted(map(told, whole.rows))
    assert len(merged.rows) == len(whole.rows) == sum(len(read_attempts([path]).rows) for path in paths)


# A run goes on


def test_a_finished_run_asks_nothing(run: Any, whole: Attempts, tmp_path: Path) -> None:
    """All questions are done before it starts, and none is answered again."""
    out, said = begun(tmp_path / "run.jsonl", whole.header), list[Progress]()
    with AttemptsLog(out, whole.header) as log:
        for row in whole.rows:
            log.append(row)
    before = out.read_bytes()
    run(out, cloud="big", cloud_name="big", tell=said.append)

    assert [(progress.done, progress.total, progress.answered) for progress in said] == [(7, 7, 0)]
    assert out.read_bytes() == before


def test_progress_is_told_after_each_question(run: Any, whole: Attempts, file: QuestionFile, tmp_path: Path) -> None:
    """Earlier runs' questions are done, this run's counted with what was right."""
    out, said = begun(tmp_path / "run.jsonl", whole.header), list[Progress]()
    with AttemptsLog(out, whole.header) as log:
        log.append(whole.rows[0])
    run(out, file.questions[:3], cloud="big", cloud_name="big", tell=said.append)

    assert [(progress.done, progress.answered) for progress in said] == [(1, 0), (2, 1), (3, 2)]
    assert said[-1].correct == sum(row.grade.correct for row in whole.rows[1:3])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"system": "Answer in verse."}, "found system = 'Answer in one short sentence.', wanted 'Answer in verse.'"),
        ({"cloud_name": "other"}, "found cloud = 'big', wanted 'other'"),
        ({"sha256": "0" * 64}, "found sha256 = "),
        ({"max_tokens": 99}, "found max_tokens = 12, wanted 99"),
        ({"judge_name": "openai:x"}, "found judge = None, wanted 'openai:x'"),
    ],
)
def test_another_run_is_not_gone_on_with(
    run: Any, whole: Attempts, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    """A file holds one model run in one way beside one cloud."""
    out = tmp_path / "run.jsonl"
    with AttemptsLog(out, whole.header) as log:
        log.append(whole.rows[0])

    with pytest.raises(AttemptsError, match=named):
        run(out, **{"cloud": "big", "cloud_name": "big"} | changes)


def test_other_questions_under_the_same_ids_are_refused(
    run: Any, whole: Attempts, file: QuestionFile, tmp_path: Path
) -> None:
    """They do not count as done because another file numbered its questions alike."""
    out = begun(tmp_path / "run.jsonl", whole.header)
    with AttemptsLog(out, whole.header) as log:
        log.append(whole.rows[0])
    other = replace(file.questions[0], messages=(Message("user", "What is the capital of Chad?"),))

    with pytest.raises(AttemptsError, match="another question under the id 'q0'"):
        run(out, [other], cloud="big", cloud_name="big")


def test_a_file_without_answers_is_begun_anew(run: Any, whole: Attempts, file: QuestionFile, tmp_path: Path) -> None:
    """A first question that failed leaves nothing in the way of another run."""
    out = begun(tmp_path / "run.jsonl", whole.header, cloud="http://127.0.0.1:9/v1#m")
    run(out, file.questions[:1], cloud="big", cloud_name="big")

    assert read_attempts([out]).header.cloud == "big"


# Beside a cloud that is asked


def test_a_cloud_is_asked_and_graded(
    run: Any, whole: Attempts, file: QuestionFile, tmp_path: Path, ledger: Ledger
) -> None:
    """Each question as the device got it; its text, its grade, and whether the device says the same."""
    out = begun(tmp_path / "run.jsonl", whole.header, cloud=MODEL)
    with (
        LoopbackCloud("Paris.", "Bogota.") as server,
        booked(server.spec("openai", MODEL), Settings(), ledger) as tier,
    ):
        run(out, file.questions[:2], cloud=tier, cloud_name=MODEL)
    first, second = read_attempts([out]).rows

    assert (first.cloud_text, first.cloud, second.cloud_text, second.cloud) == ("Paris.", 1, "Bogota.", 0)
    assert (first.agrees, second.agrees) == (first.grade.score, 0)
    assert [request.body["messages"][0]["content"] for request in server.requests] == [SYSTEM] * 2
    assert server.requests[0].body["messages"][1]["content"] == "What is the capital of France?"


def test_what_a_calibration_asks_stands_in_the_ledger(tmp_path: Path, ledger: Ledger) -> None:
    """Each call with its purpose, and within the user's budget: the next one is not made."""
    asked, settings = Question.of("Why?"), Settings(budget="2calls/day")
    with LoopbackCloud("Because.") as server, booked(server.spec("openai", MODEL), settings, ledger) as tier:
        said = [tier.answer(asked), tier.answer(asked)]
        with pytest.raises(BudgetError, match="2 calls a day"):
            tier.answer(asked)

    assert said == ["Because.", "Because."] and len(server.requests) == 2
    assert [(call["purpose"], call["outcome"]) for call in calls_of(ledger)] == [("calibrate", "ok")] * 2


def test_no_cloud_is_opened_on_a_device_that_is_offline(ledger: Ledger) -> None:
    """The setting holds for a calibration too."""
    with pytest.raises(ConfigError, match="set to be offline"), booked("openai:m", Settings(offline=True), ledger):
        pass


def test_a_judge_grades_what_asks_for_one(
    run: Any, whole: Attempts, file: QuestionFile, tmp_path: Path, ledger: Ledger
) -> None:
    """It sees question and answer, and its word is the grade; without one the questions are refused beforehand."""
    questions = [replace(question, metric="judge") for question in file.questions[:2]]
    out = begun(tmp_path / "run.jsonl", whole.header, cloud=None)
    with pytest.raises(QuestionFileError, match="2 questions are graded by a judge"):
        run(out, questions)
    with (
        LoopbackCloud("CORRECT", "I cannot say.") as server,
        booked(server.spec("openai", MODEL), Settings(), ledger) as judge,
    ):
        run(out, questions, judge=judge)
    first, second = read_attempts([out]).rows

    assert (first.grade, second.grade) == (Grade(1.0), Grade(0.0, parsed=False))
    assert first.draft.text in server.requests[0].body["messages"][0]["content"]


def test_a_killed_run_goes_on_where_it_was(
    whole: Attempts, source: Path, home: dict[str, str], engine: "Engine", tmp_path: Path
) -> None:
    """Killed in the middle of the fourth question, started again: all rows are there once, as if nothing had been."""
    out = tmp_path / "run.jsonl"
    with LoopbackCloud("Paris.", "Paris.", "Paris.", fault.hangs(text="Paris."), "Paris.") as server:
        spec = server.spec("openai", MODEL)
        begun(out, whole.header, cloud=spec)
        online = home | {"EDGECASCADE_OFFLINE": "0"}
        command = [
            sys.executable, "-m", "edgecascade", "calibrate", "collect", "--questions", str(source), "--out", str(out),
            "--system", SYSTEM, "--cloud", spec, "--max-tokens", str(LONGEST),
            "--context", str(engine.context_length), "--json",
        ]  # fmt: skip
        child = subprocess.Popen(command, env=online, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        reached = server.wait_until_held(120)
        child.kill()
        _, errors = child.communicate()
        survived = [row.id for row in read_attempts([out]).rows]
        done = subprocess.run(command, env=online, capture_output=True, text=True, check=False)
    found = read_attempts([out])

    assert reached, errors
    assert survived == ["q0", "q1", "q2"] and done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answered"] == 4
    assert [told(row)[:3] for row in found.rows] == [told(row)[:3] for row in whole.rows]
    assert len(server.requests) == 8
