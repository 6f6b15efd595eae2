"""How good an estimate is: its ranking, its calibration, what escalating by it buys, and how sure these figures are.

    p       (n,) estimates of "the answer is right"; y (n,) 1 where it was, 0 where not
    loss    (n,) what keeping the answer costs, at least 0
    groups  (n,) the task that each question belongs to

Rank metrics take any scale. Equal estimates are never told apart: every curve is the mean over all orders of equals.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.errors import AttemptsError

Array = NDArray[np.float64]
Metric = Callable[[Any, Any], float]

LEAST_ROWS = 10
"""A group below this says nothing."""
CELLS = 4096
"""Of the grid on which the smooth calibration error is computed: finer than any bandwidth that matters."""
HALVINGS = 30
TINY = 1e-15
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its bootstrap percentiles."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions of like estimate: their mean estimate, the share that was right, how many."""

    mean_p: float
    rate: float
    count: int


# Ranking


def auroc(p: ArrayLike, y: ArrayLike) -> float:
    """Return the chance that a right answer has the higher estimate, ties counting half; NaN if all are of one kind.

    >>> auroc([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1])
    0.875
    """
    p, y = _pair(p, y)
    order = np.argsort(p, kind="stable")
    rising, right = p[order], y[order]
    ends = _ends(rising)
    below = np.cumsum(right)[ends]
    rights = np.diff(below, prepend=0.0)
    wrongs = np.diff(ends + 1 - below, prepend=0.0)
    pairs = float(rights.sum() * wrongs.sum())
    return float(rights @ (np.cumsum(wrongs) - wrongs / 2)) / pairs if pairs else math.nan


def macro(metric: Metric, p: ArrayLike, y: ArrayLike, groups: ArrayLike) -> float:
    """Return the mean of ``metric(p, y)`` within each group of at least 10 rows of both kinds; NaN if there is none.

    Pooled over tasks, a ranking metric also rewards telling hard tasks from easy ones; this one does not.
    """
    p, y = _pair(p, y)
    codes = _codes(groups)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    values = [metric(p[part], y[part]) for part in parts if len(part) >= LEAST_ROWS and y[part].min() < y[part].max()]
    return float(np.mean(values)) if values else math.nan


def macro_auroc(p: ArrayLike, y: ArrayLike, groups: ArrayLike) -> float:
    """Return the mean area under the ROC curve within groups."""
    return macro(auroc, p, y, groups)


def prr(p: ArrayLike, y: ArrayLike, *, max_rejection: float = 1.0) -> float:
    """Return the prediction-rejection ratio: 1 as good as the oracle, 0 as good as chance, below it worse.

    The area is that of the mean of y among those left, as the least sure are rejected one by one up to
    ``max_rejection`` of all; the ratio is (area - chance) / (oracle - chance), as in LM-Polygraph (arXiv:2406.15627).
    y may be graded. NaN where the oracle is no better than chance.
    """
    p, y = _pair(p, y)
    chance = float(y.mean())
    best = _rejection_area(y, y, max_rejection) - chance
    return (_rejection_area(p, y, max_rejection) - chance) / best if best > TINY else math.nan


def _rejection_area(p: Array, y: Array, max_rejection: float) -> float:
    rejections = max(int(max_rejection * len(p)), 1)
    return float(_means(_surest_first(p, y))[-rejections:].mean())


# Calibration


def brier(p: ArrayLike, y: ArrayLike) -> float:
    """Return the mean squared difference, 0 to 1."""
    p, y = _pair(p, y)
    return float(np.mean((p - y) ** 2))


def nll(p: ArrayLike, y: ArrayLike) -> float:
    """Return the mean negative log-likelihood, nats; p is kept 1e-15 away from 0 and 1."""
    p, y = _pair(p, y)
    p = np.clip(p, TINY, 1 - TINY)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))


