"""Tests of ridge regression row by row: it equals the regression on all rows at once."""

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.estimators.ridge import Ridge, empty_ridge, fit_ridge


def literal(features: np.ndarray, targets: np.ndarray, strength: float) -> np.ndarray:
    """Return the weights by the normal equations, intercept last."""
    rows = np.column_stack([features, np.ones(len(features))])
    return np.linalg.solve(rows.T @ rows + strength * np.eye(rows.shape[1]), rows.T @ targets)


@pytest.mark.parametrize("shared", [True, False])
def test_learning_row_by_row_is_the_fit_to_all(shared: bool) -> None:
    """On 200 seeded cases the weights agree with the normal equations to 1e-9, and the inverses with the batch fit."""
    for seed in range(200):
        random = np.random.default_rng(seed)
        features, targets = random.normal(size=(12, 4)), random.normal(size=(12, 3))
        ridge = empty_ridge(4, 3, strength=0.5, shared=shared)
        for x, y in zip(features, targets, strict=True):
            ridge = ridge.learn(x, y)

        np.testing.assert_allclose(ridge.weights, literal(features, targets, 0.5), atol=1e-9)
        batch = fit_ridge(features, targets, strength=0.5, shared=shared)
        np.testing.assert_allclose(ridge.inverse, batch.inverse, atol=1e-9)


def test_models_learn_apart() -> None:
    """A row of one model changes that model as if it had been fitted on it, and no other."""
    random = np.random.default_rng(0)
    features, targets = random.normal(size=(30, 3)), random.normal(size=(30, 2))
    targets[20:, 1] = np.nan
    ridge = fit_ridge(features, targets)
    for x, y in zip(features[20:], random.normal(size=10), strict=True):
        ridge = ridge.learn(x, y, 1)

    full = np.concatenate([targets[:20, 1], np.random.default_rng(0).normal(size=160)[-10:]])
    np.testing.assert_allclose(ridge.weights[:, 0], literal(features, targets[:, 0], 1.0), atol=1e-9)
    np.testing.assert_allclose(ridge.weights[:, 1], literal(features, full, 1.0), atol=1e-9)


def test_doubt_is_the_literal_form_and_falls() -> None:
    """x^T A^-1 x as written, and a row that has been seen is less doubtful than before."""
    features = np.random.default_rng(1).normal(size=(20, 3))
    ridge, rows = fit_ridge(features, np.zeros((20, 2))), np.column_stack([features, np.ones(20)])
    wanted = [x @ np.linalg.inv(rows.T @ rows + np.eye(4)) @ x for x in rows]

    np.testing.assert_allclose(ridge.doubt(features), np.column_stack([wanted, wanted]))
    after = ridge.learn(features[0], 1.0, 0).doubt(features[:1])[0]
    assert after[0] < wanted[0] == pytest.approx(after[1])


def test_learning_changes_no_value_in_place() -> None:
    """The ridge that learnt is another one; a shared inverse lets no model learn alone."""
    ridge = empty_ridge(2, 2, shared=True)
    ridge.learn(np.ones(2), np.ones(2))

    assert not ridge.weights.any()
    with pytest.raises(PolicyError):
        ridge.learn(np.ones(2), 1.0, 0)
    with pytest.raises(PolicyError):
        fit_ridge(np.ones((1, 2)), np.array([[np.nan]]), shared=True)


def test_a_stored_ridge_is_the_same() -> None:
    """What is read back expects the same, to the bit."""
    ridge = fit_ridge(np.eye(3), np.arange(6.0).reshape(3, 2))

    assert (Ridge.of_json(ridge.as_json())(np.eye(3)) == ridge(np.eye(3))).all()
