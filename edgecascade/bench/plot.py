"""The rows as one SVG: a panel a unit of each suite, a median with its interval a test; a run on end as a curve."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from edgecascade.bench.rows import Row, model_of, why_worthless
from edgecascade.bench.sustained import WINDOW
from edgecascade.page.drawing import BLUE, MUTED, VERMILION
from edgecascade.page.plain import svg

WIDTH = 8.0
LINE, FRAME, CURVE = 0.3, 1.0, 2.6
"""Inches: of a test, around a panel, of a curve."""
ROOM = 1.05
"""How far an axis goes on behind its largest figure."""


def plot(rows: Sequence[Row], then: Sequence[Row] = ()) -> str:
    """Return an SVG; an earlier run beside it, unless one of the two is worthless, which the title says."""
    known = [row for row in rows if row.samples]
    panels = [(key, list(group)) for key, group in groupby(known, key=lambda row: (row.suite, row.unit))]
    why = why_worthless(rows)
    earlier = {} if why else {(row.suite, row.test, model_of(row)): row for row in then if not row.worthless}
    heights = [_height(group) for _, group in panels] or [FRAME]

    def draw(page: Any) -> None:
        title = f"worthless: {why}" if why else f"{model_of(rows[0])}, {rows[0].facts.get('n_threads')} threads"
        title += "; the earlier run in red below each" if earlier else ""
        page.suptitle(title, fontsize=11, color=VERMILION if why else MUTED, wrap=True)
        places = page.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for place, ((suite, unit), group) in zip(places, panels, strict=False):
            place.set_title(suite, loc="left", fontsize=11)
            place.set_xlabel(unit)
            _curve(place, group[0]) if _is_curve(group) else _dots(place, group, earlier, faint=bool(why))

    return svg(draw, width=WIDTH, height=sum(heights) + 0.6)


def _is_curve(group: Sequence[Row]) -> bool:
    return group[0].suite == "sustained" and len(group) == 1 and group[0].unit in ("tokens/s", "°C")


def _height(group: Sequence[Row]) -> float:
    return CURVE if _is_curve(group) else FRAME + LINE * len(group)


def _curve(place: Any, row: Row) -> None:
    minutes = [WINDOW * (number + 1) / 60 for number in range(len(row.samples))]
    place.plot(minutes, row.samples, "o-", color=BLUE, markersize=3)
    place.set(xlabel="minutes", ylabel=row.unit)
    place.set_ylim(bottom=0)


def _dots(place: Any, group: Sequence[Row], earlier: Any, *, faint: bool) -> None:
    for at, row in enumerate(group):
        _dot(place, row, at, MUTED if faint else BLUE)
        if before := earlier.get((row.suite, row.test, model_of(row))):
            _dot(place, before, at + 0.25, VERMILION)
    place.set_yticks(range(len(group)), [row.test for row in group])
    place.set_ylim(len(group) - 0.5, -0.5)
    known = [one for row in group for one in (row, earlier.get((row.suite, row.test, model_of(row)))) if one]
    ends = [end for row in known for end in row.interval or (row.median or 0.0,)]
    place.set_xlim(ROOM * min(0.0, *ends), ROOM * max(0.0, *ends) or 1.0)


def _dot(place: Any, row: Row, at: float, colour: str) -> None:
    if row.interval:
        place.plot(row.interval, [at, at], color=colour, linewidth=2)
    place.plot([row.median], [at], "o", color=colour, markersize=5)
