"""Smoothie without a label: its three forms, its guards, and what the policy spends."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.policies.answer_distances import alike, distances, grouped_variances
from edgecascade.policies.playing import Played, play
from edgecascade.policies.smoothie import (
    Smoothie,
    fit,
    global_variances,
    local_variances,
    of_json,
    train_time_variances,
)
from edgecascade.signals.disagreement import disagreement, error_variances, mean_of_known

from .pool_worlds import World, world

SEEDS = range(200)


def noisy(seed: int, questions: int = 250, models: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Answers' vectors with independent Gaussian errors (n, m, 16), and the errors' sizes."""
    random = np.random.default_rng(seed)
    sizes = random.permutation(np.linspace(0.5, 2.0, models))
    truth = random.normal(size=(questions, 1, 16))
    return truth + random.normal(size=(questions, models, 16)) * np.sqrt(sizes)[:, None], sizes


def answering(answers: Sequence[Sequence[str]]) -> World:
    """The world's first questions with these answers."""
    made = world(len(answers))
    table = replace(made.table, answers=tuple(tuple((text,) if text else () for text in row) for row in answers))
    return replace(made, table=table, training=replace(made.training, table=table))


@cache
def fitted() -> Smoothie:
    """Smoothie of the world."""
    return fit(world().training)


def played(policy: Smoothie, on: World, budget: float | None) -> Played:
    """The policy at a budget on the questions of a world, all models open."""
    return play(policy.at(budget), on.table, on.features, on.after)


def letters(texts: Sequence[str]) -> np.ndarray:
    """An embedding: how often each text has each letter."""
    return np.array(
        [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz0123456789"] for text in texts], float
    )


def test_the_best_model_is_found_without_labels() -> None:
    """In pools that are what the theory says, the global pick is the best of five in nine cases of ten."""
    pools = [noisy(seed) for seed in range(40)]
    found = [global_variances(vectors).argmin() == sizes.argmin() for vectors, sizes in pools]

    assert np.mean(found) >= 0.9


def test_one_neighbour_is_the_medoid() -> None:
    """Of a question's own answers the least error is that of the answer nearest to the others."""
    for seed in SEEDS:
        vectors = noisy(seed, questions=3)[0]
        to_others = [[sum(((a - b) ** 2).sum() for b in answers) for a in answers] for answers in vectors]

        assert (local_variances(vectors, np.zeros((3, 1))).argmin(axis=1) == np.argmin(to_others, axis=1)).all()


def test_neighbours_are_a_mean_over_their_distances() -> None:
    """With all questions for neighbours every question has the global errors; with some, those of their own D."""
    vectors, queries = noisy(1, questions=30)[0], np.arange(30.0)[:, None]
    near = error_variances(disagreement(vectors[:3]))

    assert local_variances(vectors, queries, 30) == pytest.approx(np.tile(global_variances(vectors), (30, 1)))
    assert local_variances(vectors, queries, 3)[1] == pytest.approx(near)
    assert train_time_variances(vectors, queries, [[1.1]], 3)[0] == pytest.approx(near)


def test_copies_of_a_model_have_one_voice() -> None:
    """Two copies of the worst of three are the most trusted until they count as one."""
    for seed in range(20):
        vectors, sizes = noisy(seed, models=3)
        worst = int(sizes.argmax())
        far = disagreement(np.concatenate([vectors, vectors[:, [worst]]], axis=1))
        groups = alike(far)

        assert error_variances(far).argmin() in (worst, 3)
        assert groups[worst] == groups[3]
        assert grouped_variances(far[None], groups)[0, :3] == pytest.approx(global_variances(vectors))


def test_models_that_only_agree_often_are_no_copies() -> None:
    """Two good models that differ in one answer of ten keep a voice each."""
    right = np.random.default_rng(0).random((300, 4)) < [0.95, 0.95, 0.6, 0.6]
    answers = [[(("yes",) if one else (f"no {place}",)) for place, one in enumerate(row)] for row in right]

    assert len(set(alike(mean_of_known(distances(answers))).tolist())) == 4


def test_several_samples_stand_at_their_mean() -> None:
    """One model's samples count as one answer, and an answer that was not given is none."""
    far = distances([[("a", "b"), ("a",), ("b",), ()]])[0]

    assert far[0, 1] == pytest.approx(far[0, 2])
    assert far[1, 2] == pytest.approx(4 * far[0, 1])
    assert np.isnan(far[3]).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (replace(world().table, answers=None), "found none in the table, wanted `answers`"),
        (answering([["a", "b", "", ""]] * 20).table, "found 2 of 4, and 0 questions"),
        (answering([["a", "a", "b", "b"], ["c", "c", "d", "d"]] * 10).table, "found 2 of 4, and 0 questions"),
    ],
)
def test_a_table_that_tells_nothing_is_refused(table: object, message: str) -> None:
    """Without answers, or with fewer than three models that answer differently, there is no Smoothie."""
    training = world(len(table)).training  # type: ignore[arg-type]

    with pytest.raises(PolicyError, match=message):
        fit(replace(training, table=table))


