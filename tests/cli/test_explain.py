"""``explain`` after real answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from edgecascade.cli import main
from edgecascade.testing import LoopbackCloud


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [sys.executable, "-m", "edgecascade", *words]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_the_latest_answer_is_told_from_top_to_bottom(home: dict[str, str]) -> None:
    """After an escalated question: gates, tokens, what left and with which digest, and what would have turned it."""
    environment = {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"}
    with LoopbackCloud("It is 391.") as cloud:
        run(environment, "ask", "--cloud", cloud.spec(model="large"), "My address is ada@example.org. 17 times 23?")
    told = run(environment, "explain").stdout
    record = json.loads(run(environment, "explain", "--json").stdout)
    by_prefix = run(environment, "explain", record["id"][:10]).stdout

    (request,) = cloud.requests
    assert by_prefix == told
    assert "ask 127.0.0.1:" in told
    assert "passes from" in told
    assert f"{request.size:,} bytes, sha256 {request.sha256[:16]}, taken out: email; ok; price unknown" in told
    assert "what would have turned it" in told
    assert "ada@example.org" not in told
    assert record["flips"] == told.partition("what would have turned it\n  ")[2].rstrip().split("\n  ")


def test_what_was_let_through_is_not_called_taken_out(home: dict[str, str]) -> None:
    """Under allow the address left as it is: it was found in the question, and the call says nothing of it."""
    environment = {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"}
    with LoopbackCloud("It is 391.") as cloud:
        words = ("--privacy", "allow", "--mode", "only_in_cloud", "--cloud", cloud.spec())
        run(environment, "ask", *words, "My address is ada@example.org. 17 times 23?")
    told = run(environment, "explain").stdout

    assert "ada@example.org" in str(cloud.requests[0].body)
    assert "found in the question: email" in told
    assert "taken out" not in told


def test_a_call_that_reached_nobody_did_not_leave(home: dict[str, str]) -> None:
    """It is told as tried, without size or digest, and the sums of the ledger leave it out."""
    environment = {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"}
    with LoopbackCloud.refusing() as nobody:
        run(environment, "ask", "--cloud", nobody.spec(), "What is 17 times 23?")
    told, sums = run(environment, "explain").stdout, run(environment, "ledger").stdout

    assert ": tried, nothing left; offline" in told
    assert "bytes, sha256" not in told
    assert "$0 in 0 calls" in sums and "left " not in sums


def test_what_cannot_be_explained_is_one_line(tmp_path: Path) -> None:
    """An empty ledger, and an id that nothing has, are refused with what to do."""
    environment = os.environ | {"EDGECASCADE_HOME": str(tmp_path)}
    empty, unknown = (CliRunner(env=environment).invoke(main, ["explain", *words]) for words in ([], ["zzz"]))

    assert (empty.exit_code, unknown.exit_code) == (3, 3)
    assert "ask something first" in empty.output
    assert "edgecascade ledger tail" in unknown.output


def test_probabilities_are_shaded_unless_told_otherwise(home: dict[str, str]) -> None:
    """An unlikely token is coloured where colours are shown, and not with --no-color."""
    run(home, "ask", "--max-tokens", "4", "Write a word that nobody knows.")
    runner = CliRunner(env=home)
    shaded, plain = (runner.invoke(main, ["explain", *words], color=True).output for words in ([], ["--no-color"]))

    assert "\x1b[3" in shaded
    assert "\x1b" not in plain
