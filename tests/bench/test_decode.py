"""``bench decode`` on the real default model; its figures are not asserted, only what they are."""

import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgecascade.bench.decode import MISSING, rows_of
from edgecascade.bench.rows import LLAMA_BENCH
from edgecascade.cli import main

SHORTEST = ("--rounds", "1", "--tokens", "16", "--threads", "1", "--json", "--anyway")
PROGRAM = f"""#!{sys.executable}
import json, os, sys
record = {{"avg_ts": 100.0, "build_commit": os.environ["LD_LIBRARY_PATH"], "model_type": " ".join(sys.argv)}}
json.dump([record], sys.stdout)
"""


def bench(model: Path, home: Path, *words: str) -> Result:
    """Run the shortest bench that still measures everything."""
    environment = {"EDGECASCADE_HOME": str(home), "EDGECASCADE_MODEL": str(model), "EDGECASCADE_OFFLINE": "1"}
    return CliRunner().invoke(main, ["bench", "decode", *SHORTEST, *words], env=environment, catch_exceptions=False)


@pytest.fixture(scope="module")
def rows(model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One run's rows by their names; a program in llama-bench's place tells how it was run."""
    home = tmp_path_factory.mktemp("bench")
    program = home / "llama-bench"
    program.write_text(PROGRAM)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    done = bench(model_path, home, "--llama-bench", str(program))
    return {row["test"]: row for row in json.loads(done.stdout)["rows"]}


def test_everything_is_measured(rows: dict[str, dict[str, Any]]) -> None:
    """Speeds and ratios above 0, each with llama-bench's keys; ours bears llama-bench's own name for it."""
    ours = next(iter(rows.values()))

    assert all(set(row) >= set(LLAMA_BENCH) for row in rows.values())
    assert all(row["median"] > 0 for row in rows.values())
    assert ours["test"] == f"tg16 @ d{ours['n_depth']}" and ours["samples_ts"] == ours["samples"]
    assert 0 < rows["signals a token"]["median"] < 100
    assert len(rows["8 short samples, of one"]["samples"]) == 6
    assert rows["own cost an answer"]["p50"] <= rows["own cost an answer"]["p99"]


def test_llama_bench_is_run_with_the_same_settings_and_library(rows: dict[str, dict[str, Any]]) -> None:
    """It is given our threads, depth and repacking, and our library's folder before all others."""
    ours = next(iter(rows.values()))
    folder = ours["build_commit"].split(os.pathsep)[0]

    assert rows["of llama-bench"]["samples"] == [ours["samples"][0] / 100]
    assert any(Path(folder).glob("*llama*"))
    assert f"-d {ours['n_depth']} " in ours["model_type"]
    assert "-t 1 " in ours["model_type"] and "--repack" in ours["model_type"]


@pytest.mark.parametrize(("program", "said"), [("false", "found exit code 1"), ("true", "is not llama-bench")])
def test_a_llama_bench_that_fails_is_told(model_path: Path, tmp_path: Path, program: str, said: str) -> None:
    """What it did, and what to do, as bad input."""
    done = bench(model_path, tmp_path, "--llama-bench", shutil.which(program) or program)

    assert done.exit_code == 3
    assert said in done.stderr and "bench/README.md" in done.stderr


def test_its_rows_compare_with_llama_bench() -> None:
    """Our speed bears llama-bench's own name for the test; ratios are of one round each; no peer is unknown, not 0."""
    found = rows_of(
        [140.0, 150.0], llama_bench=[], high_level=[28.0, 50.0], others={("signals a token", "ms"): [0.1]},
        tokens=128, depth=49, facts={"n_threads": 2},
    )  # fmt: skip

    ours, ceiling, peer, of_ceiling, of_peer, signals = found

    assert (ours.test, ours.samples, ours.like_llama_bench) == ("tg128 @ d49", (140.0, 150.0), True)
    assert not peer.like_llama_bench
    assert (ceiling.unknown, of_ceiling.unknown) == (MISSING, MISSING)
    assert of_peer.samples == (5.0, 3.0)
    assert signals.median == 0.1
