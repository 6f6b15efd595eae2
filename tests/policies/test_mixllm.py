"""MixLLM: its choice as the paper writes it, models that come and go, and what it learns on the way."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.estimators.domains import Domains
from edgecascade.estimators.ridge import doubt as ridge_doubt
from edgecascade.estimators.ridge import empty_ridge
from edgecascade.policies.mixllm import Mixed, Weights, fit, of_json
from edgecascade.policies.mixllm.arms import LENGTH, QUALITY, Stack, fit_arm, lengths_of, like_others
from edgecascade.policies.mixllm.context import PENALTIES, Context, best_penalty, fit_context
from edgecascade.policies.mixllm.liked import new_liked
from edgecascade.policies.mixllm.mixed import told_length
from edgecascade.policies.mixllm.rows import Rows, price_within
from edgecascade.policies.playing import shown, whole_view
from edgecascade.policies.pooled import Training
from edgecascade.pool import Array, Feedback, Seen, Table

from .pool_worlds import World, world

PEOPLE = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
"""What three models are good at: each is the best for questions of its own direction."""


@cache
def trained() -> World:
    """Questions to be fitted on."""
    return world(160)


@cache
def mixed() -> Mixed:
    """MixLLM fitted on them; a value that nothing changes."""
    return fit(trained().training)


def first_seen(on: World, **known: Any) -> Seen:
    """What is seen of a world before any model has run."""
    whole = whole_view(on.table, on.features, on.after)
    return replace(shown(whole, np.zeros_like(whole.ran)), **known)


def chances(features: Array) -> Array:
    """How likely each of three models is right, by directions that are told by the features (n, 3)."""
    return np.asarray(1 / (1 + np.exp(2 - 2 * (features @ PEOPLE.T))))


def asked(policy: Mixed, features: Array, random: np.random.Generator) -> Mixed:
    """What it becomes by a yes or no to each question, of the model that it chooses then, drawn by the true chances."""
    for row in features:
        model = int(policy.willing(1e6).next(Seen.first(row[None], 3)).argmax())
        liked = bool(random.random() < chances(row[None])[0, model])
        policy = policy.learn(Feedback(features=row, model=model, liked=liked))
    return policy


def routed(policy: Mixed, features: Array) -> float:
    """The mean true chance of the models that it chooses."""
    models = policy.willing(1e6).next(Seen.first(features, 3)).argmax(axis=1)
    return float(chances(features)[np.arange(len(features)), models].mean())


def misled(weights: Weights) -> Mixed:
    """MixLLM whose training flattered the third model."""
    random = np.random.default_rng(0)
    features = random.normal(size=(150, 2))
    flattered = chances(features) + np.array([0.0, 0.0, 0.3])
    table = Table.of((random.random((150, 3)) < flattered).astype(float))
    return fit(Training(table, features, None, None), weights=weights)  # type: ignore[arg-type]


def test_the_inverse_is_kept_by_sherman_and_morrison() -> None:
    """After any graded answers A^-1 and the weights are those of inverting A and solving anew; 200 seeded cases."""
    for seed in range(200):
        random = np.random.default_rng(seed)
        width, n = int(random.integers(1, 6)), int(random.integers(1, 12))
        rows, answered = random.normal(size=(n, width)), random.normal(size=(n, 2))
        blank = replace(mixed().arms[0], ridge=empty_ridge(width, 2))
        arm = like_others([blank], quality=0.4, length=30.0, prices=(1.0, 1.0))
        for row, (quality, length) in zip(rows, answered, strict=True):
            arm = arm.learn(row, float(quality), float(length))
        inverse = np.linalg.inv(np.eye(width) + rows.T @ rows)

        assert np.allclose(arm.ridge.inverse, inverse, atol=1e-9)
        assert np.allclose(arm.ridge.weights, inverse @ rows.T @ (answered - [0.4, 30.0]), atol=1e-7)


def test_the_choice_is_the_papers_formula() -> None:
    """s, written with loops and inverted matrices, is what the policy ranks by, on 200 seeded questions."""
    on, policy = world(200, seed=3), mixed().willing(0.7)
    waits = np.array([0.0, 9.0, 2.0, 30.0])
    found = policy.worth(first_seen(on, waits=waits))
    rows, old = policy.context(on.features), mixed().rows.contexts
    matrix = np.eye(rows.shape[1]) + old.T @ old
    for model in range(4):
        start = mixed().arms[model].start
        prices, lengths, _ = lengths_of(trained().table, model)
        answers = np.stack([trained().table.quality[:, model], lengths], axis=1) - start
        quality, length = (rows @ np.linalg.inv(matrix) @ old.T @ answers + start).T
        for question in range(200):
            e = rows[question]
            doubt = e @ np.linalg.inv(matrix) @ e if question < 20 else float("nan")
            cost = on.table.prompt_tokens[question] * prices[0] + max(length[question], 0.0) * prices[1]
            trade = 0.7 / 1.7 * quality[question] - 1 / 1.7 * cost / policy.unit
            s = trade + 0.01 * doubt - 0.1 * np.exp(0.3 * (waits[model] - 0.4 * 10))
            assert np.isnan(s) or np.isclose(found[question, model], s, atol=1e-9)


def test_leaving_a_question_out_needs_no_second_fit() -> None:
    """What is believed of a remembered question is what the fit without it would say, but for the mean it is from."""
    whole = fit(world(40, seed=5).training)
    quality, _, doubt = whole.rows.left_out(Stack.of(whole.arms))
    without, rows = np.arange(40) != 7, whole.rows.contexts
    arm, _ = fit_arm(rows[without], world(40, seed=5).table.rows(without), 2)
    moved = abs(whole.arms[2].start[QUALITY] - arm.start[QUALITY])

    assert doubt[7, 2] == pytest.approx(float(ridge_doubt(rows[7:8], arm.ridge.inverse)[0]))
    assert quality[7, 2] == pytest.approx(float(arm.predict(rows[7:8])[0, QUALITY]), abs=moved + 1e-9)


def test_willing_to_pay_everything_or_nothing() -> None:
    """At lambda = 1e6 the best predicted is chosen, at 1e-6 the cheapest."""
    seen = first_seen(world(60, seed=1))
    quality, cost, doubt = mixed().willing(1.0).terms(seen)
    dear, cheap = (mixed().willing(lam).next(seen).argmax(axis=1) for lam in (1e6, 1e-6))

    assert (dear == (quality + 0.01 * doubt).argmax(axis=1)).all()
    assert (cheap == cost.argmin(axis=1)).all()


def test_more_budget_never_lowers_what_is_expected() -> None:
    """With every further budget the quality that is expected of the training questions rises, or stays."""
    on, seen = trained(), first_seen(trained())
    quality, _, doubt = mixed().willing(1.0).terms(seen)
    policies = [mixed().at(budget) for budget in np.linspace(0.0, on.table.cost.mean(axis=0).max(), 30)]
    rows = np.arange(len(on.table))
    expected = [(quality + 0.01 * doubt)[rows, policy.next(seen).argmax(axis=1)].mean() for policy in policies]

    assert (np.diff([policy.willingness for policy in policies]) >= 0).all()
    assert (np.diff(expected) >= -1e-12).all()


@pytest.mark.parametrize("given", [True, False])
def test_a_new_model_changes_no_other(given: bool) -> None:
    """With results of its own or with a price alone, it joins, and every term of the others stays as it was."""
    on, seen = trained(), first_seen(world(30, seed=1))
    three = fit(replace(on.training, table=on.table.only(on.table.models[:3])))
    known = (on.table, on.features) if given else ()
    four = three.add_model("large", *known) if given else three.add_model("large", prices=(0.04, 0.04))

    few = replace(seen, ran=seen.ran[:, :3], open=seen.open[:, :3], waits=seen.waits[:3])
    for old, new in zip(three.willing(2.0).terms(few), four.willing(2.0).terms(seen), strict=True):
        assert np.array_equal(old, new[:, :3])
    assert four.at(None).next(seen).shape == (30, 4)
    assert np.isfinite(four.at(2.0).willingness)


def test_a_model_that_joins_late_comes_to_the_same() -> None:
    """With the same results its own fit only starts elsewhere, and the questions that are remembered know it."""
    on = world(400)
    three = fit(replace(on.training, table=on.table.only(on.table.models[:3])))
    late = three.add_model("large", on.table, on.features)
    early, _ = fit_arm(three.rows.contexts, on.table, 3)
    rows = three.context(world(60, seed=1).features)

    assert np.abs(late.arms[3].predict(rows) - early.predict(rows))[:, QUALITY].max() < 0.1
    assert np.array_equal(late.rows.quality, on.table.quality)


def test_a_new_model_starts_from_what_the_others_made_of_a_question() -> None:
    """By thirty answers a model is predicted better from the mean of the others than from its own mean."""
    on, new = trained(), world(200, seed=6)
    three = fit(replace(on.training, table=on.table.only(on.table.models[:3])))
    joined = three.add_model("large", world(30, seed=7).table, world(30, seed=7).features)
    mean, predicted = world(30, seed=7).table.quality[:, 3].mean(), joined.willing(1.0).terms(first_seen(new))[0][:, 3]
    truth = new.table.quality[:, 3]

    assert np.mean((predicted - truth) ** 2) < np.mean((mean - truth) ** 2)


def test_removing_a_model_changes_no_other() -> None:
    """The terms of those that stay are as before; one that is not there, or the last, cannot go; nor come twice."""
    seen = first_seen(world(30, seed=1))
    fewer = mixed().remove_model("other")
    few = replace(seen, ran=seen.ran[:, 1:], open=seen.open[:, 1:], waits=seen.waits[1:])

    for old, new in zip(mixed().willing(2.0).terms(seen), fewer.willing(2.0).terms(few), strict=True):
        assert np.array_equal(old[:, [0, 1, 3]], new)
    with pytest.raises(PolicyError, match="cannot be removed"):
        fewer.remove_model("other")
    with pytest.raises(PolicyError, match="cannot join"):
        fewer.add_model("small")


def test_graded_answers_come_to_the_same_as_fitting_with_them() -> None:
    """Learnt one by one, each moves the estimate toward itself, and in the end it is the fit to all of them."""
    on, new = trained(), world(25, seed=9)
    learner, row = mixed(), mixed().context(new.features)
    for place in range(25):
        quality, tokens = float(new.table.quality[place, 1]), float(new.table.lengths[place, 1])
        before = learner.arms[1].predict(row[place : place + 1])[0]
        learner = learner.learn(Feedback(features=new.features[place], model=1, quality=quality, tokens=tokens))
        after = learner.arms[1].predict(row[place : place + 1])[0]
        assert abs(quality - after[QUALITY]) < abs(quality - before[QUALITY])
        assert abs(tokens - after[LENGTH]) < abs(tokens - before[LENGTH])
    start = mixed().arms[1].start
    rows = np.vstack([mixed().rows.contexts, row])
    old, late = (np.stack([one.table.quality[:, 1], one.table.lengths[:, 1]], axis=1) for one in (on, new))
    weights = np.linalg.solve(np.eye(rows.shape[1]) + rows.T @ rows, rows.T @ (np.vstack([old, late]) - start))

    assert np.allclose(learner.arms[1].ridge.weights, weights, atol=1e-8)
    assert learner.arms[0] is mixed().arms[0]


@pytest.mark.parametrize("by_network", [False, True])
def test_yes_or_no_alone_mends_a_wrong_start(by_network: bool) -> None:
    """Trained where one model was flattered, it routes better after users have said yes or no to its own choices."""
    random = np.random.default_rng(4)
    start, new = misled(Weights(by_network=by_network)), random.normal(size=(700, 2))
    after = asked(start, new[:400], random)

    assert routed(after, new[400:]) > routed(start, new[400:]) + 0.01


def test_a_yes_without_the_network_counts_as_one() -> None:
    """Told yes, it becomes what a grade of 1 makes of it; told nothing, it stays."""
    features = world(1, seed=1).features[0]
    yes = mixed().learn(Feedback(features=features, model=2, liked=True))
    one = mixed().learn(Feedback(features=features, model=2, quality=1.0))

    assert np.array_equal(yes.arms[2].ridge.weights, one.arms[2].ridge.weights)
    assert mixed().learn(Feedback(features=features, model=2)) is mixed()


@pytest.mark.parametrize("by_network", [False, True])
@pytest.mark.parametrize("wrong", ["features", "quality"])
def test_what_is_no_number_teaches_nothing(wrong: str, by_network: bool) -> None:
    """NaN among the features, or for a grade, leaves it as it is: else every estimate would be NaN from then on."""
    policy, features = replace(mixed(), weights=Weights(by_network=by_network)), trained().features[0].copy()
    features[2] = np.nan if wrong == "features" else 0.0
    quality = np.nan if wrong == "quality" else None

    assert policy.learn(Feedback(features=features, model=1, quality=quality, liked=True, tokens=5.0)) is policy


def test_a_cost_tells_the_length_where_the_prompt_is_known() -> None:
    """Where tokens were never counted, what the prompt did not cost is the answer's length; else it is not told."""
    on, row = trained(), trained().features[0]
    blind = fit(replace(on.training, table=replace(on.table, lengths=np.full_like(on.table.lengths, np.nan))))
    known = Feedback(features=row, model=2, quality=1.0, cost=9.0, prompt_tokens=100.0)
    arm = blind.arms[2]

    assert not arm.tokens
    assert told_length(arm, known) == pytest.approx(9.0 - 100 * arm.prices[0])
    assert told_length(arm, replace(known, prompt_tokens=None)) is None
    assert told_length(arm, replace(known, cost=np.nan)) is None


