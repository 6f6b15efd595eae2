"""Tests of the plain baselines: the best single model, the random mix, the nearest neighbours."""

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.estimators.nearest import Nearest
from edgecascade.policies import constant, knn
from edgecascade.policies.frontier import upper_hull
from edgecascade.policies.playing import play
from edgecascade.pool import Seen

from .pool_worlds import World, world

FRESH = world(400, seed=1)


def single(on: World) -> np.ndarray:
    """Cost and quality of each single model."""
    return np.stack([on.table.cost.mean(axis=0), on.table.quality.mean(axis=0)], axis=1)


def test_the_constant_is_the_best_that_the_budget_allows() -> None:
    """At the cost of each model it is the best of those that cost no more, below all of them the cheapest."""
    on = world()
    fitted, points = constant.fit(on.training), single(on)
    for cost, _ in points:
        game = play(fitted.at(cost), on.table, on.features, on.after)

        assert game.quality.mean() == points[points[:, 0] <= cost, 1].max()
    assert play(fitted.at(0.0), on.table, on.features, on.after).cost.mean() == points[:, 0].min()


def test_the_random_mix_lies_on_the_hull() -> None:
    """On average over draws it has the cost that it may have, and the quality of the hull at that cost."""
    on, draws = world(), np.linspace(0, 1, 101)
    budget = 0.4 * single(on)[:, 0].min() + 0.6 * single(on)[:, 0].max()
    policy = constant.fit_random(on.training).at(budget)
    games = [play(policy, on.table, on.features, on.after, draw=np.full(120, draw)) for draw in draws]

    assert np.mean([game.cost.mean() for game in games]) == pytest.approx(budget, rel=0.01)
    assert np.mean([game.quality.mean() for game in games]) == pytest.approx(
        np.interp(budget, *upper_hull(single(on)).T), abs=0.01
    )


def test_the_next_best_stands_in_for_a_closed_model() -> None:
    """Where the best is closed the best of the others that the budget allows is asked, else the cheapest."""
    on = world()
    policy = constant.fit(on.training).at(float(single(on)[2, 0]))
    ranked = np.argsort(-single(on)[:3, 1])
    for closed in range(1, 3):
        open = ~np.isin(np.arange(4), ranked[:closed])

        assert (play(policy, on.table, on.features, on.after, open=open).answered == ranked[closed]).all()


def test_the_cheapest_stands_in_where_nothing_that_may_be_asked_is_open() -> None:
    """Whatever its place, and however good the others are."""
    fitted = constant.Constant("constant", ("a", "b", "c"), np.array([0.9, 0.8, 0.1]), np.tile([9.0, 5.0, 1.0], (4, 1)))
    seen = Seen.first(np.zeros((1, 1)), 3, open=np.array([[True, True, False]]))

    assert fitted.at(1.0).next(seen).tolist() == [[False, True, False]]
    assert np.argsort(-fitted.at(1.0).worth(Seen.first(np.zeros((1, 1)), 3))).tolist() == [[2, 1, 0]]


def test_who_is_asked_is_worth_most() -> None:
    """Where two tie too, and the draw decides."""
    policy = constant.fit_random(world().training).at(float(single(world())[:, 0].mean()))
    seen = Seen.first(np.zeros((50, 1)), 4, draw=np.linspace(0, 1, 50))
    asked = policy.next(seen).argmax(axis=1)

    assert (policy.worth(seen).argmax(axis=1) == asked).all() and len(set(asked)) == 2


def test_a_budget_with_confidence_is_spent_in_part() -> None:
    """More than the cheapest costs, and less than is spent on average without it; the more so, the surer."""
    on = world(400)
    budget, fitted = float(single(on)[:, 0].mean()), constant.fit_random(on.training)
    draw = np.linspace(0, 1, 400)
    spent = [
        play(fitted.at(budget, confidence=sure), on.table, on.features, on.after, draw=draw).cost.mean()
        for sure in (0.99, 0.6, None)
    ]

    assert single(on)[:, 0].min() < spent[0] < spent[1] < spent[2]


def test_the_neighbours_beat_the_random_mix() -> None:
    """Where features tell, kNN has more quality on new questions than the hull of the single models at its cost."""
    policy = knn.fit(world().training).at(float(single(FRESH)[:, 0].mean()))
    game = play(policy, FRESH.table, FRESH.features, FRESH.after)

    assert game.quality.mean() > np.interp(game.cost.mean(), *upper_hull(single(FRESH)).T)


def test_without_a_price_the_best_of_the_neighbours_answers() -> None:
    """The router takes the argmax of the neighbours' means, the cheaper where they are equal."""
    on = world()
    fitted = knn.fit(on.training)
    policy = fitted.at(None)
    means = Nearest.of(on.features, on.table.quality, fitted.nearest.neighbours)(FRESH.features)
    game = play(policy, FRESH.table, FRESH.features, FRESH.after)
    best = means.max(axis=1, keepdims=True)

    assert (means[np.arange(400), game.answered] == best[:, 0]).all()
    assert (game.cost <= np.where(means == best, FRESH.table.cost, np.inf).min(axis=1)).all()


def test_of_very_many_questions_some_are_kept() -> None:
    """Drawn by the seed, each once; of others all."""
    few, many, other = knn.kept(30, 0), knn.kept(20_000, 0), knn.kept(20_000, 1)

    assert few.tolist() == list(range(30))
    assert len(set(many)) == knn.MOST and many.max() > 15_000 and set(many) != set(other)


@pytest.mark.parametrize("module", [constant, knn], ids=["constant", "knn"])
def test_a_record_of_another_policy_is_refused(module: object) -> None:
    """The error names what was found and what was wanted."""
    with pytest.raises(PolicyError, match="found kind 'smart', wanted"):
        module.of_json({"kind": "smart"}, world().training.estimator)  # type: ignore[attr-defined]
