"""The story of an answer, on records that real cascades wrote into a real ledger."""

import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.gating import Gate
from edgecascade.cascade.setup import Options
from edgecascade.errors import CloudError
from edgecascade.explaining import Rung, flips, story
from edgecascade.heads import Inputs, LinearHead
from edgecascade.privacy import Rules
from edgecascade.profile import Weights
from edgecascade.records import Limits, Mode, Question
from edgecascade.store.ledger import Ledger, caps_of
from edgecascade.store.prices import Price
from edgecascade.testing import ScriptedReply, ScriptedTier

QUESTION = "What is the capital of France?"
PRICE = Price(input=1.0, output=10.0)
NUMBERS = itertools.count()


def row_of(
    folder: Path,
    *,
    p: float | None = 0.41,
    kept_from: float | None = 0.57,
    gates: Sequence[Gate] = (),
    cloud: ScriptedTier | None = None,
    value_usd: float | None = None,
    question: Question | str = QUESTION,
    options: Options | None = None,
) -> dict[str, Any]:
    """Return what the ledger knows of one answer by a device that is so sure of it, with a cloud behind it."""
    device = ScriptedTier(ScriptedReply("It is Lyon.", p_correct=p, threshold=kept_from), name="small", gates=gates)
    cloud = cloud or ScriptedTier("Paris.", name="large", place="cloud", price=PRICE)
    weights = Weights(value_usd=value_usd) if value_usd else None
    content = bool(options and options.content)
    ledger = Ledger(folder / f"{next(NUMBERS)}.db", clock=lambda: 1.8e9, content=content)
    with Cascade([device, cloud], weights=weights, options=options, ledger=ledger, now=lambda: 1.8e9) as cascade:
        return ledger.answer(cascade.ask(question).id)


def number_in(sentences: Sequence[str], words: str) -> float:
    """Return the number behind some words."""
    found = re.search(rf"{words} \$?(-?[\d.e-]+)", "\n".join(sentences))
    assert found, sentences
    return float(found[1])


def gate(stop_below: float) -> Gate:
    """Return a gate that looks at the first token's log-probability, -0.1 of every scripted token."""
    return Gate(1, LinearHead(Inputs(("tokens",)), np.array([0.0]), -0.1), stop_below)


@pytest.mark.parametrize("kept", [True, False])
def test_a_threshold_that_is_told_turns_the_decision(tmp_path: Path, kept: bool) -> None:
    """Asked again with the threshold of the sentence, the answer comes from the other place."""
    before = row_of(tmp_path, p=0.7 if kept else 0.41)
    limit = number_in(flips(before), "a threshold above" if kept else "a threshold of")
    after = row_of(tmp_path, p=0.7 if kept else 0.41, kept_from=limit + (1e-6 if kept else 0.0))

    assert (before["place"], after["place"]) == (("device", "cloud") if kept else ("cloud", "device"))


def test_p_correct_that_is_told_turns_the_decision(tmp_path: Path) -> None:
    """Asked again with the p_correct of the sentence, the device's answer is kept."""
    wanted = number_in(flips(row_of(tmp_path, p=0.41)), "p_correct of")

    assert row_of(tmp_path, p=wanted)["place"] == "device"


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (0.41, "(epsilon 0.4 of the file's ladder has 0.3800)"),
        (0.2, "(no epsilon of the file's ladder has one)"),
        (0.7, "(epsilon 0.1 of the file's ladder has 0.9000)"),
        (0.95, "(no epsilon of the file's ladder has one)"),
    ],
)
def test_the_ladder_names_the_risk_that_has_such_a_threshold(tmp_path: Path, p: float, told: str) -> None:
    """The strictest risk that would have kept it, or the loosest that would not; what promises nothing is neither."""
    ladder = [Rung(0.05, math.inf), Rung(0.1, 0.9), Rung(0.2, 0.57), Rung(0.4, 0.38), Rung(0.5, 0.3)]
    found = flips(row_of(tmp_path, p=p), ladder)

    assert any(sentence.endswith(told) for sentence in found)


def test_a_gates_limit_that_is_told_lets_it_pass(tmp_path: Path) -> None:
    """Asked again with the limit of the sentence, the draft is written to its end and kept."""
    before = row_of(tmp_path, p=0.9, gates=[gate(0.5)])
    limit = number_in(flips(before), "a limit of")

    assert before["code"] == "gate"
    assert row_of(tmp_path, p=0.9, gates=[gate(limit)])["place"] == "device"


def test_what_a_gate_and_the_threshold_both_refuse_needs_both(tmp_path: Path) -> None:
    """Where the whole draft was seen, the limit alone is not said to be enough."""
    offline = Options(offline=True)
    long = ScriptedReply("a b c", p_correct=0.41, threshold=0.57)
    ledger = Ledger(tmp_path / "both.db", clock=lambda: 1.8e9)
    cloud = ScriptedTier("Paris.", name="large", place="cloud")
    with Cascade([ScriptedTier(long, gates=[gate(0.5)]), cloud], options=offline, ledger=ledger) as cascade:
        found = flips(ledger.answer(cascade.ask(QUESTION).id))

    assert found[0].startswith("a limit of -0.1")
    assert " and p_correct of 0.57" in found[0]
    assert found[0].endswith("would have kept it")


