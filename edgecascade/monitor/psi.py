"""Drift of the estimate, without labels: the population stability index against the calibration set.

    PSI = sum over bins of (q - p) ln(q / p)        p share at calibration, q share now; both half a count per bin more

Without drift PSI is not 0: (1/n + 1/m) times a chi-squared with bins - 1 degrees of freedom, for n answers now and m at
calibration (Yurdakul, Naranjo, "Statistical properties of the population stability index", 2020). Its mean is
subtracted here; what is left is called drift only beyond the limit and beyond four standard deviations of the noise:

    worth = 1 / (1/n + 1/m)     noise = sqrt(2 (bins - 1)) / worth     below a worth of 50 nothing is said

Simulated without drift, a look says "refit" or "void" in 0.3 % of cases at any worth of 50 or more; looking all along
5000 answers, against 500 at calibration, does so in 6 % of cases.

The present is an exponentially forgetting histogram: ten numbers, no jump when a window ends, and nothing is lost when
the process is restarted. n is its effective count, (sum of weights)^2 / (sum of squared weights).

PSI notices drift and does not size the harm: a model that got worse may keep its estimates, and the other way round.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from edgecascade.errors import AttemptsError, FittedFileError
from edgecascade.monitor.stored import stored_count, stored_number, stored_numbers

BINS = 10
REFIT = 0.05
VOID = 0.2
"""From REFIT on the intercept needs some labels, beyond VOID the certificate is void."""
STRAY = 4 * math.sqrt(2 * (BINS - 1))
"""Four standard deviations of the noise, times the worth."""
SPEAKS_OF_DRIFT = 50
SPEAKS_OF_NONE = 200
MEMORY = 1000

Verdict = Literal["fresh", "refit", "void", "unknown"]


@dataclass(frozen=True, slots=True)
class Reference:
    """How the estimates were spread at calibration.

    edges    rising; bin i holds what is above edge i-1 and not above edge i
    shares   of each bin, one more than edges, summing to 1
    count    calibration estimates, m
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    count: int

    @classmethod
    def of(cls, estimates: Sequence[float], *, bins: int = BINS) -> "Reference":
        """Return the reference of these estimates, shape (m,), in at most ``bins`` bins of about equal share.

        An edge stands midway between two values that occur, never on one: a value that many answers share stays in its
        bin although another device computes it one bit away. Raises AttemptsError for values that are not finite, or
        all the same, and for fewer values than bins.

        >>> Reference.of([0.1] * 5 + [0.9] * 5).edges
        (0.5,)
        """
        values = sorted(float(value) for value in estimates)
        steps = [place for place, (low, high) in enumerate(pairwise(values), 1) if not math.isclose(low, high)]
        if len(values) < bins or not steps or not all(map(math.isfinite, values)):
            raise AttemptsError(
                f"no spread to watch: found {len(values)} estimates with {len(steps) + 1} different values, wanted at "
                f"least {bins}, not all the same, all finite; calibrate on more questions"
            )
        wanted = [len(values) * part / bins for part in range(1, bins)]
        cuts = sorted({_nearest(steps, count) for count in wanted})
        shares = [(high - low) / len(values) for low, high in pairwise([0, *cuts, len(values)])]
        return cls(tuple((values[cut - 1] + values[cut]) / 2 for cut in cuts), tuple(shares), len(values))

    def lumped_below(self, limit: float) -> "Reference":
        """Return the same with one bin for all that is below a limit, and for the rest of the bin that holds it.

        Of an answer that a gate stopped only this is known: its estimate would be below the threshold. Gates stop the
        least sure first, so nothing may be told apart down there, or their own work would look like drift.

        >>> Reference((0.2, 0.4, 0.7), (0.1, 0.2, 0.3, 0.4), 300).lumped_below(0.3).edges
        (0.4, 0.7)
        """
        place = bisect_left(self.edges, limit)
        return Reference(self.edges[place:], (sum(self.shares[: place + 1]), *self.shares[place + 1 :]), self.count)

    @classmethod
    def above(cls, estimates: Sequence[float], limit: float) -> "Reference":
        """Return the reference of the estimates from a limit on, with one bin for all below it.

        >>> Reference.above([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9], 0.8).shares
        (0.7, 0.1, 0.2)
        """
        return cls.of([estimate if estimate >= limit else limit - 1 for estimate in estimates])

    def as_json(self) -> dict[str, Any]:
        """Return the edges, shares and count."""
        return {"edges": list(self.edges), "shares": list(self.shares), "count": self.count}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Reference":
        """Return what was stored; FittedFileError for a damaged record."""
        edges = stored_numbers(record, "edges", least=-math.inf)
        shares = stored_numbers(record, "shares", least=0.0, length=len(edges) + 1)
        if any(low >= high for low, high in pairwise(edges)) or abs(sum(shares) - 1) > 1e-9:
            raise FittedFileError(
                f"a damaged reference: found shares summing to {sum(shares):g}, and edges {edges!s:.60}, wanted 1 and "
                "rising edges; calibrate again"
            )
        return cls(edges, shares, stored_count(record, "count", least=1))


