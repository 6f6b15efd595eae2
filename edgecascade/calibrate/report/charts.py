"""The page's charts, from the findings. Each says with title, units, legend and caption how it is read."""

import math
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np

from edgecascade.calibrate.report.findings import Column, Findings
from edgecascade.calibrate.report.words import BASELINES, RISK, TITLES
from edgecascade.guarantees.binomial import interval
from edgecascade.metrics import deferral_area, deferral_curve, reliability, risk_coverage
from edgecascade.page.drawing import AMBER, BLUE, GREEN, INK, MUTED, PAPER, PURPLE, SKY, VERMILION, Chart, Key
from edgecascade.page.markup import number, percent

POINTS = 240
"""Of a curve: more cannot be seen."""
BINS = 20
STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
"""Between the ticks of counts, which have little room."""
OURS = Key("this calibration", BLUE, width=2.4)
ORACLE = Key("oracle", GREEN, (5, 2))
RANDOM = Key("random", MUTED, (1, 1.6))
PLAIN = ((VERMILION, ()), (PURPLE, (6, 1.5, 1, 1.5)), (AMBER, (3, 1.5)), (SKY, ()), (INK, (1, 1, 4, 1)))
"""Colours and dashes of baselines, so that neither alone must tell them apart."""
SMALL = 9.5
"""Points, of labels inside a chart."""
APART = 0.07
"""Of an axis, below which two labels would touch."""


def reliability_chart(found: Findings) -> Chart:
    """Return p against the share that was right, with a histogram of p beneath."""
    bins = reliability(found.p, found.y)
    bounds = [interval(round(one.rate * one.count), one.count, 0.05) for one in bins]

    def draw(page: Any) -> None:
        upper, lower = page.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.plot([0, 100], [0, 100], color=MUTED, dashes=(4, 3), linewidth=1)
        for one, (low, high) in zip(bins, bounds, strict=True):
            upper.plot([100 * one.mean_p] * 2, [100 * low, 100 * high], color=BLUE, linewidth=1.6)
        upper.plot([100 * one.mean_p for one in bins], [100 * one.rate for one in bins], "o", color=BLUE, markersize=5)
        upper.set(xlim=(0, 100), ylim=(0, 100), ylabel="Right answers (%)")
        lower.hist(
            100 * found.p, bins=np.linspace(0, 100, BINS + 1).tolist(), color=SKY, edgecolor=PAPER, linewidth=0.6
        )
        lower.set(xlabel="Estimated probability p (%)", ylabel="Answers")
        lower.yaxis.get_major_locator().set_params(nbins=2, integer=True)
        lower.grid(axis="x", visible=False)
        page.align_ylabels()

    return Chart(
        "reliability",
        "Is p true? Estimated against actual share of right answers",
        f"{len(bins)} groups of answers: "
        + "; ".join(f"p {percent(one.mean_p)}, right {percent(one.rate)}" for one in bins),
        "On the dashed line p is exactly true; above it the device is better than p says, below it worse. Bars are "
        "95 % intervals; the histogram shows how many answers have each p.",
        draw,
        height=4.3,
    )


