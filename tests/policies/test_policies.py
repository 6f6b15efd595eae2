"""Every policy keeps one contract, in every mode, whatever fails."""

import copy
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest

from edgecascade.policies import Policy, Situation, policy_of
from edgecascade.profile import Weights
from edgecascade.records import MODES, Code, Decision, Mode

NOTHING = Weights()
EVERYTHING = Weights(value_usd=0.1, usd_per_second=0.01, usd_per_joule=0.002, usd_per_megabyte=0.1)


def weighed(weights: Weights) -> Policy:
    """The policy at these weights."""
    return lambda situation: policy_of()(replace(situation, weights=weights))


POLICIES: dict[str, Policy] = {
    "threshold": policy_of(),
    "nothing": weighed(NOTHING),
    "value": weighed(Weights(value_usd=1.0)),
    "costs": weighed(Weights(usd_per_second=0.01, usd_per_joule=0.002)),
    "everything": weighed(EVERYTHING),
}
FORBIDDEN = {"only_on_device": "cloud", "only_in_cloud": "device"}

Walk = list[tuple[Situation, Decision]]
Walks = Callable[[Policy, Mode], list[Walk]]

contract = pytest.mark.parametrize(("name", "mode"), list(itertools.product(("threshold", "everything"), MODES)))


def ends(walks: Walks, name: str, mode: Mode) -> list[tuple[Situation, Decision]]:
    """The last step of each walk."""
    return [walk[-1] for walk in walks(POLICIES[name], mode)]


def runs(walks: Walks, name: str, mode: Mode) -> list[tuple[Situation, Decision]]:
    """All other steps."""
    return [step for walk in walks(POLICIES[name], mode) for step in walk if step[1].run is not None]


@contract
def test_a_decision_depends_on_the_situation_alone(walks: Walks, name: str, mode: Mode) -> None:
    """Asked twice it is the same, and the situation is left as it was."""
    for walk in walks(POLICIES[name], mode):
        for situation, decision in walk:
            before = copy.deepcopy(situation)
            again = POLICIES[name](situation)

            assert again == decision and situation == before


@contract
def test_it_always_ends(walks: Walks, name: str, mode: Mode) -> None:
    """No tier is asked more than twice, whatever comes of it."""
    for situation, decision in ends(walks, name, mode):
        names = [attempt.tier for attempt in situation.attempts]

        assert decision.run is None
        assert all(names.count(tier) <= 2 for tier in names)


@contract
def test_only_what_may_be_asked_is_asked(walks: Walks, name: str, mode: Mode) -> None:
    """Never a closed tier, never a place that the mode forbids."""
    for situation, decision in runs(walks, name, mode):
        tier = next(tier for tier in situation.tiers if tier.name == decision.run)

        assert tier.closed is None
        assert tier.place != FORBIDDEN.get(mode)


@contract
def test_a_tier_that_failed_is_not_asked_again(walks: Walks, name: str, mode: Mode) -> None:
    """One whose answer broke off is, but not where the device is to answer then."""
    for situation, decision in runs(walks, name, mode):
        failures = [made.failure.code for made in situation.attempts if made.tier == decision.run and made.failure]

        assert failures in ([], ["broken_off"])
        assert not failures or situation.on_break != "local"


@contract
def test_the_limits_of_the_question_hold(walks: Walks, name: str, mode: Mode) -> None:
    """Neither calls nor dollars pass them; with a limit in dollars no unknown price is risked."""
    for situation, decision in runs(walks, name, mode):
        tier = next(tier for tier in situation.tiers if tier.name == decision.run)
        limits, asked = situation.question.limits, [made for made in situation.attempts if made.place == "cloud"]
        costs = [made.usd for made in asked] + [tier.usd]
        if tier.place == "device":
            continue

        assert limits.calls is None or len(asked) < limits.calls
        assert limits.usd is None or sum(cost if cost is not None else 1e9 for cost in costs) <= limits.usd


