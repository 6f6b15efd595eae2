"""The shell of every page: what it says first, its parts, and nothing from elsewhere."""

import re

import pytest

from edgecascade.page.markup import Html, paragraph
from edgecascade.page.plain import COLOURS
from edgecascade.page.shell import PAGE, Part, page, verdict

PARTS = [Part("one", "First", "The first part", [paragraph("alpha")]), Part("two", "Second", "The second", [])]


def test_each_part_is_there_once_and_can_be_reached() -> None:
    """The contents lead to every part, in order, and to nothing else."""
    text = page("Title", "It is so.", Html(""), PARTS, "the end")

    assert re.findall(r'<a href="#(\w+)">', text) == ["one", "two"] == re.findall(r'<section id="(\w+)">', text)
    assert text.index("It is so.") < text.index("alpha") < text.index("The second") < text.index("the end")


def test_what_comes_in_as_text_is_shown_not_obeyed() -> None:
    """Title, sentence and foot are escaped."""
    hostile = "<script>alert('&')</script>"
    text = page(hostile, hostile, verdict("Fine.", hostile, warn=False), [], hostile)

    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5  # the title stands twice


@pytest.mark.parametrize("warn", [False, True])
def test_a_warning_looks_like_one(warn: bool) -> None:
    """Only bad news is coloured as a warning; lead, rest and further lines are all there."""
    text = verdict("Lead.", " Rest.", "More.", warn=warn)

    assert ('class="verdict warn"' in text) == warn
    assert "<strong>Lead.</strong> Rest.</p>\n<p>More.</p>" in text


def test_a_chart_alone_has_the_pages_light_colours() -> None:
    """Colours are written down twice, once for CSS; they are the same ones."""
    light = PAGE.read_text(encoding="utf-8").partition("@media")[0]

    assert dict(re.findall(r"--(\w+): (#\w+)", light)).items() >= COLOURS.items()