def promised_risk_chart(found: Findings) -> Chart:
    """Return the risk that the promise limits, against the share kept, with the certified thresholds."""
    certified = [certificate for certificate in found.ladder if certificate.feasible]
    shares = np.arange(1, len(found.p) + 1) / len(found.p)
    scale = shares if found.over_all else np.ones_like(shares)
    named = RISK[found.file.promise]
    end = float(found.loss.mean())
    bounds = [1.15 * certificate.bound for certificate in certified]
    top = min(1.0, max(1.15 * end, 1.5 * found.file.epsilon, 0.02, *bounds))

    def draw(page: Any) -> None:
        axes = page.subplots()
        for key, values in _estimates(found):
            _line(axes, shares, scale * risk_coverage(values, found.loss)[1], key)
        _line(axes, shares, scale * risk_coverage(-found.loss, found.loss)[1], ORACLE)
        _line(axes, shares, scale * end, RANDOM)
        axes.axhline(100 * found.file.epsilon, color=INK, linewidth=0.9, dashes=(2, 2))
        left = found.certificate.feasible and found.certificate.share_kept > 0.6  # away from that threshold's own label
        axes.annotate(
            f"promised: {100 * found.file.epsilon:g} %", (0.02 if left else 1, 100 * found.file.epsilon),
            xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
            ha="left" if left else "right", va="bottom", fontsize=SMALL,
        )  # fmt: skip
        _mark_certified(axes, found, top)
        axes.set(xlim=(0, 100), ylim=(0, 100 * top), xlabel="Share kept on the device (%)", ylabel=named)

    legend = [OURS, ORACLE, RANDOM, *(key for key, _ in _estimates(found) if key is not OURS)]
    if certified:
        legend.append(Key("certified: seen (dot) to upper bound (bar)", BLUE, width=1.6))
    marks = "; ".join(f"{percent(one.epsilon)} promised at {percent(one.share_kept)} kept" for one in certified)
    return Chart(
        "risk",
        TITLES[found.file.promise],
        f"Certified: {marks or 'nothing'}. Keeping everything costs {percent(end)}.",
        "Lower is better. "
        + (
            "Every dot is a threshold that can be promised; the bar above it is what the questions cannot rule out, "
            "and must end at or below the risk that is promised."
            if certified
            else "No threshold can be promised: where a curve is below the line at all, too few answers are kept there."
        ),
        draw,
        legend,
    )


def selective_risk_chart(found: Findings) -> Chart:
    """Return wrong answers among the kept, against the share kept."""
    wrong = 1 - found.y
    end = float(wrong.mean())
    top = min(1.0, 1.6 * end)

    def draw(page: Any) -> None:
        axes = page.subplots()
        for key, values in [*_estimates(found), (ORACLE, found.y), (RANDOM, np.zeros_like(found.p))]:
            shares, risk = risk_coverage(values, wrong)
            _line(axes, shares, risk, key)
        at = found.certificate.share_kept
        if found.certificate.feasible and found.kept.any():
            _dot(axes, at, float(wrong[found.kept].mean()), 7)
        axes.set(xlim=(0, 100), ylim=(0, 100 * top), xlabel="Share kept on the device (%)")
        axes.set_ylabel("Wrong (% of kept answers)")

    dot = " The dot is the threshold in use." if found.certificate.feasible else ""
    return Chart(
        "selective-risk",
        "Wrong answers among those kept (risk-coverage curve)",
        f"Keeping everything, {percent(end)} are wrong.{dot}",
        f"Lower is better: how many of the surest answers are wrong, as more are kept.{dot}",
        draw,
        [OURS, ORACLE, RANDOM, *(key for key, _ in _estimates(found) if key is not OURS)],
    )


