"""The charts of an evaluation's page: quality by cost, gains, calls."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgecascade.evaluate.evaluating import ORACLE, label
from edgecascade.evaluate.results import RIVALS, Evaluation, Result, money
from edgecascade.page.drawing import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    MUTED,
    PURPLE,
    SKY,
    VERMILION,
    Chart,
    Key,
    logarithmic,
)
from edgecascade.page.markup import number
from edgecascade.policies.frontier import upper_hull

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, AMBER, SKY)
A_CHART = 5
"""Curves that can still be told from one another."""
WIDE = 20.0
"""Ratio of costs from which on their axis is logarithmic."""
ROOM = 0.15
"""Below the lowest curve, as a part of the height of the others."""
DASHED = (3.0, 1.5)


def curves(found: Evaluation) -> list[Chart]:
    """Return quality by cost: the policies and the baselines, a few to a chart."""
    drawn = [one for one in found.policies if one.curve] or [one for one in found.baselines if one.name == "random"]
    shown = {one.name for one in drawn}
    drawn += [one for one in found.baselines if one.curve and one.name not in {ORACLE, "constant", *shown}]
    groups = np.array_split(np.arange(len(drawn)), -(-len(drawn) // A_CHART))
    lowest = min(quality for one in drawn for _, _, quality in one.curve)
    return [_curve(found, [drawn[at] for at in group], lowest, place) for place, group in enumerate(groups, 1)]


def _curve(found: Evaluation, several: Sequence[Result], lowest: float, place: int) -> Chart:
    scale, unit = (1000.0, "Dollars a thousand questions") if found.unit == "usd" else (1.0, "Calls a question")
    oracle = next(one for one in found.baselines if one.name == ORACLE)
    names = [label(model) for model in found.models]
    singles = np.array([[one.cost, one.quality] for one in found.baselines if one.name in names], np.float64)
    hull = upper_hull(singles)

    def draw(page: Any) -> None:
        axes = page.subplots()
        axes.plot(scale * singles[:, 0], singles[:, 1], "o", color=MUTED, markersize=4)
        axes.plot(scale * hull[:, 0], hull[:, 1], color=INK, dashes=DASHED, marker="o", markersize=4, zorder=3)
        costs, best = _line(oracle, scale)
        axes.plot([*costs, max(costs[-1], scale * singles[:, 0].max())], [*best, best[-1]], color=MUTED)
        for one, colour in zip(several, COLOURS, strict=False):
            axes.plot(*_line(one, scale), color=colour)
            axes.plot([scale * (one.cost or 0.0)], [one.quality], "o", color=colour, markersize=5)
        axes.set(xlabel=unit, ylabel="Quality")
        bottom = min(lowest, hull[0, 1])
        axes.set_ylim(bottom=bottom - ROOM * max(max(best) - bottom, 0.1))  # a bad model must not press curves together
        if singles[:, 0].min() > 0 and singles[:, 0].max() > WIDE * singles[:, 0].min():
            logarithmic(axes.xaxis, axes.set_xscale)

    return Chart(
        f"curve-{place}",
        "Quality by cost" if place == 1 else "Quality by cost, others",
        "; ".join(f"{one.name}: quality {number(one.quality)} at {money(one.cost, found.unit)}" for one in several),
        "Up and to the left is better. A dot on a curve: at the budget. A policy below the dashed line is worth less "
        "than asking single models by chance. Models far below it are not shown.",
        draw,
        [
            *(Key(one.name, colour) for one, colour in zip(several, COLOURS, strict=False)),
            Key("single models and their random mix", INK, DASHED),
            Key("oracle", MUTED),
        ],
    )


def _line(one: Result, scale: float) -> tuple[list[float], list[float]]:
    """Return a curve's costs and qualities, the cheapest first."""
    rising = sorted((cost, quality) for _, cost, quality in one.curve)
    return [scale * cost for cost, _ in rising], [quality for _, quality in rising]


def gain_chart(found: Evaluation) -> Chart:
    """Return what each policy gains at equal cost, with its interval."""
    ran = found.ran
    colours = dict(zip(RIVALS, (BLUE, VERMILION), strict=True))

    def draw(page: Any) -> None:
        axes = page.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        for place, one in enumerate(ran):
            for offset, (rival, colour) in zip((-0.14, 0.14), colours.items(), strict=True):
                if gain := one.against.get(rival):
                    at = place + offset
                    axes.plot([100 * gain.low, 100 * gain.high], [at, at], color=colour, linewidth=2)
                    axes.plot([100 * gain.value], [at], "o", color=colour, markersize=4.5)
        axes.set_yticks(range(len(ran)), [one.name for one in ran])
        axes.set_ylim(len(ran) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        low, high = axes.get_xlim()
        axes.set(xlabel="Points of quality gained at equal cost", xlim=(min(low, -1.0), max(high, 1.0)))

    return Chart(
        "gain-chart",
        "Gain at equal cost, with its interval",
        "; ".join(one.sentence() for one in ran),
        "A bar wholly to the right of the line: better. One that crosses it: no difference was shown.",
        draw,
        [Key(f"on {what}", colours[rival], width=2.4) for rival, what in RIVALS.items()],
        height=1.2 + 0.34 * len(ran),
    )


def calls_chart(found: Evaluation) -> Chart:
    """Return how often each policy asks which model."""
    ran = found.ran
    often = sorted(found.models, key=lambda model: -sum(one.calls.get(model, 0.0) for one in ran))
    shown, rest = often[: len(COLOURS)], often[len(COLOURS) :]
    parts = {model: [one.calls.get(model, 0.0) for one in ran] for model in shown}
    if rest:
        parts["others"] = [sum(one.calls.get(model, 0.0) for model in rest) for one in ran]

    def draw(page: Any) -> None:
        axes = page.subplots()
        left = np.zeros(len(ran))
        for colour, lengths in zip((*COLOURS, MUTED), parts.values(), strict=False):
            axes.barh(range(len(ran)), lengths, 0.6, left=left, color=colour)
            left = left + lengths
        axes.set_yticks(range(len(ran)), [one.name for one in ran])
        axes.set_ylim(len(ran) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.set(xlabel="Calls a question", xlim=(0, None))

    return Chart(
        "calls-chart",
        "Calls a question, by model",
        "; ".join(f"{one.name}: {_said(one)}" for one in ran),
        "Longer than 1: more than one model is asked on average.",
        draw,
        [Key(model, colour, box=True) for model, colour in zip(parts, (*COLOURS, MUTED), strict=False)],
        height=1.0 + 0.3 * len(ran),
    )


def _said(one: Result) -> str:
    return ", ".join(f"{model} {calls:.2f}" for model, calls in one.calls.items() if calls >= 0.005) or "nobody"
