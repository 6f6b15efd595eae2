"""``edgecascade ledger``, as a user types it."""

import csv
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecascade.cli import main
from edgecascade.store.fitted_files import read_fitted
from edgecascade.store.ledger import AnswerRow, Ledger
from edgecascade.store.paths import Folders, shipped

FITTED = read_fitted(shipped("calibration/fitted") / "smollm2-135m.json")
ROW = AnswerRow(
    id="a1b2c3",
    at=time.time(),
    mode="prefer_on_device",
    tier="local",
    place="device",
    model="tiny",
    code="kept",
    reason="p_correct 0.90, kept from 0.57",
    p_correct=0.9,
    threshold=0.57,
    promise=None,
    calibration=FITTED.id,
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
    joules=None,
    usd_saved=0.25,
    tokens_saved=8.0,
    seconds_saved=1.5,
    question_sha256="0" * 64,
    kinds=("email",),
    record="{}",
)
CLOUD = replace(
    ROW, id="d4e5f6", tier="cloud", place="cloud", code="not_kept", kept=False, escalated=True, usd=0.0042
)  # fmt: skip
OLD = replace(ROW, id="old", at=0.0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose ledger holds an answer of 1970, one kept just now, and one by a cloud with its call."""
    folders = Folders.of({"EDGECASCADE_HOME": str(tmp_path)})
    with Ledger(folders.state / "ledger.db", clock=time.time) as opened:
        for row in (OLD, ROW, CLOUD):
            opened.answered(row)
        call = opened.reserve(
            CLOUD.id, host="cloud.test", model="big", purpose="answer", size=1234, sha256="1" * 64, kinds=("email",),
            usd=0.01, caps=(), lease_seconds=60,
        )  # fmt: skip
        opened.settle(
            call, outcome="ok", prompt_tokens=9, completion_tokens=2, told=True, usd=0.0042, seconds=0.25
        )  # fmt: skip
    return tmp_path


def run(home: Path, *words: str | Path) -> Result:
    """Run the command as that user."""
    return CliRunner().invoke(main, ["ledger", *map(str, words)], env={"EDGECASCADE_HOME": str(home)})


def test_the_summary_says_what_was_saved_and_spent(home: Path) -> None:
    """Of the last 30 days; the rate of this device stands beside the one that was calibrated."""
    done = run(home)

    lines = {line[:12].strip(): line[12:] for line in done.output.splitlines()}
    assert done.exit_code == 0
    assert lines["answers"].startswith("2 since ") and lines["answers"].endswith(": cloud 1, local 1")
    assert lines["saved"] == "1 call, $0.50, 3.0 s, 16 tokens"
    assert lines["spent"] == "$0.0042 in 1 call; 1.0 s"
    assert lines["escalated"].startswith("50.0% of the answers")
    assert lines["not kept"] == f"50.0% of 2; calibrated 82.5% ({FITTED.id})"
    assert lines["left"] == "1,234 bytes: cloud.test 1"
    assert lines["taken out"] == "email 1"
    assert lines["found"] == "email 1 in questions, and not taken out of a call"
    assert lines["this month"].startswith("$0.0042 in 1 call, until ")


def test_the_summary_as_json_is_the_record(home: Path) -> None:
    """With all its fields, since the beginning."""
    record = json.loads(run(home, "--since", "1970-01-01", "--json").output)

    assert (record["answers"], record["saved_calls"], record["bytes_left"], record["since"]) == (3, 2, 1234, 0.0)
    assert record["calibrations"][0]["expected"] == pytest.approx(0.175, abs=1e-3)


def test_a_new_user_has_an_empty_ledger(tmp_path: Path) -> None:
    """No error, and nothing that did not happen."""
    done = run(tmp_path)

    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == ["answers", "saved", "spent"]


def test_tail_shows_the_latest_last(home: Path) -> None:
    """A line each, with why; as JSON the rows themselves."""
    shown, records = run(home, "tail"), json.loads(run(home, "tail", "-n", "1", "--json").output)

    assert [line.split()[2] for line in shown.output.splitlines()] == ["a1b2c3", "d4e5f6"]
    assert len({line.index("p 0.90") for line in shown.output.splitlines()}) == 1
    assert "p 0.90" in shown.output and "$0.0042" in shown.output and ROW.reason in shown.output
    assert [row["id"] for row in records] == ["d4e5f6"]


def test_the_columns_of_the_tail_do_not_run_together(tmp_path: Path) -> None:
    """However long a tier's name is, two spaces stand behind it, and the next column begins at one place."""
    with Ledger(Folders.of({"EDGECASCADE_HOME": str(tmp_path)}).state / "ledger.db", clock=time.time) as opened:
        for number, tier in enumerate(("tiny", "http://127.0.0.1:8081/v1#a-long-name")):
            opened.answered(replace(ROW, id=f"a{number}", tier=tier))
    lines = run(tmp_path, "tail").output.splitlines()

    assert "a-long-name  kept  " in lines[1]
    assert len({line.index("kept  p 0.90") for line in lines}) == 1


@pytest.mark.parametrize(("count", "told"), [(1, "1 question"), (2, "2 questions")])
def test_one_is_not_several(tmp_path: Path, count: int, told: str) -> None:
    """A single question waits in the singular."""
    with Ledger(Folders.of({"EDGECASCADE_HOME": str(tmp_path)}).state / "ledger.db", clock=time.time) as opened:
        for number in range(count):
            opened.enqueue(str(number), "{}")

    assert f"waiting     {told}" in run(tmp_path).output.splitlines()


def test_export_writes_rows_to_standard_output(home: Path) -> None:
    """All of them, whatever their age, unless a moment is given."""
    table = run(home, "export", "csv")
    recent = run(home, "export", "jsonl", "--since", "1d")

    assert [row["id"] for row in csv.DictReader(io.StringIO(table.stdout))] == ["old", "a1b2c3", "d4e5f6"]
    assert [json.loads(line)["id"] for line in recent.stdout.splitlines()] == ["a1b2c3", "d4e5f6"]


def test_export_writes_a_whole_file(home: Path, tmp_path: Path) -> None:
    """The calls too; nothing unfinished is left beside it."""
    folder = tmp_path / "out"
    folder.mkdir()
    done = run(home, "export", "jsonl", "--calls", "--out", folder / "calls.jsonl", "--json")

    assert json.loads(done.output) == {"rows": 1, "out": str(folder / "calls.jsonl")}
    assert json.loads((folder / "calls.jsonl").read_text(encoding="utf-8"))["host"] == "cloud.test"
    assert [file.name for file in folder.iterdir()] == ["calls.jsonl"]


def test_parquet_needs_a_file(home: Path) -> None:
    """It is not thrown at a terminal."""
    done = run(home, "export", "parquet")

    assert done.exit_code == 2 and "parquet needs a file to write to; give --out" in done.stderr


def test_prune_asks_first(home: Path) -> None:
    """Without a yes nothing is deleted; with one what is older goes."""
    asked, done = run(home, "prune", "--before", "30d"), run(home, "prune", "--before", "30d", "--yes", "--json")

    assert asked.exit_code == 1 and "Delete all that is older than" in asked.stderr
    assert json.loads(done.output) == {"deleted": 1}
    assert json.loads(run(home, "--since", "1970-01-01", "--json").output)["answers"] == 2


@pytest.mark.parametrize("word", ["yesterday", "30", "-1d", "2026-13-01", "9999999d"])
def test_what_is_no_moment_is_refused(home: Path, word: str) -> None:
    """With what it may look like."""
    done = run(home, "tail", "--since", word)

    assert done.exit_code == 2 and "wanted a date like 2026-11-01, or how long ago: 30d, 12h" in done.stderr


@pytest.mark.parametrize("option", [["--json"], ["--since", "1d"]])
def test_an_option_before_a_subcommand_is_refused(home: Path, option: list[str]) -> None:
    """It would have no effect there."""
    done = run(home, *option, "tail")

    assert done.exit_code == 2 and f"{option[0]} stands before tail" in done.stderr
