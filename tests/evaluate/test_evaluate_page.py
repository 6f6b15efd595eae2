"""The page of an evaluation: it says what was found, stands alone, and is well-formed."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from edgecascade.evaluate.comparing import Gain
from edgecascade.evaluate.page import advice, page_of
from edgecascade.evaluate.results import Evaluation, Result
from edgecascade.evaluate.streaming import Arrivals, Stream

CURVE = ((1.0, 1.0, 0.5), (2.0, 2.0, 0.7), (3.0, 3.0, 0.75))
GOOD = Result(
    name="good", quality=0.75, cost=3.0, interval=(0.7, 0.8), calls={"small<1>": 0.4, "large": 0.6}, fit_seconds=0.1,
    decide_microseconds=12.0, auc=0.7, curve=CURVE,
    against={"random_mix": Gain(0.04, 0.01, 0.07), "threshold": Gain(0.03, 0.01, 0.05)},
)  # fmt: skip
IDLE = Result(name="idle", quality=0.6, cost=2.0, interval=(0.5, 0.7), auc=0.6, curve=CURVE, calls={"large": 1.0},
              against={"random_mix": Gain(0.0, -0.02, 0.02), "threshold": Gain(-0.1, -0.2, -0.05)})  # fmt: skip
NONE = Result(name="none", reason="it wants <answers>")
SINGLES = (Result(name="small<1>", quality=0.5, cost=1.0), Result(name="large", quality=0.7, cost=3.0))
ORACLE = Result(name="oracle", quality=0.9, cost=2.0, curve=((1.0, 1.0, 0.6), (2.0, 2.0, 0.9), (3.0, 2.0, 0.9)))


def found_of(*policies: Result) -> Evaluation:
    """Return an evaluation of these."""
    return Evaluation(
        source="t<.jsonl", policies=policies, baselines=(*SINGLES, ORACLE, IDLE, NONE), models=("small<1>", "large"),
        unit="usd", features="text", feature_source="words", n_train=30, n_test=70, splits=3, seed=0, budget=3.0,
        confidence=None, estimate_seconds=1.0, notices=("idle collapsed to large",),
    )  # fmt: skip


class Reader(HTMLParser):
    """Keeps what is open, what does not match, and what is said."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an opening tag."""
        if tag not in ("meta", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note a tag that closes another than the last one opened."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        """Note what is said."""
        if self.open and self.open[-1] != "style":
            self.said += f"{data} "


def test_a_page_is_well_formed_and_stands_alone() -> None:
    """Tags match, ids are there once, nothing is loaded or runs, and names cannot break out."""
    page = page_of(found_of(GOOD, IDLE, NONE))
    read = Reader(page)
    ids = re.findall(r'\bid="([^"]+)"', page)

    assert not read.faults and not read.open and len(ids) == len(set(ids))
    assert "<script" not in page and not re.search(r'(src|href)="http', page) and "<answers>" not in page


def test_a_page_says_who_pays_and_who_does_not() -> None:
    """In words: the verdict, a sentence on each, what could not run, and what to do next."""
    said = Reader(page_of(found_of(GOOD, IDLE, NONE))).said

    assert "good pays:" in said and "+4.0 points above the random mix" in said and "Idle collapsed to large" in said
    assert "idle does not beat the random mix" in said and "loses to the threshold cascade" in said
    assert "none is not available: it wants <answers>" in said and "--policy good --save" in said


def test_a_policy_that_pays_at_other_budgets_is_named() -> None:
    """Where all of them end at the dearest model, the curves still tell."""
    rising = replace(IDLE, areas={"random_mix": Gain(0.02, 0.01, 0.03), "threshold": Gain(0.01, 0.005, 0.02)})
    said = Reader(page_of(found_of(rising))).said

    assert (
        "idle pays over all budgets:" in said
        and "no policy is shown to beat both" in said
        and "Over all budgets it beats the random mix" in said
    )


def test_who_beats_one_of_the_two_is_named() -> None:
    """It does not pay: what paying is stands beside it."""
    said = Reader(page_of(found_of(HALF))).said

    assert "one of the two is beaten by good." in said and "To pay is to beat both" in said


def test_seconds_and_a_stream_are_shown() -> None:
    """Where there are any."""
    timed = replace(GOOD, seconds=(1.25, 2.5), stream=Stream(0.625, 0.125, 3.0, 0.5, 4.75))
    said = Reader(page_of(replace(found_of(timed), arrivals=Arrivals(deadline=9.0)))).said
    without = Reader(page_of(found_of(GOOD))).said

    assert "Seconds, in turn" in said and "2.50" in said and "4.75" in said and "more than 9 s is worth nothing" in said
    assert "Seconds" not in without and "stream" not in without


HALF = replace(GOOD, against={**GOOD.against, "threshold": Gain(0.03, -0.01, 0.05)})


@pytest.mark.parametrize("policies", [(IDLE,), (NONE, IDLE), (HALF,)])
def test_a_page_without_a_winner_says_so(policies: tuple[Result, ...]) -> None:
    """It warns, and advises against using one."""
    page = page_of(found_of(*policies))

    assert "No policy pays on this table" in page and 'class="verdict warn"' in page
    assert "Ask one model" in " ".join(advice(found_of(*policies)))