def reliability(p: ArrayLike, y: ArrayLike, *, bins: int = 10) -> tuple[Bin, ...]:
    """Return up to ``bins`` bins of about as many questions each, lowest first; equal estimates share one."""
    p, y = _pair(p, y)
    order = np.argsort(p, kind="stable")
    rising, right = p[order], y[order]
    starts = np.searchsorted(rising, rising[np.arange(bins) * len(p) // bins])
    parts = [slice(a, b) for a, b in zip(starts, [*starts[1:], len(p)], strict=True) if a < b]
    return tuple(Bin(float(rising[i].mean()), float(right[i].mean()), len(right[i])) for i in parts)


def ece(p: ArrayLike, y: ArrayLike, *, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal mass; below a thousand questions it is mostly noise."""
    found = reliability(p, y, bins=bins)
    return math.fsum(one.count * abs(one.mean_p - one.rate) for one in found) / sum(one.count for one in found)


def smooth_ece(p: ArrayLike, y: ArrayLike) -> float:
    """Return the smooth calibration error, for p in [0, 1]: the sigma at which smECE_sigma = sigma.

    Blasiok and Nakkiran, arXiv:2309.12236: the integral over t of |mean of K_sigma(t, p_i) (y_i - p_i)|, for a Gaussian
    kernel reflected at 0 and 1. On a grid of 4096 cells the reflection is an even extension, the kernel a product
    in frequency.
    """
    p, y = _pair(p, y)
    if p.min() < 0 or p.max() > 1:
        raise AttemptsError(f"estimates from {p.min():g} to {p.max():g} are no probabilities; wanted 0 to 1, calibrate")
    cells = np.minimum((p * CELLS).astype(np.intp), CELLS - 1)
    residuals = np.bincount(cells, weights=y - p, minlength=CELLS) / len(p)
    spectrum = np.fft.rfft(np.concatenate([residuals, residuals[::-1]]))
    squares = (np.pi * np.arange(CELLS + 1)) ** 2 / 2

    def smoothed(sigma: float) -> float:
        return float(np.abs(np.fft.irfft(spectrum * np.exp(-squares * sigma**2), 2 * CELLS)[:CELLS]).sum())

    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if smoothed(middle) >= middle else (low, middle)
    return high


# Keeping and escalating


def risk_coverage(p: ArrayLike, loss: ArrayLike) -> tuple[Array, Array]:
    """Return coverage (n,), from 1/n to 1, and the mean loss of as many kept, the surest first."""
    p, loss = _pair(p, loss)
    return np.arange(1, len(p) + 1) / len(p), _means(_surest_first(p, loss))


def aurc(p: ArrayLike, loss: ArrayLike) -> float:
    """Return the mean risk over all coverages; smaller is better."""
    return float(risk_coverage(p, loss)[1].mean())


def deferral_curve(p: ArrayLike, local: ArrayLike, cloud: ArrayLike) -> tuple[Array, Array]:
    """Return the share escalated (n + 1,), from 0 to 1, and the mean quality then, the least sure escalated first.

    local, cloud  (n,) what each tier's answer is worth, 0 to 1

    >>> deferral_curve([0.9, 0.1], [1, 0], [1, 1])[1].tolist()
    [0.5, 1.0, 1.0]
    """
    p, local = _pair(p, local)
    p, cloud = _pair(p, cloud)
    gained = np.cumsum(_surest_first(-p, cloud - local))
    return np.arange(len(p) + 1) / len(p), local.mean() + np.concatenate([[0.0], gained]) / len(p)


def deferral_area(p: ArrayLike, local: ArrayLike, cloud: ArrayLike) -> float:
    """Return the area under the deferral curve, 0 for escalating at random and 1 for the best order; NaN if the same.

    The best order escalates first where the cloud gains most.
    """
    local, cloud = _pair(local, cloud)
    random = float(local.mean() + cloud.mean()) / 2
    best = _area(local - cloud, local, cloud) - random
    return (_area(p, local, cloud) - random) / best if best > TINY else math.nan


def _area(p: ArrayLike, local: Array, cloud: Array) -> float:
    quality = deferral_curve(p, local, cloud)[1]
    return float((quality[1:] + quality[:-1]).mean() / 2)


def share_kept(p: ArrayLike, loss: ArrayLike, epsilon: float) -> float:
    """Return the largest share kept, the surest first, at a loss of at most ``epsilon`` over all questions.

    A threshold chosen with the answers known: what no certificate can pass with these estimates.
    """
    p, loss = _pair(p, loss)
    order = np.argsort(-p, kind="stable")
    falling = p[order]
    ends = _ends(falling)
    kept = ends + 1
    good = (np.cumsum(loss[order])[ends] <= epsilon * len(p) + ROUNDING) & (falling[ends] > -np.inf)
    return float(kept[good].max(initial=0)) / len(p)


def oracle_share(loss: ArrayLike, epsilon: float) -> float:
    """Return the largest share that any order could keep at a loss of at most ``epsilon`` over all questions."""
    loss = np.sort(np.asarray(loss, np.float64))
    return float((np.cumsum(loss) <= epsilon * len(loss) + ROUNDING).mean())


# How sure


def bootstrap(
    statistic: Callable[..., float],
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    repeats: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return ``statistic(*arrays)`` with the percentiles of its values on resampled rows.

    groups  resample within each, so that every resample has the same make-up
    level   the share of resamples within the interval

    The statistic must not depend on the order of the rows. Resamples where it is NaN are left out.
    """
    rows = [_numbers(array) for array in arrays]
    order = np.argsort(rows[0], kind="stable")  # sorted rows make a statistic that sorts them fast
    rows = [array[order] for array in rows]
    strata = _strata(None if groups is None else _codes(groups)[order], len(order))
    random = np.random.default_rng(seed)
    values = np.empty(repeats)
    for i in range(repeats):
        drawn = _resample(random, strata)
        values[i] = statistic(*[array[drawn] for array in rows])
    found = values[~np.isnan(values)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2]) if found.size else (math.nan, math.nan)
    return Interval(float(statistic(*rows)), float(low), float(high))


def paired_gain(
    statistic: Callable[..., float],
    a: ArrayLike,
    b: ArrayLike,
    *shared: ArrayLike,
    groups: ArrayLike | None = None,
    repeats: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return ``statistic(a, *shared) - statistic(b, *shared)``, both on the same resamples.

    >>> y = np.arange(40) % 2
    >>> paired_gain(auroc, y, np.zeros(40), y)
    Interval(value=0.5, low=0.5, high=0.5)
    """

    def gain(a: Array, b: Array, *rest: Array) -> float:
        return statistic(a, *rest) - statistic(b, *rest)

    return bootstrap(gain, a, b, *shared, groups=groups, repeats=repeats, seed=seed, level=level)


def _strata(codes: NDArray[np.intp] | None, n: int) -> list[NDArray[np.intp]]:
    if codes is None:
        return [np.arange(n)]
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _resample(random: np.random.Generator, strata: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    """Return as many rows as there are, drawn with replacement within each stratum, rising."""
    drawn = np.concatenate([stratum[random.integers(0, len(stratum), len(stratum))] for stratum in strata])
    drawn.sort()
    return drawn


# Rows


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise AttemptsError(f"rows do not pair up: found shapes {a.shape} and {b.shape}, wanted two equal ones (n,)")
    if np.isnan(a).any() or np.isnan(b).any():
        raise AttemptsError("some rows are NaN; wanted numbers; leave these rows out")
    return a, b


def _codes(groups: ArrayLike) -> NDArray[np.intp]:
    """Return a small whole number for each group."""
    groups = np.asarray(groups)
    return groups if groups.dtype == np.intp else np.unique(groups, return_inverse=True)[1]


def _numbers(array: ArrayLike) -> NDArray[Any]:
    """Return numbers as they are, and anything else as codes."""
    array = np.asarray(array)
    return array if array.dtype.kind in "biuf" else _codes(array)


def _ends(ordered: Array) -> NDArray[np.intp]:
    """Return the last place of each run of equals."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))


def _surest_first(p: Array, values: Array) -> Array:
    """Return the values in falling order of p, each the mean over those of equal p."""
    order = np.argsort(-p, kind="stable")
    ends = _ends(p[order])
    counts = np.diff(ends, prepend=-1)
    sums = np.add.reduceat(values[order], ends - counts + 1)
    return np.repeat(sums / counts, counts)


def _means(values: Array) -> Array:
    """Return the mean of the first one, the first two, and so on."""
    return np.asarray(np.cumsum(values) / np.arange(1, len(values) + 1))
