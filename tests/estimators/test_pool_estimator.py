"""Tests of what is believed of a pool: it beats the means where there is something to learn, and never does worse."""

from dataclasses import replace

import numpy as np
import pytest

from edgecascade.calibrators.logistic import logit, sigmoid
from edgecascade.errors import PolicyError
from edgecascade.estimators.domains import fit_domains
from edgecascade.estimators.folds import folds_of
from edgecascade.estimators.logistic import log_loss
from edgecascade.estimators.pool import PoolEstimator, fit_estimator
from edgecascade.metrics import auroc
from edgecascade.policies.pooled import Estimator
from edgecascade.pool import Seen, Table

ROWS = 400


def pool(seed: int = 0, n: int = 2 * ROWS, told: float = 1.0) -> tuple[Table, np.ndarray, np.ndarray]:
    """Return a table of 3 models, features that tell ``told`` of its log-odds, and what two models' answers showed."""
    random = np.random.default_rng(seed)
    features, hard = random.normal(size=(n, 6)), random.normal(size=(n, 1))
    z = told * features @ random.normal(size=(6, 3)) + 1.5 * hard + np.array([0.0, 0.5, 1.0])
    quality = (random.random((n, 3)) < sigmoid(z)).astype(float)
    after = sigmoid(2 * (2 * quality - 1) + 2 * random.normal(size=(n, 3)))
    after[:, 2] = np.nan
    tokens = random.integers(20, 200, n).astype(float)
    cost = np.outer(tokens + 100, [1.0, 2.0, 5.0]) * 1e-6
    tasks = tuple(random.choice(["a", "b"], n).tolist())
    return Table.of(quality, cost, tasks=tasks, prompt_tokens=tokens, after=after), features, after


def seen_of(table: Table, features: np.ndarray, ran: tuple[bool, ...]) -> Seen:
    """Return what is seen of all questions when some models have run."""
    runs = np.tile(np.array(ran), (len(table), 1))
    after = np.where(runs, table.after, np.nan)
    return Seen.first(features, 3, prompt_tokens=table.prompt_tokens, ran=runs, after=after)


def halves(seed: int = 0, told: float = 1.0) -> tuple[PoolEstimator, Table, np.ndarray]:
    """Return an estimator fitted on the first half of a pool, and the other half."""
    table, features, after = pool(seed, told=told)
    estimator, _ = fit_estimator(table.rows(range(ROWS)), features[:ROWS], after[:ROWS])
    return estimator, table.rows(range(ROWS, 2 * ROWS)), features[ROWS:]


def test_features_are_worth_their_place() -> None:
    """Where they tell something, estimates of new questions beat the means by far, for every model."""
    estimator, table, features = halves()
    found = estimator.quality(seen_of(table, features, (False, False, False)))
    means = logit(np.tile(table.quality.mean(axis=0), (ROWS, 1)))

    assert log_loss(logit(found), table.quality) < log_loss(means, table.quality) - 0.05
    assert min(auroc(found[:, model], table.quality[:, model]) for model in range(3)) > 0.7


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_believed_nothing(seed: int) -> None:
    """Features and neighbours of pure noise leave each model its mean, or as good."""
    estimator, table, features = halves(seed, told=0.0)
    found = estimator.quality(seen_of(table, features, (False, False, False)))
    means = logit(np.tile(pool(seed, told=0.0)[0].quality[:ROWS].mean(axis=0), (ROWS, 1)))

    assert log_loss(logit(found), table.quality) <= log_loss(means, table.quality) + 0.003


def test_an_answer_tells_of_its_model_and_of_others() -> None:
    """What one model's answer showed lowers the loss of its own estimate much, that of the others a little."""
    estimator, table, features = halves()
    before = estimator.quality(seen_of(table, features, (False, False, False)))
    after = estimator.quality(seen_of(table, features, (True, False, False)))
    gains = [
        log_loss(logit(before[:, [i]]), table.quality[:, [i]]) - log_loss(logit(after[:, [i]]), table.quality[:, [i]])
        for i in range(3)
    ]

    assert gains[0] > 0.1
    assert gains[1] + gains[2] > 0
    assert gains[0] > max(gains[1:])


