"""Suites one after another: watched, kept as they end, and without conclusions where others computed."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edgecascade import sensors
from edgecascade.bench.fixed_work import TEST
from edgecascade.bench.plot import plot
from edgecascade.bench.rows import Row, why_worthless
from edgecascade.bench.running import Plan, measured
from edgecascade.llama.settings import EngineSettings

PLAN = Plan(path=Path("tiny.gguf"), name="tiny", sha256="a" * 64, settings=EngineSettings(threads=1))
ROW = Row(test="t", unit="ms", samples=(1.0, 2.0, 3.0, 4.0, 5.0))
COST = Row(test="own cost an answer", unit="ms", samples=(0.5,))
WORK = (20.0, 21.0, 22.0, 23.0)


def watching(busy_cores: float) -> object:
    """A machine on which others keep so many of two cores busy, and that is throttled."""

    @contextmanager
    def watch() -> Iterator[sensors.Seen]:
        yield sensors.Seen(2, seconds=1.0, busy_cores=busy_cores, throttled=True)

    return watch


def run(suites: dict[str, object], busy_cores: float = 0.0, keep: object = None) -> list[Row]:
    """Measure with suites, a machine and a cost that are given."""
    options = {"keep": keep} if keep else {}
    return measured(
        suites,
        PLAN,
        facts=lambda: {"n_threads": 1},
        idle=lambda: sensors.Seen(2),
        watching=watching(busy_cores),
        cost=lambda: COST,
        work=lambda: WORK,
        **options,
    )  # type: ignore[arg-type]


def test_every_suite_ends_with_the_cascades_own_cost() -> None:
    """It is a row of its own in each, as is fixed work from before and behind; every row says where it is from."""
    rows = run({"a": lambda plan: [ROW], "b": lambda plan: [ROW, ROW]})

    assert [(row.suite, row.test) for row in rows] == [
        ("a", "t"), ("a", COST.test), ("a", TEST), ("b", "t"), ("b", "t"), ("b", COST.test), ("b", TEST),
    ]  # fmt: skip
    assert {row.facts["n_threads"] for row in rows} == {1}
    assert rows[-1].samples == WORK * 2


def test_a_busy_machine_makes_every_row_worthless() -> None:
    """The reason stands in each; throttling alone is a remark."""
    busy, quiet = run({"a": lambda plan: [ROW]}, 1.0), run({"a": lambda plan: [ROW]}, 0.1)

    assert all("other processes used 1.0 of 2 cores" in str(row.worthless) for row in busy)
    assert why_worthless(busy) == busy[0].worthless
    assert why_worthless(quiet) is None
    assert any("held back" in remark for remark in quiet[0].remarks)


def test_the_reason_is_left_to_the_table_and_the_end() -> None:
    """Before anything is measured it is told that others are at work; by how much, once and later."""
    said: list[str] = []
    measured(
        {"a": lambda plan: [ROW]}, replace(PLAN, say=said.append), facts=dict, work=lambda: WORK, cost=lambda: COST,
        idle=lambda: sensors.Seen(2, seconds=1.0, busy_cores=1.0), watching=watching(1.0),  # type: ignore[arg-type]
    )  # fmt: skip

    assert said == ["others are at work: figures of now would be worthless", "a: done"]


def test_an_interrupted_suite_costs_no_finished_one() -> None:
    """What was whole has been handed over before Ctrl-C."""
    kept: list[Sequence[Row]] = []

    def interrupted(plan: Plan) -> list[Row]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run({"a": lambda plan: [ROW], "b": interrupted}, keep=lambda rows: kept.append(list(rows)))
    assert [[row.suite for row in rows] for rows in kept] == [["a"] * 3]


# The plot


def words_of(svg: str) -> str:
    """All text of an SVG file."""
    return " ".join(ET.fromstring(svg).itertext())


def test_the_plot_is_an_svg_of_every_known_row() -> None:
    """A file of its own, the same each time, without stand-in colours; unknown figures are left out."""
    curve = replace(ROW, suite="sustained", unit="tokens/s", test="decode by 15 s window")
    rows = [replace(ROW, suite="a"), curve, Row(suite="energy", test="absent", unit="J/token", unknown="no meter")]

    drawn = plot(rows)

    assert ET.fromstring(drawn).tag.endswith("svg")
    assert drawn == plot(rows)
    assert "var(--" not in drawn
    assert "#0a0" not in drawn
    assert "minutes" in words_of(drawn)
    assert "absent" not in words_of(drawn)


def test_a_worthless_plot_says_so_and_compares_nothing() -> None:
    """The title is the reason, and the earlier run is not drawn."""
    busy = [replace(ROW, suite="a", worthless="others computed")]

    alone, beside = plot(busy), plot(busy, [replace(ROW, suite="a")])

    assert "worthless: others computed" in words_of(alone)
    assert alone == beside


def test_a_plot_without_figures_is_still_a_file() -> None:
    """Where nothing is known there is a title and no panel's dots."""
    drawn = plot([Row(suite="energy", test="none", unit="J/token", unknown="no meter")])

    assert ET.fromstring(drawn).tag.endswith("svg")


def test_a_plot_shows_names_and_figures_as_they_are() -> None:
    """A dollar in a name is no formula, and a figure below 0 lies within its axis."""
    rows = [replace(ROW, suite="energy", unit="J/token", test=r"$\frac$ above rest", samples=(-3.0, -2.0, 1.0))]

    drawn = plot(rows)

    assert r"$\frac$ above rest" in words_of(drawn)
    assert "\N{MINUS SIGN}2" in words_of(drawn)
