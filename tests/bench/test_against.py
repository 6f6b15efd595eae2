"""A run against an earlier one: a verdict where both can be compared, and a reason where not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgecascade.bench.against import Verdict, compare, ratio_of_medians
from edgecascade.bench.rows import Row

FACTS = {"model_filename": "tiny.gguf", "n_threads": 2, "cpu_info": "CPU", "gpu_info": ""}
SPEEDS = tuple(np.random.default_rng(1).normal(100.0, 2.0, 12))
ROW = Row(suite="decode", test="tg8", unit="tokens/s", samples=SPEEDS, facts=FACTS)


def scaled(row: Row, factor: float) -> Row:
    """The same row with every sample multiplied."""
    return replace(row, samples=tuple(factor * one for one in row.samples))


@pytest.mark.parametrize(
    "unit, more, less", [("tokens/s", "faster", "slower"), ("ms", "slower", "faster"), ("MiB", "more", "less")]
)
def test_a_clear_difference_has_the_units_word(unit: Any, more: str, less: str) -> None:
    """Twice as many tokens/s are faster, twice as many ms slower, twice as much memory more."""
    then = replace(ROW, unit=unit)

    (twice,), (half,) = compare([scaled(then, 2)], [then]), compare([scaled(then, 0.5)], [then])

    assert (twice.outcome, half.outcome) == (more, less)
    assert (twice.ratio, half.ratio) == (pytest.approx(2), pytest.approx(0.5))


def test_a_run_against_itself_shows_no_difference() -> None:
    """The interval of the ratio holds 1."""
    (found,) = compare([ROW], [ROW])

    assert found.outcome == "no difference seen"
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 1 <= found.high


def test_runs_of_one_machine_are_seldom_called_different() -> None:
    """Of 200 seeded pairs from one distribution at most about one in ten is called faster or slower."""
    random = np.random.default_rng(5)

    ratios = [ratio_of_medians(random.normal(100, 3, 15), random.normal(100, 3, 15)) for _ in range(200)]  # type: ignore[arg-type]

    assert sum(1 for _, low, high in ratios if low > 1 or high < 1) <= 24


def test_the_ratio_scales_with_its_samples() -> None:
    """Samples times k make ratio and interval times k."""
    once, thrice = ratio_of_medians(SPEEDS, SPEEDS), ratio_of_medians([3 * one for one in SPEEDS], SPEEDS)

    assert thrice == pytest.approx(tuple(3 * one for one in once))


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"facts": FACTS | {"model_filename": "other.gguf"}}, "another model"),
        ({"facts": FACTS | {"cpu_info": "Other"}}, "another device: CPU now, Other then"),
        ({"facts": FACTS | {"gpu_info": "A GPU"}}, "another device: none now"),
        ({"facts": FACTS | {"n_threads": 4}}, "other threads: 2 now, 4 then"),
        ({"worthless": "busy"}, "the earlier run is worthless: busy"),
        ({"samples": (), "unknown": "no meter"}, "the earlier run: no meter"),
        ({"samples": SPEEDS[:4]}, "too few samples: found 4, wanted 5"),
        ({"samples": (0.0, *SPEEDS)}, "no ratio"),
        ({"test": "pp8"}, "not in the earlier run"),
        ({"suite": "samples"}, "not in the earlier run"),
    ],
)
def test_what_cannot_be_compared_says_why(change: dict[str, Any], reason: str) -> None:
    """Another model, device, threads or a worthless run: no ratio, and the reason."""
    (found,) = compare([ROW], [replace(ROW, **change)])

    assert (found.outcome, found.ratio, found.low) == ("not comparable", None, None)
    assert reason in found.reason


def test_a_worthless_run_is_compared_with_nothing() -> None:
    """This run's own noise is no conclusion either."""
    assert compare([replace(ROW, worthless="busy")], [ROW]) == [
        Verdict("decode", "tg8", "not comparable", reason="this run is worthless: busy")
    ]


def test_the_same_model_is_preferred_among_several() -> None:
    """An earlier file may hold several models; the row of this one is taken."""
    other = scaled(replace(ROW, facts=FACTS | {"model_filename": "other.gguf"}), 3)

    (found,) = compare([ROW], [other, ROW])

    assert found.outcome == "no difference seen"
