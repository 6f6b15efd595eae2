"""Costs in one unit, against the literal definition: what every plan is expected to be worth, outcome by outcome."""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgecascade.policies import Chance, Situation, TierView, moved, price, threshold
from edgecascade.policies.weighing import RULES, gates_pay, hedge_below, kept_from, price_of, worth_trying
from edgecascade.profile import Conditions, Weights
from edgecascade.records import Attempt, Question

Attempted = Callable[..., Attempt]
CERTIFIED = 0.5
DOCS = Path(__file__).parents[2] / "docs" / "thresholds.md"


def drawn(dice: random.Random) -> tuple[Weights, TierView, TierView, list[float]]:
    """Weights, a device, a cloud, and how likely each of twelve answers of the device is right."""
    weights = Weights(
        value_usd=dice.choice((None, 10 ** dice.uniform(-3, 0))),
        usd_per_second=dice.choice((0.0, 10 ** dice.uniform(-4, -2))),
        usd_per_joule=dice.choice((0.0, 10 ** dice.uniform(-5, -3))),
        usd_per_megabyte=dice.choice((0.0, 0.1)),
    )
    chances = sorted(dice.random() for _ in range(12))
    seconds = dice.uniform(0, 8)
    cloud = TierView(
        "cloud", "cloud", usd=10 ** dice.uniform(-4, -1), seconds=dice.uniform(0, 3), quality=dice.uniform(0.5, 1),
        joules=dice.uniform(0, 5), megabytes=dice.random() / 10,
    )  # fmt: skip
    return weights, TierView("device", "device", seconds=seconds, joules=seconds * 10), cloud, chances


def expected_worth(weights: Weights, cloud: TierView, p: float, *, keep: bool) -> float:
    """The mean worth of one way to go on behind the device, over who is right; without a value nobody needs to be."""
    total = 0.0
    for mine, theirs in itertools.product((True, False), repeat=2):
        chance = (p if mine else 1 - p) * (cloud.quality if theirs else 1 - cloud.quality)
        right = mine if keep else theirs
        total += chance * ((weights.value_usd or 0.0) * right - (0.0 if keep else price_of(weights, cloud) or 0.0))
    return total


def test_the_policy_is_the_best_plan(attempted: Attempted) -> None:
    """On 200 seeded cases no plan is worth more: the cloud alone, or the device with any answers kept that may be."""
    dice, question = random.Random(1), Question.of("Why?")
    for _ in range(200):
        weights, device, cloud, chances = drawn(dice)
        covered = [p for p in chances if p >= CERTIFIED]
        kept = [p for p in covered if p >= kept_from(weights, cloud)]
        device = replace(device, chance=Chance(len(kept) / 12, sum(kept) / len(kept)) if kept else Chance(0.0, 0.0))
        begun = Situation(question, "prefer_on_device", (device, cloud), weights=weights)
        made = [replace(begun, attempts=(attempted(p=p, threshold=CERTIFIED),)) for p in chances]
        keeps = [threshold(situation).code == "kept" for situation in made]
        tries = threshold(begun).run == "device"
        alone = expected_worth(weights, cloud, 0.0, keep=False)
        ways = [max(expected_worth(weights, cloud, p, keep=keep) for keep in {False, p >= CERTIFIED}) for p in chances]
        best = max(alone, sum(ways) / 12 - (price_of(weights, device) or 0.0))
        gone = [expected_worth(weights, cloud, p, keep=keep) for p, keep in zip(chances, keeps, strict=True)]
        here = sum(gone) / 12 - (price_of(weights, device) or 0.0) if tries else alone

        assert here == pytest.approx(best, abs=1e-12)


def test_with_a_value_alone_it_is_the_gain_against_the_price(attempted: Attempted) -> None:
    """The device is always tried, and given up where (q - p) V is more than the dollars."""
    dice, question = random.Random(2), Question.of("Why?")
    for _ in range(200):
        weights, device, cloud, chances = drawn(dice)
        value = weights.value_usd or 1.0
        here = replace(device, chance=Chance(dice.random(), dice.random()))
        begun = Situation(question, "prefer_on_device", (here, cloud), weights=Weights(value_usd=value))
        made = replace(begun, attempts=(attempted(p=chances[-1], threshold=CERTIFIED),))
        code = threshold(made).code

        assert threshold(begun).run == "device"
        assert chances[-1] < CERTIFIED or (code == "margin") is ((cloud.quality - chances[-1]) * value > cloud.usd)


def test_dearer_energy_never_speaks_for_the_device() -> None:
    """Where a try takes more of it than waiting for the cloud: once it is not worth its try, it stays so."""
    dice = random.Random(3)
    for _ in range(200):
        weights, device, cloud, _ = drawn(dice)
        here = replace(device, joules=cloud.joules + dice.random(), chance=Chance(dice.random(), dice.random()))
        tried = [worth_trying(replace(weights, usd_per_joule=cost), here, cloud) for cost in (0, 1e-4, 1e-3, 1e-2, 1)]

        assert tried == sorted(tried, reverse=True)


def test_the_more_a_right_answer_is_worth_the_fewer_are_kept() -> None:
    """Where an answer is kept from rises with its worth, never above the cloud's quality, and tends to it."""
    dice = random.Random(4)
    for _ in range(100):
        weights, _, cloud, _ = drawn(dice)
        at = [kept_from(replace(weights, value_usd=10.0**power), cloud) for power in range(-4, 9)]

        assert at == sorted(at) and at[-1] == pytest.approx(cloud.quality, abs=1e-6)


