"""``bench decode`` on the real default model; its figures are not asserted, only what they are."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from edgecascade.bench.decode import DecodeBench

KEYS = {
    "build_commit", "build_number", "cpu_info", "gpu_info", "backends", "model_filename", "model_type", "model_size",
    "model_n_params", "n_batch", "n_ubatch", "n_threads", "type_k", "type_v", "n_gpu_layers", "flash_attn", "n_prompt",
    "n_gen", "n_depth", "test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts",
}  # fmt: skip
"""llama-bench's own."""


def bench(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the shortest bench that still measures everything."""
    command = [
        sys.executable,
        "-m",
        "edgecascade",
        "bench",
        "decode",
        "--rounds",
        "1",
        "--tokens",
        "24",
        "--threads",
        "1",
    ]
    return subprocess.run([*command, *words], env=environment, capture_output=True, text=True, check=False)


def test_the_last_line_is_json_with_llama_benchs_keys(home: dict[str, str]) -> None:
    """A table for people, then one line for programs, with speeds above 0 and every ratio."""
    done = bench(home | {"PATH": "/usr/bin:/bin"})
    *table, last = done.stdout.splitlines()

    record = json.loads(last)
    assert set(record) >= KEYS
    assert record["avg_ts"] > 0
    assert record["ratio_to_high_level"] > 0
    assert 0 < record["signals_ms"] < 100
    assert record["second_turn_ratio"] > 0
    assert record["samples_of_8_answer_ratio"] > 0
    assert 0 < record["own_cost_median_ms"] <= record["own_cost_p99_ms"]
    assert table[0].startswith("| ")
    assert "not found" in done.stdout


def test_llama_bench_is_run_with_the_same_settings_and_library(home: dict[str, str], tmp_path: Path) -> None:
    """A program in llama-bench's place is given our threads, depth and repacking, and our library's folder."""
    program = tmp_path / "llama-bench"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "json.dump([{'avg_ts': 100.0, 'build_commit': os.environ['LD_LIBRARY_PATH'], 'cpu_info': ' '.join(sys.argv)}],"
        " sys.stdout)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    record = json.loads(bench(home, "--llama-bench", str(program), "--json").stdout)

    assert record["llama_bench_samples_ts"] == [100.0]
    assert record["ratio_to_llama_bench"] == record["avg_ts"] / 100
    assert Path(record["build_commit"]).joinpath("libllama.so").exists() or os.name == "nt"
    assert f"-d {record['n_depth']} " in record["cpu_info"]
    assert "-t 1 " in record["cpu_info"]


def test_a_llama_bench_that_fails_is_told(home: dict[str, str]) -> None:
    """Its exit code and what to do, as bad input."""
    done = bench(home, "--llama-bench", "/bin/false")

    assert done.returncode == 3
    assert "failed with exit code 1" in done.stderr


def test_a_busy_machine_makes_figures_worthless() -> None:
    """Other processes on more than a tenth of the cores are said in the record."""
    facts = {"n_gen": 10}
    busy = DecodeBench([1.0], [], [], 0.1, 1.0, 1.0, 1.0, 99.0, facts)
    idle = DecodeBench([1.0], [], [], 0.1, 1.0, 1.0, 1.0, 0.0, facts)

    assert (busy.worthless, idle.worthless) == (True, False)


def test_its_rows_compare_with_llama_bench() -> None:
    """Our speed bears llama-bench's own name for the test; a peer that is missing is unknown, not 0."""
    facts = {"n_gen": 128, "n_depth": 49, "n_threads": 2}
    found = DecodeBench([140.0, 150.0], [], [30.0, 31.0], 1e-4, 1.0, 6.0, 5.0, 0.0, facts)

    ours, ceiling, peer, signals, *ratios = found.rows()

    assert (ours.test, ours.samples, ours.like_llama_bench) == ("tg128 @ d49", (140.0, 150.0), True)
    assert ceiling.unknown
    assert not peer.like_llama_bench
    assert signals.median == 0.1
    assert [row.median for row in ratios] == [1.0, 6.0, 5.0]