def test_the_network_is_silent_at_first_and_moves_along_its_gradient() -> None:
    """It says 0 of everything; then a push moves f by the squared length of its gradient, times push and rate."""
    rows = np.random.default_rng(0).normal(size=(5, 3))
    network = new_liked(rows, ("a", "b"), seed=0)
    moved = network
    for _ in range(50):
        moved = moved.learn(rows[0], 1, 1.0)
    further, nudge = moved.learn(rows[0], 1, 1e-3), 1e-6
    slopes = [
        (replace(moved, last=moved.last + nudge * axis)(rows)[0, 1] - moved(rows)[0, 1]) / nudge for axis in np.eye(32)
    ]

    assert not network(rows).any()
    assert moved(rows)[0, 1] > 0
    assert np.allclose((further.last - moved.last) / (0.001 * 1e-3), slopes, atol=1e-5)


def test_its_state_is_saved_in_the_middle_and_resumed() -> None:
    """Saved after some feedback and read again, it goes on to the very same numbers as without the break."""
    random, seen = np.random.default_rng(2), first_seen(world(30, seed=1))
    answers = [
        Feedback(features=row, model=int(random.integers(4)), liked=bool(random.random() < 0.5), tokens=20.0)
        for row in world(40, seed=8).features
    ]
    ongoing = replace(mixed(), weights=Weights(by_network=True))
    for answer in answers[:20]:
        ongoing = ongoing.learn(answer)
    record = ongoing.as_json()
    json.dumps({name: record[name] for name in ("models", "weights", "unit", "seed")})
    resumed = of_json(record, trained().training.estimator)
    for answer in answers[20:]:
        ongoing, resumed = ongoing.learn(answer), resumed.learn(answer)

    assert np.array_equal(ongoing.at(2.0).worth(seen), resumed.at(2.0).worth(seen))


