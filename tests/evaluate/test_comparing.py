"""Gains at equal cost: against a random mix that is worth what is said, and nobody is given hindsight."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgecascade.evaluate.comparing import Gain, Rival, gain, gains, over_splits, random_mix
from edgecascade.evaluate.intervals import middle_of, redrawn
from edgecascade.evaluate.splitting import splits
from edgecascade.evaluate.trials import Trial, budgets_between, part_of, single, span
from edgecascade.pool import Queries, Table

Make = Callable[..., tuple[Table, Queries]]
NONE = np.zeros(2)


def trial_of(quality: list[float], cost: list[float]) -> Trial:
    """Return what some policy made of some questions."""
    return Trial(quality=np.array(quality), cost=np.array(cost), runs=NONE, alone=NONE)


def test_the_random_mix_is_what_drawing_one_of_two_models_gives() -> None:
    """At any cost between them, on average over the draws; level beyond either end."""
    random = np.random.default_rng(0)
    costs, qualities = (
        np.array([[1.0], [4.0]]) + random.random((2, 500)),
        np.array([[0.0], [0.5]]) + 0.5 * random.random((2, 500)),
    )
    rival, rows = Rival(costs, qualities), np.arange(500)
    drawn = (random.random((2000, 500)) < 0.3).astype(int)
    cost, quality = costs[drawn, rows].mean(), qualities[drawn, rows].mean()
    found = rival.at(np.array([cost, 0.0, 9.0]), np.full((500, 3), 1 / 500))

    assert found == pytest.approx([quality, qualities[0].mean(), qualities[1].mean()], abs=1e-3)


def test_a_setting_that_is_dearer_and_worse_is_passed_over() -> None:
    """Whichever budget it was meant for; at its own cost a setting is worth its own quality, to the last bit."""
    rival = Rival(np.array([[1.0], [9.0], [7.0]]), np.array([[0.2], [0.5], [0.8]]))

    assert rival.at(np.array([1.0, 4.0, 7.0 - 1e-15, 8.0, 9.0]), np.ones((1, 5))) == pytest.approx(
        [0.2, 0.5, 0.8, 0.8, 0.8]
    )
    step = Rival(np.array([[1.0], [1.0]]), np.array([[0.2], [0.5]]))
    assert step.at(np.array([1.0 - 1e-12]), np.ones((1, 1))) == pytest.approx([0.5])


def test_a_single_model_of_the_hull_gains_nothing(pool: Make) -> None:
    """And one below it loses exactly the distance to it; a dominated model is no member of the mix."""
    table, queries = pool(120, cost=(1.0, 5.0, 2.0))
    (split,) = splits(table.tasks, share=0.5, count=1, seed=0)
    part = part_of(table, queries, split, budget=None, seed=0, clock=lambda: 0.0)
    rival = random_mix(part)

    assert len(rival.costs) == 2
    assert [gain(single(column, part), rival) for column in (0, 2)] == pytest.approx([0, 0], abs=1e-8)
    assert gain(single(1, part), rival) == pytest.approx(
        part.test.quality[:, 1].mean() - part.test.quality[:, 2].mean()
    )


def test_the_played_questions_do_not_choose_the_mix(pool: Make) -> None:
    """Its members are those that pay on the training rows, whatever they are worth on the others."""
    table, queries = pool(120, cost=(1.0, 5.0, 2.0))
    (split,) = splits(table.tasks, share=0.5, count=1, seed=0)
    part = part_of(table, queries, split, budget=None, seed=0, clock=lambda: 0.0)
    other = replace(part, test=replace(part.test, quality=1 - part.test.quality))

    assert (random_mix(part).costs == random_mix(other).costs).all()


def test_a_gain_is_what_its_interval_allows() -> None:
    """Better or worse where the interval leaves out 0, neither otherwise; one split is drawn again."""
    rival = Rival(np.ones((1, 4)), np.zeros((1, 4)))
    low, high = middle_of(gains(trial_of([0, 1, 1, 1], [1, 1, 1, 1]), rival, redrawn(4)))

    assert 0 <= low < 0.75 < high <= 1
    assert over_splits([-0.5, 0.9], None, 5, 5) == Gain(pytest.approx(0.2), -1.0, 1.0)  # type: ignore[arg-type]
    assert over_splits([0.1, 0.3], (0.05, 0.4), 5, 5) == Gain(0.2, 0.05, 0.4)
    assert [Gain(0, *ends).verdict for ends in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1), (0.0, 0.0))] == [
        "better", "worse", "neither", "neither",
    ]  # fmt: skip


def test_budgets_go_from_the_cheapest_to_the_dearest() -> None:
    """Closer together at the cheap end; where all models cost the same, up to asking all of them."""
    budgets = budgets_between(1.0, 100.0)

    assert (budgets[0], budgets[-1], len(budgets)) == (1.0, 100.0, 17)
    assert (np.diff(budgets, 2) > 0).all()
    assert span(np.ones((5, 4))) == (1.0, 4.0) and span(np.array([[1.0, 3.0], [1.0, 5.0]])) == (1.0, 4.0)
