"""Platt, temperature and beta against a general optimiser on the same objective."""

import numpy as np
import pytest
from scipy.optimize import minimize

from edgecascade.calibrators import CALIBRATORS
from edgecascade.calibrators.logistic import cross_entropy, logit, smoothed

FEATURES = {
    "platt": lambda s: np.column_stack([s, np.ones(len(s))]),
    "temperature": lambda s: s[:, None],
    "beta": lambda s: np.column_stack([-np.logaddexp(0, -s), np.logaddexp(0, s), np.ones(len(s))]),
}
SLOPES = {"platt": 1, "temperature": 1, "beta": 2}


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("kind", FEATURES)
def test_the_fit_is_the_constrained_optimum(kind: str, seed: int) -> None:
    """No other weights with slopes of at least 0 lose less: a bounded quasi-Newton search finds none."""
    random = np.random.default_rng(seed)
    scores = random.normal(random.normal(), random.exponential(2), size=60)
    labels = (random.random(60) < 1 / (1 + np.exp(-random.normal(size=2) @ [scores, np.abs(scores)]))).astype(float)
    labels[:2] = 0, 1
    features, targets = FEATURES[kind](scores), smoothed(labels)
    bounds = [(0, None)] * SLOPES[kind] + [(None, None)] * (features.shape[1] - SLOPES[kind])
    found = minimize(
        lambda weights: cross_entropy(features @ weights, targets),
        np.zeros(features.shape[1]),
        jac=lambda weights: features.T @ (1 / (1 + np.exp(-features @ weights)) - targets) / 60,
        bounds=bounds,
        method="L-BFGS-B",
        options={"ftol": 1e-14, "gtol": 1e-9},
    )

    calibrator = CALIBRATORS[kind](scores, labels)
    assert cross_entropy(logit(calibrator(scores)), targets) <= found.fun + 1e-9
    assert calibrator(scores) == pytest.approx(1 / (1 + np.exp(-features @ found.x)), abs=1e-3)


def test_the_gradient_is_zero_at_platts_optimum() -> None:
    """The optimum's own equations hold to rounding: residuals sum to 0, alone and against the scores."""
    random = np.random.default_rng(4)
    scores, labels = random.normal(size=300), (random.random(300) < 0.7).astype(float)
    labels[scores > 1] = 1
    residuals = CALIBRATORS["platt"](scores, labels)(scores) - smoothed(labels)

    assert residuals.sum() == pytest.approx(0, abs=1e-9)
    assert residuals @ scores == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kind", FEATURES)
def test_scores_that_separate_the_labels_give_a_finite_fit(kind: str) -> None:
    """The smoothed targets keep four rows from being certain: no probability beyond (N + 1) / (N + 2)."""
    scores, labels = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0])
    p = CALIBRATORS[kind](scores, labels)(scores)

    assert (p[:2] < 0.5).all()
    assert (p[2:] > 0.5).all()
    assert p.mean() == pytest.approx(0.5, abs=1e-9)
    assert p[0] > 0.05


def test_a_score_that_ranks_the_wrong_way_gets_no_weight() -> None:
    """Platt then answers the base rate, and does not turn the order round."""
    scores = np.random.default_rng(5).normal(size=500)
    labels = (scores < 0.5).astype(float)
    platt = CALIBRATORS["platt"](scores, labels)

    assert platt.as_json()["slope"] == 0
    assert platt(0.0) == pytest.approx(smoothed(labels).mean())


def test_temperature_finds_the_temperature() -> None:
    """Logits that are three times too loud are cooled by three."""
    random = np.random.default_rng(6)
    honest = random.normal(size=40_000) * 2
    temperature = CALIBRATORS["temperature"](3 * honest, random.random(40_000) < 1 / (1 + np.exp(-honest)))

    assert 1 / temperature.as_json()["slope"] == pytest.approx(3, rel=0.05)


def test_beta_bends_what_platt_cannot() -> None:
    """Where only the sure end is overconfident, beta loses less than Platt."""
    random = np.random.default_rng(8)
    scores = random.normal(size=20_000) * 3
    labels = random.random(20_000) < 1 / (1 + np.exp(-np.where(scores > 0, 0.2 * scores, 2 * scores)))
    losses = [cross_entropy(logit(CALIBRATORS[kind](scores, labels)(scores)), labels) for kind in ("beta", "platt")]

    assert losses[0] < losses[1] - 0.01
