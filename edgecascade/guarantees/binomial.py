"""Exact bounds on a rate from k failures in n trials: Clopper and Pearson, Biometrika 26 (1934).

    F(k; n, p)   P(at most k failures), the binomial distribution function
    upper bound  the p with F(k; n, p) = delta; the true rate is above it with probability at most delta

The probability of exactly k follows Loader, "Fast and accurate computation of binomial probabilities" (2000):
Stirling's error and two deviances, so that nothing large cancels at a million trials. F is the nearer tail's sum.
"""

import math

from edgecascade.errors import AttemptsError

SMALL = 16
"""Below it, Stirling's error comes from the logarithm of the factorial; from it on, the series is exact to 1e-14."""
NEGLIGIBLE = 1e-17
CLOSE = 1e-15
STEPS = 200


def upper_bound(failures: int, n: int, delta: float) -> float:
    """Return the rate that the true one exceeds with probability at most ``delta``; 1 if all failed.

    >>> round(upper_bound(0, 230, 0.1), 4)
    0.01
    """
    _check(failures, n, delta)
    if failures == n:
        return 1.0
    if failures == 0:
        return -math.expm1(math.log(delta) / n)
    return _chances(_solve(failures, n, delta))[0]


def lower_bound(failures: int, n: int, delta: float) -> float:
    """Return the rate that the true one falls below with probability at most ``delta``; 0 if none failed."""
    _check(failures, n, delta)
    if failures == 0:
        return 0.0
    if failures == n:
        return math.exp(math.log(delta) / n)
    return _chances(_solve(n - failures, n, delta))[1]


def interval(failures: int, n: int, delta: float) -> tuple[float, float]:
    """Return both bounds, each at half of ``delta``: the true rate is outside with probability at most ``delta``.

    >>> tuple(round(bound, 3) for bound in interval(3, 10, 0.05))
    (0.067, 0.652)
    """
    return lower_bound(failures, n, delta / 2), upper_bound(failures, n, delta / 2)


def p_value(failures: int, n: int, alpha: float) -> float:
    """Return P(at most ``failures`` of ``n``) at the rate ``alpha``: the evidence against a rate above ``alpha``.

    >>> round(p_value(1, 3, 0.5), 12)
    0.5
    """
    _check(failures, n)
    return _at_most(failures, n, alpha, 1 - alpha)


def most_failures(n: int, epsilon: float, delta: float) -> int:
    """Return the largest number of failures whose upper bound is at most ``epsilon``; -1 if none will do.

    >>> most_failures(229, 0.01, 0.1), most_failures(230, 0.01, 0.1)
    (-1, 0)
    """
    _check(0, n, delta)
    good, bad = -1, n
    while bad - good > 1:
        middle = (good + bad) // 2
        if p_value(middle, n, epsilon) <= delta:
            good = middle
        else:
            bad = middle
    return good


def _check(failures: int, n: int, delta: float = 0.5) -> None:
    if not 0 <= failures <= n or n < 1:
        raise AttemptsError(f"{failures} failures of {n} make no rate; wanted 0 to n of at least 1 trial")
    if not 0 < delta < 1:
        raise AttemptsError(f"delta = {delta} is no probability of failing; wanted above 0 and below 1, such as 0.1")


def _chances(logit: float) -> tuple[float, float]:
    """Return p and 1 - p, both to full relative precision."""
    return 1 / (1 + math.exp(-logit)), 1 / (1 + math.exp(logit))


def _solve(k: int, n: int, delta: float) -> float:
    """Return the logit of the p with F(k; n, p) = delta, 0 < k < n, by Newton's steps kept within a bracket."""
    low, high = -100.0, 100.0
    logit = math.log((k + 1.0) / (n - k))
    for _ in range(STEPS):
        p, q = _chances(logit)
        chance = _at_most(k, n, p, q)
        if chance > delta:
            low = logit
        else:
            high = logit
        slope = (n - k) * p * _exactly(k, n, p, q)  # of -F, by the logit
        step = (math.log(chance / delta) * chance / slope) if chance > 0 and slope > 0 else math.inf
        following = logit + step
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - logit) <= CLOSE * max(1.0, abs(logit)):
            return following
        logit = following
    return logit


def _at_most(k: int, n: int, p: float, q: float) -> float:
    """Return F(k; n, p); q = 1 - p is given for its precision."""
    if k < 0 or p >= 1 > k / n:
        return 0.0
    if k >= n or p <= 0:
        return 1.0
    if k <= n * p:
        return _exactly(k, n, p, q) * _tail(k, n - k, q / p)
    return 1 - _exactly(k + 1, n, p, q) * _tail(n - k - 1, k + 1, p / q)


def _tail(inside: int, outside: int, odds: float) -> float:
    """Return the sum of a tail's probabilities, as multiples of its first and largest."""
    total = term = 1.0
    while inside and term > NEGLIGIBLE * total:
        outside += 1
        term *= inside / outside * odds
        total += term
        inside -= 1
    return total


def _exactly(k: int, n: int, p: float, q: float) -> float:
    """Return P(exactly k)."""
    if k == 0:
        return math.exp(n * (math.log1p(-p) if p < q else math.log(q)))
    if k == n:
        return math.exp(n * (math.log1p(-q) if q < p else math.log(p)))
    exponent = _stirling(n) - _stirling(k) - _stirling(n - k) - _deviance(k, n * p) - _deviance(n - k, n * q)
    return math.exp(exponent) * math.sqrt(n / (2 * math.pi * k * (n - k)))


def _stirling(n: int) -> float:
    """Return ln n! less Stirling's approximation of it."""
    if n < SMALL:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    square = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / square) / square) / square) / n


def _deviance(count: float, mean: float) -> float:
    """Return count ln(count / mean) + mean - count."""
    excess = (count - mean) / mean
    return mean * ((1 + excess) * math.log1p(excess) - excess)