def test_beliefs_are_those_of_estimators_that_had_not_seen_the_rows() -> None:
    """Their loss on the training rows is that of new rows, in every state, and states are numbered by who has run."""
    table, features, after = pool()
    estimator, beliefs = fit_estimator(table.rows(range(ROWS)), features[:ROWS], after[:ROWS])
    new, other = table.rows(range(ROWS, 2 * ROWS)), features[ROWS:]

    assert beliefs.means.shape == (ROWS, 4, 3)
    assert beliefs.state.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    for number in range(8):
        seen = seen_of(new, other, tuple(bool(number >> model & 1) for model in range(3)))
        assert (estimator.states(seen.ran) == beliefs.state[number]).all()
        held = log_loss(logit(beliefs.means[:, beliefs.state[number]]), table.quality[:ROWS])
        assert held == pytest.approx(log_loss(logit(estimator.quality(seen)), new.quality), abs=0.05)


def test_covariances_are_of_what_is_still_to_be_learnt() -> None:
    """They equal the literal definition, are 0 in the last state, and own variance falls when a model has run."""
    table, features, after = pool()
    estimator, beliefs = fit_estimator(table, features, after)
    for state in range(4):
        literal = np.cov((beliefs.means[:, state] - beliefs.means[:, -1]).T)
        np.testing.assert_allclose(estimator.covariances[state], literal, atol=1e-12)

    assert not beliefs.covariances[-1].any()
    assert beliefs.covariances[1, 0, 0] < beliefs.covariances[0, 0, 0] / 5


def test_a_model_that_shows_nothing_changes_nothing() -> None:
    """Without evidence there is one state, and running models leaves what is believed as it was."""
    table, features, after = pool()
    estimator, beliefs = fit_estimator(table, features, np.full_like(after, np.nan))
    ran = seen_of(table, features, (True, True, True))

    assert beliefs.means.shape[1] == len(beliefs.covariances) == 1
    assert (estimator.quality(ran) == estimator.quality(replace(ran, ran=~ran.ran))).all()


def test_many_informative_models_are_updated_each_by_its_own() -> None:
    """With more than three, an answer changes its own model's estimate only, and there are 2^|J| states."""
    random = np.random.default_rng(1)
    quality = (random.random((200, 5)) < 0.6).astype(float)
    after = sigmoid(2 * quality - 1 + random.normal(size=(200, 5)))
    table = Table.of(quality, after=after)
    estimator, beliefs = fit_estimator(table, random.normal(size=(200, 3)), after)
    first = beliefs.means[:, 0]

    assert beliefs.means.shape == (200, 32, 5)
    for state in range(32):
        ran = np.array([bool(state >> model & 1) for model in range(5)])
        assert (beliefs.means[:, state, ~ran] == first[:, ~ran]).all()
        assert (beliefs.means[:, state, ran] == beliefs.means[:, -1, ran]).all()
    assert estimator.updates.informative == (0, 1, 2, 3, 4)


def test_permuted_models_are_permuted_estimates() -> None:
    """The order of the models does not matter."""
    table, features, after = pool()
    order = [2, 0, 1]
    other, _ = fit_estimator(table.only([f"m{model}" for model in order]), features, after[:, order])
    estimator, _ = fit_estimator(table, features, after)
    found = other.quality(seen_of(table.only([f"m{model}" for model in order]), features, (False, True, False)))

    wanted = estimator.quality(seen_of(table, features, (True, False, False)))[:, order]
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_costs_are_exact_where_they_are_a_price_of_tokens() -> None:
    """A cost that is affine in the prompt's tokens is predicted as it is, and one that follows features is learnt."""
    table, features, after = pool()
    estimator, beliefs = fit_estimator(table, features, after)
    np.testing.assert_allclose(estimator.cost(seen_of(table, features, (False,) * 3)), table.cost, rtol=1e-9)
    np.testing.assert_allclose(beliefs.cost, table.cost, rtol=1e-9)

    longer = replace(table, cost=table.cost * np.exp(0.5 * features[:, :1]))
    found = fit_estimator(longer, features, after)[1].cost
    assert ((found - longer.cost) ** 2).mean() < 0.3 * longer.cost.var(axis=0).mean()
    assert found.mean() == pytest.approx(longer.cost.mean(), rel=0.02)


def test_constant_and_free_costs_are_returned() -> None:
    """One call each is one call each, and a model of no cost stays free."""
    table, features, after = pool(n=60)
    table = replace(table, cost=np.tile([0.0, 1.0, 2.0], (60, 1)))
    found = fit_estimator(table, features, after)[0].cost(seen_of(table, features, (False,) * 3))

    np.testing.assert_allclose(found, table.cost, atol=1e-12)


