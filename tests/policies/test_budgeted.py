"""The limits of one question: what would pass them is not asked, and the decision says so."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from edgecascade.policies import Closed, Situation, TierView, policy_of, within_limits
from edgecascade.records import Attempt, Decision, Limits, Question

Attempted = Callable[..., Attempt]
Situated = Callable[..., Situation]


def decide(situation: Situation) -> Decision:
    """Decide as a cascade does."""
    return policy_of()(within_limits(situation))


def limited(**limits: float) -> Question:
    """A question with these limits."""
    return replace(Question.of("Why?"), limits=Limits(**limits))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "run"), [({"calls": 0}, False), ({"calls": 1}, True), ({"usd": 0.009}, False), ({"usd": 0.01}, True)]
)
def test_a_cloud_is_asked_up_to_the_limit(
    situated: Situated, attempted: Attempted, limits: dict[str, float], run: bool
) -> None:
    """A call may cost a cent here; beyond the limit the device's answer is taken, with that reason."""
    decision = decide(situated(attempted(p=0.1, threshold=0.5), question=limited(**limits)))

    assert (decision.run == "cloud") is run
    assert run or (decision.answer, decision.code) == (0, "budget")
    assert run or "own limit" in decision.reason


def test_what_was_spent_counts(situated: Situated, attempted: Attempted) -> None:
    """A broken answer has cost what it cost; a second one must fit behind it."""
    broken = attempted("cloud", "cloud", failed="broken_off", usd=0.004)
    tight, ample = (decide(situated(attempted(), broken, question=limited(usd=usd))) for usd in (0.0139, 0.0141))

    assert tight.code == "budget" and tight.run is None
    assert ample.run == "cloud"


@pytest.mark.parametrize("unknown", ["price", "spent"])
def test_an_unknown_cost_fits_no_limit(situated: Situated, attempted: Attempted, unknown: str) -> None:
    """Neither of the next call nor of an earlier one; without a limit nobody minds."""
    broken = attempted("cloud", "cloud", failed="broken_off", usd=None if unknown == "spent" else 0.0)
    tiers = (TierView("device", "device"), TierView("cloud", "cloud", usd=None if unknown == "price" else 0.0))

    assert decide(situated(attempted(), broken, question=limited(usd=9.0), tiers=tiers)).code == "budget"
    assert decide(situated(attempted(), broken, tiers=tiers)).run == "cloud"


def test_a_cheaper_cloud_is_asked_instead(situated: Situated, attempted: Attempted) -> None:
    """The next in order whose price fits."""
    tiers = (TierView("device", "device"), TierView("dear", "cloud", usd=1.0), TierView("cheap", "cloud", usd=0.01))

    assert decide(situated(attempted(), question=limited(usd=0.02), tiers=tiers)).run == "cheap"


def test_an_older_reason_goes_before(situated: Situated, attempted: Attempted) -> None:
    """A cloud that is offline, or has failed, is not called too dear."""
    offline = situated(question=limited(usd=0.0)).without("cloud", Closed("offline", "no network"))
    failed = situated(attempted("cloud", "cloud", failed="offline", finish=None), question=limited(calls=1))

    assert within_limits(offline) == offline
    assert within_limits(failed) == failed


def test_the_device_costs_nothing(situated: Situated) -> None:
    """It is asked within any limit."""
    assert decide(situated(question=limited(usd=0.0, calls=0), mode="only_on_device")).run == "device"


def test_a_draft_stopped_for_a_cloud_beyond_the_limit_does_not_go_round(
    situated: Situated, attempted: Attempted
) -> None:
    """It is written again once, and then given as it is."""
    stopped = attempted(finish="cancelled", gates=(False,))
    decisions = [decide(situated(*[stopped] * count, question=limited(calls=0))) for count in (1, 2)]

    assert [decision.run for decision in decisions] == ["device", None]
    assert decisions[1].answer == 1
