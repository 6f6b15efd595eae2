"""A run against an earlier one: a verdict where both can be compared, and a reason where not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgecascade.bench.against import Verdict, compare, ratio_of_medians, without_control
from edgecascade.bench.fixed_work import fixed_work
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


def test_the_same_questions_are_compared_one_by_one() -> None:
    """Answers of 1 to 100 s that all take 5 % longer are slower for sure; apart, nobody could tell."""
    seconds = tuple(np.random.default_rng(2).uniform(1, 100, 30))
    row = replace(ROW, unit="ms", samples=seconds)
    asked = replace(row, facts=FACTS | {"questions": "30 (ab)"})

    (paired,), (apart,) = compare([scaled(asked, 1.05)], [asked]), compare([scaled(row, 1.05)], [row])

    assert (paired.outcome, apart.outcome) == ("slower", "no difference seen")
    assert paired.low == pytest.approx(1.05)


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
        ({"facts": FACTS | {"questions": "9 (ab)"}}, "other questions: none now, 9 (ab) then"),
        ({"facts": FACTS | {"minutes": 1}}, "another length in minutes: none now, 1 then"),
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


# Fixed work: what the machine itself changed


def with_work(row: Row, milliseconds: float) -> list[Row]:
    """The row with its suite's fixed work, which took so long."""
    taken = tuple(milliseconds * (1 + step / 100) for step in range(8))
    return [row, Row(suite=row.suite, test="fixed work", unit="ms", samples=taken, facts=FACTS)]


@pytest.mark.parametrize(
    ("unit", "factor", "work", "outcome"),
    [
        ("ms", 0.78, 0.75, "no difference seen"),
        ("ms", 0.5, 0.75, "faster"),
        ("ms", 0.78, 1.2, "faster"),
        ("ms", 1.2, 1.25, "no difference seen"),
        ("tokens/s", 1.25, 0.75, "no difference seen"),
        ("tokens/s", 1.6, 0.75, "faster"),
        ("tokens/s", 0.8, 1.3, "no difference seen"),
        ("MiB", 0.78, 0.75, "less"),
    ],
)
def test_what_the_machine_changed_is_no_difference_of_ours(unit: Any, factor: float, work: float, outcome: str) -> None:
    """Times and speeds must differ by more than fixed work does, and by more than nothing; memory is what it is."""
    then = replace(ROW, unit=unit)

    found, _ = compare(with_work(scaled(then, factor), 20 * work), with_work(then, 20))

    assert found.outcome == outcome
    assert found.ratio == pytest.approx(factor)
    excused = outcome == "no difference seen"
    assert found.reason == (f"fixed work took {work:.2f} x as long: the machine itself changed" if excused else "")


def test_without_fixed_work_in_the_earlier_run_the_verdict_stands() -> None:
    """Nothing can be taken off, and it is known that nothing was."""
    found = compare(with_work(scaled(ROW, 2), 40), [ROW])

    assert found[0].outcome == "faster" and without_control(found)
    assert not without_control(compare(with_work(ROW, 20), with_work(ROW, 20)))


def test_fixed_work_is_timed_behind_its_warm_up() -> None:
    """So many samples as asked for, each what the clock said."""
    ticks = iter(range(100))

    assert fixed_work(times=3, clock=lambda: float(next(ticks))) == (1e3, 1e3, 1e3)
