"""What every page has: its head, what it says first, what is to be done, its contents, its parts and its foot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from edgecascade.page.markup import Cell, Html, joined, section, text

PAGE = Path(__file__).with_name("page.html")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page; ``name`` is where links lead to, ``short`` what the contents call it."""

    name: str
    short: str
    title: str
    content: Sequence[Html]


def page(title: str, sentence: str, verdict: Html, parts: Sequence[Part], footer: str) -> str:
    """Return a whole page, HTML: styles are inside, nothing is loaded, nothing runs."""
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=text(title),
        sentence=text(sentence),
        verdict=verdict,
        contents=joined(Html(f'<a href="#{part.name}">{text(part.short)}</a>') for part in parts),
        sections=joined(section(part.name, part.title, *part.content) for part in parts),
        footer=text(footer),
    )


def verdict(lead: str, rest: Cell, *more: Cell, warn: bool) -> Html:
    """Return what to do: calm where it is good news, clear where it is not (``warn``)."""
    lines = [f"<p><strong>{text(lead)}</strong>{text(rest)}</p>", *(f"<p>{text(line)}</p>" for line in more)]
    return Html(f'<div class="verdict{" warn" if warn else ""}">\n' + "\n".join(lines) + "\n</div>")
