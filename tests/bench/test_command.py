"""The command: what is refused before anything is measured, and one short run on the real default model."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgecascade.bench.against import compare
from edgecascade.bench.rows import LLAMA_BENCH, Row
from edgecascade.bench.running import SUITES
from edgecascade.bench.writing import read_rows
from edgecascade.cli import main
from edgecascade.cli.bench import print_rows

ROW = Row(suite="prefix", test="t", unit="ms", samples=(1.0, 2.0, 3.0, 4.0, 5.0), facts={"model_filename": "m"})


@click.command()
@click.argument("form")
def show(form: str) -> None:
    """Print a row in a form, compared with itself."""
    print_rows({"form": form, "against": Path("then.json")}, [ROW], compare([ROW], [ROW]))


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
    assert len(record["rows"]) == 11
    assert set(record["rows"][0]) >= set(LLAMA_BENCH)
    assert all(row["median"] > 0 for row in record["rows"] if not row["unknown"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prefix", "--json", "--format", "md"), "--json and --format both"),
        (("sustained", "--minutes", "nan"), "found nan, wanted a number"),
        (("sustained", "--minutes", "inf"), "found inf, wanted a number"),
        (("answer", "--plot", "p.png"), "wanted .svg"),
        (("answer", "--out", "rows.png"), "found '.png' at its end, wanted .md or .json"),
        (("answer", "--out", f"{__file__}/rows.json"), "no right to write in"),
        (("decode", "--llama-bench", "nowhere"), "does not exist"),
        (("decode", "--against", "nowhere"), "does not exist"),
        (("decode", "--tokens", "0"), "16"),
    ],
)
def test_what_would_fail_at_the_end_is_refused_at_once(words: tuple[str, ...], said: str) -> None:
    """Usage or bad input, with what was found: no model was opened, for there is none."""
    ran = CliRunner().invoke(main, ["bench", *words, "-m", "no-such-model"])

    assert ran.exit_code in (2, 3)
    assert said in " ".join(ran.stderr.split())


def test_the_environment_names_llama_bench(tmp_path: Path) -> None:
    """A path that leads nowhere is said, and not passed over."""
    ran = CliRunner().invoke(main, ["bench", "decode"], env={"EDGECASCADE_LLAMA_BENCH": str(tmp_path / "nowhere")})

    assert ran.exit_code == 2
    assert "EDGECASCADE_LLAMA_BENCH" in ran.stderr and "does not exist" in ran.stderr


@pytest.mark.parametrize(("form", "stream"), [("md", "stdout"), ("jsonl", "stderr"), ("csv", "stderr")])
def test_verdicts_are_told_in_every_form(form: str, stream: str, tmp_path: Path) -> None:
    """Below the table; beside what programs read, for people, where they see it."""
    ran = CliRunner().invoke(show, [form], catch_exceptions=False)

    assert "no difference seen" in getattr(ran, stream)
    assert "no difference seen" not in getattr(ran, {"stdout": "stderr", "stderr": "stdout"}[stream])
