"""The exact bounds, against scipy's beta and binomial distributions."""

import pytest
from scipy.stats import beta, binom

from edgecascade.errors import AttemptsError
from edgecascade.guarantees.binomial import interval, lower_bound, most_failures, p_value, upper_bound

SIZES = [1, 2, 3, 10, 15, 16, 17, 50, 230, 1000, 12_345, 100_000, 1_000_000]


def some_failures(n: int) -> list[int]:
    """Counts at both ends and between."""
    return sorted({k for k in (0, 1, 2, 3, n // 100, n // 10, n // 2, n - n // 10, n - 2, n - 1, n) if 0 <= k <= n})


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("delta", [1e-6, 0.001, 0.05, 0.1, 0.5, 0.9])
def test_the_bounds_are_clopper_and_pearsons(n: int, delta: float) -> None:
    """Both bounds agree with the quantiles of the beta distribution to ten digits, none and all failing included."""
    for k in some_failures(n):
        upper, lower = upper_bound(k, n, delta), lower_bound(k, n, delta)

        assert upper == pytest.approx(1 if k == n else beta.isf(delta, k + 1, n - k), rel=1e-10)
        assert lower == pytest.approx(0 if k == 0 else beta.ppf(delta, k, n - k + 1), rel=1e-10)


@pytest.mark.parametrize("n", SIZES)
def test_the_p_value_is_the_binomial_distribution_function(n: int) -> None:
    """It agrees with scipy's on both sides of the mean."""
    for alpha in (0.01, 0.2, 0.5, 0.97):
        for k in [*some_failures(n), int(n * alpha)]:
            found = p_value(k, n, alpha)

            assert found == pytest.approx(binom.cdf(k, n, alpha), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("n", [1, 5, 100, 3000])
@pytest.mark.parametrize("epsilon", [0.005, 0.1, 0.5])
@pytest.mark.parametrize("delta", [0.05, 0.9])
def test_most_failures_is_where_the_bound_passes_epsilon(n: int, epsilon: float, delta: float) -> None:
    """So many failures have a bound of at most epsilon, one more has not."""
    most = most_failures(n, epsilon, delta)

    assert -1 <= most < n
    assert most == -1 or upper_bound(most, n, delta) <= epsilon
    assert upper_bound(most + 1, n, delta) > epsilon


def test_the_interval_covers() -> None:
    """At every rate, the intervals that contain it have a chance of at least 1 - delta."""
    intervals = [interval(k, 30, 0.1) for k in range(31)]
    for rate in (0.01, 0.1, 0.37, 0.5, 0.93):
        chance = sum(binom.pmf(k, 30, rate) for k, (low, high) in enumerate(intervals) if low <= rate <= high)

        assert chance >= 0.9


def test_impossible_counts_are_refused() -> None:
    """More failures than trials, no trials, or a certain failure make no bound."""
    with pytest.raises(AttemptsError, match="5 failures of 4"):
        upper_bound(5, 4, 0.1)
    with pytest.raises(AttemptsError, match="0 failures of 0"):
        most_failures(0, 0.1, 0.1)
    with pytest.raises(AttemptsError, match=r"delta = 1\.5"):
        lower_bound(1, 4, 1.5)
