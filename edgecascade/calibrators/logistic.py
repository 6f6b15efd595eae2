"""Log-odds to probability and back, and a logistic fit whose slopes cannot be negative.

    z = features @ slopes + intercept      p = 1 / (1 + exp(-z))
    loss = mean of  softplus(z) - t z      the cross-entropy of targets t in (0, 1), convex in slopes and intercept

With targets strictly inside (0, 1) the loss grows without end in every direction that changes z, so that a smallest one
exists even where the scores separate the labels.
"""

from itertools import combinations

import numpy as np

from edgecascade.calibrators.calibrator import LARGEST, Floats, Scores

WIDEST = 36.0
"""Log-odds are cut here, a probability of 1 - 2e-16: float64 tells no larger one from 1."""


def sigmoid(log_odds: Scores) -> Scores:
    """Return the probability of these log-odds, strictly between 0 and 1; NaN stays NaN.

    >>> sigmoid(0.0), sigmoid(1000.0) < 1.0
    (0.5, True)
    """
    if isinstance(log_odds, float):  # numpy's exp in both: the standard library's may differ in the last bit
        return 1.0 / (1.0 + float(np.exp(-min(max(log_odds, -WIDEST), WIDEST))))
    return 1.0 / (1.0 + np.exp(-np.clip(np.asarray(log_odds, np.float64), -WIDEST, WIDEST)))


def logit(probability: Scores) -> Scores:
    """Return the log-odds of probabilities strictly between 0 and 1.

    >>> logit(0.5)
    0.0
    """
    log_odds = np.log(probability) - np.log1p(-probability)
    return float(log_odds) if isinstance(probability, float) else log_odds


def softplus(value: Scores) -> Scores:
    """Return ln(1 + exp(value)), without overflow; NaN stays NaN.

    >>> softplus(1e9)
    1000000000.0
    """
    result = np.maximum(value, 0.0) + np.log1p(np.exp(-np.abs(value)))
    return float(result) if isinstance(value, float) else result


def cross_entropy(log_odds: Floats, targets: Floats) -> float:
    """Return the mean cross-entropy, nats, of targets in [0, 1] under these log-odds; shapes (n,)."""
    return float(np.mean(softplus(log_odds) - targets * log_odds))


def smoothed(labels: Floats) -> Floats:
    """Return Platt's targets for labels 0 and 1: as if each class had been seen once more on the wrong side.

    >>> smoothed(np.array([0.0, 1.0, 1.0])).tolist()
    [0.3333333333333333, 0.75, 0.75]
    """
    right = float(labels.sum())
    wrong = len(labels) - right
    return np.where(labels == 1, (right + 1) / (right + 2), 1 / (wrong + 2))


def fit_slopes(features: Floats, targets: Floats, *, intercept: bool = True) -> tuple[float, ...]:
    """Return the slopes, each at least 0, and then the intercept (0.0 without one) of the smallest loss.

    features (n, k), targets (n,) strictly between 0 and 1. The loss is convex: where the free optimum has a negative
    slope, the constrained one has some slopes at 0 and is free in the rest, and for k <= 2 all cases can be tried.
    """
    width = features.shape[1]
    best: tuple[float, tuple[float, ...]] | None = None
    for size in range(width, -1, -1):
        for free in combinations(range(width), size):
            found = _free_fit(features[:, free], targets, intercept=intercept)
            if (found[:size] < 0).any():
                continue
            slopes = np.zeros(width + 1)
            slopes[[*free, width]] = found
            loss = cross_entropy(features @ slopes[:width] + slopes[width], targets)
            if best is None or loss < best[0]:
                best = loss, tuple(slopes.tolist())
            if size == width:
                return best[1]
    assert best is not None  # with every slope at 0 no slope is negative
    return best[1]


def _free_fit(features: Floats, targets: Floats, *, intercept: bool) -> Floats:
    """Return slopes and intercept, shape (k + 1,), of the smallest loss; slopes of either sign."""
    width = features.shape[1]
    centre = features.mean(axis=0) if intercept else np.zeros(width)
    moved = features - centre
    scale = np.abs(moved).max(axis=0)
    flat = scale <= np.maximum(1e-12 * np.abs(features).max(axis=0), 1 / LARGEST)  # nothing but rounding: no slope
    moved[:, flat], scale[flat] = 0.0, 1.0
    design = np.column_stack([moved / scale, np.ones(len(targets))]) if intercept else moved / scale
    weights = _newton(design, targets)
    slopes = weights[:width] / scale
    return np.append(slopes, weights[width] - slopes @ centre if intercept else 0.0)


def _newton(design: Floats, targets: Floats) -> Floats:
    """Return the weights of the smallest loss by Newton's method; every step is halved until the loss falls."""
    weights = np.zeros(design.shape[1])
    damping = 1e-12 * np.eye(len(weights))
    log_odds = np.zeros(len(targets))
    loss = cross_entropy(log_odds, targets)
    for _ in range(200):
        p = sigmoid(log_odds)
        gradient = design.T @ (p - targets) / len(targets)
        curvature = (design.T * (p * (1 - p))) @ design / len(targets)
        step = np.linalg.solve(curvature + damping, gradient)
        gain = float(gradient @ step)
        rate = 1.0
        while (trial := cross_entropy(design @ (weights - rate * step), targets)) > loss - 1e-4 * rate * gain:
            rate /= 2
            if rate < 1e-9:  # nothing but rounding is left to gain
                return weights
        weights, loss = weights - rate * step, trial
        log_odds = design @ weights
        if gain < 1e-20:
            break
    return weights


TIE = 1e-9


def untied(probability: Scores, scores: Scores) -> Scores:
    """Return the probability moved by a billionth towards the score's own, so that equal levels keep their ranking.

    A threshold keeps equal estimates together or not at all: one level for a tenth of the answers would cost a
    certificate up to that tenth.
    """
    return probability + TIE * (sigmoid(scores) - probability)
