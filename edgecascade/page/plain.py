"""A chart as a file of its own: the page's style, its light colours written out."""

from edgecascade.page.drawing import NAMES, PAPER, STAND_IN, Draw, drawn

COLOURS = dict(
    zip(
        NAMES,
        ("#1c2126", "#57606a", "#d3d9df", "#ffffff", "#0067a8", "#b5460c", "#00775b", "#98467f", "#936400", "#3a87ad"),
        strict=True,
    )
)
"""Those of page.html."""


def svg(draw: Draw, *, width: float, height: float) -> str:
    """Return an SVG file of what ``draw`` does with a figure of so many inches; the same each time."""
    text = drawn(draw, width=width, height=height, paper=PAPER)
    for name, colour in STAND_IN.items():
        text = text.replace(colour, COLOURS[name])
    return text
