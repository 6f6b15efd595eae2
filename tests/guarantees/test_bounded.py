"""Tests of a bounded mean: how often they are wrong, and that betting earns its place."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from edgecascade.guarantees import binomial
from edgecascade.guarantees.bounded import bet, betting_bound, betting_p_value, divergence

Draw = Callable[[np.random.Generator, int], np.ndarray]

KINDS: dict[str, tuple[float, Draw]] = {
    "binary": (1.0, lambda random, n: np.ones(n)),
    "uniform": (0.5, lambda random, n: random.random(n)),
    "small": (0.25, lambda random, n: random.beta(2, 6, n)),
}


def hoeffding_bentkus_p_value(mean: float, n: int, epsilon: float) -> float:
    """The p-value of Bates et al., arXiv:2101.02703: the plain baseline, which betting must beat."""
    hoeffding = math.exp(-n * divergence(min(mean, epsilon), epsilon))
    return min(hoeffding, math.e * binomial.p_value(min(math.ceil(n * mean - 1e-9), n), n, epsilon))


def draw(kind: str, random: np.random.Generator, n: int, mean: float) -> np.ndarray:
    """Return losses of that mean, most of them 0."""
    size, values = KINDS[kind]
    return values(random, n) * (random.random(n) < mean / size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [50, 400])
def test_a_mean_of_epsilon_is_rarely_rejected(kind: str, n: int) -> None:
    """At the worst allowed mean both tests reject at most delta of the time, and not never."""
    random, c = np.random.default_rng(n), bet(n, 0.1, 0.1)
    samples = [draw(kind, random, n, 0.1) for _ in range(1000)]
    betting = np.mean([betting_p_value(x, 0.1, c) <= 0.1 for x in samples])
    plain = np.mean([hoeffding_bentkus_p_value(float(x.mean()), n, 0.1) <= 0.1 for x in samples])

    assert 0 < betting <= 0.1 + 3 * np.sqrt(0.09 / 1000)
    assert plain <= 0.1 + 3 * np.sqrt(0.09 / 1000)


@pytest.mark.parametrize("kind", ["uniform", "small"])
def test_betting_shows_more_than_the_plain_test(kind: str) -> None:
    """On graded losses below epsilon it rejects more often."""
    random, c = np.random.default_rng(1), bet(500, 0.1, 0.1)
    samples = [draw(kind, random, 500, 0.08) for _ in range(200)]
    betting = np.mean([betting_p_value(x, 0.1, c) <= 0.1 for x in samples])
    plain = np.mean([hoeffding_bentkus_p_value(float(x.mean()), 500, 0.1) <= 0.1 for x in samples])

    assert betting > plain


def test_the_capital_falls_with_every_loss() -> None:
    """Raising any one loss never lowers the p-value: what makes bisection over thresholds right."""
    random, c = np.random.default_rng(2), bet(40, 0.2, 0.1)
    for _ in range(200):
        losses = random.random(40) * (random.random(40) < 0.3)
        worse = losses.copy()
        worse[random.integers(40)] = 1.0

        assert betting_p_value(worse, 0.2, c) >= betting_p_value(losses, 0.2, c)


def test_the_betting_bound_covers() -> None:
    """The bound falls below the true mean at most delta of the time."""
    random, c = np.random.default_rng(3), bet(300, 0.2, 0.1)
    bounds = [betting_bound(draw("uniform", random, 300, 0.1), 0.2, 0.1, c) for _ in range(300)]

    assert np.mean(np.array(bounds) < 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 300)
    assert np.median(bounds) < 0.2


def test_no_losses_at_all_prove_nothing() -> None:
    """Without a question the p-value is 1, and one loss of 1 each makes it 1 too."""
    empty = betting_p_value(np.empty(0), 0.1, 0.5)

    assert empty == betting_p_value(np.ones(10), 0.1, 0.5) == 1.0
