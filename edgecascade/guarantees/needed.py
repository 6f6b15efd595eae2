"""How many questions a promise would need, and what no number of them can reach.

These are estimates for planning: the risk that was seen is taken for the true one.
"""

import math

from edgecascade.guarantees.binomial import p_value

MOST = 10_000_000
"""More questions than anyone will ask: taken as never."""


def questions_needed(rate: float, epsilon: float, delta: float) -> int | None:
    """Return how many trials show a rate below ``epsilon`` if it is ``rate``; None if no number up to 10 million does.

    >>> questions_needed(0.0, 0.01, 0.1), questions_needed(0.01, 0.01, 0.1)
    (230, None)
    """
    if rate >= epsilon:
        return None
    low, high = 0, math.ceil(math.log(delta) / math.log1p(-epsilon))
    while not _shows(high, rate, epsilon, delta):
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _shows(middle, rate, epsilon, delta) else (middle, high)
    return high


def _shows(n: int, rate: float, epsilon: float, delta: float) -> bool:
    return p_value(math.ceil(n * rate - 1e-9), n, epsilon) <= delta


def must_escalate(base_risk: float, epsilon: float) -> float:
    """Return the share of questions that any policy must escalate for a risk of ``epsilon`` among those kept, 0 to 1.

    The best that can happen is that every escalated answer is a wrong one (arXiv:2606.29054).

    >>> round(must_escalate(0.28, 0.1), 6)
    0.2
    """
    return max(0.0, (base_risk - epsilon) / (1 - epsilon))
