"""Device profiles compared, as one page to read: how long an answer takes on each, what it costs, where it never pays.

The page is self-contained: styles and charts are inside, nothing is loaded, nothing runs. Addresses of sources are
links. No question's text is in it.
"""

import re
from collections.abc import Sequence
from typing import Any

from edgecascade.page import shell
from edgecascade.page.drawing import BLUE, MUTED, VERMILION, Chart, Key, figures, logarithmic
from edgecascade.page.markup import (
    NOTHING,
    Cell,
    Html,
    Row,
    breakable,
    number,
    paragraph,
    percent,
    significant,
    table,
    text,
)
from edgecascade.page.shell import Part
from edgecascade.records import dollars
from edgecascade.simulate.comparing import Compared, Outcome
from edgecascade.simulate.side_by_side import VERDICTS, Comparison, figures_of, seconds_said

SMALL = 9.0
"""Points, of labels inside a chart."""
NEAR, LETTER = 0.06, 0.022
"""Of an axis: below which two labels would touch; the width of a character."""

HEADS = (
    "Profile", "Speed", "Threshold", "Gates", "Kept", "Right", "Seconds, mean", "median", "95th of 100", "$", "J",
    "Verdict",
)  # fmt: skip
RULE = (
    "The device answers first. Its answer stays only where the calibrated chance that it is right, p, is at least the "
    "certified threshold. That is a matter of the answers, not of the speed, so there are only two: one behind gates, "
    "which stop an answer early that will hardly be kept, and one without. A device uses the gates where the writing "
    "that they save is worth more than the good answers that they lose; the table says which do.",
    "A kept answer is still sent on where the cloud's gain is worth more than its price: V (q - p) > dollars + seconds "
    "+ joules. V is what a right answer is worth, q how often the cloud is right; seconds and joules are turned into "
    "dollars by the weights above. No weight ever keeps an answer that is not certified.",
    "Where trying the device costs more, in its seconds and joules, than the answers that it keeps save, the cloud is "
    "asked at once. If the cascade is then no better than the cloud alone, the device is never worth using, and the "
    "page says never. The same holds where nothing could be certified, or where the model does not fit into memory.",
    "Every line is the same recorded answers, replayed with that device's speeds and watts through the policy that "
    "runs live. Dot and bar are the median and the 95th of 100 answers, escalated ones among them.",
)


def page_of(found: Comparison) -> str:
    """Return the whole page, HTML; LibraryMissingError without matplotlib."""
    return shell.page(
        f"Devices compared for {found.model}",
        found.sentence(),
        _verdict(found),
        _parts(found),
        f"From the fitted file {found.fitted}. Replayed, not timed: live figures differ by the load of the moment.",
    )


def _verdict(found: Comparison) -> Html:
    more = [f"{remark[0].upper()}{remark[1:]}.".replace("`", "") for remark in found.remarks]
    by = {verdict: [row for row in found.rows if row.verdict == verdict] for verdict in VERDICTS}
    if never := by["never"]:
        lead = f"Never use the device on {len(never)} of {len(found.rows)}:"
        return shell.verdict(lead, f" {', '.join(row.profile.name for row in never)}.", *more, warn=True)
    lead = f"The device pays on {len(by['use'])} of {len(found.rows)}."
    why = "; ".join(dict.fromkeys(row.why for row in by["unknown"]))
    rest = f" Of the others it is not known: {why}." if why else ""
    return shell.verdict(lead, rest, *more, warn=not by["use"])


def _parts(found: Comparison) -> list[Part]:
    charts = [_seconds_chart(found)]
    charts += [_joules_chart(found)] if any(row.cascade.joules is not None for row in found.rows) else []
    charts += [_dollars_chart(found)] if any(row.cascade.usd is not None for row in found.rows) else []
    return [
        Part("costs", "Seconds, joules, dollars", "What an answer takes and costs", [figures(*charts)]),
        Part("table", "Every figure", "Every figure", [_outcomes(found)]),
        Part("verdicts", "Verdicts", "Whether to use the device, and why", [_whys(found)]),
        Part("rule", "The rule", "The rule in plain words", [paragraph(words) for words in RULE]),
        Part("sources", "Sources", "Where the figures are from", [_figures(found)]),
    ]


# Charts


