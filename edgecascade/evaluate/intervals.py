"""What the splits of one table allow to be said: 95 % intervals that know the splits share their questions.

Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003), section 3: the corrected
resampled t-test. K random splits of the same rows are not independent, so the variance of their mean is taken to be

    variance of the K figures x (1 / K + n_test / n_train)        with K - 1 degrees of freedom

The usual 1 / K alone is far too narrow. With one split the played questions are drawn again instead (bootstrap), which
leaves out what another training part would have changed.
"""

import math
from collections.abc import Sequence

import numpy as np

from edgecascade.pool import Array

CONFIDENCE = 0.95
DRAWS, FEWEST, LARGEST = 1000, 200, 20_000_000
"""Of a bootstrap: as many as are wanted, at least, and of numbers in all."""
HALVINGS = 80

Interval = tuple[float, float]


def corrected(figures: Sequence[float], n_train: int, n_test: int) -> Interval:
    """Return the interval of the mean of one figure a split; at least two splits."""
    found = np.asarray(figures, np.float64)
    spread = math.sqrt(float(found.var(ddof=1)) * (1 / len(found) + n_test / n_train))
    half, middle = t_quantile(len(found) - 1, CONFIDENCE) * spread, float(found.mean())
    return middle - half, middle + half


def redrawn(n: int, *, seed: int = 0) -> Array:
    """Return the weights (n, draws) of n questions when as many are drawn with copies: columns that sum to 1."""
    draws = max(FEWEST, min(DRAWS, LARGEST // n))
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).T / n


def middle_of(figures: Array) -> Interval:
    """Return the interval between the outer quantiles of a figure's redrawings."""
    low, high = np.quantile(figures, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def t_quantile(freedom: int, confidence: float) -> float:
    """Return the t within which Student's distribution lies, on both sides, with this probability.

    >>> round(t_quantile(4, 0.95), 3)
    2.776
    """
    low, high = 0.0, 1.0
    while t_within(high, freedom) < confidence:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if t_within(middle, freedom) < confidence else (low, middle)
    return high


def t_within(t: float, freedom: int) -> float:
    """Return the probability that Student's t is between -t and t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, odd = math.cos(angle), freedom % 2
    term = total = 0.0 if freedom == 1 else cosine if odd else 1.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= (step - 1) / step * cosine**2
        total += term
    inner = math.sin(angle) * total
    return 2 / math.pi * (angle + inner) if odd else inner