def test_the_longest_queue_is_left() -> None:
    """A model that everybody waits for is not chosen, and without waits the penalty decides nothing."""
    seen = first_seen(world(30, seed=1))
    policy = mixed().at(None)
    chosen = policy.next(seen)
    busiest = int(chosen.sum(axis=0).argmax())
    waits = np.where(np.arange(4) == busiest, 60.0, 0.0)

    assert not policy.next(replace(seen, waits=waits))[:, busiest].any()
    assert np.array_equal(chosen, replace(policy, weights=Weights(beta=0.0)).next(seen))


@pytest.mark.parametrize("tagged", [False, True])
def test_domains_are_used_where_they_help(tagged: bool) -> None:
    """Where quality jumps between groups that lie on no line they join the features, by their tags where there are."""
    random = np.random.default_rng(0)
    group = random.integers(0, 6, 300)
    features = random.normal(size=(6, 2))[group] * 3 + 0.1 * random.normal(size=(300, 2))
    jumping = np.array([0.1, 0.9, 0.2, 0.9, 0.1, 0.8])[group][:, None]
    tags = {"tasks": tuple(map(str, group))} if tagged else {}
    table = Table.of((random.random((300, 2)) < jumping).astype(float), **tags)
    context, rows = fit_context(features, table)

    assert context.domains is not None
    assert isinstance(context.domains, Domains) or not tagged
    assert rows.shape == context(features).shape
    assert np.array_equal(Context.of_json(context.as_json())(features), context(features))