def _seconds_chart(found: Comparison) -> Chart:
    rows = [(place, row) for place, row in enumerate(found.rows) if row.cascade.seconds_p50 > 0]

    def draw(page: Any) -> None:
        axes = page.subplots()
        for place, row in rows:
            colour = _colour(row)
            axes.plot([row.cascade.seconds_p50, row.cascade.seconds_p95], [place] * 2, color=colour, linewidth=3)
            axes.plot([row.cascade.seconds_p50], [place], "o", color=colour, markersize=5.5)
            if row.cloud:
                axes.plot([row.cloud.seconds_p50] * 2, [place - 0.5, place + 0.5], color=VERMILION, dashes=(3, 1.5))
        _profiles_down(axes, found)
        axes.set(xlabel="Seconds an answer (dot: median)")
        logarithmic(axes.xaxis, axes.set_xscale)

    return Chart(
        "seconds-chart",
        "Seconds an answer, median to 95th of 100",
        "; ".join(f"{row.profile.name} {seconds_said(row.cascade)}" for row in found.rows),
        "Further left is faster. Grey: the device should never be used there, or its speed is not known; "
        "the reasons stand below.",
        draw,
        [
            Key("cascade", BLUE, width=2.4),
            Key("never, or not known", MUTED, width=2.4),
            *([Key("cloud alone, median", VERMILION, (3, 1.5))] if any(row.cloud for row in found.rows) else []),
        ],
        height=_height(found),
    )


def _joules_chart(found: Comparison) -> Chart:
    def draw(page: Any) -> None:
        axes = page.subplots()
        for place, row in enumerate(found.rows):
            if row.cascade.joules is None:
                axes.annotate("watts unknown", (0, place), xytext=(4, 0), textcoords="offset points", va="center",
                              color=MUTED, fontsize=SMALL)  # fmt: skip
            else:
                axes.barh(place, row.cascade.joules, 0.55, color=_colour(row))
        _profiles_down(axes, found)
        axes.set(xlabel="Joules an answer", xlim=(0, None))

    known = [row for row in found.rows if row.cascade.joules is not None]
    return Chart(
        "joules-chart",
        "Joules that the device takes for an answer",
        "; ".join(f"{row.profile.name} {number(row.cascade.joules, 1)} J" for row in known),
        "Shorter is better: writing, and waiting for the cloud. What the cloud's own machines take is not in it.",
        draw,
        height=_height(found),
    )


def _dollars_chart(found: Comparison) -> Chart:
    dots = [
        (place, row, row.cascade.seconds_mean, row.cascade.usd)
        for place, row in enumerate(found.rows, 1)
        if row.cascade.usd is not None
    ]
    clouds = {(row.cloud.seconds_mean, row.cloud.usd) for row in found.rows if row.cloud and row.cloud.usd is not None}

    def draw(page: Any) -> None:
        axes = page.subplots()
        for _, row, x, y in dots:
            axes.plot([x], [y], "o", color=_colour(row), markersize=5.5)
        for x, y in sorted(clouds):
            axes.plot([x], [y], "s", color=VERMILION, markersize=5.5)
        top = max([*(y for *_, y in dots), *(y for _, y in clouds)])
        axes.set(xlabel="Seconds an answer, mean", ylabel="Dollars an answer", ylim=(0, 1.35 * top or 1))
        axes.yaxis.set_major_formatter(lambda usd, _: dollars(usd))
        logarithmic(axes.xaxis, axes.set_xscale)
        _numbered(axes, [(place, x, y) for place, _, x, y in dots])

    return Chart(
        "dollars-chart",
        "Dollars against seconds",
        "; ".join(f"{row.profile.name} {dollars(y)} in {number(x, 2)} s" for _, row, x, y in dots),
        "Down and to the left is better. The numbers are those of the profiles in the other charts.",
        draw,
        [
            Key("cascade", BLUE, box=True),
            Key("never, or not known", MUTED, box=True),
            *([Key("cloud alone", VERMILION, box=True)] if clouds else []),
        ],
    )


def _numbered(axes: Any, dots: Sequence[tuple[int, float, float]]) -> None:
    """Write each dot's number above it: those that touch as one label, and a label above another where both meet."""
    to_share = (axes.transData + axes.transAxes.inverted()).transform
    groups: list[tuple[float, float, list[int]]] = []
    for place, x, y in sorted(dots, key=lambda dot: dot[1:]):
        across, up = to_share((x, y))
        near = (group for group in groups if abs(across - group[0]) < NEAR and abs(up - group[1]) < NEAR)
        if (group := next(near, None)) is None:
            groups.append(group := (across, up, []))
        group[2].append(place)
    taken: list[tuple[float, float, float]] = []
    for across, up, places in groups:
        label = spans(places)
        half = LETTER * len(label) / 2
        while any(abs(across - x) < half + other and abs(up - y) < NEAR for x, y, other in taken):
            up += NEAR / 2
        taken.append((across, up, half))
        axes.annotate(label, (across, up), xytext=(0, 5), xycoords="axes fraction", textcoords="offset points",
                      ha="center", va="bottom", fontsize=SMALL, annotation_clip=False)  # fmt: skip


