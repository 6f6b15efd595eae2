"""The page of device profiles compared: it says what was found, stands alone, and is well-formed."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from edgecascade.profile import Conditions, Weights
from edgecascade.simulate.comparing import Compared
from edgecascade.simulate.page import linked, page_of
from edgecascade.simulate.side_by_side import PRIORS, Comparison, in_order, weights_said

Make = Callable[..., Comparison]
VOID = {"meta", "br", "wbr"}


class Reader(HTMLParser):
    """Keeps a page's words, links and ids, and the tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an opening tag."""
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names and leads to."""
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_endtag(self, tag: str) -> None:
        """Note a tag that closes another than the last one opened."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        """Note what is said."""
        if self.open and self.open[-1] != "style":
            self.said += f"{data} "


def test_a_page_is_well_formed_and_stands_alone(comparison: Make) -> None:
    """Tags match, ids are there once, links lead into the page or to a source, and nothing is loaded or runs."""
    read = Reader(page_of(comparison()))

    assert not read.faults and not read.open
    assert len(read.ids) == len(set(read.ids))
    assert {link[1:] for link in read.links if link.startswith("#")} <= set(read.ids)
    assert {link for link in read.links if not link.startswith("#")} == {"https://example.org/a-bench?x=1"}
    assert not read.tags & {"script", "link", "img", "iframe", "object"}


def test_every_profile_is_told_with_its_reason(comparison: Make, rows: tuple[Compared, ...]) -> None:
    """Name, verdict and why of each stand in the page as they are, whatever characters are in them."""
    said = Reader(page_of(comparison())).said

    assert all(row.profile.name in said and row.why in said for row in rows)
    assert "Never use the device on 1 of 4:" in said and "watts unknown" in said
    assert PRIORS.replace("`", "")[1:] in said


def test_no_missing_number_is_shown(comparison: Make) -> None:
    """What is unknown is a dash, in text and in drawings; no colour is left without its variable."""
    text = page_of(comparison())

    assert not re.search(r"\b(nan|None|inf)\b", Reader(text).said, re.IGNORECASE)
    assert not re.search(r'd="[^"]*\b(nan|inf)\b', text, re.IGNORECASE)
    assert "#0a" not in text


def test_good_news_is_no_warning(comparison: Make, rows: tuple[Compared, ...]) -> None:
    """Where the device pays everywhere the page is calm; where nothing is known it is not."""
    pays, unknown = ([row for row in rows if row.verdict == verdict] for verdict in ("use", "unknown"))

    assert "verdict warn" not in page_of(comparison(*pays))
    assert "verdict warn" in page_of(comparison(*unknown))


def test_a_page_without_cloud_or_watts_has_fewer_charts(comparison: Make, rows: tuple[Compared, ...]) -> None:
    """What nothing is known of is not drawn, and no line of a cloud is claimed."""
    (dark,) = (row for row in rows if row.verdict == "unknown")
    bare = replace(dark, cloud=None, cascade=replace(dark.cascade, usd=None))
    read = Reader(page_of(comparison(bare, cloud=None)))

    assert "seconds-chart" in read.ids
    assert not {"joules-chart", "dollars-chart"} & set(read.ids)
    assert "cloud alone, median" not in read.said and "without a cloud" in read.said


def test_the_same_comparison_makes_the_same_page(comparison: Make) -> None:
    """To the letter."""
    assert page_of(comparison()) == page_of(comparison())


def test_those_to_use_come_first_the_fastest_before_the_slower(rows: tuple[Compared, ...]) -> None:
    """Use, not known, never; whatever the order they came in."""
    names = [row.profile.name for row in in_order(rows)]

    assert names == ["fast-board", "slow-board", "dark-board", "never-board"]
    assert in_order(rows[::-1]) == in_order(rows)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (Weights(), "time and energy are free"),
        (Weights(usd_per_second=0.002), "a second of waiting costs $0.0020"),
        (Weights(seconds=3.0), "95 of 100 answers take at most 3 s"),
        (Weights(usd=0.5), "an answer may cost $0.50 on average"),
    ],
)
def test_weights_are_told_in_words(weights: Weights, said: str) -> None:
    """What is free is not told, what was set is."""
    assert said in weights_said(weights)


def test_remarks_tell_what_was_assumed(comparison: Make) -> None:
    """Conditions, profiles that were left out, and a cloud that is never wrong are no secrets."""
    stands = Conditions(on_battery=True, battery=0.1, throttled=True)
    remarks = comparison(conditions=stands, left_out=(("odd", "no speed"),)).remarks

    assert remarks[:2] == ("taken to be on battery at 10 %, hot", "left out: odd: no speed")
    assert "always right" in remarks[2] and remarks[3] == PRIORS


def test_an_address_becomes_a_link_and_nothing_else_does() -> None:
    """Markup in a source is escaped, within an address too; other schemes are text."""
    text = linked("<b> javascript:alert(1) http://a.example https://b.example/x&y.")

    assert re.findall(r'href="([^"]*)"', text) == ["https://b.example/x&amp;y"]
    assert unescape(re.sub("<[^>]*>", "", text)) == "<b> javascript:alert(1) http://a.example https://b.example/x&y."


def test_an_unknown_price_is_not_drawn_as_none(comparison: Make, rows: tuple[Compared, ...]) -> None:
    """A cloud whose dollars nobody knows has no square at 0, and no key."""
    (pays, *_) = (row for row in rows if row.verdict == "use")
    assert pays.cloud is not None
    text = page_of(comparison(replace(pays, cloud=replace(pays.cloud, usd=None))))

    chart = text.partition('<figure id="dollars-chart">')[2].partition("</figure>")[0]
    assert "cascade" in chart and "cloud alone" not in chart


def test_every_reason_of_what_is_not_known_is_told(comparison: Make, rows: tuple[Compared, ...]) -> None:
    """Two profiles may lack different numbers."""
    (dark,) = (row for row in rows if row.verdict == "unknown")
    text = page_of(comparison(dark, replace(dark, why="no clock")))

    assert "because of &lt;dark-board&gt;; no clock." in text


def test_the_page_says_where_gates_are_used(comparison: Make, rows: tuple[Compared, ...]) -> None:
    """A column says it of each profile, and the rule does not claim one threshold for all."""
    (pays, *_) = (row for row in rows if row.verdict == "use")
    with_gates, without = (Reader(page_of(comparison(replace(pays, gated=gated)))).said for gated in (True, False))

    assert "not used" not in with_gates and "not used" in without
    assert "same on every device" not in with_gates and "two: one behind gates" in with_gates
    assert "Seconds, mean" in with_gates
