"""Tests of ridge regression row by row: it equals the regression on all rows at once."""

import numpy as np
import pytest

from edgecascade.estimators.ridge import Ridge, doubt, empty_ridge, fit_ridge


def test_learning_row_by_row_is_the_fit_to_all() -> None:
    """On 200 seeded cases weights and inverse agree with the normal equations, and so does the batch fit."""
    for seed in range(200):
        random = np.random.default_rng(seed)
        rows, targets = random.normal(size=(12, 4)), random.normal(size=(12, 3))
        ridge = empty_ridge(4, 3, strength=0.5)
        for x, y in zip(rows, targets, strict=True):
            ridge = ridge.learn(x, y)
        literal = np.linalg.inv(rows.T @ rows + 0.5 * np.eye(4))

        for one in (ridge, fit_ridge(rows, targets, strength=0.5)):
            np.testing.assert_allclose(one.weights, literal @ rows.T @ targets, atol=1e-9)
            np.testing.assert_allclose(one.inverse, literal, atol=1e-9)


def test_ten_thousand_rows_leave_no_rounding() -> None:
    """After a long stream of rows that nearly lie in one direction the inverse is still that of all of them."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(10_000, 1)) @ np.ones((1, 6)) + 0.01 * random.normal(size=(10_000, 6))
    ridge = empty_ridge(6, 1)
    for x in rows:
        ridge = ridge.learn(x, x[:1])

    np.testing.assert_allclose(ridge.inverse, np.linalg.inv(np.eye(6) + rows.T @ rows), atol=1e-9)


def test_doubt_is_the_literal_form_and_falls() -> None:
    """x^T A^-1 x as written, by one inverse and by several, and a row that has been seen is less doubtful."""
    rows = np.random.default_rng(1).normal(size=(20, 3))
    ridge, empty = fit_ridge(rows, np.zeros((20, 2))), empty_ridge(3, 2)
    wanted = [x @ np.linalg.inv(rows.T @ rows + np.eye(3)) @ x for x in rows]
    both = doubt(rows, np.stack([ridge.inverse, empty.inverse]))

    np.testing.assert_allclose(doubt(rows, ridge.inverse), wanted)
    np.testing.assert_allclose(both, np.column_stack([wanted, (rows**2).sum(axis=1)]))
    assert doubt(rows[:1], ridge.learn(rows[0], np.ones(2)).inverse)[0] < wanted[0]


def test_learning_changes_no_value_in_place() -> None:
    """The ridge that learnt is another one."""
    ridge = empty_ridge(2, 2)
    learnt = ridge.learn(np.ones(2), np.ones(2))

    assert not ridge.weights.any()
    assert learnt(np.ones((1, 2))) == pytest.approx(2 / 3)


def test_a_stored_ridge_is_the_same() -> None:
    """What is read back expects the same, to the bit."""
    ridge = fit_ridge(np.eye(3), np.arange(6.0).reshape(3, 2))

    assert (Ridge.of_json(ridge.as_json())(np.eye(3)) == ridge(np.eye(3))).all()