def deferral_chart(found: Findings, cloud: Column) -> Chart:
    """Return the quality of the whole against the share that is sent to the cloud."""
    local = found.local
    device_alone, cloud_alone = float(local.mean()), float(cloud.mean())
    entries = [
        (_with_area(key, values, local, cloud), values)
        for key, values in [*_estimates(found), (ORACLE, local - cloud), (RANDOM, np.zeros_like(found.p))]
    ]
    ours, *plain, oracle, random = [key for key, _ in entries]

    def draw(page: Any) -> None:
        axes = page.subplots()
        for key, values in entries:
            _line(axes, *deferral_curve(values, local, cloud), key)
        low, high = axes.get_ylim()
        room = high - low
        axes.set(xlim=(-2, 102), ylim=(low - 0.06 * room, high + 0.04 * room))
        axes.plot([0, 100], [100 * device_alone, 100 * cloud_alone], "s", color=INK, markersize=5, clip_on=False)
        beside: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": SMALL}
        axes.annotate("device alone", (0, 100 * device_alone), xytext=(4, -6), ha="left", **beside)
        axes.annotate("cloud alone", (100, 100 * cloud_alone), xytext=(-2, -14), ha="right", **beside)
        if found.certificate.feasible:
            quality = float(np.where(found.kept, local, cloud).mean())
            _dot(axes, 1 - found.certificate.share_kept, quality, 7)
        axes.set(xlabel="Share sent to the cloud (%)", ylabel="Mean quality of answers (%)")

    dot = " The dot is the threshold in use." if found.certificate.feasible else ""
    return Chart(
        "deferral",
        "What the cloud buys: quality against the share sent to it (deferral curve)",
        f"Device alone {percent(device_alone)}, cloud alone {percent(cloud_alone)}, {ours.label}.{dot}",
        "Higher is better; the least sure questions are sent first. Numbers in the legend are the area between random "
        f"(0) and oracle (1).{dot}",
        draw,
        [ours, oracle, random, *plain],
    )


def outcomes_chart(found: Findings) -> Chart:
    """Return histograms of p, right answers upwards and wrong ones downwards."""
    edges = np.linspace(0, 100, BINS + 1)
    right = np.histogram(100 * found.p[found.y == 1], edges)[0]
    wrong = np.histogram(100 * found.p[found.y == 0], edges)[0]

    def draw(page: Any) -> None:
        axes = page.subplots()
        style: dict[str, Any] = {"width": 100 / BINS, "align": "edge", "edgecolor": PAPER, "linewidth": 0.6}
        axes.bar(edges[:-1], right, color=BLUE, **style)
        axes.bar(edges[:-1], -wrong, color=VERMILION, **style)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.yaxis.get_major_locator().set_params(nbins=6, integer=True, steps=STEPS)
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
        axes.set(xlim=(0, 100), xlabel="Estimated probability p (%)", ylabel="Answers: wrong ↓, right ↑")
        top = 1.15 * max(right.max(), 1)
        axes.set_ylim(-1.08 * max(wrong.max(), 1), top)
        if found.certificate.feasible:
            at = 100 * found.certificate.threshold
            axes.axvline(at, color=INK, linewidth=1, dashes=(3, 2))
            axes.annotate(
                "← sent | kept →", (at, top), xytext=(0, 0), textcoords="offset points",
                ha="right" if at > 85 else "left" if at < 15 else "center", va="bottom", fontsize=SMALL,
            )  # fmt: skip

    return Chart(
        "outcomes",
        "Right and wrong answers by p",
        f"{right.sum()} right answers with a mean p of {percent(_mean(found.p[found.y == 1]))}, {wrong.sum()} wrong "
        f"ones with {percent(_mean(found.p[found.y == 0]))}.",
        "The better the estimate, the further right the upper bars and the further left the lower ones. The dashed "
        "line is the threshold." if found.certificate.feasible else "The better the estimate, the further right the "
        "upper bars and the further left the lower ones.",
        draw,
        [Key("right", BLUE, box=True), Key("wrong", VERMILION, box=True)],
    )  # fmt: skip


