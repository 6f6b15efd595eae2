"""Two tiers: stop at the device's answer, or pay for the cloud's.

Dekoninck, Baader, Vechev, "A Unified Approach to Routing and Cascading for LLMs", arXiv:2410.10347, theorem 2, for two
models, where it has a closed form.

    q, s   mean and standard deviation of (cloud quality - device quality) for this question
    c      extra cost of the cloud
    lam    price of one unit of cost, in units of quality
"""

from math import erfc, exp, pi, sqrt


def expected_gain(q: float, s: float) -> float:
    """Return E[max(device, cloud)] - device: what having both answers is worth.

    >>> expected_gain(0.4, 0.0), expected_gain(-0.4, 0.0)
    (0.4, 0.0)
    """
    if s == 0:
        return max(q, 0.0)
    z = q / s
    return q * erfc(-z / sqrt(2)) / 2 + s * exp(-z * z / 2) / sqrt(2 * pi)


def worth_escalating(q: float, s: float, c: float, lam: float) -> bool:
    """Return whether the expected gain of having both answers exceeds the cloud's price.

    >>> worth_escalating(q=0.4, s=0.1, c=1.0, lam=0.2)
    True
    """
    return expected_gain(q, s) > lam * c
