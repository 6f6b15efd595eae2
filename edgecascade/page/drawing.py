"""Charts by matplotlib, as SVG that lives inside the page: its colours, its font, its light and its dark.

Every colour is drawn as a stand-in and then becomes a CSS variable of the page.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from edgecascade.errors import LibraryMissingError
from edgecascade.page.markup import Html, joined, text

MISSING = (
    "matplotlib is not installed: found no module matplotlib, wanted it to draw charts; "
    "run: pip install 'edgecascade[calibrate]'"
)
NAMES = ("ink", "muted", "rule", "paper", "blue", "vermilion", "green", "purple", "amber", "sky")
STAND_IN = {name: f"#0a{number:02x}a0" for number, name in enumerate(NAMES, 1)}
INK, MUTED, RULE, PAPER, BLUE, VERMILION, GREEN, PURPLE, AMBER, SKY = STAND_IN.values()

Draw = Callable[[Any], None]
"""Draws on a figure of matplotlib's."""

WIDTH, HEIGHT = 5.0, 3.4
"""Inches; the text is as large as the page's where a chart is about 36 rem wide, and still readable at 340 pixels."""
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "edgecascade",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 10.5,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.4,
    "figure.constrained_layout.use": True,
    "text.parse_math": False,
}
"""Names come in as they are: a dollar in one is a dollar."""


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend: a ``colour`` of the page by its stand-in, dashes in units of width, and whether a box."""

    label: str
    colour: str
    dashes: tuple[float, ...] = ()
    box: bool = False
    width: float = 1.4


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn, and the words around it.

    draw     given a figure, draws on it         alt      what it shows, for those who cannot see it
    caption  one line: how to read it            legend   above the caption, as HTML so that it wraps
    """

    name: str
    title: str
    alt: str
    caption: str
    draw: Draw
    legend: Sequence[Key] = ()
    height: float = HEIGHT


def figure(chart: Chart) -> Html:
    """Return a chart as a figure of the page; LibraryMissingError without matplotlib."""
    keys = "".join(f"<li>{_swatch(key)}{text(key.label)}</li>" for key in chart.legend)
    return joined(
        (
            Html(f'<figure id="{escape(chart.name)}">\n<h3>{escape(chart.title)}</h3>'),
            _inline(drawn(chart.draw, width=WIDTH, height=chart.height), chart),
            Html(f'<ul class="legend">{keys}</ul>' if keys else ""),
            Html(f"<figcaption>{escape(chart.caption)}</figcaption>\n</figure>"),
        )
    )


def figures(*charts: Chart) -> Html:
    """Return charts side by side where there is room."""
    return Html(f'<div class="charts">\n{joined(map(figure, charts))}\n</div>')


def beside(chart: Chart, words: Html) -> Html:
    """Return a chart, and what belongs to it where there is room."""
    return Html(f'<div class="charts">\n{figure(chart)}\n<div>\n{words}\n</div>\n</div>')


def logarithmic(axis: Any, scale: Callable[[str], None]) -> None:
    """Make an axis logarithmic by its own ``set_xscale`` or ``set_yscale``, with ticks at 1, 2 and 5 as plain numbers.

    A range of less than a factor of 2 stays as it is: it would have no tick.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = sorted(axis.get_data_interval())
    if low <= 0 or high < 2 * low:
        return
    scale("log")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 200 * low else (1.0,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:.12g}")


def check() -> None:
    """Raise LibraryMissingError where nothing can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise LibraryMissingError(MISSING) from error


def drawn(draw: Draw, *, width: float, height: float, paper: str = "none") -> str:
    """Return an SVG of what ``draw`` does with a figure of so many inches, in stand-in colours; the same each time."""
    check()
    import matplotlib
    from matplotlib.figure import Figure

    page = io.StringIO()
    with matplotlib.rc_context(STYLE):
        sheet = Figure(figsize=(width, height))
        draw(sheet)
        sheet.savefig(page, format="svg", facecolor=paper, metadata={"Date": None})
    return re.sub(r"<metadata>.*?</metadata>", "", page.getvalue(), flags=re.DOTALL)


def _inline(svg: str, chart: Chart) -> Html:
    """Return an SVG file as an element of the page: no prologue, no style, names and colours of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    label = escape(f"{chart.title}. {chart.alt}")
    svg = re.sub(r"<svg.*?>", f'<svg class="chart" {box[0]} role="img" aria-label="{label}">', svg, count=1, flags=re.S)
    svg = re.sub(r'\bid="', f'id="{chart.name}-', svg).replace("xlink:href", "href")
    svg = svg.replace('href="#', f'href="#{chart.name}-').replace("url(#", f"url(#{chart.name}-")
    for name, colour in STAND_IN.items():
        svg = svg.replace(colour, f"var(--{name})")
    return Html(re.sub(r"\s*\n\s*", "\n", svg).strip())


def _swatch(key: Key) -> str:
    colour = next(name for name, stand_in in STAND_IN.items() if stand_in == key.colour)
    if key.box:
        inside = f'<rect x="4" y="1" width="22" height="10" style="fill: var(--{colour})"></rect>'
    else:
        dashes = " ".join(f"{key.width * part:g}" for part in key.dashes) or "none"
        style = f"stroke: var(--{colour}); stroke-width: {1.3 * key.width:g}; stroke-dasharray: {dashes}"
        inside = f'<line x1="0" y1="6" x2="30" y2="6" style="{style}"></line>'
    return f'<svg viewBox="0 0 30 12" aria-hidden="true">{inside}</svg>'
