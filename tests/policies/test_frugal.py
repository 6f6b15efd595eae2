"""Tests of the threshold cascade: its frontier is what trying every setting finds, and it plays what it counted."""

from itertools import product

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.policies.frugal import (
    Chain,
    Setting,
    chains,
    fit,
    frontier,
    grid_of,
    looks_of,
    of_json,
    over_thresholds,
)
from edgecascade.policies.playing import play
from edgecascade.pool import Array, Beliefs, Seen, Table

from .pool_worlds import Told, world

ON, FRESH = world(), world(400, seed=1)


def test_the_histogram_counts_what_every_setting_would_do() -> None:
    """On 200 seeded settings the cumulated sums equal going through the chain question by question."""
    random = np.random.default_rng(0)
    for _ in range(200):
        length = random.integers(1, 4)
        looks = [random.integers(0, 6, 20) / 5 for _ in range(length - 1)]
        values, grids = random.random((20, length)), [np.unique(random.random(3)) for _ in looks]
        bins = [np.searchsorted(grid, look, side="right") for grid, look in zip(grids, looks, strict=True)]
        cell = tuple(int(random.integers(len(grid))) for grid in grids)
        stops = [
            next((at for at in range(length - 1) if looks[at][row] >= grids[at][cell[at]]), length - 1)
            for row in range(20)
        ]

        assert over_thresholds(values, bins, grids)[cell] == pytest.approx(values[np.arange(20), stops].mean())


def test_the_grid_is_that_of_the_paper() -> None:
    """40 quantiles, the least of which keeps every answer; as many as there are where looks are few."""
    looks = np.random.default_rng(0).random(1000)

    assert len(grid_of(looks)) == 40 and grid_of(looks)[0] == looks.min()
    assert grid_of(np.array([0.2, 0.7, 0.2])).tolist() == [0.2, 0.7]


def test_a_setting_plays_as_it_was_counted() -> None:
    """Played on the training questions, every setting of the frontier has the cost and quality that the fit found."""
    fitted = fit(ON.training)
    for place in range(0, len(fitted.settings), 7):
        game = play(Chain(fitted.models, fitted.settings[place], fitted.estimator), ON.table, ON.features, ON.after)

        assert game.cost.mean() == pytest.approx(fitted.cost[place])
        assert game.quality.mean() == pytest.approx(fitted.quality[place])


def test_nothing_on_the_grid_beats_the_frontier() -> None:
    """Every chain at some thresholds of its grid is no better than the frontier at its cost."""
    settings, cost, quality = frontier(ON.table, ON.training.beliefs)
    for chain in chains(4):
        grids = [grid_of(look)[::19] for look in looks_of(ON.training.beliefs, chain)]
        for thresholds in product(*grids):
            policy = Chain(ON.table.models, Setting(chain, thresholds), ON.training.estimator)
            game = play(policy, ON.table, ON.features, ON.after)
            best = quality[np.flatnonzero(cost <= game.cost.mean() + 1e-9)[-1]]

            assert game.quality.mean() <= best + 1e-9
    assert (np.diff(cost) > 0).all()
    assert (np.diff(quality) > 0).all()
    assert len(settings) == len(cost)


def test_more_budget_is_never_worse() -> None:
    """The training quality of what a budget buys rises with it, up to the best of all settings."""
    fitted = fit(ON.training)
    games = [play(fitted.at(budget), ON.table, ON.features, ON.after) for budget in (0.5, 1.0, 2.0, 4.0, None)]
    qualities = [game.quality.mean() for game in games]

    assert qualities == sorted(qualities)
    assert qualities[-1] == pytest.approx(fitted.quality.max())


def test_it_beats_its_models_on_new_questions() -> None:
    """Where answers show how good they are, the cascade is better than the best single model, and costs less."""
    fitted = fit(ON.training)
    best = FRESH.table.quality.mean(axis=0).argmax()
    game = play(fitted.at(FRESH.table.cost[:, best].mean() * 0.8), FRESH.table, FRESH.features, FRESH.after)

    assert game.quality.mean() > FRESH.table.quality[:, best].mean()
    assert game.cost.mean() < FRESH.table.cost[:, best].mean()


def test_a_closed_link_is_skipped() -> None:
    """Where a model of the chain may not be asked the next one is; where none may, another answers."""
    policy = Chain(ON.table.models, Setting((0, 1, 3), (2.0, 2.0)), ON.training.estimator)
    without = play(policy, ON.table, ON.features, ON.after, open=[True, False, True, True])
    other = play(policy, ON.table, ON.features, ON.after, open=[False, False, True, False])

    assert (without.ran == [True, False, False, True]).all()
    assert (without.answered == 3).all()
    assert (other.answered == 2).all()


class Swayed(Told):
    """Thinks the better of the first model's answer once others have run as well."""

    def quality(self, seen: Seen) -> Array:
        """As told, but for that."""
        return np.where(seen.ran[:, [1]] & (np.arange(4) == 0), 1.0, Told.quality(self, seen))


def test_an_answer_that_was_passed_stays_passed() -> None:
    """What the next model shows of an earlier answer stops nothing: each threshold is asked once."""
    swayed = Swayed(ON.table.models, (0, 1, 2, 3), ON.training.beliefs.covariances)
    policy = Chain(ON.table.models, Setting((0, 1, 3), (0.9999, 2.0)), swayed)
    game = play(policy, ON.table, ON.features, ON.after)

    assert game.ran[:, [0, 1, 3]].all()
    assert (game.answered == 3).all()


def test_one_model_is_a_chain_of_one() -> None:
    """A pool of one model is the constant."""
    alone = Table.of([[1.0], [0.0]], [[1.0], [1.0]])
    beliefs = Beliefs(
        means=np.full((2, 2, 1), 0.5), state=np.arange(2), covariances=np.zeros((2, 1, 1)), cost=alone.cost
    )
    settings, cost, quality = frontier(alone, beliefs)

    assert settings == [Setting((0,), ())]
    assert (cost.tolist(), quality.tolist()) == ([1.0], [0.5])


def test_a_damaged_record_is_refused() -> None:
    """A chain without its thresholds cannot be played."""
    record = fit(ON.training).as_json()
    record["thresholds"] = np.full((len(record["chains"]), 2), np.nan)

    with pytest.raises(PolicyError, match="do not fit"):
        of_json(record, ON.training.estimator)


def test_every_chain_is_tried_once() -> None:
    """All orders of up to three models: 8 + 56 + 336 of eight models."""
    found = list(chains(8))

    assert len(found) == len(set(found)) == 8 + 56 + 336
    assert {len(set(chain)) for chain in found} == {1, 2, 3}