def test_no_cost_is_below_nothing() -> None:
    """Where a line by tokens would begin below 0 it goes through 0, and the mean stays about right."""
    tokens = np.linspace(1.0, 200.0, 80)
    table = Table.of(np.ones((80, 1)), np.maximum(tokens - 60, 0.0)[:, None], prompt_tokens=tokens)
    estimator, _ = fit_estimator(table, np.zeros((80, 1)), np.full((80, 1), np.nan))
    found = estimator.cost(Seen.first(np.zeros((80, 1)), 1, prompt_tokens=tokens))

    assert (found >= 0).all()
    assert found.mean() == pytest.approx(table.cost.mean(), rel=0.2)


def test_a_stored_estimator_is_the_same_and_fulfils_the_protocol() -> None:
    """What is read back believes the same to the bit; fitting twice by one seed too; inputs stay as they were."""
    table, features, after = pool(told=2.0)
    kept = features.copy(), after.copy()
    fitted, _ = fit_estimator(table, features, after, seed=3)
    estimator: Estimator = PoolEstimator.of_json(fitted.as_json())
    seen = seen_of(table, features, (True, False, False))

    assert (estimator.quality(seen) == fitted.quality(seen)).all()
    assert (estimator.quality(seen) == fit_estimator(table, features, after, seed=3)[0].quality(seen)).all()
    assert (estimator.cost(seen) == fitted.cost(seen)).all()
    assert (kept[0] == features).all()
    np.testing.assert_array_equal(kept[1], after)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_few_rows_and_one_model_are_no_error(n: int) -> None:
    """Whatever little there is, estimates are probabilities."""
    table = Table.of(np.ones((n, 1)), after=np.full((n, 1), 0.9))
    estimator, beliefs = fit_estimator(table, np.eye(n), table.after)
    found = estimator.quality(Seen.first(np.eye(n), 1))

    assert ((found > 0) & (found < 1)).all()
    assert np.isfinite(beliefs.means).all()


def test_arrays_that_do_not_fit_the_table_are_refused() -> None:
    """Features of other rows, ``after`` of other models, a single question."""
    table, features, after = pool(n=10)
    for other, shown in ((features[1:], after), (features, after[:, :2])):
        with pytest.raises(PolicyError):
            fit_estimator(table, other, shown)
    with pytest.raises(PolicyError):
        fit_estimator(table.rows([0]), features[:1], after[:1])


def test_tasks_that_features_tell_apart_are_used() -> None:
    """Where models are good at different tasks, knowing tasks in training routes new questions right."""
    random = np.random.default_rng(5)
    kinds = random.integers(0, 3, 2 * ROWS)
    features = np.eye(3)[kinds] + 0.3 * random.normal(size=(2 * ROWS, 3))
    quality = (random.random((2 * ROWS, 3)) < 0.2 + 0.6 * np.eye(3)[kinds]).astype(float)
    table = Table.of(quality, tasks=tuple(map(str, kinds)))
    estimator, _ = fit_estimator(table.rows(range(ROWS)), features[:ROWS], np.full((ROWS, 3), np.nan))
    found = estimator.quality(Seen.first(features[ROWS:], 3))

    assert estimator.before.inputs.domains is not None
    assert (found.argmax(axis=1) == kinds[ROWS:]).mean() > 0.9


def test_a_question_of_no_task_that_was_recorded_is_told_so() -> None:
    """Of the tasks fitted on new questions are given all but a little, those of another task in between far less."""
    random = np.random.default_rng(0)
    corners = 3 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [0, 0]])
    kinds = np.arange(1000) % 5
    features = corners[kinds] + random.normal(size=(1000, 2))
    known = (kinds < 4) & (np.arange(1000) < 500)
    domains, held = fit_domains(features[known], [str(kind) for kind in kinds[known]], folds_of(int(known.sum()), 5, 0))
    assert domains is not None
    new, strange = domains(features[500:][kinds[500:] < 4]), domains(features[kinds == 4])

    assert new.sum(axis=1).mean() > 0.9
    assert held.sum(axis=1).mean() == pytest.approx(new.sum(axis=1).mean(), abs=0.03)
    assert strange.sum(axis=1).mean() < 0.75


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_refused(wrong: float) -> None:
    """NaN and infinity are named before anything is fitted on them; so is a quality above 1."""
    table, features, after = pool(n=20)
    broken = np.where(np.arange(20)[:, None] == 3, wrong, features)

    for given, shown in ((table, broken), (replace(table, quality=2 * table.quality), features)):
        with pytest.raises(PolicyError, match="cannot be fitted: found NaN"):
            fit_estimator(given, shown, after)
    with pytest.raises(PolicyError, match="prompt_tokens cannot be fitted on"):
        fit_estimator(replace(table, prompt_tokens=np.full(20, wrong)), features, after)
