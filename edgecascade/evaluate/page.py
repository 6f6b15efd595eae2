"""An evaluation as one page to read: curves of quality by cost, what each policy gains, whom it asks, what to do next.

The page is self-contained: styles and charts are inside, nothing is loaded, nothing runs. No question's text is in it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgecascade.evaluate.comparing import Gain
from edgecascade.evaluate.evaluating import ORACLE, label
from edgecascade.evaluate.results import RIVALS, Evaluation, Result, money, points
from edgecascade.page import shell
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
    figures,
    logarithmic,
)
from edgecascade.page.markup import NOTHING, Cell, Html, Row, number, paragraph, percent, significant, span, table
from edgecascade.page.shell import Part
from edgecascade.policies.frontier import upper_hull

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, AMBER, SKY)
A_CHART = 5
"""Curves that can still be told from one another."""
WIDE = 20.0
"""Ratio of costs from which on their axis is logarithmic."""
DASHED = (3.0, 1.5)
HEADS = (
    "Policy", "Quality", "95%", "Cost", "Area", "Gain on random mix", "95%", "Gain on threshold", "95%", "Fit, s",
    "Decide, µs",
)  # fmt: skip
HOW = (
    "Every policy is fitted on the training part of each split and plays the rest, where it is shown of a model's "
    "answer only what that model would have shown once it has run. Figures are means over the splits.",
    "The intervals are at 95% and corrected for splits that share their questions (Nadeau and Bengio, 2003); with one "
    "split the played questions are drawn again instead. Each holds for itself: of twenty ties, one may look like a "
    "gain.",
    "Gains are at equal cost. The random mix asks one of two single models by chance, those that the training rows "
    "show to be worth their cost, mixed so that it costs what the policy costs. The threshold cascade is FrugalGPT's "
    "form, its thresholds chosen for as much as the policy costs.",
    "Area is the mean height of the curve of quality by cost between the cheapest and the dearest single model, where "
    "mixing two settings is allowed. The oracle knows every answer's quality beforehand; nobody who asks one model a "
    "question can be above it.",
)


def page_of(found: Evaluation) -> str:
    """Return the whole page, HTML; LibraryMissingError without matplotlib."""
    return shell.page(
        f"Policies evaluated on {found.source}",
        found.sentence(),
        _verdict(found),
        [
            Part("curves", "Quality by cost", "What quality each cost buys", [figures(*_curves(found))]),
            Part("gains", "Gains", "Which policies beat doing without one", _gains(found)),
            Part("table", "Every figure", "Every figure", [_figures(found)]),
            Part("calls", "Whom they ask", "Whom each policy asks", [figures(_calls_chart(found)), _calls(found)]),
            Part("how", "How", "How this was found", [paragraph(words) for words in HOW]),
            Part("next", "Next", "What to do next", [paragraph(words) for words in advice(found)]),
        ],
        f"Seed {found.seed}, {found.splits} splits. Features of the questions: {found.features}, "
        f"{found.feature_source}. Replayed from recorded results, nobody was asked.",
    )


def _verdict(found: Evaluation) -> Html:
    best = _best(found)
    notices = [f"{line[0].upper()}{line[1:]}." for line in found.notices]
    if best is None:
        rest = " none beats both the random mix of single models and the threshold cascade at equal cost, as far as "
        return shell.verdict("No policy pays on this table:", f"{rest}the intervals tell.", *notices, warn=True)
    rest = (
        f" {points(best.against['random_mix'].value)} points above the random mix, at {money(best.cost, found.unit)}."
    )
    others = [one.name for one in _ran(found) if wins(one) and one is not best]
    more = [f"It pays too: {', '.join(others)}."] if others else []
    return shell.verdict(f"{best.name} pays:", rest, *more, *notices, warn=False)


def wins(one: Result) -> bool:
    """Whether a policy is better than all that it was held against."""
    return bool(one.against) and all(gain.verdict == "better" for gain in one.against.values())


def _best(found: Evaluation) -> Result | None:
    """Return the policy of those that win which gains most on the random mix."""
    better = [one for one in _ran(found) if wins(one)]
    return max(better, key=lambda one: one.against["random_mix"].value, default=None)


def advice(found: Evaluation) -> list[str]:
    """Return what to do next, in sentences."""
    said = []
    if best := _best(found):
        said.append(f"Use {best.name} live: fit it on all rows with --policy {best.name} --save FILE.")
    else:
        said.append("Ask one model, or the random mix: without better estimates a policy only adds work.")
    if found.features == "text":
        said.append("Estimates were made from the words alone. A sentence encoder (--encoder PATH), or a local model's "
                    "hidden state (--model SPEC, or --attempts with its answers), often tells more.")  # fmt: skip
    if found.unit == "calls":
        said.append("State what models cost, with --prices FILE or --price MODEL=USD: now every call counts the same.")
    if found.n_train < 500:
        said.append(f"{found.n_train} questions to fit on are few: the intervals shrink with more of them.")
    return said


def _ran(found: Evaluation) -> list[Result]:
    return [one for one in found.policies if one.reason is None]


# Charts


def _curves(found: Evaluation) -> list[Chart]:
    drawn = [one for one in found.policies if one.curve] or [one for one in found.baselines if one.name == "random"]
    shown = {one.name for one in drawn}
    drawn += [one for one in found.baselines if one.curve and one.name not in {ORACLE, "constant", *shown}]
    groups = [drawn[at : at + A_CHART] for at in range(0, len(drawn), A_CHART)]
    return [_curve(found, several, place) for place, several in enumerate(groups, 1)]


def _curve(found: Evaluation, several: Sequence[Result], place: int) -> Chart:
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
        if singles[:, 0].min() > 0 and singles[:, 0].max() > WIDE * singles[:, 0].min():
            logarithmic(axes.xaxis, axes.set_xscale)

    return Chart(
        f"curve-{place}",
        "Quality by cost" if place == 1 else "Quality by cost, others",
        "; ".join(f"{one.name}: quality {number(one.quality)} at {money(one.cost, found.unit)}" for one in several),
        "Up and to the left is better. A dot on a curve: at the budget. A policy below the dashed line is worth less "
        "than asking single models by chance.",
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


def _gains(found: Evaluation) -> list[Html]:
    words = [paragraph(one.sentence()) for one in found.policies]
    return [figures(_gain_chart(found)), *words] if any(one.against for one in _ran(found)) else words


def _gain_chart(found: Evaluation) -> Chart:
    ran = _ran(found)
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
        axes.set(xlabel="Points of quality gained at equal cost")

    return Chart(
        "gain-chart",
        "Gain at equal cost, with its interval",
        "; ".join(one.sentence() for one in ran),
        "A bar wholly to the right of the line: better. One that crosses it: no difference was shown.",
        draw,
        [Key(f"on {what}", colours[rival], width=2.4) for rival, what in RIVALS.items()],
        height=1.2 + 0.34 * len(ran),
    )


def _calls_chart(found: Evaluation) -> Chart:
    ran = _ran(found)
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


# Tables


def _figures(found: Evaluation) -> Html:
    rows = [Row(_line_of(one, found), "chosen" if wins(one) else "") for one in found.policies]
    rows += [
        Row(_line_of(one, found)) for one in found.baselines if one.name not in {two.name for two in found.policies}
    ]
    note = (
        f"At a budget of {money(found.budget, found.unit)} a question. Shaded: better than both, at equal cost. A "
        "dash: it cannot be played on this table, or the figure does not apply. The estimates that policies share "
        f"take {number(found.estimate_seconds, 1)} s more to fit."
    )
    return table(HEADS, rows, note)


def _line_of(one: Result, found: Evaluation) -> tuple[Cell, ...]:
    if one.reason:
        return (one.name, *[NOTHING] * (len(HEADS) - 1))
    low, high = one.interval or (None, None)
    return (
        one.name,
        percent(one.quality),
        span(low, high, percent),
        money(one.cost, found.unit),
        number(one.auc),
        *_gain(one.against.get("random_mix")),
        *_gain(one.against.get("threshold")),
        significant(one.fit_seconds),
        number(one.decide_microseconds, 0),
    )


def _gain(gain: Gain | None) -> tuple[Cell, Cell]:
    return (points(gain.value), span(gain.low, gain.high, points)) if gain else (NOTHING, Html(NOTHING))


def _calls(found: Evaluation) -> Html:
    rows = [Row((one.name, *(number(one.calls.get(model), 2) for model in found.models))) for one in _ran(found)]
    return table(("Policy", *found.models), rows, "Calls a question, the mean over the splits.")
