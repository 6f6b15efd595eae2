"""One place only, or the cloud first."""

from collections.abc import Callable

import pytest

from edgecascade.policies import Closed, Situation, TierView, policy_of
from edgecascade.records import Attempt

Attempted = Callable[..., Attempt]
Situated = Callable[..., Situation]
DECIDE = policy_of()


@pytest.mark.parametrize(
    ("mode", "first"),
    [
        ("only_on_device", "device"),
        ("prefer_on_device", "device"),
        ("only_in_cloud", "cloud"),
        ("prefer_in_cloud", "cloud"),
    ],
)
def test_each_mode_begins_at_its_place(situated: Situated, mode: str, first: str) -> None:
    """Both being open."""
    assert DECIDE(situated(mode=mode)).run == first


@pytest.mark.parametrize(("mode", "place"), [("only_on_device", "device"), ("only_in_cloud", "cloud")])
def test_what_one_place_says_is_the_answer(situated: Situated, attempted: Attempted, mode: str, place: str) -> None:
    """Whatever is known of it."""
    decision = DECIDE(situated(attempted(place, place, p=0.01, threshold=0.9), mode=mode))

    assert (decision.run, decision.answer, decision.code) == (None, 0, "mode")


def test_the_next_tier_of_a_place_is_asked_where_one_fails(situated: Situated, attempted: Attempted) -> None:
    """In their order."""
    tiers = (TierView("device", "device"), TierView("other", "device"), TierView("cloud", "cloud"))
    decision = DECIDE(situated(attempted(failed="device", finish=None), mode="only_on_device", tiers=tiers))

    assert decision.run == "other"


@pytest.mark.parametrize(
    ("tiers", "code"),
    [
        ((TierView("device", "device"),), "no_cloud"),
        ((TierView("device", "device"), TierView("cloud", "cloud", Closed("offline", "no network"))), "offline"),
    ],
)
def test_the_device_answers_where_no_cloud_can(
    situated: Situated, attempted: Attempted, tiers: tuple[TierView, ...], code: str
) -> None:
    """Closed, or not even set up: with ``prefer_in_cloud`` the device is asked, and its answer taken."""
    first = DECIDE(situated(mode="prefer_in_cloud", tiers=tiers))
    last = DECIDE(situated(attempted(), mode="prefer_in_cloud", tiers=tiers))

    assert (first.run, first.code) == ("device", code)
    assert (last.run, last.answer, last.code) == (None, 0, code)


def test_a_covered_answer_is_not_called_uncovered(situated: Situated, attempted: Attempted) -> None:
    """Where the cloud was preferred and could not answer, the reason says what the certificate says."""
    tiers = (TierView("device", "device"),)
    kept, not_kept = (
        DECIDE(situated(attempted(p=p, threshold=0.5), mode="prefer_in_cloud", tiers=tiers)) for p in (0.6, 0.4)
    )

    assert kept.reason == "the device's answer, kept: no cloud is set up"
    assert not_kept.reason == "the device's answer, though not kept: no cloud is set up"


def test_a_cloud_that_failed_leaves_it_to_the_device(situated: Situated, attempted: Attempted) -> None:
    """And where the device fails too, the part that the cloud had written is the answer."""
    broken = attempted("cloud", "cloud", failed="broken_off")
    failed = attempted(failed="device", finish=None)

    assert DECIDE(situated(broken, broken, mode="prefer_in_cloud")).run == "device"
    assert DECIDE(situated(broken, broken, failed, mode="prefer_in_cloud")).answer == 1