def gates_chart(found: Findings) -> Chart:
    """Return what each gate stops and saves, and how often in vain."""
    gates = found.file.gates

    def draw(page: Any) -> None:
        axes = page.subplots()
        places = np.arange(len(gates))
        middle, room = (len(gates) - 1) / 2, max(len(gates), 3) / 2 + 0.1
        axes.bar(places - 0.27, [100 * gate.stops for gate in gates], 0.26, color=BLUE)
        axes.bar(places, [100 * gate.tokens_saved for gate in gates], 0.26, color=GREEN)
        axes.bar(places + 0.27, [100 * gate.false_alarms[0] for gate in gates], 0.26, color=VERMILION)
        for place, gate in zip(places, gates, strict=True):
            _, low, high = gate.false_alarms
            axes.plot([place + 0.27] * 2, [100 * low, 100 * high], color=INK, linewidth=1.2)
        axes.set_xticks(places, [str(gate.at) for gate in gates])
        axes.set(xlabel="Tokens written when the gate looks", ylabel="Share (%)", xlim=(middle - room, middle + room))
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)

    return Chart(
        "gates-chart",
        "What each gate stops, saves and stops in vain",
        "; ".join(
            f"at {gate.at}: stops {percent(gate.stops)}, saves {percent(gate.tokens_saved)}, false alarms "
            f"{percent(gate.false_alarms[0])}"
            for gate in gates
        ),
        "Good are high blue and green bars with a low orange one. The thin line is the false alarms' 95 % interval.",
        draw,
        [
            Key("answers stopped, of all", BLUE, box=True),
            Key("tokens saved, of all", GREEN, box=True),
            Key("false alarms, of answers that would be kept", VERMILION, box=True),
        ],
        height=2.9,
    )


def _estimates(found: Findings) -> Iterator[tuple[Key, Column]]:
    """Yield ours, then the baselines, each with how it is drawn."""
    yield OURS, found.p
    for (name, values), (colour, dashes) in zip(found.baselines.items(), cycle(PLAIN), strict=False):
        yield Key(BASELINES.get(name, name.replace("_", " ")), colour, dashes, width=1.1), values


def _line(axes: Any, x: Column, y: Column, key: Key) -> None:
    """Draw a curve, both in shares, ours above the others."""
    keep = np.unique(np.linspace(0, len(x) - 1, POINTS).round().astype(int)) if len(x) > POINTS else slice(None)
    style: dict[str, Any] = {"dashes": key.dashes} if key.dashes else {}
    order = 4 if key.colour == BLUE else 2
    axes.plot(100 * x[keep], 100 * y[keep], color=key.colour, linewidth=key.width, zorder=order, **style)


def _dot(axes: Any, x: float, y: float, size: float) -> None:
    """Draw a threshold, both in shares, with a rim that sets it off from the curves."""
    axes.plot([100 * x], [100 * y], "o", color=BLUE, markersize=size, markeredgecolor=PAPER, zorder=6, clip_on=False)


def _mark_certified(axes: Any, found: Findings, top: float) -> None:
    """Draw the ladder's certified thresholds, and label as many as have room, the one in use first."""
    certified = [certificate for certificate in found.ladder if certificate.feasible]
    labelled: list[tuple[float, float]] = []
    for certificate in sorted(certified, key=lambda one: (one.epsilon != found.file.epsilon, -one.epsilon)):
        seen = certificate.losses / (certificate.n if found.over_all else max(certificate.kept, 1))
        share, bound, own = certificate.share_kept, certificate.bound, certificate.epsilon == found.file.epsilon
        axes.plot([100 * share] * 2, [100 * seen, 100 * bound], color=BLUE, linewidth=1.6, zorder=5)
        axes.plot([100 * share], [100 * bound], "_", color=BLUE, markersize=7, markeredgewidth=1.6, zorder=5)
        _dot(axes, share, seen, 8 if own else 6)
        free = all(abs(share - x) > APART or abs(bound - y) > APART * top for x, y in labelled)
        if free:
            labelled.append((share, bound))
            axes.annotate(
                f"{100 * certificate.epsilon:g} %", (100 * share, 100 * bound), xytext=(0, 3), zorder=7,
                textcoords="offset points", ha="center", va="bottom", fontsize=SMALL,
                fontweight="bold" if own else "normal",
            )  # fmt: skip


def _with_area(key: Key, values: Column, local: Column, cloud: Column) -> Key:
    area = deferral_area(values, local, cloud)
    return Key(f"{key.label} {number(area, 2)}", key.colour, key.dashes, width=key.width)


def _mean(values: Column) -> float:
    return float(values.mean()) if len(values) else math.nan
