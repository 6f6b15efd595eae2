"""What a policy sees: which tiers may be asked, and why the others may not."""

from collections.abc import Callable

import pytest

from edgecascade.policies import Closed, Situation, TierView
from edgecascade.policies.situation import best_left, failed_code
from edgecascade.records import Attempt

Attempted = Callable[..., Attempt]
Situated = Callable[..., Situation]


@pytest.mark.parametrize(
    ("on_break", "breaks", "again"),
    [("retry", 1, True), ("continue", 1, True), ("retry", 2, False), ("local", 1, False)],
)
def test_a_broken_answer_is_asked_for_once_more(
    situated: Situated, attempted: Attempted, on_break: str, breaks: int, again: bool
) -> None:
    """Unless the device is to answer then."""
    broken = [attempted("cloud", "cloud", failed="broken_off")] * breaks

    assert (situated(*broken, on_break=on_break).open("cloud") is not None) is again


def test_any_other_failure_closes_the_tier(situated: Situated, attempted: Attempted) -> None:
    """With its own reason; the next tier of the place is open."""
    failed = attempted("cloud", "cloud", failed="server", finish=None)
    one, two = situated(failed), situated(failed, tiers=(TierView("cloud", "cloud"), TierView("other", "cloud")))

    assert one.open("cloud") is None
    assert one.closed("cloud") == Closed("cloud_failed", "it failed: server")
    assert two.open("cloud") == TierView("other", "cloud")


def test_a_tier_that_is_stopped_again_and_again_is_given_up(situated: Situated, attempted: Attempted) -> None:
    """After two drafts that a gate stopped."""
    stopped = attempted(finish="cancelled", gates=(False,))

    assert situated(stopped).open("device") is not None
    assert situated(stopped, stopped).open("device") is None


def test_the_latest_is_the_latest_that_wrote(situated: Situated, attempted: Attempted) -> None:
    """Parts count unless whole ones are asked for."""
    situation = situated(attempted(), attempted(finish="cancelled"), attempted(finish=None, failed="device"))

    assert (situation.last("device"), situation.last("device", complete=True)) == (1, 0)
    assert situation.last("cloud") is None


def test_closing_a_place_keeps_older_reasons(situated: Situated) -> None:
    """What was closed before stays closed for what closed it."""
    blocked, mode = Closed("blocked", "a rule"), Closed("mode", "mode only_on_device")
    situation = situated().without("cloud", blocked).without_place("cloud", mode).without_place("device", mode)

    assert situation.closed("cloud") == blocked
    assert situation.closed("device") == mode


@pytest.mark.parametrize(
    ("place", "code", "named"),
    [
        ("cloud", "timeout", "offline"),
        ("cloud", "rate_limit", "cloud_failed"),
        ("cloud", "blocked", "blocked"),
        ("cloud", "budget", "budget"),
        ("device", "device", "device_failed"),
        ("device", "hedged", "hedged"),
        ("device", "anything", "device_failed"),
    ],
)
def test_a_failure_has_the_code_of_its_kind(attempted: Attempted, place: str, code: str, named: str) -> None:
    """What nobody foresaw counts as a failure of its place."""
    assert failed_code(attempted("it", place, failed=code)) == named


def test_a_whole_answer_of_the_device_goes_before_parts(situated: Situated, attempted: Attempted) -> None:
    """And a cloud's part before the device's."""
    whole, part = attempted(), attempted(finish="cancelled")
    broken = attempted("cloud", "cloud", failed="broken_off")

    assert best_left(situated(whole, broken, broken)).answer == 0
    assert best_left(situated(broken, broken, part)).answer == 1
    assert best_left(situated(part, part)).answer == 1


def test_where_nothing_came_every_reason_is_told(situated: Situated, attempted: Attempted) -> None:
    """The cloud's gives the code; that the mode forbids a place is no reason."""
    failed = attempted(failed="device", finish=None)
    both = best_left(situated(failed).without("cloud", Closed("offline", "no network")))
    forbidden = Closed("mode", "mode only_on_device")
    alone = best_left(situated(failed, mode="only_on_device").without_place("cloud", forbidden))

    assert (both.answer, both.code, both.reason) == (None, "offline", "it failed: device; no network")
    assert (alone.answer, alone.code, alone.reason) == (None, "device_failed", "it failed: device")


@pytest.mark.parametrize(("mode", "code"), [("only_on_device", "no_device"), ("only_in_cloud", "no_cloud")])
def test_a_place_that_is_not_set_up_is_named(situated: Situated, mode: str, code: str) -> None:
    """Not the one that the mode forbids anyway."""
    assert best_left(situated(mode=mode, tiers=())).code == code
