"""The expected maximum of normals: against literal quadrature, against a million draws, and what must hold of it."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

from edgecascade.errors import PolicyError
from edgecascade.policies.routing.expected_max import correlated_maxima, expected_max, independent_maxima, normal_cdf
from edgecascade.policies.routing.sobol import normal_points
from edgecascade.pool import Array


def literal(means: Array, sds: Array) -> float:
    """Return E[max] = b - the integral of the product of the distribution functions, panel by panel."""
    ends = np.unique(np.concatenate([means + reach * sds for reach in (-9, -4, -2, -1, 0, 1, 2, 4, 9)]))
    at, weights = np.polynomial.legendre.leggauss(24)
    total = 0.0
    for low, high in pairwise(ends):
        t = (low + high) / 2 + (high - low) / 2 * at
        below = [ndtr((t - m) / s) if s else (t >= m).astype(float) for m, s in zip(means, sds, strict=True)]
        total += (high - low) / 2 * float(weights @ np.prod(below, axis=0))
    return float(ends[-1]) - total


def case(random: np.random.Generator, k: int) -> tuple[Array, Array]:
    """Return means and standard deviations as unlike as they come: equal means, sds of 0, and a thousand to one."""
    means = random.normal(0, 1, k) * random.choice([0.0, 0.1, 1.0])
    return means, 10 ** random.uniform(-3, 0, k) * (random.random(k) > 0.2)


def test_the_product_over_panels_is_the_literal_integral() -> None:
    """For 200 seeded cases, every superset of what has run is within 1e-6 of the largest standard deviation."""
    random = np.random.default_rng(0)
    for _ in range(200):
        k = int(random.integers(2, 6))
        means, sds = case(random, k)
        ran, subset = int(random.integers(0, k)), int(random.integers(1, 1 << k))
        subset &= (1 << (k - ran)) - 1
        chosen = [*range(ran), *(ran + j for j in range(k - ran) if subset >> j & 1)]
        found = independent_maxima(means[None, :ran], sds[None, :ran], means[None, ran:], sds[None, ran:])[0, subset]

        if chosen:
            assert found == pytest.approx(literal(means[chosen], sds[chosen]), abs=1e-6 * max(sds.max(), 1e-3))


def test_prefixes_are_the_subsets_of_the_first() -> None:
    """Computing only prefixes gives what all subsets give for them, independent or correlated."""
    random = np.random.default_rng(1)
    means, sds = random.normal(0, 1, (3, 5)), random.random((3, 5))
    covariance = 0.5 * np.eye(5) + 0.5
    places = [(1 << j) - 1 for j in range(4)]
    alone = independent_maxima(means[:, :2], sds[:, :2], means[:, 2:], sds[:, 2:], prefixes=True)
    both = correlated_maxima(means[:, :2], means[:, 2:], covariance, prefixes=True)

    assert alone == pytest.approx(
        independent_maxima(means[:, :2], sds[:, :2], means[:, 2:], sds[:, 2:])[:, places], abs=1e-12
    )
    assert both == pytest.approx(correlated_maxima(means[:, :2], means[:, 2:], covariance)[:, places], abs=1e-3)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_three_correlated_are_exact(rank: int) -> None:
    """Up to three correlated ones agree with the integral over one of them, covariances of any rank among them."""
    random = np.random.default_rng(rank)
    for _ in range(20):
        means, root = random.normal(0, 1, 3), random.normal(0, 1, (3, rank))
        found = expected_max(means, covariance=root @ root.T)
        z = normal_points(16384, 3)[:, :rank]

        assert found == pytest.approx((means + z @ root.T).max(1).mean(), abs=2e-3 * max(rank, 1))
        assert expected_max(means[:2], covariance=(root @ root.T)[:2, :2]) == pytest.approx(pair(means, root), abs=1e-6)


def pair(means: Array, root: Array) -> float:
    """Return E[max] of the first two by integrating over their difference."""
    spread, gap = float(np.linalg.norm(root[1] - root[0])), float(means[1] - means[0])
    if spread == 0:
        return float(max(means[0], means[1]))
    density = lambda z: max(gap + spread * z, 0.0) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)  # noqa: E731
    return float(means[0] + quad(density, max(-gap / spread, -12), 12, epsabs=1e-9)[0])


@pytest.mark.parametrize("k", [4, 6, 8])
def test_fixed_points_agree_with_the_exact_value(k: int) -> None:
    """Where covariances happen to be diagonal, the points' root mean square error is 1e-3 sds or thereabouts."""
    random = np.random.default_rng(k)
    errors = []
    for _ in range(25):
        means, sds = random.normal(0, 0.3, k), random.uniform(0.1, 1, k)
        exact = expected_max(means, sds)
        errors.append((expected_max(means, covariance=np.diag(sds**2)) - exact) / sds.max())

    assert np.sqrt(np.mean(np.square(errors))) < {4: 2e-4, 6: 1e-3, 8: 2e-3}[k]


def test_correlated_ones_agree_with_many_draws() -> None:
    """Five correlated ones of rank two agree with 400,000 draws within their error."""
    random = np.random.default_rng(5)
    means, root = random.normal(0, 0.5, 5), random.normal(0, 0.5, (5, 2))
    drawn = (means + random.standard_normal((400_000, 2)) @ root.T).max(1)

    assert expected_max(means, covariance=root @ root.T) == pytest.approx(drawn.mean(), abs=4e-3)


def test_a_larger_set_is_never_worth_less() -> None:
    """Adding a model never lowers E[max], to the last digits, whether errors are correlated or not."""
    random = np.random.default_rng(6)
    means, root = random.normal(0, 1, (10, 5)), random.normal(0, 1, (5, 5))
    none = means[:, :0]
    for worth in (independent_maxima(none, none, means, np.abs(means)), correlated_maxima(none, means, root @ root.T)):
        for model in range(5):
            without = np.array([one for one in range(1, 32) if not one >> model & 1])

            assert (worth[:, without | 1 << model] - worth[:, without] >= -1e-12).all()


def test_known_values() -> None:
    """Two equal normals are 1/sqrt(pi) sds above their mean; without spread the largest mean is all."""
    assert expected_max([0.6, 0.6], [0.2, 0.2]) == pytest.approx(0.6 + 0.2 / math.sqrt(math.pi), abs=1e-7)
    assert expected_max([[0.1, 0.5, 0.3]]).tolist() == pytest.approx([0.5], abs=1e-9)
    assert expected_max([0.3]) == pytest.approx(0.3, abs=1e-9)
    assert abs(normal_cdf(np.linspace(-9, 9, 1001)) - ndtr(np.linspace(-9, 9, 1001))).max() < 1e-8


def test_the_points_have_the_moments_of_the_normal() -> None:
    """Mean 0, covariance the identity, to the last digits; beyond twelve dimensions too."""
    for dims in (1, 5, 14):
        points = normal_points(1024, dims)

        assert points.mean(0) == pytest.approx(np.zeros(dims), abs=1e-12)
        assert points.T @ points / 1024 == pytest.approx(np.eye(dims), abs=1e-12)


def test_what_is_no_spread_is_refused() -> None:
    """Negative standard deviations, misshapen or indefinite covariances name what is wrong."""
    with pytest.raises(PolicyError, match="negative"):
        expected_max([0.5, 0.5], [0.1, -0.1])
    with pytest.raises(PolicyError, match="wanted 2 x 2"):
        expected_max([0.5, 0.5], covariance=[[1.0]])
    with pytest.raises(PolicyError, match="eigenvalue"):
        expected_max([0.5] * 4, covariance=-np.eye(4))
