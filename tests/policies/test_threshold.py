"""The device first; the cloud where its answer is not kept, and why."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from edgecascade.policies import Chance, Closed, Situation, TierView, threshold
from edgecascade.profile import Weights
from edgecascade.records import Attempt, Question, Tool

Attempted = Callable[..., Attempt]
Situated = Callable[..., Situation]
OFFLINE = Closed("offline", "no network")


def test_covered_is_kept(situated: Situated, attempted: Attempted) -> None:
    """From the very threshold on, with both numbers among the terms."""
    decision = threshold(situated(attempted(p=0.6, threshold=0.6, gates=(True, True))))

    assert (decision.run, decision.answer, decision.code) == (None, 0, "kept")
    assert decision.terms == {"p_correct": 0.6, "threshold": 0.6}


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"p": 0.5, "threshold": 0.6}, "not_kept"),
        ({"p": 0.9}, "no_promise"),
        ({}, "no_promise"),
        ({"p": 0.9, "threshold": 0.6, "gates": (True, False)}, "gate"),
        ({"finish": "cancelled", "gates": (False,)}, "gate"),
        ({"finish": "cancelled", "failed": "hedged"}, "hedged"),
        ({"finish": "cancelled", "failed": "device"}, "device_failed"),
        ({"finish": None, "failed": "device"}, "device_failed"),
    ],
)
def test_what_is_not_covered_goes_to_the_cloud(
    situated: Situated, attempted: Attempted, made: dict[str, object], code: str
) -> None:
    """With the reason, which stays the reason once the cloud has answered; offline a whole answer is given anyway."""
    draft, cloud = attempted(**made), attempted("cloud", "cloud")
    asked = threshold(situated(draft))
    answered = threshold(situated(draft, cloud))
    without = threshold(situated(draft).without("cloud", OFFLINE))

    assert (asked.run, asked.code) == ("cloud", code)
    assert (answered.run, answered.answer, answered.code) == (None, 1, code)
    assert without.run != "cloud"
    assert not draft.complete or (without.answer, without.code) == (0, "offline")


def test_a_draft_that_was_stopped_in_vain_is_written_again(situated: Situated, attempted: Attempted) -> None:
    """Once: the cloud that it was stopped for cannot be had."""
    stopped, failed = attempted(finish="cancelled", gates=(False,)), attempted("cloud", "cloud", failed="server")
    again = threshold(situated(stopped, failed))
    end = threshold(situated(stopped, failed, stopped))

    assert (again.run, again.code) == ("device", "cloud_failed")
    assert end.run is None and end.answer is not None


def test_tools_are_for_the_cloud(situated: Situated, attempted: Attempted) -> None:
    """The device is not even asked; without a cloud it answers in words."""
    question = replace(Question.of("Why?"), tools=(Tool("f", "", "{}"),))
    asked = threshold(situated(question=question))
    answered = threshold(situated(attempted("cloud", "cloud"), question=question))

    assert (asked.run, asked.code) == ("cloud", "tools")
    assert (answered.answer, answered.code) == (0, "tools")
    assert threshold(situated(question=question).without("cloud", OFFLINE)).run == "device"


def test_without_a_model_on_the_device_the_cloud_answers(situated: Situated) -> None:
    """And says so."""
    decision = threshold(situated(tiers=(TierView("cloud", "cloud"),)))

    assert (decision.run, decision.code) == ("cloud", "no_device")


def test_a_gate_is_named_with_its_numbers(situated: Situated, attempted: Attempted) -> None:
    """What it saw, where, and what it wanted."""
    decision = threshold(situated(attempted(p=0.9, threshold=0.6, gates=(True, False))))

    assert decision.terms["gate"] == "G1" and decision.terms["at"] == 16
    assert decision.reason == "gate G1 speaks against the draft: 0.00, passes from 0.00"


# With weights

DOLLAR = Weights(value_usd=1.0)


def test_a_covered_answer_is_given_up_where_the_cloud_is_worth_its_price(
    situated: Situated, attempted: Attempted
) -> None:
    """A gain of 0.2 right answers at a dollar each, for a cent; and the code stays that once the cloud has answered."""
    draft = attempted(p=0.7, threshold=0.6)
    asked = threshold(situated(draft, weights=DOLLAR))
    answered = threshold(situated(draft, attempted("cloud", "cloud"), weights=DOLLAR))

    assert (asked.run, asked.code) == ("cloud", "margin")
    assert asked.terms["gain"] == pytest.approx(0.2) and asked.terms["cost_usd"] == 0.01
    assert asked.terms["kept_from"] == pytest.approx(0.89)
    assert (answered.answer, answered.code) == (1, "margin")
    assert "kept from 0.60, and the cloud's expected gain was worth its price" in answered.reason


@pytest.mark.parametrize(
    ("weights", "changes"),
    [
        (Weights(value_usd=0.04), {}),
        (Weights(usd_per_second=1.0), {}),
        (DOLLAR, {"usd": None}),
        (DOLLAR, {"closed": OFFLINE}),
        (DOLLAR, {"quality": 0.7}),
        (Weights(value_usd=1.0, usd_per_second=0.1), {"seconds": 2.0}),
        (Weights(value_usd=1.0, usd_per_joule=0.1), {"joules": 2.0}),
        (Weights(value_usd=1.0, usd_per_megabyte=10.0), {"megabytes": 0.02}),
    ],
)
def test_it_is_kept_where_the_cloud_is_not_worth_it(
    situated: Situated, attempted: Attempted, weights: Weights, changes: dict[str, object]
) -> None:
    """Too dear in dollars, time, energy or volume, of unknown price, out of reach, or no better."""
    cloud = replace(TierView("cloud", "cloud", usd=0.01, quality=0.9), **changes)  # type: ignore[arg-type]
    tiers = (TierView("device", "device"), cloud)
    decision = threshold(situated(attempted(p=0.7, threshold=0.6), tiers=tiers, weights=weights))

    assert (decision.answer, decision.code) == (0, "kept")


def test_what_a_call_usually_costs_counts_before_the_most_that_it_can(situated: Situated, attempted: Attempted) -> None:
    """A bound that is too dear does not keep what the usual price gives up."""
    draft, here = attempted(p=0.7, threshold=0.6), TierView("device", "device")
    codes = [
        threshold(
            situated(
                draft,
                tiers=(here, TierView("cloud", "cloud", usd=0.5, quality=0.9, usual_usd=usual)),
                weights=DOLLAR,
            )
        ).code
        for usual in (None, 0.01)
    ]

    assert codes == ["kept", "margin"]


def test_weights_never_keep_what_is_not_covered(situated: Situated, attempted: Attempted) -> None:
    """However dear the cloud is."""
    weights = Weights(value_usd=1e-9, usd_per_second=9.0)

    assert threshold(situated(attempted(p=0.5, threshold=0.6), weights=weights)).run == "cloud"


def passed_over(**changes: object) -> tuple[TierView, ...]:
    """A device that is kept too seldom for the seconds that it takes, at a cent each, and a cloud for a cent."""
    here = TierView("device", "device", seconds=5.0, chance=Chance(0.5, 0.9))
    return (replace(here, **changes), TierView("cloud", "cloud", usd=0.01, quality=0.9))  # type: ignore[arg-type]


def test_a_device_that_is_not_worth_its_try_is_passed_over(situated: Situated, attempted: Attempted) -> None:
    """With every number, which stays the reason; where the cloud fails, or is closed, the device answers."""
    given = {"tiers": passed_over(), "weights": Weights(usd_per_second=0.01)}
    asked = threshold(situated(**given))
    answered = threshold(situated(attempted("cloud", "cloud"), **given))
    failed = threshold(situated(attempted("cloud", "cloud", failed="server", finish=None), **given))
    offline = threshold(situated(**given).without("cloud", OFFLINE))

    assert (asked.run, asked.code) == ("cloud", "not_worth")
    assert (asked.terms["chance_kept"], asked.terms["device_usd"], asked.terms["cost_usd"]) == (0.5, 0.05, 0.01)
    assert (answered.answer, answered.code, answered.reason) == (0, "not_worth", asked.reason)
    assert asked.reason == "a try on the device costs $0.050, and 50% of them are kept"
    assert failed.run == offline.run == "device"


@pytest.mark.parametrize(
    "changes", [{"chance": None}, {"seconds": 0.0}, {"seconds": 0.5}, {"chance": Chance(1.0, 0.9), "seconds": 1.0}]
)
def test_a_device_is_tried_where_that_is_worth_it_or_unknown(situated: Situated, changes: dict[str, object]) -> None:
    """A chance that nobody knows, a try that costs nothing, or less than it spares; on the edge, too."""
    decision = threshold(situated(tiers=passed_over(**changes), weights=Weights(usd_per_second=0.01)))

    assert (decision.run, decision.code) == ("device", "mode")


def test_a_broken_answer_is_not_called_not_worth(situated: Situated, attempted: Attempted) -> None:
    """The cloud is asked again, for what went wrong."""
    broken = attempted("cloud", "cloud", failed="broken_off", finish=None)
    decision = threshold(situated(broken, tiers=passed_over(), weights=Weights(usd_per_second=0.01)))

    assert (decision.run, decision.code) == ("cloud", "broken_off")
