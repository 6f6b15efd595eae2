"""Tests of the first-token margin: as published on a stream, and as a pool's policy."""

from dataclasses import replace

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.policies.dynamic_margin import fit, margin_cascade, tiers
from edgecascade.policies.playing import play
from edgecascade.pool import Table

from .pool_worlds import world

ON, FRESH = world(400), world(400, seed=1)


def literal(margins: np.ndarray, c1: float, c2: float, budget: float) -> list[bool]:
    """The published rule with the past sorted anew for each question; no sum of costs is carried along."""
    n, escalated = len(margins), list[bool]()
    p = min(max((budget - c1) / c2, 0.0), 1.0)
    for row in range(n):
        left = budget * n - c1 * (row + 1) - c2 * sum(escalated)
        rest, past = n - row - 1, np.sort(margins[: row + 1])
        place = int(p * len(past) + 1e-9)
        close = row >= 20 and (place == len(past) or margins[row] < past[place])
        covers_all = left * (1 + 1e-9) >= (rest + 1) * c2 + rest * c1
        escalated.append(bool((close or covers_all) and left * (1 + 1e-9) >= c2 + rest * c1))
    return escalated


def test_the_stream_is_that_of_the_literal_rule() -> None:
    """On 200 seeded streams the running quantile escalates the same questions as sorting anew does."""
    random = np.random.default_rng(0)
    for _ in range(200):
        margins = random.random(random.integers(1, 60))
        c1, c2, budget = random.integers(0, 3), random.integers(1, 6), random.integers(0, 8)

        assert margin_cascade(margins.tolist(), c1, c2, budget).tolist() == literal(margins, c1, c2, budget)


@pytest.mark.parametrize("budget", [0.5, 1.0, 2.0, 3.5, 6.0, 9.0])
def test_a_stream_never_spends_more_than_it_has(budget: float) -> None:
    """At any budget that covers the small model the stream's cost stays within it, and none of it is left at the end.

    Left is less than one call, once more could be escalated.
    """
    random = np.random.default_rng(1)
    for _ in range(20):
        escalate = margin_cascade(random.random(300).tolist(), 1.0, 5.0, budget)
        cost = 300 + 5 * escalate.sum()

        assert cost <= max(budget, 1.0) * 300
        assert cost > min(budget, 6.0) * 300 - 5


def test_the_closest_calls_are_escalated() -> None:
    """On a long stream those whose margin is below the p-quantile are, but for the first twenty and the last few."""
    margins = np.random.default_rng(2).random(2000)
    escalate = margin_cascade(margins.tolist(), 1.0, 5.0, 2.5)

    assert np.mean(escalate[20:1800] == (margins[20:1800] < 0.3)) > 0.95


def test_the_policy_escalates_what_the_budget_pays() -> None:
    """On new questions it spends about the budget, and escalates close calls rather than clear ones."""
    fitted = fit(ON.training)
    game = play(fitted.at(3.0), FRESH.table, FRESH.features, FRESH.after)
    margins, up = FRESH.after[:, fitted.small], game.ran[:, fitted.large]

    assert game.cost.mean() == pytest.approx(3.0, rel=0.1)
    assert game.ran[:, fitted.small].all()
    assert margins[up].max() < margins[~up].min() + 0.1
    assert (game.answered == np.where(up, fitted.large, fitted.small)).all()


def test_a_budget_for_the_small_model_alone_escalates_nobody() -> None:
    """Not even a question whose call is closer than all that were seen before."""
    fitted = fit(ON.training)
    fitted = replace(fitted, margins=fitted.margins + 9.0)
    game = play(fitted.at(float(ON.table.cost[:, fitted.small].min())), FRESH.table, FRESH.features, FRESH.after)

    assert not game.ran[:, fitted.large].any()


def test_it_beats_the_random_choice_of_whom_to_escalate() -> None:
    """At its cost it has more quality than escalating as many at random."""
    fitted = fit(ON.training)
    game = play(fitted.at(3.0), FRESH.table, FRESH.features, FRESH.after)
    small, large = FRESH.table.quality[:, [fitted.small, fitted.large]].mean(axis=0)
    share = game.ran[:, fitted.large].mean()

    assert game.quality.mean() > (1 - share) * small + share * large


def test_the_threshold_follows_the_stream() -> None:
    """Where all margins are smaller than in training, ever fewer of the later rows are escalated."""
    fitted = fit(ON.training)
    policy, rows = fitted.at(3.0), FRESH.table.rows(np.repeat(np.argsort(FRESH.after[:, fitted.small])[:50], 40))
    again = np.repeat(np.argsort(FRESH.after[:, fitted.small])[:50], 40)
    mixed = np.random.default_rng(3).permutation(len(again))
    game = play(policy, rows.rows(mixed), FRESH.features[again][mixed], FRESH.after[again][mixed])
    up = game.ran[:, fitted.large]

    assert up[:400].mean() > 0.9
    assert up[-400:].mean() < 0.7


def test_the_small_model_is_the_cheapest_that_tells_its_margin() -> None:
    """The other is the best of the rest, at whatever cost."""
    table = ON.table.only(["large", "other", "middle"])

    assert tiers(ON.table) == (0, 3)
    assert tiers(table) == (2, 0)


def test_without_margins_it_says_what_is_wanted() -> None:
    """A table whose models were not watched, or of one model only, cannot be played."""
    for table in (Table.of(np.eye(3)), ON.table.only(["small"])):
        with pytest.raises(PolicyError, match="first-token margin"):
            tiers(table)