def _nearest(steps: list[int], count: float) -> int:
    """Return the one of rising ``steps`` that is nearest to ``count``."""
    place = bisect_left(steps, count)
    return min(steps[max(place - 1, 0) : place + 1], key=lambda step: abs(step - count))


@dataclass(frozen=True, slots=True)
class PsiState:
    """The forgetting histogram of the present estimates.

    weights  of each bin; an answer weighs 1 when it comes, and less with every later one
    squares  the sum of the squared weights of all answers
    memory   the effective count that the histogram tends to
    """

    weights: tuple[float, ...]
    squares: float = 0.0
    memory: int = MEMORY

    @classmethod
    def of(cls, reference: Reference, *, memory: int = MEMORY) -> "PsiState":
        """Return an empty state for this reference; memory of at least 2 answers."""
        return cls((0.0,) * len(reference.shares), 0.0, memory)

    @property
    def count(self) -> float:
        """The effective count of answers, n."""
        return sum(self.weights) ** 2 / self.squares if self.squares else 0.0

    def update(self, estimate: float, reference: Reference) -> "PsiState":
        """Return the state after one more answer; a NaN estimate counts as the least sure one."""
        keep = (self.memory - 1) / (self.memory + 1)
        weights = [keep * weight for weight in self.weights]
        weights[bisect_left(reference.edges, estimate)] += 1.0
        return PsiState(tuple(weights), keep * keep * self.squares + 1.0, self.memory)

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self) | {"weights": list(self.weights)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "PsiState":
        """Return what was stored; FittedFileError for a damaged record."""
        weights = stored_numbers(record, "weights", least=0.0)
        return cls(weights, stored_number(record, "squares", least=0.0), stored_count(record, "memory", least=2))


def psi(state: PsiState, reference: Reference) -> float:
    """Return the index less what noise alone gives on average, at least 0; 0 before the first answer."""
    n, m, bins = state.count, reference.count, len(reference.shares)
    if n == 0:
        return 0.0
    total = sum(state.weights)
    raw = 0.0
    for weight, share in zip(state.weights, reference.shares, strict=True):
        q = (n * weight / total + 0.5) / (n + bins / 2)
        p = (m * share + 0.5) / (m + bins / 2)
        raw += (q - p) * math.log(q / p)
    return max(raw - (bins - 1) * (1 / n + 1 / m), 0.0)


def worth(state: PsiState, reference: Reference) -> float:
    """Return what the comparison is worth, in answers: 1 / (1/n + 1/m), 0 before the first answer.

    >>> reference = Reference(edges=(0.5,), shares=(0.5, 0.5), count=300)
    >>> worth(PsiState(weights=(300.0, 300.0), squares=600.0), reference)
    200.0
    """
    return 1 / (1 / state.count + 1 / reference.count) if state.count else 0.0


def drift_verdict(psi: float, count: float) -> Verdict:
    """Return what a ``psi`` that is worth ``count`` answers says about the calibration.

    fresh    nothing has moved                      void      the certificate no longer holds: answer from the cloud
    refit    the intercept needs 30 to 50 labels    unknown   too few answers to tell drift from noise

    >>> drift_verdict(0.01, 500), drift_verdict(0.1, 500), drift_verdict(0.4, 100), drift_verdict(0.1, 100)
    ('fresh', 'refit', 'void', 'unknown')
    """
    if count < SPEAKS_OF_DRIFT:
        return "unknown"
    if psi >= max(REFIT, STRAY / count):
        return "void" if psi > VOID else "refit"
    return "fresh" if psi < REFIT and count >= SPEAKS_OF_NONE else "unknown"
