"""A ceiling becomes the least price that keeps it, or is refused with the best that can be had."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgecascade.errors import ConfigError
from edgecascade.profile import Weights
from edgecascade.simulate.playing import Scene, play
from edgecascade.simulate.rows import Row
from edgecascade.simulate.solving import priced


def p95(rows: tuple[Row, ...], scene: Scene, weights: Weights) -> float:
    """The 95th percentile of the seconds at these weights."""
    return float(
        np.quantile([one.seconds for one in play(rows, replace(scene, weights=weights))], 0.95, method="inverted_cdf")
    )


def mean_usd(rows: tuple[Row, ...], scene: Scene, weights: Weights) -> float:
    """The mean price at these weights."""
    return float(np.mean([one.usd for one in play(rows, replace(scene, weights=weights))]))


def test_without_ceilings_nothing_is_priced(hand: Any, rows: tuple[Row, ...]) -> None:
    """The weights come back as they are."""
    weights = Weights(value_usd=0.1, usd_per_joule=0.2)

    assert priced(weights, rows, hand.scene(rows)) == weights


def test_a_ceiling_that_is_kept_anyway_costs_nothing(hand: Any, rows: tuple[Row, ...]) -> None:
    """The price of a second stays what it was."""
    found = priced(Weights(seconds=1000.0, usd_per_second=1e-6), rows, hand.scene(rows))

    assert found == Weights(usd_per_second=1e-6)


def test_seconds_are_kept_at_about_the_least_price(hand: Any, rows: tuple[Row, ...]) -> None:
    """At the price the ceiling holds, at a hundredth less it does not."""
    scene = hand.scene(rows, hedge_below=0.0)
    found = priced(Weights(seconds=2.0), rows, scene)

    assert p95(rows, scene, found) <= 2.0
    assert p95(rows, scene, replace(found, usd_per_second=0.99 * found.usd_per_second)) > 2.0


def test_a_budget_buys_as_much_quality_as_it_can(hand: Any, rows: tuple[Row, ...]) -> None:
    """The mean price is within it, and a right answer that is worth a hundredth more would break it."""
    scene = hand.scene(rows, cloud=hand.cloud(quality=1.0))
    found = priced(Weights(usd=0.0008, value_usd=10.0), rows, scene)

    assert found.value_usd is not None and mean_usd(rows, scene, found) <= 0.0008
    assert mean_usd(rows, scene, replace(found, value_usd=1.01 * found.value_usd)) > 0.0008


def test_a_larger_budget_never_buys_less(hand: Any, rows: tuple[Row, ...]) -> None:
    """What a right answer may be worth rises with what there is to spend."""
    scene = hand.scene(rows, cloud=hand.cloud(quality=1.0))
    budgets = (0.0007, 0.0008, 0.0009, 0.001)
    worth = [priced(Weights(usd=usd, value_usd=10.0), rows, scene).value_usd or 0.0 for usd in budgets]

    assert worth == sorted(worth)


@pytest.mark.parametrize("value", [None, 0.001])
def test_a_budget_that_is_kept_anyway_changes_nothing(hand: Any, rows: tuple[Row, ...], value: float | None) -> None:
    """Certified answers stay on the device, however much there is to spend."""
    assert priced(Weights(usd=5.0, value_usd=value), rows, hand.scene(rows)) == Weights(value_usd=value)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (Weights(seconds=0.5), "found 1 s at best, wanted 0.5"),
        (Weights(usd=1e-5), "at best, wanted \\$1e-05"),
        (Weights(usd=1e-5, value_usd=1.0), "at best, wanted \\$1e-05"),
    ],
)
def test_what_no_price_keeps_is_refused(hand: Any, rows: tuple[Row, ...], weights: Weights, said: str) -> None:
    """With the best that can be had, and what to do."""
    with pytest.raises(ConfigError, match=said):
        priced(weights, rows, hand.scene(rows))


def test_two_ceilings_that_break_each_other_are_refused(hand: Any, rows: tuple[Row, ...]) -> None:
    """In time means from the cloud, which costs more than there is; each by itself can be kept."""
    scene = hand.scene(rows, hedge_below=0.0)

    assert priced(Weights(seconds=1.5), rows, scene) and priced(Weights(usd=0.0008), rows, scene)
    with pytest.raises(ConfigError, match=r"two ceilings .* found \$0\.001000 .* wanted \$0\.0008"):
        priced(Weights(seconds=1.5, usd=0.0008), rows, scene)


def test_a_budget_without_a_price_is_refused(hand: Any, rows: tuple[Row, ...]) -> None:
    """What is unknown cannot be kept small."""
    with pytest.raises(ConfigError, match="price is unknown"):
        priced(Weights(usd=1.0), rows, hand.scene(rows, cloud=hand.cloud(None)))
