"""Tests of what answers change: fits drawn to a start, and answers that show nothing after all."""

import numpy as np

from edgecascade.calibrators.logistic import sigmoid
from edgecascade.estimators.folds import folds_of
from edgecascade.estimators.updates import Updates, drawn_fit, fit_updates


def shown(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return estimates before and after two models have run, and what their answers were worth."""
    random = np.random.default_rng(seed)
    before = sigmoid(random.normal(size=(n, 2)))
    quality = (random.random((n, 2)) < before).astype(float)
    return before, sigmoid(3 * quality - 1.5 + random.normal(size=(n, 2))), quality


def test_a_fit_stays_or_goes_as_it_is_drawn() -> None:
    """Drawn by very many rows it stays at its start; by none to speak of, its gradient is 0 where it ends."""
    random = np.random.default_rng(1)
    rows, start = random.normal(size=(200, 3)), np.array([0.0, 1.0, 0.0])
    targets = (random.random(200) < sigmoid(rows @ np.array([0.5, 2.0, -1.0]))).astype(float)
    free = drawn_fit(rows, targets, start, 1e-9)

    np.testing.assert_allclose(drawn_fit(rows, targets, start, 1e12), start, atol=1e-6)
    np.testing.assert_allclose(rows.T @ (sigmoid(rows @ free) - targets), 0, atol=0.01)


def test_an_answer_that_shows_nothing_leaves_the_estimate_near_what_it_was() -> None:
    """NaN after a model has run keeps the order of the estimates before, and other rows are not touched by it."""
    before, after, quality = shown()
    updates, _ = fit_updates(before, after, quality, folds_of(300, 5, 0))
    silent = after.copy()
    silent[0] = np.nan
    states = updates.states(np.ones((300, 2), bool))

    found, wanted = updates(before, silent, states), updates(before, after, states)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1:], wanted[1:])
    np.testing.assert_allclose(found[0], before[0], atol=0.15)


def test_one_row_is_updated_as_it_is_among_others() -> None:
    """In mixed states every row has its own, before and after being stored; state 0 changes nothing at all."""
    before, after, quality = shown()
    updates, _ = fit_updates(before, after, quality, folds_of(300, 5, 0))
    ran = np.random.default_rng(2).random((300, 2)) < 0.5
    states, stored = updates.states(ran), Updates.of_json(updates.as_json())
    found = stored(before, np.where(ran, after, np.nan), states)

    assert (found[states == 0] == before[states == 0]).all()
    for row in range(5):
        alone = updates(before[[row]], np.where(ran, after, np.nan)[[row]], states[[row]])
        np.testing.assert_allclose(found[[row]], alone, atol=1e-12)
