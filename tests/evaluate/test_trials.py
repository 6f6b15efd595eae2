"""One policy on one split: nothing that is fitted knows what is played, and seconds are those of the fit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgecascade.evaluate.splitting import splits
from edgecascade.evaluate.trials import Part, part_of, trial
from edgecascade.pool import Queries, Table

Make = Callable[..., tuple[Table, Queries]]


def part(table: Table, queries: Queries) -> Part:
    """Return a split made ready."""
    (split,) = splits(table.tasks, share=0.5, count=1, seed=0)
    return part_of(table, queries, split, budget=None, seed=0, clock=lambda: 0.0)


def test_nothing_that_is_fitted_knows_what_is_played(pool: Make) -> None:
    """Other results, costs and words of the played questions leave features, estimates and budgets as they were."""
    table, queries = pool()
    (split,) = splits(table.tasks, share=0.5, count=1, seed=0)
    played = np.isin(np.arange(80), split.test)
    texts = tuple(f"other {row}" if one else queries.texts[row] for row, one in enumerate(played))
    other = replace(
        table,
        quality=np.where(played[:, None], 1 - table.quality, table.quality),
        cost=np.where(played[:, None], 9 * table.cost, table.cost),
        texts=texts,
    )
    one, two = part(table, queries), part(other, replace(queries, texts=texts))

    assert (one.training.features == two.training.features).all() and one.budget == two.budget
    assert (one.training.beliefs.means == two.training.beliefs.means).all() and (one.budgets == two.budgets).all()
    assert (one.training.beliefs.cost == two.training.beliefs.cost).all()
    assert not (one.test.quality == two.test.quality).any()


def test_what_answers_show_is_learned_from_training_alone(pool: Make) -> None:
    """The look at a played answer does not depend on how good it was."""
    table, queries = pool()
    table = replace(table, after=np.random.default_rng(0).random((80, 3)))
    (split,) = splits(table.tasks, share=0.5, count=1, seed=0)
    flipped = np.where(np.isin(np.arange(80), split.test)[:, None], 1 - table.quality, table.quality)
    one, two = (part(made, queries).after for made in (table, replace(table, quality=flipped)))

    assert np.isfinite(one).all() and (one == two).all()


def test_a_model_is_asked_alone_where_no_other_is(pool: Make) -> None:
    """A cascade that asks several of most questions asks none of them alone of those."""
    made = part(*pool())
    found = trial("cascading", replace(made, budget=99.0), confidence=None, seed=0, clock=lambda: 0.0)

    assert found.alone.sum() <= 1 < found.runs.sum() and (found.alone <= found.runs).all()


def test_the_seconds_of_a_fit_are_those_of_fitting_and_setting_the_budget(pool: Make) -> None:
    """By a clock that counts: it is looked at before and after, and before and after each decision."""
    ticks = iter(range(1000))
    found = trial("random", part(*pool()), confidence=None, seed=0, clock=lambda: float(next(ticks)))

    assert found.fit_seconds == found.decide_seconds == 1 and next(ticks) == 2 * (1 + 40)
