"""The promise of few wrong answers among those kept. The risk E[loss | p >= t] is not monotone in the threshold.

Some thresholds are tested from the strictest to the loosest, each for a risk above epsilon, and the loosest that passes
is taken. No test is passed by a bad threshold with probability above delta, all of them together, by the fallback
procedure (Wiens and Dmitrienko, 2005) within Learn-then-Test (arXiv:2110.01052):

    delta is shared equally among a few starts; a test that passes hands its share on to the next, looser one, where it
    is added to that one's own; a test that fails loses it. With A(m) the shares between the bad threshold before m
    (exclusive) and m, m can be passed wrongly as the first only at a level of at most delta A(m), and these sum to at
    most delta.

What is tested and where it starts follows from p alone, never from a loss: tests are binomial for losses of 0 and 1,
betting for graded ones. They would be exact if thresholds and starts came from other questions. That they come from the
same ones makes them a close approximation: simulated with constant, crossing and saw-tooth risks, at most 7.5 % of 400
calibrations broke a promise made with delta = 10 %.

    tested   kept counts that grow by about the square root, from the smallest that could pass
    starts   where p is a probability: for each of five factors, the loosest count that would pass if the true risk were
             that factor times what p says; otherwise three counts, evenly spread

Share kept in simulations (two cases of accuracy, AUROC and epsilon: .7, .81, .1 and .9, .85, .05; delta .1); the mean
of all eight, with a calibrated p and with an overconfident one (log-odds times 1.4); the highest share of violations:

    n              200        500        1000       5000       calibrated   overconfident   violations
    this           .12, .44   .18, .61   .24, .76   .41, .82   .447         .407            .065
    spread starts  .04, .32   .14, .63   .24, .76   .40, .82   .420         .420            .070
    SGR            .02, .14   .12, .41   .21, .67   .38, .80   .344         .344            .030
    Bonferroni 10  .01, .14   .09, .48   .18, .63   .33, .76   .328         .328            .010

SGR is the search of Geifman and El-Yaniv, arXiv:1705.08500; its thresholds depend on the losses.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.guarantees.binomial import p_value, upper_bound
from edgecascade.guarantees.bounded import bet, betting_bound, betting_p_value, divergence
from edgecascade.guarantees.certificate import Certificate, Promise
from edgecascade.guarantees.needed import questions_needed
from edgecascade.guarantees.ranked import Ranked, check_promise

FACTORS = (1.0, 1.5, 2.25, 3.4, 5.0)
"""How much riskier the kept answers may be than p says, from not at all to five times."""
SPREAD = 3
LIKELY = 0.52
"""Standard deviations above the mean that losses stay below in seven cases of ten."""
SMALLEST_STEP = {True: 0.01, False: 0.03}
"""By losses of 0 or 1: their tests cost little, those of graded losses a pass over all questions."""


def certify_selective(
    p: ArrayLike, losses: ArrayLike, *, epsilon: float, delta: float, promise: Promise = "selective"
) -> Certificate:
    """Return a threshold above which the mean loss is at most ``epsilon``, but for one calibration in 1/``delta``.

    p        (n,) estimates, any scale, higher is surer; -inf is never kept; starts are best where p is P(correct)
    losses   (n,) in [0, 1]: 1 if the answer is wrong; for "agreement", 1 if it differs from the cloud's
    promise  "selective" or "agreement", which only changes the words

    The questions must be drawn like those to come, and none of them may have been used to fit p. AttemptsError for NaN,
    shapes that do not pair up, or a promise outside 0 to 1.
    """
    check_promise(epsilon, delta)
    return of_ranked(Ranked.of(p, losses), epsilon, delta, promise)


def of_ranked(ranked: Ranked, epsilon: float, delta: float, promise: Promise) -> Certificate:
    """Return the same from questions that are ranked already."""
    tests = _Tests(ranked, epsilon, delta)
    grid = _grid(ranked, epsilon, delta)
    shares = _shares(ranked, grid, epsilon, delta)
    best, level = _fallback(tests, grid, shares)
    feasible = best >= 0
    needed, reason = (None, "") if feasible else _shortfall(ranked, epsilon, delta)
    return Certificate(
        promise=promise,
        epsilon=epsilon,
        delta=delta,
        n=ranked.n,
        threshold=ranked.threshold(best + 1) if feasible else math.inf,
        kept=int(ranked.counts[best]) if feasible else 0,
        losses=float(ranked.totals[best]) if feasible else 0.0,
        bound=tests.bound(best, level) if feasible else 1.0,
        reason=reason,
        needed=needed,
        method="exact binomial tests, fallback" if ranked.binary else "betting tests, fallback",
    )


class _Tests:
    """The test of one threshold, named by the last block that it keeps."""

    def __init__(self, ranked: Ranked, epsilon: float, delta: float) -> None:
        self._ranked, self._epsilon, self._delta = ranked, epsilon, delta
        if not ranked.binary:
            self._p, self._losses = ranked.shuffled()

    def passes(self, block: int, level: float) -> bool:
        kept, total = int(self._ranked.counts[block]), float(self._ranked.totals[block])
        if total >= kept * self._epsilon:
            return False
        if self._ranked.binary:
            return p_value(int(total), kept, self._epsilon) <= level
        return betting_p_value(self._kept(block), self._epsilon, self._bet(kept)) <= level

    def bound(self, block: int, level: float) -> float:
        kept = int(self._ranked.counts[block])
        if self._ranked.binary:
            return upper_bound(int(self._ranked.totals[block]), kept, level)
        return betting_bound(self._kept(block), self._epsilon, level, self._bet(kept))

    def _bet(self, kept: int) -> float:
        return bet(kept, self._epsilon, self._delta)

    def _kept(self, block: int) -> NDArray[np.float64]:
        kept: NDArray[np.float64] = self._losses[self._p >= self._ranked.values[block]]
        return kept


def _fallback(tests: _Tests, grid: NDArray[np.intp], shares: NDArray[np.float64]) -> tuple[int, float]:
    """Return the loosest block that passes and the level it passed at; block -1 if none does."""
    best, best_level, level = -1, 0.0, 0.0
    for block, share in zip(grid.tolist(), shares.tolist(), strict=True):
        level += share
        if level <= 0:
            continue
        if tests.passes(block, level):
            best, best_level = block, level
        else:
            level = 0.0
    return best, best_level


def _grid(ranked: Ranked, epsilon: float, delta: float) -> NDArray[np.intp]:
    """Return the blocks to test, rising; the first is the smallest that could pass with the share of one start."""
    if not len(ranked.values):
        return np.empty(0, np.intp)
    most = int(ranked.counts[-1])
    wanted, count = [], math.log(delta / len(FACTORS)) / math.log1p(-epsilon)
    while count < most:
        wanted.append(math.ceil(count))
        count += max(math.sqrt(count), SMALLEST_STEP[ranked.binary] * count)
    return np.unique(np.searchsorted(ranked.counts, [*wanted, most]))


def _shares(ranked: Ranked, grid: NDArray[np.intp], epsilon: float, delta: float) -> NDArray[np.float64]:
    """Return each tested block's own part of delta."""
    shares = np.zeros(len(grid))
    if not len(grid):
        return shares
    if ranked.values[0] > 1 or ranked.values[-1] < 0:
        for start in range(SPREAD):
            shares[start * (len(grid) - 1) // SPREAD] += delta / SPREAD
        return shares
    sizes = np.diff(ranked.counts, prepend=0)
    risks = (np.cumsum(sizes * (1 - ranked.values)) / ranked.counts)[grid]
    for factor in FACTORS:
        shares[_start(ranked.counts[grid], risks * factor, epsilon, delta / len(FACTORS))] += delta / len(FACTORS)
    return shares


def _start(counts: NDArray[np.int64], risks: NDArray[np.float64], epsilon: float, level: float) -> int:
    """Return the loosest that would probably pass if these were the risks; the strictest if none would."""
    for i in np.flatnonzero(risks < epsilon)[::-1].tolist():
        count, risk = int(counts[i]), float(risks[i])
        losses = math.floor(count * risk + LIKELY * math.sqrt(count * risk * (1 - risk)))
        if losses < count * epsilon and p_value(losses, count, epsilon) <= level:
            return int(i)
    return 0


def _shortfall(ranked: Ranked, epsilon: float, delta: float) -> tuple[int | None, str]:
    """Return how many questions would do, and why these did not; less than the surest tenth is too little to tell."""
    if not len(ranked.values):
        return None, "no answer has an estimate"
    level = delta / len(FACTORS)
    rates = ranked.totals / ranked.counts
    good = np.flatnonzero((rates < epsilon) & (ranked.counts >= ranked.counts[-1] / 10))
    if not len(good):
        return None, f"even among the surest answers too many are lost for {100 * epsilon:g} %"
    shares = ranked.counts[good] / ranked.n
    guesses = [
        math.log(1 / level) / divergence(rate, epsilon) / share
        for rate, share in zip(rates[good].tolist(), shares.tolist(), strict=True)
    ]
    best = int(np.argmin(guesses))
    kept = questions_needed(float(rates[good[best]]), epsilon, level)
    needed = None if kept is None else max(math.ceil(kept / float(shares[best])), ranked.n + 1)
    return needed, f"{ranked.n} questions are too few to show a risk of at most {100 * epsilon:g} % among kept answers"
