"""Isotonic levels against their theory and another implementation; the curve that is drawn through them."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from edgecascade.calibrators.isotonic import fit, isotonic_levels


def drawn(seed: int, size: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Scores, tied for every other seed, and labels of both kinds."""
    random = np.random.default_rng(seed)
    scores = np.round(random.normal(size=size) * 2, 1 if seed % 2 else 9)
    labels = (random.random(size) < 1 / (1 + np.exp(-scores))).astype(float)
    labels[:2] = 0, 1
    return scores, labels


def log_loss(p: np.ndarray, labels: np.ndarray) -> float:
    """Mean log-loss in nats, with 0 ln 0 = 0."""
    return -float(np.mean(np.log(np.where(labels == 1, p, 1 - p))))


@pytest.mark.parametrize("seed", range(50))
def test_levels_are_the_isotonic_regression(seed: int) -> None:
    """Level by level as scikit-learn's, ties included."""
    scores, labels = drawn(seed)
    levels = isotonic_levels(scores, labels)

    assert levels == pytest.approx(IsotonicRegression().fit_transform(scores, labels), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_no_rising_curve_loses_less_on_the_fit_set(seed: int) -> None:
    """The levels lose no more than the base rate, the raw sigmoid, or any random rising curve."""
    scores, labels = drawn(seed)
    random = np.random.default_rng(seed)
    rivals = [np.full(len(scores), labels.mean()), 1 / (1 + np.exp(-scores))]
    rivals += [np.sort(random.random(400))[np.searchsorted(np.linspace(-8, 8, 399), scores)] for _ in range(20)]
    loss = log_loss(isotonic_levels(scores, labels), labels)

    assert all(loss <= log_loss(rival, labels) + 1e-12 for rival in rivals)


@pytest.mark.parametrize("seed", range(20))
def test_a_monotone_map_of_the_scores_keeps_levels_and_ranks(seed: int) -> None:
    """Only the order of the scores counts for the levels; the curve ranks the rows as before."""
    scores, labels = drawn(seed)
    mapped = np.exp(scores)

    assert (isotonic_levels(mapped, labels) == isotonic_levels(scores, labels)).all()
    assert fit(mapped, labels).probabilities == fit(scores, labels).probabilities
    assert (np.argsort(fit(mapped, labels)(mapped)) == np.argsort(fit(scores, labels)(scores))).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_curve_stays_near_its_levels_and_off_the_ends(seed: int) -> None:
    """Within 1/(n+2) and 1 - 1/(n+2), and every level but for 2/(n+2) reached at a knot."""
    scores, labels = drawn(seed)
    calibrator, levels = fit(scores, labels), isotonic_levels(scores, labels)
    p, step = calibrator(scores), 1 / (len(scores) + 2)

    assert step - 2e-9 <= p.min() < p.max() <= 1 - step + 2e-9
    assert all(np.abs(np.array(calibrator.probabilities) - level).min() <= 2 * step for level in np.unique(levels))


def test_an_outlier_does_not_carry_its_step_away() -> None:
    """One enormous score leaves the probabilities of the others as they were, but for 1/(n+2)."""
    scores, labels = drawn(0, 200)
    top = scores.argmax()
    far = np.where(np.arange(200) == top, 1e9, scores)
    moved = np.abs(fit(far, labels)(scores) - fit(scores, labels)(scores))

    assert np.delete(moved, top).max() <= 1 / 202
