"""Tests of logistic regression of many targets: the optimum, what it does with nothing to learn, odd inputs."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from edgecascade.calibrators.logistic import logit, sigmoid
from edgecascade.errors import PolicyError
from edgecascade.estimators.folds import folds_of
from edgecascade.estimators.logistic import Logistic, fit_logistic, log_loss, minimised, path


def drawn(seed: int, n: int = 300, d: int = 5, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return features and targets 0 or 1 that follow a logistic model."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(n, d)) * np.exp(-np.arange(d))
    return features, (random.random((n, k)) < sigmoid(2 * features @ random.normal(size=(d, k)))).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_scikit_learns(seed: int) -> None:
    """With targets one by one the weights are those of the same penalty there, up to the half rows that are added."""
    features, targets = drawn(seed)
    found = fit_logistic(features, targets, strength=0.01)
    total = len(features) * 0.01 * features.var(axis=0).sum()
    weight = [len(features) / (len(features) + 1), 0.5 / (len(features) + 1)]
    for model in range(targets.shape[1]):
        twice = np.concatenate([features, features])
        truth = np.repeat([1, 0], len(features))
        share = weight[0] * targets[:, model] + weight[1]
        literal = LogisticRegression(C=1 / total, tol=1e-10, max_iter=2000)
        literal.fit(twice, truth, sample_weight=np.concatenate([share, 1 - share]))

        np.testing.assert_allclose(found.weights[:, model], literal.coef_[0], atol=2e-3)
        np.testing.assert_allclose(found.intercepts[model], literal.intercept_[0], atol=2e-3)


def test_no_point_near_the_fit_has_a_smaller_loss() -> None:
    """With ``apart`` above 1 the penalised loss is at its minimum in every direction."""
    features, targets = drawn(1)
    total, n = features.var(axis=0).sum(), len(features)
    smooth = (targets * n + 0.5) / (n + 1)

    def loss(fit: Logistic) -> float:
        common = fit.weights.mean(axis=1, keepdims=True)
        size = targets.shape[1] * (common**2).sum() + 10 * ((fit.weights - common) ** 2).sum()
        return targets.shape[1] * log_loss(fit.log_odds(features), smooth) + 0.02 * total * size / 2

    best = fit_logistic(features, targets, strength=0.02, apart=10)
    random = np.random.default_rng(0)
    for _ in range(50):
        off = Logistic(
            best.weights + 0.02 * random.normal(size=best.weights.shape), best.intercepts + 0.02 * random.normal(size=3)
        )

        assert loss(best) < loss(off)


def test_scale_and_place_of_the_features_change_nothing() -> None:
    """Features times a number plus another give the same estimates."""
    features, targets = drawn(2)
    moved = fit_logistic(1000 * features + 5, targets)(1000 * features + 5)

    np.testing.assert_allclose(moved, fit_logistic(features, targets)(features), atol=1e-4)


def test_permuted_targets_are_permuted_estimates() -> None:
    """The order of the models does not matter."""
    features, targets = drawn(3)
    found = fit_logistic(features, targets[:, [2, 0, 1]], apart=5)(features)

    np.testing.assert_allclose(found, fit_logistic(features, targets, apart=5)(features)[:, [2, 0, 1]], atol=1e-4)


def test_infinite_strength_is_the_mean() -> None:
    """Nothing but the means, with half a row of each kind besides."""
    features, targets = drawn(4)
    found = fit_logistic(features, targets, strength=math.inf)(features)

    np.testing.assert_allclose(found[0], (targets.sum(axis=0) + 0.5) / (len(targets) + 1))
    assert (found == found[0]).all()


def test_graded_targets_and_what_is_always_right() -> None:
    """Targets between 0 and 1 are fitted, and a model that is always right is believed almost, never quite."""
    features, _ = drawn(5)
    targets = np.column_stack([np.ones(300), sigmoid(features[:, 0])])
    found = fit_logistic(features, targets, strength=1e-5)(features)

    assert 0.99 < found[:, 0].min() <= found[:, 0].max() < 1
    np.testing.assert_allclose(found[:, 1], targets[:, 1], atol=0.01)


@pytest.mark.parametrize("features", [np.zeros((4, 2)), np.zeros((4, 0)), np.ones((1, 3)), np.eye(4, 50)])
def test_little_to_learn_from_is_no_error(features: np.ndarray) -> None:
    """Constant features, none, one row, more columns than rows."""
    found = fit_logistic(features, np.ones((len(features), 2)))(features)

    assert found.shape == (len(features), 2)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("features", "targets"),
    [
        (np.zeros((3, 2)), np.zeros((2, 1))),
        (np.zeros((0, 2)), np.zeros((0, 1))),
        (np.full((2, 1), np.nan), np.zeros((2, 1))),
        (np.zeros((2, 1)), np.full((2, 1), 1.5)),
    ],
)
def test_what_cannot_be_fitted_is_refused(features: np.ndarray, targets: np.ndarray) -> None:
    """Shapes that differ, no rows, NaN, targets that are no quality."""
    with pytest.raises(PolicyError):
        fit_logistic(features, targets)


def test_a_stored_fit_is_the_same() -> None:
    """What is read back gives the same estimates to the bit."""
    features, targets = drawn(6)
    fit = path(features, targets, [0.1, 0.01])[1]

    assert (Logistic.of_json(fit.as_json())(features) == fit(features)).all()


def test_the_minimum_of_a_parabola_is_found() -> None:
    """L-BFGS ends where the gradient is 0."""
    wanted = np.array([1.0, -2.0, 0.5])
    found = minimised(lambda x: (float((x - wanted) @ (x - wanted)) / 2, x - wanted), np.zeros(3))

    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_folds_are_alike() -> None:
    """Folds differ by at most one row, in all and in each group, and are the same by seed."""
    groups = np.random.default_rng(0).choice(["a", "b", "c"], 101).tolist()
    parts = folds_of(groups, 5, seed=3)
    counts = [np.bincount(parts[np.array(groups) == one], minlength=5) for one in "abc"]

    assert np.ptp(np.sum(counts, axis=0)) <= 1
    assert all(np.ptp(one) <= 1 for one in counts)
    assert (parts == folds_of(groups, 5, seed=3)).all()


def test_log_odds_are_those_of_the_estimates() -> None:
    """The call is the sigmoid of ``log_odds``."""
    fit = Logistic(np.ones((1, 1)), np.zeros(1))

    np.testing.assert_allclose(logit(fit(np.array([[0.3]]))), fit.log_odds(np.array([[0.3]])))