@contract
def test_kept_is_what_the_certificate_covers(walks: Walks, name: str, mode: Mode) -> None:
    """Whole, p_correct at its threshold, every gate passed; and what is covered is kept or not worth keeping."""
    for situation, decision in ends(walks, name, mode):
        if decision.code != "kept":
            continue
        assert decision.answer is not None
        answer = situation.attempts[decision.answer]

        assert mode == "prefer_on_device" and answer.place == "device"
        assert answer.complete and answer.estimate.kept and all(gate.passed for gate in answer.gates)


@contract
def test_the_answer_is_there(walks: Walks, name: str, mode: Mode) -> None:
    """It is a whole one where there is any, a part where there is none, and missing only where nothing came."""
    for situation, decision in ends(walks, name, mode):
        written = [made for made in situation.attempts if made.draft is not None]

        if decision.answer is None:
            assert not written
        else:
            answer = situation.attempts[decision.answer]
            assert answer in written
            assert answer.complete or not any(made.complete for made in written)


@contract
def test_a_decision_says_why(walks: Walks, name: str, mode: Mode) -> None:
    """A known code, a sentence without a full stop, and numbers by name."""
    for _, decision in runs(walks, name, mode) + ends(walks, name, mode):
        assert decision.code in get_args(Code)
        assert decision.reason and not decision.reason.endswith(".")
        assert all(isinstance(value, float | int | str | None) for value in decision.terms.values())


@contract
def test_surer_stays_kept(walks: Walks, name: str, mode: Mode) -> None:
    """Raising p_correct never takes a kept answer away."""
    for situation, decision in ends(walks, name, mode):
        if decision.code != "kept" or decision.answer is None:
            continue
        kept = situation.attempts[decision.answer]
        for p in (0.5 + (kept.estimate.p_correct or 0.0) / 2, 1.0):
            surer = replace(kept, estimate=replace(kept.estimate, p_correct=max(p, kept.estimate.p_correct or 0.0)))
            attempts = tuple(surer if made is kept else made for made in situation.attempts)

            assert POLICIES[name](replace(situation, attempts=attempts)).code == "kept"


@pytest.mark.parametrize("name", ["value", "costs", "everything"])
def test_weights_are_never_looser(walks: Walks, name: str) -> None:
    """What they keep the certificate keeps; what they give up or do not try stays theirs."""
    steps = [step for walk in walks(POLICIES[name], "prefer_on_device") for step in walk]
    kept = [(situation, decision) for situation, decision in steps if decision.code == "kept"]
    given_up = [situation for situation, decision in steps if decision.run and decision.code == "margin"]
    untried = [situation for situation, decision in steps if decision.run and decision.code == "not_worth"]

    assert kept and all(POLICIES["threshold"](situation).answer == decision.answer for situation, decision in kept)
    assert all(POLICIES["threshold"](situation).code == "kept" for situation in given_up)
    assert bool(given_up) is (name != "costs") and bool(untried) is (name != "value")
    assert not any(made.place == "device" and made.draft for situation in untried for made in situation.attempts)


@pytest.mark.parametrize("mode", MODES)
def test_weights_of_nothing_change_nothing(walks: Walks, mode: Mode) -> None:
    """At weights that are all 0 every decision is that without weights, codes and reasons too."""
    steps = [step for walk in walks(POLICIES["threshold"], mode) for step in walk]
    same = [(decision, POLICIES["nothing"](situation)) for situation, decision in steps]

    assert all(replace(one, terms={}) == replace(other, terms={}) for one, other in same)


@pytest.mark.parametrize("name", POLICIES)
def test_the_order_of_device_and_cloud_says_nothing(walks: Walks, name: str) -> None:
    """Tiers in another order, those of a place among themselves as they were: the same decision."""
    for walk in walks(POLICIES[name], "prefer_on_device"):
        for situation, decision in walk:
            turned = sorted(situation.tiers, key=lambda tier: tier.place)

            assert POLICIES[name](replace(situation, tiers=tuple(turned))) == decision