def spans(numbers: Sequence[int]) -> str:
    """Return whole numbers, those that follow each other as one span.

    >>> spans([4, 1, 2, 3, 7])
    '1-4, 7'
    """
    runs: list[list[int]] = []
    for one in sorted(numbers):
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _profiles_down(axes: Any, found: Comparison) -> None:
    names = [f"{place}: {row.profile.name}" for place, row in enumerate(found.rows, 1)]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def _height(found: Comparison) -> float:
    return 1.0 + 0.24 * len(found.rows)


def _colour(row: Compared) -> str:
    return BLUE if row.verdict == "use" else MUTED


# Tables


def _outcomes(found: Comparison) -> Html:
    rows = [Row(_line(row), "chosen" if row.profile.name == found.here else "") for row in found.rows]
    clouds = list(dict.fromkeys(row.cloud for row in found.rows if row.cloud))
    rows += [Row(("cloud alone", *[NOTHING] * 3, *_measures(cloud), NOTHING)) for cloud in clouds[:1]]
    note = "Per answer, over the whole replayed mixture. Kept: answered on the device. "
    note += "What the cloud alone takes of a device differs by its power; the first's is shown. " * (len(clouds) > 1)
    note += "The line of this machine's own profile is shaded." * any(row.kind for row in rows)
    return table(HEADS, rows, note)


def _line(row: Compared) -> list[Cell]:
    outcome = row.cascade
    gates = "used" if row.gated else "not used"
    cells: list[Cell] = [row.profile.name, row.speed.mark, percent(outcome.threshold), gates, *_measures(outcome)]
    cells.append(VERDICTS[row.verdict])
    return cells if row.verdict == "use" else [Html(f'<span class="range">{text(cell)}</span>') for cell in cells]


def _measures(outcome: Outcome) -> list[Cell]:
    seconds = (outcome.seconds_mean, outcome.seconds_p50, outcome.seconds_p95)
    usd = NOTHING if outcome.usd is None else f"${significant(outcome.usd)}"
    return [
        percent(outcome.kept),
        percent(outcome.quality),
        *map(significant, seconds),
        usd,
        significant(outcome.joules),
    ]


def _whys(found: Comparison) -> Html:
    rows = [
        Row(
            (
                row.profile.name,
                VERDICTS[row.verdict],
                NOTHING if row.break_even_usd_per_second is None else dollars(row.break_even_usd_per_second),
                "; ".join((row.why, *row.moved)),
            ),
            "marked" if row.verdict == "never" else "",
        )
        for row in found.rows
    ]
    return table(
        ("Profile", "Verdict", "Even at, $ a second", "Why"),
        rows,
        "Even: the price of a second of waiting at which the cascade and the cloud alone cost the same; a dash where "
        "no price does.",
        words=(3,),
    )


def _figures(found: Comparison) -> Html:
    rows = [Row((row.profile.name, *cells)) for row in found.rows for cells in _of_profile(row)]
    return table(
        ("Profile", "Figure", "Value", "Mark", "Source"),
        rows,
        "Measured: on the very device. Literature prior: somebody's published figure of such a device, not of this "
        "unit. Estimate: worked out from another figure.",
        words=(4,),
    )


def _of_profile(row: Compared) -> list[tuple[Cell, ...]]:
    writes = f"{number(1 / row.speed.decode(0), 1)} tokens/s"
    lines: list[tuple[Cell, ...]] = [("writing", writes, row.speed.mark, linked(row.speed.source))]
    for name, found, unit in figures_of(row.profile):
        lines.append((name, f"{found.value:g} {unit}".strip(), found.mark, linked(found.source)))
    return lines


def linked(source: str) -> Html:
    """Return a source with its addresses as links.

    >>> linked("see https://example.org/a.")
    'see <a href="https://example.org/a">https:/<wbr>/<wbr>example.<wbr>org/<wbr>a</a>.'
    """
    parts = re.split(r"(https://[^\s<>\"]*[^\s<>\".,;:)])", source)
    pieces = (
        Html(f'<a href="{text(part)}">{breakable(part)}</a>') if at % 2 else text(part) for at, part in enumerate(parts)
    )
    return Html("".join(pieces))
