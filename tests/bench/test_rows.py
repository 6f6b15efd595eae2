"""A row carries llama-bench's keys and ours, and what was written can be read again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.bench.rows import DRAWS, LLAMA_BENCH, UNITS, Row, medians, model_of, row_of
from edgecascade.errors import InputError

FACTS = {"model_filename": "folder/tiny.gguf", "n_threads": 2, "cpu_info": "CPU", "model_n_params": 10}
SPEEDS = (10.0, 12.0, 11.0, 9.0, 13.0)


def test_a_speed_has_llama_benchs_times() -> None:
    """Nanoseconds and tokens/s of each sample say the same, and every key of llama-bench is there."""
    row = Row(test="tg20 @ d7", unit="tokens/s", samples=SPEEDS, n_gen=20, n_depth=7, facts=FACTS)

    record = row.as_json()

    assert set(record) >= set(LLAMA_BENCH)
    assert record["samples_ts"] == list(SPEEDS)
    assert record["samples_ns"] == [round(20 / speed * 1e9) for speed in SPEEDS]
    assert record["avg_ts"] == pytest.approx(np.mean(SPEEDS))
    assert record["avg_ns"] == pytest.approx(np.mean(record["samples_ns"]), abs=1)


@pytest.mark.parametrize("test, unit", [("tg20, one batch", "tokens/s"), ("first token", "ms"), ("pp20", "tokens/s")])
def test_what_llama_bench_does_not_measure_has_none_of_its_speeds(test: str, unit: Any) -> None:
    """Its readers average rows of the same sizes whatever ours are called, so other tests leave its speeds empty."""
    record = Row(test=test, unit=unit, samples=SPEEDS, n_gen=20).as_json()

    assert record["avg_ts"] is record["samples_ts"] is record["poll"] is None
    assert record["samples"] == list(SPEEDS)


def test_quantiles_rise_and_the_interval_holds_the_median() -> None:
    """p50 <= p95 <= p99, and the median lies within its interval, which lies within the samples."""
    samples = tuple(np.random.default_rng(3).exponential(size=100))
    record = Row(test="t", unit="ms", samples=samples).as_json()

    assert record["p50"] == record["median"] <= record["p95"] <= record["p99"] <= max(samples)
    assert min(samples) <= record["low"] <= record["median"] <= record["high"] <= max(samples)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_samples_have_no_interval(count: int) -> None:
    """Below five samples nothing is said of how sure the median is."""
    row = Row(test="t", unit="ms", samples=SPEEDS[:count])

    assert row.interval is None


def test_the_interval_covers_the_true_median() -> None:
    """Of 200 seeded draws of 20 samples, about 95 % of the intervals hold the median that they were drawn around."""
    random = np.random.default_rng(7)

    intervals = [Row(test="t", unit="ms", samples=tuple(random.normal(5.0, 1.0, 20))).interval for _ in range(200)]

    covered = sum(1 for one in intervals if one and one[0] <= 5.0 <= one[1])
    assert 180 <= covered <= 200


def test_the_same_samples_have_the_same_interval() -> None:
    """The bootstrap is seeded."""
    assert (medians(SPEEDS) == medians(SPEEDS)).all()
    assert medians(SPEEDS).shape == (DRAWS,)


@pytest.mark.parametrize("unit", UNITS)
def test_a_record_becomes_its_row_again(unit: Any) -> None:
    """What was written and read again says the same."""
    row = Row(suite="s", test="t", unit=unit, samples=SPEEDS, n_prompt=3, facts=FACTS, busy_cores=0.1,
              worthless="busy", remarks=("hot",))  # fmt: skip

    again = row_of(row.as_json(), "here")

    assert again.as_json() == row.as_json()


def test_an_unknown_figure_stays_unknown() -> None:
    """Why there is no figure survives writing and reading."""
    row = row_of(Row(test="energy", unit="J/token", unknown="no meter").as_json(), "here")

    assert (row.unknown, row.samples, row.median) == ("no meter", (), None)


def test_llama_benchs_own_record_is_a_row() -> None:
    """Its sizes name the test, as it does itself."""
    record = {"n_prompt": 0, "n_gen": 128, "n_depth": 49, "samples_ts": [99, 100], "model_filename": "C:\\m\\tiny.gguf"}

    row = row_of(record, "here")

    assert (row.suite, row.test, row.samples) == ("decode", "tg128 @ d49", (99.0, 100.0))
    assert model_of(row) == "tiny.gguf"


@pytest.mark.parametrize(
    "wrong",
    [
        {"samples": "10"}, {"samples": [1, None]}, {"samples": [True]}, {"samples": [float("nan")]},
        {"samples": [10**400]}, {"unit": "furlongs"}, {"unit": ["ms"]}, {"n_gen": "many"}, {"n_gen": None}, {"test": 7},
        {"remarks": 5}, {"remarks": "hot"}, {"unknown": 5},
    ],
)  # fmt: skip
def test_what_is_no_row_is_refused(wrong: dict[str, Any]) -> None:
    """A damaged record is named with its key, what was found and what was wanted."""
    record = Row(test="t", unit="ms", samples=SPEEDS).as_json() | wrong

    with pytest.raises(InputError, match=f"(?s)here is no bench result: .*{next(iter(wrong))}.*: found .* wanted"):
        row_of(record, "here")


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "bench/results").glob("decode-*.json")), ids=str)
def test_earlier_results_can_be_compared_with(path: Path) -> None:
    """What `bench decode` wrote as its line before there were rows is a row."""
    from edgecascade.bench.writing import read_rows

    (row,) = read_rows(path)

    assert row.test.startswith("tg")
    assert row.median