def test_the_leave_one_out_error_is_that_of_fitting_without_each_row() -> None:
    """At the penalty that is chosen, and at no other of them is it less."""
    random = np.random.default_rng(0)
    rows, quality = random.normal(size=(25, 3)), random.random((25, 2))
    errors = []
    for penalty in PENALTIES:
        off = []
        for row in range(25):
            rest = np.arange(25) != row
            middle, mean = rows[rest].mean(axis=0), quality[rest].mean(axis=0)
            moved = rows[rest] - middle
            weights = np.linalg.solve(moved.T @ moved + penalty * np.eye(3), moved.T @ (quality[rest] - mean))
            off.append(quality[row] - mean - (rows[row] - middle) @ weights)
        errors.append(np.mean(np.square(off)))
    error, penalty = best_penalty(rows, quality)

    assert penalty == PENALTIES[int(np.argmin(errors))]
    assert error == pytest.approx(min(errors), rel=1e-9)


def test_answers_are_counted_by_what_was_told() -> None:
    """A grade counts as graded, a yes or no as liked where the network learns it."""
    row, on = trained().features[0], replace(mixed(), weights=Weights(by_network=True))
    graded = on.learn(Feedback(features=row, model=1, quality=1.0)).arms[1]
    liked = on.learn(Feedback(features=row, model=1, liked=True)).arms[1]

    assert (graded.graded - on.arms[1].graded, graded.liked) == (1, 0)
    assert (liked.graded - on.arms[1].graded, liked.liked) == (0, 1)


