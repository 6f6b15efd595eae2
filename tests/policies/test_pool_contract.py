"""What every policy of a pool promises, whatever it does."""

import importlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from edgecascade.policies.playing import Played, play, shown, whole_view
from edgecascade.policies.pooled import FITS, Fitted, PoolPolicy
from edgecascade.pool import Feedback

from .pool_worlds import World, locked, world

EVERY = pytest.mark.parametrize("name", FITS)
REMEMBERS = {"knn", "mixllm", "linucb", "selectllm", "preference"}
"""Which have an estimate of their own from the features."""


def module_of(name: str) -> Any:
    """The module that fits and reads a policy."""
    return importlib.import_module(f"edgecascade.policies.{FITS[name]}")


@cache
def trained() -> World:
    """The training questions, locked."""
    return locked(world())


@cache
def fresh() -> World:
    """New questions of the same kind, locked."""
    return locked(world(60, seed=1))


@cache
def many() -> World:
    """As many new questions as a mean needs, locked."""
    return locked(world(400, seed=2))


@cache
def fitted(name: str) -> Fitted:
    """The policy fitted once: a Fitted is a value."""
    return fit(name, trained())


def fit(name: str, on: World) -> Fitted:
    """The policy fitted anew."""
    fits: dict[str, Callable[..., Fitted]] = module_of(name).FITS
    return fits[name](on.training, seed=0)


def played(policy: PoolPolicy, on: World, **known: Any) -> Played:
    """The policy on the questions of a world."""
    return play(policy, on.table, on.features, on.after, **known)


def middle(on: World) -> float:
    """A budget that some models exceed."""
    return float(np.median(on.table.cost.mean(axis=0)))


def saved(value: Any) -> Any:
    """What a file would give back: plain values through JSON, arrays as they are."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {json.loads(json.dumps(key)): saved(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [saved(one) for one in value]
    return json.loads(json.dumps(value))


def mean_cost(policy: PoolPolicy, on: World) -> float:
    """What a question costs on average, with draws that lie evenly."""
    n = len(on.table)
    return float(played(policy, on, draw=(np.random.default_rng(0).permutation(n) + 0.5) / n).cost.mean())


@EVERY
def test_the_same_seed_gives_the_same_policy(name: str) -> None:
    """Fitted twice on the same questions it decides the same."""
    first, second = (played(one.at(middle(trained())), fresh()) for one in (fitted(name), fit(name, trained())))

    assert (first.ran == second.ran).all()
    assert (first.answered == second.answered).all()


@EVERY
def test_what_was_saved_decides_the_same(name: str) -> None:
    """``of_json`` of what ``as_json`` gave, gone through a file, makes the same decisions at every budget."""
    record = saved(fitted(name).as_json())
    again = module_of(name).of_json(record, trained().training.estimator)

    for budget in (None, middle(trained())):
        one, other = (played(which.at(budget), fresh()) for which in (fitted(name), again))
        assert (one.ran == other.ran).all()
        assert (one.answered == other.answered).all()


@EVERY
def test_every_question_is_answered_by_a_model_that_ran(name: str) -> None:
    """The game ends within k rounds with an answer each, and asks for nothing after it."""
    policy = fitted(name).at(middle(trained()))
    game = played(policy, fresh())
    whole = whole_view(fresh().table, fresh().features, fresh().after)

    assert game.steps <= len(policy.models)
    assert game.ran[np.arange(len(game.answered)), game.answered].all()
    assert not (policy.next(shown(whole, game.ran)) & ~game.ran).any()


@EVERY
def test_no_model_is_asked_twice(name: str) -> None:
    """Whatever has run, only others are asked."""
    policy = fitted(name).at(None)
    whole = whole_view(fresh().table, fresh().features, fresh().after)
    ran = np.random.default_rng(0).random(whole.open.shape) < 0.4

    assert not (policy.next(shown(whole, ran)) & ran).any()


@EVERY
def test_votes_are_of_models_that_ran(name: str) -> None:
    """Whatever has run, the weights are finite, at least 0, 0 of what has not run, positive of some that have."""
    policy = fitted(name).at(None)
    whole = whole_view(fresh().table, fresh().features, fresh().after)
    ran = np.random.default_rng(0).random(whole.open.shape) < 0.4
    weights = policy.answer(shown(whole, ran))

    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    assert not weights[~ran].any()
    assert ((weights > 0).any(axis=1) == ran.any(axis=1)).all()


@EVERY
@pytest.mark.parametrize("closed", range(4))
def test_a_closed_model_never_runs(name: str, closed: int) -> None:
    """With any one model closed the others answer every question; with all closed nobody does."""
    open = np.arange(4) != closed
    policy = fitted(name).at(None)
    game = played(policy, fresh(), open=open)

    assert not game.ran[:, closed].any()
    assert (game.answered >= 0).all()
    assert not played(policy, fresh(), open=np.zeros(4, bool)).ran.any()


@EVERY
def test_the_budget_is_kept_where_one_is_known(name: str) -> None:
    """A policy that can spend less spends on average what it may, at most: on its training questions, or on new ones.

    On new ones where it knows its own training questions better than others.
    """
    on, slack = (many(), 0.15) if name in REMEMBERS else (trained(), 0.03)
    least, most = (mean_cost(fitted(name).at(budget), on) for budget in (0.0, None))
    for share in (0.3, 0.7) if most > least else ():
        budget = least + share * (most - least)

        assert mean_cost(fitted(name).at(budget), on) <= budget + slack * (most - least)


@EVERY
def test_a_budget_with_confidence_is_no_looser(name: str) -> None:
    """Where new questions are to keep the budget, the training questions cost no more than where only they are."""
    budget = middle(trained())
    plain, sure = (mean_cost(fitted(name).at(budget, confidence=c), trained()) for c in (None, 0.95))
    least = mean_cost(fitted(name).at(0.0), trained())

    assert sure <= max(plain, least) + 1e-9


@EVERY
def test_the_order_of_models_does_not_matter(name: str) -> None:
    """Fitted on the same pool in another order, the same models run and answer."""
    order = (2, 0, 3, 1)
    one = played(fitted(name).at(middle(trained())), fresh())
    other = played(fit(name, world(order=order)).at(middle(trained())), world(60, seed=1, order=order))

    assert (other.ran == one.ran[:, order]).all()
    assert (np.array(order)[other.answered] == one.answered).all()


@EVERY
def test_the_ranking_names_every_model(name: str) -> None:
    """The worth of each model is a number, and what is asked for first is no worse than an open model that is not."""
    policy = fitted(name).at(middle(trained()))
    seen = shown(whole_view(fresh().table, fresh().features, fresh().after), np.zeros((60, 4), bool))
    worth, asked = policy.worth(seen), policy.next(seen)

    assert np.isfinite(worth).all()
    assert (np.where(asked, worth, -np.inf).max(axis=1) >= worth.max(axis=1)).all()


@EVERY
def test_learning_returns_another_policy(name: str) -> None:
    """Feedback leaves the fitted policy as it was, and what it returns can be asked and saved."""
    before = played(fitted(name).at(None), fresh())
    feedback = Feedback(
        features=fresh().features[0], model=1, quality=1.0, liked=True, tokens=20.0, seconds=1.0, cost=0.5
    )
    learned = fitted(name).learn(feedback)

    assert (played(fitted(name).at(None), fresh()).ran == before.ran).all()
    assert learned.models == fitted(name).models
    assert (played(learned.at(None), fresh()).answered >= 0).all()
    assert saved(learned.as_json())
