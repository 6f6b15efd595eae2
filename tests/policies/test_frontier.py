"""Tests of the sweep over all prices of cost, and of curves of quality by cost."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from edgecascade.policies.frontier import (
    Mix,
    affordable,
    area,
    keeps,
    lagrangian_sweep,
    taken,
    upper_hull,
)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and costs of a few questions, half of the worlds full of ties."""
    random = np.random.default_rng(seed)
    n, k = random.integers(1, 5), random.integers(1, 5)
    if seed % 2:
        return random.integers(0, 3, (n, k)) / 2, np.tile(random.integers(1, 4, k), (n, 1)).astype(float)
    return random.random((n, k)), random.random((n, k))


def best_at(value: np.ndarray, cost: np.ndarray, budget: float) -> float:
    """The best mean value of all chances of all models within a budget, by linear programming."""
    n, k = value.shape
    each = np.kron(np.eye(n), np.ones(k))
    found = linprog(-value.ravel() / n, cost.ravel()[None, :] / n, [budget], each, np.ones(n))
    return float(-found.fun)


@pytest.mark.parametrize("seeds", [range(100), range(100, 200)], ids=["first", "second"])
def test_the_sweep_is_the_best_at_every_budget(seeds: range) -> None:
    """On 200 seeded worlds, ties among them, the mix at a budget has the value of the linear program, and its cost."""
    for seed in seeds:
        value, cost = drawn(seed)
        sweep, rows = lagrangian_sweep(value, cost), np.arange(len(value))
        budget = sweep.cost[0] + np.random.default_rng(seed).random() * (sweep.cost[-1] - sweep.cost[0])
        mix = sweep.mix(budget)
        cheap, dear = (mix.choose(value, cost, np.full(len(value), draw)) for draw in (1.0, 0.0))
        means = [
            (1 - mix.share) * one[rows, cheap].mean() + mix.share * one[rows, dear].mean() for one in (cost, value)
        ]

        assert means[0] <= budget + 1e-9
        assert means[1] == pytest.approx(best_at(value, cost, budget + 1e-12), abs=1e-7)


def test_every_assignment_lies_below_the_hull() -> None:
    """No way to give each question a model is above the curve that the sweep gives."""
    for seed in range(40):
        value, cost = drawn(seed)
        hull, rows = lagrangian_sweep(value, cost).points, np.arange(len(value))
        for models in product(range(value.shape[1]), repeat=len(value)):
            mean = cost[rows, list(models)].mean(), value[rows, list(models)].mean()

            assert mean[1] <= np.interp(mean[0], *hull.T) + 1e-9


def test_an_assignment_is_the_argmax_at_its_price() -> None:
    """``assigned`` and ``means`` say of each price what taking each question's argmax says."""
    value, cost = np.random.default_rng(3).random((2, 50, 6))
    true, sweep = np.random.default_rng(4).random((50, 6)), lagrangian_sweep(value, cost)
    means = sweep.means(true)
    for place in range(0, len(sweep.prices), 9):
        lam = float(sweep.prices[place])

        assert (sweep.assigned(lam) == taken(value, cost, lam)).all()
        assert (sweep.assigned(lam, dearest=True) == taken(value, cost, lam, dearest=True)).all()
        assert means[place] == pytest.approx(true[np.arange(50), sweep.assigned(lam)].mean())


def test_the_ends_are_the_cheapest_and_the_best() -> None:
    """Below the cheapest cost it is the cheapest of most value; without a limit the best, and the cheapest of these."""
    value, cost = np.array([[0.1, 0.4, 0.9, 0.9]]), np.array([[1.0, 1.0, 3.0, 2.0]])
    sweep, draw = lagrangian_sweep(value, cost), np.zeros(1)

    assert sweep.mix(0.5).choose(value, cost, draw).tolist() == [1]
    assert sweep.mix(None).choose(value, cost, draw).tolist() == [3]
    assert sweep.mix(9.0) == sweep.mix(None) == Mix(0.0, 0.0)


def test_a_closed_model_is_not_taken() -> None:
    """Only what is allowed competes, at any price."""
    value, cost = np.array([[0.9, 0.5, 0.4]]), np.array([[1.0, 2.0, 0.5]])
    allowed = np.array([[False, True, True]])

    assert Mix(0.0, 0.0).choose(value, cost, np.zeros(1), allowed).tolist() == [1]
    assert Mix(float("inf"), 0.0).choose(value, cost, np.zeros(1), allowed).tolist() == [2]


def test_the_area_of_a_line_is_its_middle() -> None:
    """Nothing is beyond the dearest, asking nobody costs and is worth nothing, a step has no width."""
    points = [[3.0, 0.8], [1.0, 0.4]]

    assert upper_hull([*points, [2.0, 0.1], [4.0, 0.7]]).tolist() == [[1.0, 0.4], [3.0, 0.8]]
    assert area(points, 1.0, 5.0) == pytest.approx((0.6 * 2 + 0.8 * 2) / 4)
    assert area(points, 0.5, 2.0) == pytest.approx((0.3 * 0.5 + 0.5 * 1) / 1.5)
    assert area(points, 2.0, 2.0) == pytest.approx(0.6)
    assert area([[1.0, 0.4], [2.0, 0.4], [2.0, 0.8]], 1.0, 3.0) == pytest.approx(0.6)


def test_more_settings_have_no_more_area() -> None:
    """Of settings that differ by luck alone the area is what they are worth, however many there are."""
    luck = 0.1 * np.random.default_rng(5).standard_normal((200, 17))
    few, many = (
        np.mean([area(np.stack([np.linspace(0, 1, m), 0.5 + one[:m]], axis=1), 0, 1) for one in luck]) for m in (2, 17)
    )

    assert few == pytest.approx(0.5, abs=0.02)
    assert many == pytest.approx(0.5, abs=0.02)


def test_a_budget_with_confidence_is_seldom_broken() -> None:
    """Of settings of rising cost the one that is shown to keep the budget breaks it at most as often as was said."""
    random, means = np.random.default_rng(6), np.linspace(0.1, 0.5, 9)
    broken = plain = 0
    for seed in range(200):
        costs = (random.random(300) < means[:, None]) * 2.0
        broken += 2 * means[affordable(costs, 0.6, confidence=0.9, seed=seed)] > 0.6 + 1e-9
        plain += 2 * means[affordable(costs, 0.6)] > 0.6 + 1e-9

    assert broken <= 200 * 0.1 + 3 * np.sqrt(200 * 0.09)
    assert plain > broken


def test_a_fixed_price_keeps_its_budget_for_sure() -> None:
    """Costs that never exceed the budget need no test, costs that never go below it pass none."""
    assert keeps(np.ones(5), 1.0, 0.99)
    assert not keeps(np.array([1.0, 2.0]), 1.0, 0.5)
    assert not keeps(np.array([0.0, 1.0]), 0.0, 0.5)