def test_ties_do_not_go_by_the_order_of_models() -> None:
    """Where answers are one of two letters and every call costs the same, most ties are left: the same model wins."""
    picked = []
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)):
        made = world(60, order=order)
        table = replace(
            made.table,
            cost=np.ones_like(made.table.cost),
            answers=tuple(tuple((text[0],) for (text,) in row) for row in made.table.answers or ()),
        )
        features = np.concatenate([made.features[:, :4], np.ones((60, 4)), made.features[:, 8:].round()], axis=1)
        policy = fit(replace(made.training, table=table, features=features))
        run = play(policy.at(1.0), table, features, made.after)
        picked.append([made.table.models[place] for place in run.answered])

    assert picked[0] == picked[1] == picked[2]


def test_quality_is_never_looked_at() -> None:
    """With every label turned round it decides the same."""
    turned = replace(world().table, quality=1 - world().table.quality)
    other = fit(replace(world().training, table=turned))

    for budget in (None, 1.5):
        assert (played(other, world(), budget).answered == played(fitted(), world(), budget).answered).all()


def test_with_money_for_all_the_answer_nearest_to_the_others_is_given() -> None:
    """Everybody runs, and where two or more agree and no others do, theirs is the answer."""
    game = played(fitted(), world(), None)
    plurality = [["right", "right", "wrong 1", "wrong 2"]] * 20
    mixed = answering(plurality)

    assert game.ran.all()
    assert (play(fitted().at(None), mixed.table, mixed.features, mixed.after).answered < 2).all()


def test_with_less_one_model_runs_and_the_budget_is_kept() -> None:
    """Train-time Smoothie runs one model a question, at most at the budget, and no better trusted one is cheaper."""
    for budget in (0.5, 1.0, 2.0, 3.0):
        game = played(fitted(), world(), budget)

        assert (game.ran.sum(axis=1) == 1).all()
        assert game.cost.mean() <= budget


def test_confidence_spends_no_more() -> None:
    """The stricter the budget is to be kept, the less is spent, down to the cheapest."""
    spent = [
        play(fitted().at(2.0, confidence=confidence), world().table, world().features, world().after).cost.mean()
        for confidence in (None, 0.8, 0.99)
    ]

    assert spent == sorted(spent, reverse=True)


def test_two_answers_leave_it_to_trust() -> None:
    """Where fewer than three have answered, the one trusted in training is given."""
    only = np.array([True, False, True, False])
    policy, on = fitted().at(None), world(30, seed=1)
    game = play(policy, on.table, on.features, on.after, open=only)
    trust = fitted().trust(on.features).round(12)

    assert (np.take_along_axis(trust, game.answered[:, None], 1)[:, 0] == trust[:, only].min(axis=1)).all()


def test_an_embedding_of_ones_own_is_asked_for_again() -> None:
    """It is used for the fit, is not saved, and must be given to what reads the policy."""
    own = fit(world().training, embed=letters)
    record = own.as_json()

    assert (played(of_json(record, own.estimator, embed=letters), world(), None).answered >= 0).all()
    with pytest.raises(PolicyError, match="another embedding: found 'own', given none"):
        of_json(record, own.estimator)
