"""Intervals: Student's distribution as others have it, and a mean that is covered as often as is said."""

import numpy as np
import pytest
from scipy import stats

from edgecascade.evaluate.intervals import corrected, middle_of, redrawn, t_quantile, t_within


def test_student_is_as_in_the_books() -> None:
    """The closed forms equal the incomplete beta function, the quantile its inverse."""
    for freedom in range(1, 41):
        for t in (0.1, 0.7, 2.0, 5.0, 30.0):
            assert t_within(t, freedom) == pytest.approx(1 - 2 * stats.t.sf(t, freedom), abs=1e-12)
        assert t_quantile(freedom, 0.95) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


def test_the_correction_widens_by_the_share_that_is_played() -> None:
    """Half the width over t, squared, is the variance times (1 / K + n_test / n_train)."""
    figures = np.random.default_rng(0).random(7)
    low, high = corrected(figures, 30, 70)

    assert (low + high) / 2 == pytest.approx(figures.mean())
    half = (high - low) / 2 / stats.t.ppf(0.975, 6)
    assert half**2 == pytest.approx(figures.var(ddof=1) * (1 / 7 + 70 / 30))
    assert corrected([0.5, 0.5], 10, 10) == (0.5, 0.5)


def test_questions_drawn_again_cover_the_truth() -> None:
    """In about 95 of 100 worlds, the chance of which is known; every drawing has as many questions as there are."""
    weights = redrawn(200, seed=0)
    worlds = np.random.default_rng(3).random((100, 200)) < 0.7
    intervals = [middle_of(own @ weights) for own in worlds]

    assert weights * 200 == pytest.approx(np.round(weights * 200)) and weights.sum(axis=0) == pytest.approx(1)
    assert 88 <= sum(low <= 0.7 <= high for low, high in intervals) <= 99