def test_price_is_a_sum() -> None:
    """Each part counts for itself, at its own weight."""
    weights = Weights(usd_per_second=2.0, usd_per_joule=3.0, usd_per_megabyte=5.0)

    assert price(weights, 1.0, 1.0, 1.0, 1.0) == 11.0
    assert [price(weights, **{name: 1.0}) for name in ("usd", "seconds", "joules", "megabytes")] == [1, 2, 3, 5]


def test_a_call_begun_early_pays_below_the_band_and_not_above() -> None:
    """On 200 seeded cases the closed form is the inequality, at every chance to be kept."""
    dice = random.Random(5)
    for _ in range(200):
        weights, device, cloud, _ = drawn(dice)
        band = hedge_below(weights, device.seconds, cloud)
        spared = weights.usd_per_second * min(device.seconds, cloud.seconds)
        lost = (cloud.usd or 0.0) + weights.usd_per_megabyte * cloud.megabytes
        for chance in (number / 50 for number in range(51)):
            pays = (1 - chance) * spared > chance * lost

            assert (chance < band) is pays or math.isclose(chance, band)


@pytest.mark.parametrize(
    ("weights", "changes", "band"),
    [
        (None, {}, 0.0),
        (Weights(), {}, 0.0),
        (Weights(usd_per_second=1.0), {"usd": None}, 0.0),
        (Weights(usd_per_second=1.0), {"seconds": 0.0}, 0.0),
        (Weights(usd_per_second=1.0), {"usd": 0.0}, 1.0),
    ],
)
def test_nothing_is_hedged_that_spares_no_time(
    weights: Weights | None, changes: dict[str, float | None], band: float
) -> None:
    """Nor where the price is unknown; a call for nothing is always begun."""
    cloud = replace(TierView("cloud", "cloud", usd=0.01, seconds=1.0), **changes)  # type: ignore[arg-type]

    assert hedge_below(weights, 2.0, cloud) == band


def test_gates_pay_where_they_save_more_than_they_lose() -> None:
    """On 200 seeded cases by the definition; where no token has a price they are used as without weights."""
    dice = random.Random(6)
    for _ in range(200):
        weights, _, cloud, _ = drawn(dice)
        chance, saved, alarms = Chance(dice.random(), dice.random()), dice.uniform(0, 40), dice.uniform(0, 0.2)
        token = dice.choice((0.0, 10 ** dice.uniform(-7, -4)))
        kept, given_up = (
            expected_worth(replace(weights, value_usd=weights.value_usd or 0.0), cloud, chance.p_correct, keep=keep)
            for keep in (True, False)
        )
        if weights.value_usd is None:
            kept, given_up = 0.0, -(price_of(weights, cloud) or 0.0)
        lost = alarms * chance.kept * max(kept - given_up, 0.0)
        found = gates_pay(weights, tokens_saved=saved, false_alarms=alarms, token_usd=token, chance=chance, cloud=cloud)

        assert found is (token == 0.0 or saved * token >= lost)


# Conditions.

ON_BATTERY = Conditions(on_battery=True)


@pytest.mark.parametrize(
    ("conditions", "factor", "sentences"),
    [
        (Conditions(), 1, 0),
        (Conditions(on_battery=False, battery=0.1), 1, 0),
        (ON_BATTERY, 2, 1),
        (replace(ON_BATTERY, battery=0.5), 2, 1),
        (replace(ON_BATTERY, battery=0.49), 4, 1),
        (replace(ON_BATTERY, battery=0.2), 4, 1),
        (replace(ON_BATTERY, battery=0.19), 10, 1),
        (Conditions(battery=0.19), 10, 1),
        (Conditions(throttled=True), 4, 1),
        (Conditions(throttled=False, celsius=79.9), 1, 0),
        (Conditions(celsius=80.0), 4, 1),
        (Conditions(throttled=True, celsius=99.0), 4, 1),
        (replace(ON_BATTERY, battery=0.1, throttled=True), 40, 2),
        (Conditions(metered=False, network=False, watts=9.0), 1, 0),
    ],
)
def test_each_condition_moves_by_its_rule(conditions: Conditions, factor: float, sentences: int) -> None:
    """Of battery and of heat the first rule that holds; what is unknown moves nothing; each is told once."""
    given = Weights(value_usd=1.0, usd_per_second=0.01, usd_per_joule=0.001)
    found, told = moved(given, conditions, celsius=80.0)

    assert found == replace(given, usd_per_joule=0.001 * factor)
    assert len(told) == sentences and all(str(round(factor)) in one or factor == 40 for one in told)


@pytest.mark.parametrize(("metered", "counts"), [(True, 0.1), (False, 0.0), (None, 0.0)])
def test_megabytes_count_where_the_link_is_metered(metered: bool | None, counts: float) -> None:
    """And nowhere else; said where they do."""
    found, told = moved(Weights(usd_per_megabyte=0.1), Conditions(metered=metered))

    assert found.usd_per_megabyte == counts
    assert told == (("the link is metered: a megabyte costs $0.1",) if metered else ())


def test_what_has_no_weight_is_not_said_to_be_moved() -> None:
    """Ten times nothing is nothing; heat without a known limit is none."""
    low = Conditions(on_battery=True, battery=0.05, celsius=120.0, metered=True)

    assert moved(Weights(value_usd=1.0), low) == (Weights(value_usd=1.0), ())
    assert len(moved(Weights(usd_per_joule=1.0), low)[1]) == 1


def test_the_page_has_every_rule() -> None:
    """In the order in which they are looked at, with its factor."""
    page = DOCS.read_text(encoding="utf-8").split("\n## What moves them\n")[1].split("\n## ")[0]
    rows = [line.strip("| ") for line in page.splitlines() if line.startswith("| ")][1:]

    assert [row for row in rows if "---" not in row] == [f"{rule.reason} | {rule.factor:g} times" for rule in RULES]
