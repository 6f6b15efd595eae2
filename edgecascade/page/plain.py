"""A chart as a file of its own: the page's style, its light colours written out."""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

from edgecascade.errors import LibraryMissingError
from edgecascade.page.drawing import MISSING, PAPER, STAND_IN, STYLE

COLOURS: Mapping[str, str] = {
    "ink": "#1c2126", "muted": "#57606a", "rule": "#d3d9df", "paper": "#ffffff", "blue": "#0067a8",
    "vermilion": "#b5460c", "green": "#00775b", "purple": "#98467f", "amber": "#936400", "sky": "#3a87ad",
}  # fmt: skip


def check() -> None:
    """Raise LibraryMissingError where nothing can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise LibraryMissingError(MISSING) from error


def svg(draw: Callable[[Any], None], *, width: float, height: float) -> str:
    """Return an SVG file of what ``draw`` does with a figure of so many inches; the same each time."""
    check()
    import matplotlib
    from matplotlib.figure import Figure

    page = io.StringIO()
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(width, height), facecolor=PAPER)
        draw(drawn)
        drawn.savefig(page, format="svg", facecolor=PAPER, metadata={"Date": None})
    text = re.sub(r"<metadata>.*?</metadata>", "", page.getvalue(), flags=re.DOTALL)
    for name, colour in STAND_IN.items():
        text = text.replace(colour, COLOURS[name])
    return text
