"""The command: what is refused before anything is measured, and one short run on the real default model."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecascade.bench.rows import LLAMA_BENCH
from edgecascade.bench.running import SUITES
from edgecascade.bench.writing import read_rows
from edgecascade.cli import main


@pytest.mark.parametrize("suite", [*SUITES, "all"])
def test_every_suite_is_a_command(suite: str) -> None:
    """Each has help and the options that all of them share."""
    shown = CliRunner().invoke(main, ["bench", suite, "--help"]).output

    for option in ("--model", "--json", "--format", "--out", "--plot", "--against", "--anyway", "--threads"):
        assert option in shown


def test_a_bad_earlier_run_is_refused_before_measuring(tmp_path: Path) -> None:
    """Exit code 3 at once: no model was opened, for there is none."""
    path = tmp_path / "then.json"
    path.write_text("nonsense")

    ran = CliRunner().invoke(main, ["bench", "prefix", "-m", "no-such-model", "--against", str(path)])

    assert ran.exit_code == 3
    assert "is no bench result" in ran.output


def test_answers_of_the_real_model(home: dict[str, str], tmp_path: Path) -> None:
    """One question three ways: a whole result on the screen and in the file, whatever else the machine does."""
    out = tmp_path / "rows.json"
    words = ["bench", "answer", "--limit", "1", "--threads", "1", "--json", "--anyway", "--out", str(out)]

    ran = CliRunner(env=home).invoke(main, words, catch_exceptions=False)
    record = json.loads(ran.stdout.splitlines()[-1])

    assert ran.exit_code == 0
    assert [row["test"] for row in record["rows"]] == [row.test for row in read_rows(out)]
    assert len(record["rows"]) == 10
    assert set(record["rows"][0]) >= set(LLAMA_BENCH)
    assert all(row["median"] > 0 for row in record["rows"] if not row["unknown"])