def test_a_worth_that_is_told_turns_the_decision(tmp_path: Path) -> None:
    """Just above the worth of the sentence the cloud is asked, just below it the device's answer is kept."""
    at = number_in(flips(row_of(tmp_path, p=0.7, value_usd=1e-6)), "a value_usd above")
    above, below = (row_of(tmp_path, p=0.7, value_usd=at * factor) for factor in (1.001, 0.999))

    assert (above["place"], below["place"]) == ("cloud", "device")
    assert number_in(flips(above), "a value_usd below") == pytest.approx(at, rel=1e-5)


@pytest.mark.parametrize(
    ("caps", "told"),
    [
        ("0calls/day", "budget: 1 more call"),
        ("0.000001usd/day", "budget: $0.00"),
        ("1usd/day", "budget: a larger one, or a known price"),
    ],
)
def test_a_budget_says_how_much_more(tmp_path: Path, caps: str, told: str) -> None:
    """By the numbers of the refusal: calls, dollars, or nothing where the price is not known."""
    price = None if caps == "1usd/day" else PRICE
    cloud = ScriptedTier("Paris.", name="large", place="cloud", price=price)
    found = flips(row_of(tmp_path, cloud=cloud, options=Options(caps=caps_of(caps))))

    assert any(sentence.startswith(told) for sentence in found)


def test_a_questions_own_limit_says_how_much_more(tmp_path: Path) -> None:
    """A limit raised by what is told lets the cloud be asked."""
    asked = Question.of(QUESTION)
    row = row_of(tmp_path, question=Question(asked.messages, limits=Limits(usd=0.001)))
    more = number_in(flips(row), "budget:")
    after = row_of(tmp_path, question=Question(asked.messages, limits=Limits(usd=0.001 + more)))

    assert (row["code"], after["place"]) == ("budget", "cloud")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options(offline=True), "a network that reaches the cloud, and no setting to be offline"),
        (Options(rules=Rules("never")), "privacy: a rule that lets it leave"),
        (Options(mode="only_on_device"), "mode prefer_on_device would have asked the cloud, if its own is not kept"),
        (Options(mode="only_in_cloud"), "mode prefer_on_device would have asked the device"),
    ],
)
def test_what_stood_in_the_way_is_named(tmp_path: Path, options: Options, told: str) -> None:
    """Settings that kept the question from the other place are among the sentences."""
    found = flips(row_of(tmp_path, options=options))

    assert told in found


def test_a_cloud_that_failed_is_what_was_missing(tmp_path: Path) -> None:
    """The local answer that stood in for it says so."""
    refused = CloudError("refused", code="refused")
    cloud = ScriptedTier(ScriptedReply("", fails=refused), name="large", place="cloud")

    assert "a cloud that answers" in flips(row_of(tmp_path, cloud=cloud))


def test_without_a_promise_the_calibration_is_what_was_missing(tmp_path: Path) -> None:
    """No fitted file: calibrate; one that promises nothing: its reason."""
    none, empty = row_of(tmp_path, p=None, kept_from=None), row_of(tmp_path, p=0.4, kept_from=None)

    assert flips(none) == ["a calibration: edgecascade calibrate"]
    assert flips(empty) == ["a calibration that promises something here: scripted"]


@pytest.mark.parametrize("content", [True, False])
def test_texts_are_told_only_where_they_are_kept(tmp_path: Path, content: bool) -> None:
    """Question, answer and tokens stand in the story with content, and nowhere without."""
    row = row_of(tmp_path, p=0.9, options=Options(content=content))
    told = "\n".join(line.text for part in story(row) for line in part.lines)

    assert (QUESTION in told, '" Lyon."' in told) == (content, content)


@pytest.mark.parametrize("mode", ["prefer_on_device", "only_on_device", "prefer_in_cloud", "only_in_cloud"])
def test_the_story_has_every_attempt_call_and_decision(tmp_path: Path, mode: Mode) -> None:
    """As many parts and lines as the record has, and each token with its probability."""
    row = row_of(tmp_path, options=Options(mode=mode))
    parts = {part.title: part.lines for part in story(row)}
    tokens = [line for lines in parts.values() for line in lines if line.probability is not None]

    assert len(parts["decided"]) == len(row["record"]["trace"])
    assert sum(title.startswith("attempt ") for title in parts) == len(row["record"]["attempts"])
    assert len(parts["left this device"]) == max(len(row["calls"]), 1)
    assert len(tokens) == sum(len(attempt["tokens"]) for attempt in row["record"]["attempts"])
    assert all(line.probability == pytest.approx(math.exp(-0.1)) for line in tokens)
