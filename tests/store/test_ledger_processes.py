"""The ledger among processes that work at once, and one that is killed at any moment."""

import sqlite3
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from edgecascade.store.ledger import Ledger, caps_of

NOW = 1_795_305_600.0
COMMON = """
import sys
from pathlib import Path
from edgecascade.errors import BudgetError
from edgecascade.store.ledger import AnswerRow, Ledger, caps_of

name = sys.argv[2]
ledger = Ledger(Path(sys.argv[1]), clock=lambda: 1_795_305_600.0)
print("ready", flush=True)
sys.stdin.readline()


def reserve(number, caps="", lease=60):
    return ledger.reserve(
        f"{name}-{number}", host="h", model="m", purpose="answer", size=10, sha256="0" * 64, kinds=(), usd=0.01,
        caps=caps_of(caps), lease_seconds=lease,
    )


def settle(reservation):
    return ledger.settle(
        reservation, outcome="ok", prompt_tokens=1, completion_tokens=1, told=True, usd=0.01, seconds=0.1
    )


def answer(number):
    ledger.answered(AnswerRow(
        id=f"{name}-{number}", at=1_795_305_600.0, mode="prefer_on_device", tier="local", place="device", model="m",
        code="kept", reason="", p_correct=None, threshold=None, promise=None, calibration=None,
        calibration_verdict=None, kept=None, escalated=False, blocked=False, queued=False, with_cloud=False,
        finish_reason="end", prompt_tokens=1, completion_tokens=1, seconds=0.1, usd=0.0, joules=None, usd_saved=None,
        tokens_saved=0, seconds_saved=0, question_sha256="", kinds=(), record='"' + "x" * 3000 + '"',
    ))
"""
BUDGET = """
allowed = 0
for number in range(50):
    try:
        made = reserve(number, "100calls/day,1000usd/hour")
    except BudgetError:
        continue
    allowed += 1
    if number % 2:
        settle(made)
print(allowed)
"""
QUEUE = """
while claimed := ledger.claim(3600):
    ledger.finish(claimed.answer_id, name)
for found in ledger.undelivered():
    if ledger.mark_delivered(found.answer_id):
        print(found.answer_id)
"""
ENDLESS = """
number = 0
while True:
    made = reserve(number)
    answer(number)
    settle(made)
    print(number, flush=True)
    number += 1
"""
ONE_CALL = "print(reserve(0, lease=60).id, flush=True)\nsys.stdin.read()"


def started(script: str, path: Path, name: str) -> subprocess.Popen[str]:
    """A process that is about to run the script on a ledger."""
    command = [sys.executable, "-c", COMMON + script, str(path), name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def let_go(process: subprocess.Popen[str]) -> None:
    """Let it run."""
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def at_once(script: str, path: Path) -> list[str]:
    """What eight processes print that run the script at once, each to a good end."""
    processes = [started(script, path, str(number)) for number in range(8)]
    for process in processes:
        let_go(process)
    printed = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger will lie, in a folder that is not there yet."""
    return tmp_path / "state" / "ledger.db"


def test_eight_processes_never_pass_a_cap(path: Path) -> None:
    """400 calls against a cap of 100: exactly 100 are allowed, settled or still out; all make the file at once."""
    printed = at_once(BUDGET, path)

    assert sum(map(int, printed)) == 100
    with Ledger(path, clock=lambda: NOW) as ledger:
        assert [(window.calls, window.usd) for window in ledger.summary().spent] == [(100, 1.0)] * 3


def test_eight_processes_answer_a_queue_once(path: Path) -> None:
    """Each question is claimed by one, and handed over by one."""
    names = [str(number) for number in range(400)]
    with Ledger(path, clock=lambda: NOW) as ledger:
        for name in names:
            ledger.enqueue(name, "{}")
    printed = at_once(QUEUE, path)

    assert sorted("".join(printed).split()) == sorted(names)


@pytest.mark.parametrize("answers", [1, 20, 300])
def test_a_kill_loses_at_most_the_answer_in_flight(path: Path, answers: int) -> None:
    """Whatever was said to be written is there, with its call; the file is whole, and nothing else is held."""
    with started(ENDLESS, path, "k") as process:
        assert process.stdout
        let_go(process)
        first = [line.strip() for line in islice(process.stdout, answers)]
        process.kill()
        said = first + process.stdout.read().split()

    with Ledger(path, clock=lambda: NOW) as ledger:
        assert all(ledger.answer(f"k-{number}")["calls"][0]["outcome"] == "ok" for number in said)
        assert ledger.summary().answers - len(said) in (0, 1)
        assert ledger.summary().spent[0].calls - len(said) in (0, 1)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_killed_process_holds_its_reservation_until_the_lease_ends(path: Path) -> None:
    """Then its call is one that was lost, and its budget is free."""
    with started(ONE_CALL, path, "k") as process:
        let_go(process)
        assert process.stdout and process.stdout.readline()
        process.kill()

    with Ledger(path, clock=lambda: NOW + 59) as ledger:
        assert ledger.summary().spent[0].calls == 1
    with Ledger(path, clock=lambda: NOW + 60) as ledger:
        assert ledger.summary().spent[0].calls == 0
        assert ledger.summary().outcomes == {"lost": 1}


def test_a_call_costs_the_same_in_a_long_ledger(path: Path) -> None:
    """Nothing that is asked before a call looks at the calls made before: SQLite's steps are counted, not the time."""
    steps = {20: 0, 2000: 0}
    for calls in steps:
        with Ledger(path.with_name(f"{calls}.db"), clock=lambda: NOW) as ledger:
            for number in range(calls):
                one_call(ledger, str(number))
            connection = ledger._open()
            connection.set_progress_handler(lambda calls=calls: steps.update({calls: steps[calls] + 1}), 1)
            one_call(ledger, "last")
            connection.set_progress_handler(None, 0)

    assert steps[2000] <= 1.1 * steps[20]


def one_call(ledger: Ledger, answer_id: str) -> None:
    """Reserve and settle."""
    made = ledger.reserve(
        answer_id, host="h", model="m", purpose="answer", size=1, sha256="", kinds=(), usd=0.01,
        caps=caps_of("1000usd/hour,90000calls/day,1000usd/month,2calls/request"), lease_seconds=60,
    )  # fmt: skip
    ledger.settle(made, outcome="ok", prompt_tokens=1, completion_tokens=1, told=True, usd=0.01, seconds=0.1)
