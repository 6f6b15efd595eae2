"""Tests of SMART: the mix is the cheapest, and its promise holds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from edgecascade.errors import PolicyError
from edgecascade.policies.playing import play
from edgecascade.policies.smart import Smart, agreements, cheapest_mix, fit, lower_bounds
from edgecascade.pool import Table

from .pool_worlds import world

ON = world(400)


def mixed(lower: np.ndarray, cost: np.ndarray, delta: float) -> tuple[float, float]:
    """Cost and bound of the cheapest mix."""
    mix = cheapest_mix(lower, cost, delta)
    both = [mix.choose(lower[None], cost[None], np.array([draw]))[0] for draw in (1.0, 0.0)]
    shares = np.array([1 - mix.share, mix.share])
    return float(shares @ cost[both]), float(shares @ lower[both])


def test_the_mix_is_that_of_the_linear_program() -> None:
    """On 200 seeded pools no other shares of the models keep the promise at less cost."""
    random = np.random.default_rng(0)
    for _ in range(200):
        k = int(random.integers(1, 7))
        lower, cost, delta = np.append(random.random(k - 1), 1.0), random.integers(0, 9, k) / 2, random.random()
        least = linprog(cost, -lower[None], [delta - 1], np.ones((1, k)), [1.0]).fun
        spent, bound = mixed(lower, cost, delta)

        assert spent == pytest.approx(least, abs=1e-7)
        assert bound >= 1 - delta - 1e-7


def test_the_promise_is_seldom_broken() -> None:
    """Over draws of the profile, a mix agrees less often than was promised in at most 1 - confidence of the cases."""
    random, true = np.random.default_rng(1), np.array([0.6, 0.85, 0.93, 1.0])
    cost = np.array([1.0, 2.0, 5.0, 20.0])
    broken = 0
    for _ in range(200):
        differs = random.binomial(200, 1 - true)
        fitted = Smart(("a", "b", "c", "d"), 3, 0.1, 0.9, differs, np.tile(cost, (200, 1)))
        mix = fitted.mix()
        both = [mix.choose(fitted.lower[None], cost[None], np.array([draw]))[0] for draw in (1.0, 0.0)]
        broken += (1 - mix.share) * true[both[0]] + mix.share * true[both[1]] < 0.9

    assert broken <= 200 * 0.1


def test_new_answers_agree_as_promised() -> None:
    """Played on many new questions the answers equal the reference's about as often as was said, or more often."""
    fitted, fresh = fit(ON.training, delta=0.3), world(1500, seed=1)
    game = play(fitted.at(), fresh.table, fresh.features, fresh.after)
    agree = agreements(fresh.table, fitted.reference)[np.arange(1500), game.answered]

    assert fitted.promised() == pytest.approx(0.7)
    assert agree.mean() > 0.7 - 3 * np.sqrt(0.21 / 1500)
    assert game.cost.mean() < fresh.table.cost[:, fitted.reference].mean()


def test_a_small_budget_buys_what_agreement_it_can() -> None:
    """Below the cost of the promise the bound falls with the budget; above it nothing more is spent."""
    fitted = fit(ON.training, delta=0.3)
    free = play(fitted.at(), ON.table, ON.features, ON.after).cost.mean()
    promised = [fitted.promised(budget) for budget in (0.0, 0.5 * free, 0.8 * free, 2.0 * free)]

    assert promised == sorted(promised)
    assert promised[0] < promised[2] < promised[3] == pytest.approx(0.7)


def test_where_answers_are_not_known_only_two_right_ones_agree() -> None:
    """By quality a model agrees no more often than by its answers, and the reference always does."""
    bare = Table.of(ON.table.quality, ON.table.cost, models=ON.table.models)
    by_answer, by_quality = (agreements(table, 3) for table in (ON.table, bare))

    assert (by_quality <= by_answer).all()
    assert by_quality[:, 3].all()
    assert (by_quality[:, 0] == (ON.table.quality[:, [0, 3]] == 1).all(axis=1)).all()


@pytest.mark.parametrize("answers", [None, (((),) * 4,) * 400])
def test_a_table_without_answers_is_refused(answers: object) -> None:
    """By quality alone nothing could be promised but the reference."""
    table = replace(ON.table, answers=answers)

    with pytest.raises(PolicyError, match="found none in the table"):
        fit(replace(ON.training, table=table))


def test_fewer_questions_promise_less() -> None:
    """At the same rates the bounds rise with the number of questions, and stay below the rates."""
    few, many = (lower_bounds(np.array([20, 0]) * scale, 100 * scale, 1, 0.95) for scale in (1, 10))

    assert few[0] < many[0] < 0.8
    assert few[1] == many[1] == 1.0


def test_the_bounds_of_all_candidates_hold_at_once() -> None:
    """Each of three may fail in a third of the cases in which one may."""
    alone, three = lower_bounds(np.array([20, 0]), 100, 1, 0.98), lower_bounds(np.array([20, 9, 0, 5]), 100, 2, 0.94)

    assert three[0] == pytest.approx(alone[0])


def test_the_reference_is_the_dearest_or_who_is_named() -> None:
    """A name that is not in the pool, and a chance that is none, are refused."""
    assert ON.table.models[fit(ON.training).reference] == "large"
    assert ON.table.models[fit(ON.training, reference="other").reference] == "other"
    with pytest.raises(PolicyError, match="found 'huge', wanted one of small"):
        fit(ON.training, reference="huge")
    with pytest.raises(PolicyError, match=r"delta: found 1\.5"):
        fit(ON.training, delta=1.5)
