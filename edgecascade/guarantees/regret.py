"""The promise of small regret: keeping answers costs at most a share epsilon of all questions.

    loss     of question i if its answer were kept, 0 to 1: 1{cloud right, device wrong}, or (cloud - device)+
    risk(t)  E[loss 1{p >= t}], over all questions: it only grows as the threshold t falls

Bates et al., "Distribution-free, risk-controlling prediction sets", arXiv:2101.02703: because the risk is monotone, the
loosest threshold with its own bound and that of every stricter one at most epsilon needs no correction for having
looked at all of them. Losses of 0 and 1: the exact binomial bound. Graded losses: betting (``bounded``), whose capital
is monotone too. Which of the two is a property of the loss, not of the sample: losses that are all 0 or 1 are taken to
be of the first kind.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from edgecascade.guarantees.binomial import most_failures, upper_bound
from edgecascade.guarantees.bounded import bet, betting_bound, growth, highest
from edgecascade.guarantees.certificate import Certificate
from edgecascade.guarantees.needed import questions_needed
from edgecascade.guarantees.ranked import Ranked, check_promise

GRAIN = 20_000
"""A graded threshold is found to one part in so many of the thresholds that there are, on the strict side."""


def certify_regret(p: ArrayLike, losses: ArrayLike, *, epsilon: float, delta: float) -> Certificate:
    """Return the loosest threshold whose regret is at most ``epsilon``, but for one calibration in 1/``delta``.

    p       (n,) estimates, any scale, higher is surer; -inf is never kept
    losses  (n,) in [0, 1]: the loss if that answer were kept

    The questions must be drawn like those to come, and none of them may have been used to fit p. AttemptsError for NaN,
    shapes that do not pair up, or a promise outside 0 to 1.

    >>> certify_regret(np.linspace(0, 1, 500), np.arange(500) < 100, epsilon=0.02, delta=0.1).kept
    405
    """
    check_promise(epsilon, delta)
    return of_ranked(Ranked.of(p, losses), epsilon, delta)


def of_ranked(ranked: Ranked, epsilon: float, delta: float) -> Certificate:
    """Return the same from questions that are ranked already."""
    blocks, bound, method = _exact(ranked, epsilon, delta) if ranked.binary else _betting(ranked, epsilon, delta)
    needed, reason = (None, "") if blocks else _shortfall(ranked, epsilon, delta)
    return Certificate(
        promise="regret",
        epsilon=epsilon,
        delta=delta,
        n=ranked.n,
        threshold=ranked.threshold(blocks) if blocks else math.inf,
        kept=int(ranked.counts[blocks - 1]) if blocks else 0,
        losses=float(ranked.totals[blocks - 1]) if blocks else 0.0,
        bound=bound if blocks else 1.0,
        reason=reason,
        needed=needed,
        method=method,
    )


def _exact(ranked: Ranked, epsilon: float, delta: float) -> tuple[int, float, str]:
    most = most_failures(ranked.n, epsilon, delta)
    blocks = int(np.searchsorted(ranked.totals, most + 0.5)) if most >= 0 else 0
    bound = upper_bound(int(ranked.totals[blocks - 1]), ranked.n, delta) if blocks else 1.0
    return blocks, bound, "exact binomial bound, monotone risk"


def _betting(ranked: Ranked, epsilon: float, delta: float) -> tuple[int, float, str]:
    p, losses = ranked.shuffled()
    c = bet(ranked.n, epsilon, delta)
    if_kept, if_not = growth(losses, epsilon, c), growth(np.zeros(1), epsilon, c)

    def passes(blocks: int) -> bool:
        capital = highest(np.where(p >= ranked.values[blocks - 1], if_kept, if_not))
        return bool(capital >= math.log(1 / delta))

    blocks, bad = 0, int(np.searchsorted(ranked.totals, epsilon * ranked.n)) + 1  # none beyond has so small a mean
    grain = max(1, bad // GRAIN)
    step = max(1, bad // 64)
    while bad - blocks > grain:
        middle = max(bad - step, (blocks + bad) // 2)  # what passes is likely to lie just below what cannot
        blocks, bad, step = (middle, bad, step) if passes(middle) else (blocks, middle, 2 * step)
    if not blocks:
        return 0, 1.0, "betting, monotone risk"
    kept = np.where(p >= ranked.values[blocks - 1], losses, 0.0)
    return blocks, betting_bound(kept, epsilon, delta, c), "betting, monotone risk"


def _shortfall(ranked: Ranked, epsilon: float, delta: float) -> tuple[int | None, str]:
    """Return how many questions would do, and why these did not."""
    if not len(ranked.values):
        return None, "no answer has an estimate"
    needed = questions_needed(float(ranked.totals[0]) / ranked.n, epsilon, delta)
    if needed is None:
        return None, f"even the surest answers alone cost more than {100 * epsilon:g} % of the questions"
    return needed, f"{ranked.n} questions are too few to show a cost of at most {100 * epsilon:g} %"
