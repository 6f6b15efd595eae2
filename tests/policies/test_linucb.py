"""LinUCB: its bound as the paper writes it, and what it learns from a cold start."""

from dataclasses import replace

import numpy as np

from edgecascade.policies.linucb import LinUCB, fit, of_json, pulled
from edgecascade.policies.playing import shown, whole_view
from edgecascade.policies.pooled import Training
from edgecascade.pool import Array, Feedback, Seen, Table

from .pool_worlds import World, world


def first_seen(on: World) -> Seen:
    """What is seen of a world before any model has run."""
    whole = whole_view(on.table, on.features, on.after)
    return shown(whole, np.zeros_like(whole.ran))


def chances(features: Array) -> Array:
    """How likely each of two models is right: one for either sign of the first feature."""
    return np.stack([np.where(features[:, 0] > 0, 0.9, 0.2), np.where(features[:, 0] > 0, 0.2, 0.9)], axis=1)


def cold() -> LinUCB:
    """LinUCB that has seen five questions."""
    random = np.random.default_rng(0)
    features = random.normal(size=(5, 3))
    table = Table.of((random.random((5, 2)) < chances(features)).astype(float))
    return fit(Training(table, features, None, None))  # type: ignore[arg-type]


def routed(policy: LinUCB, features: Array) -> float:
    """The mean true chance of the models that it chooses."""
    models = policy.at(None).next(Seen.first(features, 2)).argmax(axis=1)
    return float(chances(features)[np.arange(len(features)), models].mean())


def test_the_bound_is_the_papers() -> None:
    """The reward is fitted to quality less price with an inverted A, and its bound is what the policy ranks by."""
    on, new = world(120), world(40, seed=1)
    policy = replace(fit(on.training).at(None), price=0.3)
    tall = [policy.context(one.features) for one in (on, new)]
    inverse = np.linalg.inv(np.eye(tall[0].shape[1]) + tall[0].T @ tall[0])
    found = policy.worth(first_seen(new))
    for model in range(4):
        asked, written = policy.stack.prices[model]
        length, quality = on.table.lengths[:, model], on.table.quality[:, model]
        reward = quality - 0.3 * written * length / policy.unit
        theta = inverse @ tall[0].T @ (reward - reward.mean())
        known = reward.mean() - 0.3 * asked * new.table.prompt_tokens / policy.unit
        for question in range(40):
            e = tall[1][question]
            assert np.isclose(found[question, model], known[question] + theta @ e + 0.1 * np.sqrt(e @ inverse @ e))


def test_pulling_arms_is_the_papers_algorithm() -> None:
    """In 200 seeded games the arms are those of algorithm 1 as written: A inverted anew, b summed, round by round."""
    for seed in range(200):
        random = np.random.default_rng(seed)
        features, rewards = random.normal(size=(12, 3)), random.random((12, 2))
        a, b = [np.eye(3), np.eye(3)], [np.zeros(3), np.zeros(3)]
        found = pulled(features, rewards, alpha=0.5)
        for x, reward, arm in zip(features, rewards, found, strict=True):
            bounds = [
                np.linalg.inv(one) @ sums @ x + 0.5 * np.sqrt(x @ np.linalg.inv(one) @ x)
                for one, sums in zip(a, b, strict=True)
            ]
            assert bounds[arm] >= max(bounds) - 1e-9
            a[arm], b[arm] = a[arm] + np.outer(x, x), b[arm] + reward[arm] * x


def test_a_cold_start_learns_from_its_own_choices() -> None:
    """By yes and no to what it chose it comes near to the best choice, from five questions."""
    random = np.random.default_rng(1)
    start, new = cold(), random.normal(size=(500, 3))
    learner = start
    for row in new[:200]:
        model = int(learner.at(None).next(Seen.first(row[None], 2)).argmax())
        liked = bool(random.random() < chances(row[None])[0, model])
        learner = learner.learn(Feedback(features=row, model=model, liked=liked))

    assert routed(learner, new[200:]) > max(routed(start, new[200:]), 0.8)


def test_a_grade_goes_before_a_yes() -> None:
    """Told both, it learns the grade; told neither, it stays."""
    row, start = np.ones(3), cold()
    both = start.learn(Feedback(features=row, model=0, quality=0.3, liked=True))
    grade = start.learn(Feedback(features=row, model=0, quality=0.3))

    assert np.array_equal(both.arms[0].ridge.weights, grade.arms[0].ridge.weights)
    assert start.learn(Feedback(features=row, model=0)) is start


def test_its_state_is_saved_in_the_middle_and_resumed() -> None:
    """Read again after some feedback, it goes on to the same numbers."""
    seen, ongoing = first_seen(world(20, seed=1)), fit(world(60).training)
    for row in world(10, seed=2).features:
        ongoing = ongoing.learn(Feedback(features=row, model=1, quality=0.5, tokens=30.0))
    resumed = of_json(ongoing.as_json(), world(60).training.estimator)
    last = Feedback(features=world(1, seed=3).features[0], model=2, liked=True)

    assert np.array_equal(ongoing.learn(last).at(2.0).worth(seen), resumed.learn(last).at(2.0).worth(seen))


def test_a_dearer_price_never_chooses_a_dearer_model() -> None:
    """As the price of cost rises, what is expected to be spent falls, or stays."""
    on = world(120)
    seen, policy = first_seen(on), fit(on.training).at(None)
    _, length = policy.stack.predict(policy.context(on.features))
    cost = policy.stack.cost(length, on.table.prompt_tokens)
    chosen = [replace(policy, price=price).next(seen) for price in np.geomspace(0.01, 100, 20)]

    assert (np.diff([np.where(models, cost, 0.0).sum() for models in chosen]) <= 1e-12).all()
