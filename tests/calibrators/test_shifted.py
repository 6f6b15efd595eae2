"""The intercept alone, fitted again with few labels."""

import math

import numpy as np
import pytest

from edgecascade.calibrators import Platt, Shifted, refit_intercept
from edgecascade.errors import AttemptsError

FLEET = Platt(slope=1.2, intercept=0.5)


def moved(shift: float, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows from a device whose intercept differs from the fleet's by ``shift``."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=size)
    return scores, random.random(size) < Shifted(FLEET, shift)(scores)


def test_many_labels_find_the_shift() -> None:
    """With 20,000 labels the prior no longer counts."""
    assert refit_intercept(FLEET, *moved(-1.0, 20_000)).shift == pytest.approx(-1.0, abs=0.05)


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_the_shift_solves_its_equation(strength: float) -> None:
    """The residuals balance the prior's pull: sum (p - y) + n0 shift / s_b^2 = 0."""
    scores, labels = moved(-1.0, 40)
    refit = refit_intercept(FLEET, scores, labels, prior_strength=strength, spread=0.5)

    assert (refit(scores) - labels).sum() + strength * refit.shift / 0.25 == pytest.approx(0, abs=1e-9)


def test_a_stronger_prior_stays_nearer_to_the_fleet() -> None:
    """The shift shrinks as the prior grows, and does not change sign."""
    shifts = [refit_intercept(FLEET, *moved(-1.0, 40), prior_strength=n0).shift for n0 in (0.01, 1.0, 100.0, 1e6)]

    assert shifts == sorted(shifts)
    assert shifts[0] < -0.3
    assert -0.01 < shifts[-1] < 0


def test_one_kind_of_label_is_enough() -> None:
    """Thirty right answers move the fleet's curve up by a finite amount."""
    refit = refit_intercept(FLEET, np.zeros(30), np.ones(30))

    assert 0 < refit.shift < 5


def test_forty_labels_beat_the_fleet_on_average() -> None:
    """On a device that is off by 1 the refit's intercept is nearer to the truth in at least 95 of 100 draws."""
    errors = [abs(refit_intercept(FLEET, *moved(-1.0, 40, seed)).shift + 1.0) for seed in range(100)]

    assert sum(error < 1.0 for error in errors) >= 95


def test_a_second_refit_starts_again_from_the_fleet() -> None:
    """Refitting what was refitted gives the same: shrinkage is always towards the fleet."""
    once = refit_intercept(FLEET, *moved(-1.0, 40))

    assert refit_intercept(once, *moved(-1.0, 40)) == once


@pytest.mark.parametrize(("n0", "spread"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf)])
def test_a_prior_that_pulls_nowhere_is_refused(n0: float, spread: float) -> None:
    """Without a prior one kind of label would have no finite fit."""
    with pytest.raises(AttemptsError, match="wanted both above 0"):
        refit_intercept(FLEET, *moved(0.0, 10), prior_strength=n0, spread=spread)


def test_no_rows_are_refused() -> None:
    """An intercept is not refitted to nothing."""
    with pytest.raises(AttemptsError, match="found 0, wanted at least one"):
        refit_intercept(FLEET, np.array([]), np.array([]))