def test_noise_is_shrunk() -> None:
    """Features that say nothing are all but ignored."""
    random = np.random.default_rng(0)
    context, _ = fit_context(random.normal(size=(300, 5)), Table.of(random.random((300, 2))))

    assert context.penalty >= 100


def test_prices_are_read_from_costs() -> None:
    """Where tokens explain costs, their prices are found; where lengths are unknown, length is the rest of the cost."""
    random = np.random.default_rng(0)
    tokens, lengths = random.integers(5, 99, 50).astype(float), random.integers(5, 99, (50, 1)).astype(float)
    table = Table.of(np.ones((50, 1)), 2.0 * tokens[:, None] + 7.0 * lengths, prompt_tokens=tokens, lengths=lengths)
    blind = Table.of(np.ones((50, 1)), 2.0 * tokens[:, None] + 30.0, prompt_tokens=tokens)
    (both, _, counted), (asked, rest, not_counted) = lengths_of(table, 0), lengths_of(blind, 0)

    assert counted
    assert not not_counted
    assert np.allclose(both, [2.0, 7.0])
    assert np.allclose(asked, [2.0, 1.0])
    assert np.allclose(rest, 30.0)


def test_the_budget_with_confidence_is_kept_on_new_questions() -> None:
    """With confidence .9 the price found on 150 questions overspends on all others in at most one of ten draws."""
    random = np.random.default_rng(1)
    value = random.random((3000, 3)) + np.array([0.0, 0.2, 0.4])
    cost = random.random((3000, 3)) + np.array([0.2, 1.0, 3.0])
    budget, over = 2.0, []
    for seed in range(40):
        rows = np.random.default_rng(seed).permutation(3000)[:150]
        price = price_within(value[rows], cost[rows], cost[rows], budget, confidence=0.9, seed=seed)
        over.append(cost[np.arange(3000), (value - price * cost).argmax(axis=1)].mean() > budget)

    assert np.mean(over) <= 0.1 + 3 * np.sqrt(0.09 / 40)
    assert not np.all(over)


def test_only_so_many_questions_are_remembered() -> None:
    """Of more than 2000 a seeded draw is kept, in the table's order."""
    on = world(2100)
    rows = Rows.of(on.table, on.features, on.table.lengths, seed=0)

    assert len(rows.ids) == len(rows.contexts) == 2000
    assert list(map(int, rows.ids)) == sorted(map(int, rows.ids))
