"""The expected maximum of normal variables, for one set of them or for every superset of those that have run.

    mu, sd      what is believed of each model's quality: mean and standard deviation
    independent E[max] = b - integral from a to b of prod_i Phi((t - mu_i) / sd_i) dt; a below all, b above all
    correlated  pairs: Clark (1961), closed. Three: given the first, the rest is Clark's gain; one integral is left.
                More: fixed points (``sobol``)

The product under the integral is shared: each half of the models is multiplied out once, and one matrix product joins
every subset of one half with every subset of the other. The nodes lie between the quantiles of all the variables, so
that no step is missed, however narrow it is.

Measured against literal quadrature, in units of the largest sd: at most 1e-7 where independent (sds from 3e-4 to 1, and
0) and for two or three correlated ones. The points' root mean square error is 5e-5 for four, 5e-4 for seven, 1e-3 for
eight and 3e-3 for eleven, its largest some three times that; all sets share it, so gains between them are surer.
Different from the paper (arXiv:2410.10347, whose program draws 100 unseeded points): nothing is random.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from edgecascade.errors import PolicyError
from edgecascade.policies.routing.sobol import normal_points
from edgecascade.pool import Array

FINENESS = 2048
"""Entries of the table of Phi a unit of z: linear between them, at most 7e-9 off."""
REACH = 6.5
EDGES = (-5.5, -2.5, 0.0, 2.5, 5.5)
"""In standard deviations from each mean: where the integral is cut into panels."""
POINTS = 6
"""Gauss-Legendre nodes a panel."""
NARROWEST = 1e-12
"""A standard deviation of 0 is taken for this: a step between two panels."""
CELLS = 1 << 19
"""How many numbers a block of rows may hold: what stays near the processor."""
POINT_CELLS = 1 << 19
FEWEST, MOST = 1024, 16384
"""Points where no closed form helps: as many as POINT_CELLS allows for the sets at hand."""
SINGULAR = 1e-12
FEW = 3
"""Up to so many models that have not run, one product is faster than two halves and their join."""


def expected_max(
    means: ArrayLike, sds: ArrayLike | None = None, *, covariance: ArrayLike | None = None
) -> Array | np.float64:
    """Return E[max] of k normal variables; ``means`` (..., k).

    sds  (k,) or (..., k), at least 0: independent ones     covariance  (k, k): correlated ones, it may be singular
    PolicyError where shapes do not fit, or a number is negative or NaN.

    >>> round(float(expected_max([0.6, 0.6], [0.2, 0.2])), 4)
    0.7128
    """
    mean = np.asarray(means, np.float64)
    flat = mean.reshape(-1, mean.shape[-1])
    if covariance is not None:
        both = np.asarray(covariance, np.float64)
        if both.shape != (mean.shape[-1],) * 2 or not np.isfinite(both).all():
            raise PolicyError(f"a covariance of shape {both.shape}; wanted {mean.shape[-1]} x {mean.shape[-1]} numbers")
        found = correlated_maxima(flat[:, :0], flat, both)
    else:
        sd = np.broadcast_to(np.asarray(0.0 if sds is None else sds, np.float64), mean.shape).reshape(flat.shape)
        if not (sd >= 0).all():
            raise PolicyError("a standard deviation is negative or NaN; wanted at least 0")
        found = independent_maxima(flat[:, :0], flat[:, :0], flat, sd)
    return found[:, -1].reshape(mean.shape[:-1])[()]


def normal_cdf(z: Array) -> Array:
    """Return Phi(z), 7e-9 off at most; numpy has none."""
    return _cdf_at(z * FINENESS)


def _cdf_at(place: Array) -> Array:
    """Return Phi(place / FINENESS), written over ``place``."""
    values, steps = _cdf_table()
    place += REACH * FINENESS
    np.minimum(np.maximum(place, 0.0, out=place), len(values) - 1.5, out=place)
    cell = place.astype(np.int32)
    place -= cell
    place *= steps.take(cell)
    place += values.take(cell)
    return place


@cache
def _cdf_table() -> tuple[Array, Array]:
    cells = int(REACH * FINENESS)
    values = np.array([math.erfc(-z / FINENESS / math.sqrt(2)) / 2 for z in range(-cells, cells + 1)])
    values[0], values[-1] = 0.0, 1.0
    return values, np.append(np.diff(values), 0.0)


def gain(difference: Array, sd: float) -> Array:
    """Return E[max(X, 0)] of X ~ N(difference, sd^2), sd at least 0: what one more model adds to a known value."""
    spread = max(sd, NARROWEST)
    z = np.minimum(np.maximum(difference / spread, -REACH * 2), REACH * 2)
    smooth = difference * normal_cdf(z) + spread * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return np.asarray(np.where(np.abs(z) < REACH, smooth, np.maximum(difference, 0.0)))


# Independent


def independent_maxima(ran: Array, ran_sds: Array, means: Array, sds: Array, *, prefixes: bool = False) -> Array:
    """Return E[max] of the r that have run and each subset of u others (n, 2**u); other j is bit j of the subset.

    ran, ran_sds (n, r), means, sds (n, u)     prefixes  only of the first 0, 1, ... u others (n, u + 1)
    Of no variable at all it is -inf.
    """
    mu, sd = np.concatenate([ran, means], 1), np.concatenate([ran_sds, sds], 1)
    return maxima(mu, sd, ran.shape[1], prefixes=prefixes)


def maxima(mu: Array, sd: Array, r: int, *, prefixes: bool = False) -> Array:
    """Return the same of variables (n, k), of which the first r have run; sd (n, k), or (1, k) for all."""
    n, k = mu.shape
    if not k:
        return np.full((n, 1), -np.inf)
    if n == 1:
        return _independent(mu, sd, r, prefixes)
    a_row = len(EDGES) * k * POINTS * (k + (0 if prefixes else 2 << (k - r + 1) // 2))
    step = max(CELLS // a_row, 1)
    some = [slice(i, i + step) for i in range(0, n, step)]
    parts = [(mu[rows], sd if len(sd) == 1 else sd[rows]) for rows in some]
    return np.concatenate([_independent(*part, r, prefixes) for part in parts])


def _independent(mu: Array, sd: Array, r: int, prefixes: bool) -> Array:
    edges, at, weights = _panels()
    n, k = mu.shape
    cuts = (mu[:, :, None] + sd[:, :, None] * edges).reshape(n, -1)
    cuts.sort(axis=1)
    widths = (cuts[:, 1:] - cuts[:, :-1])[:, :, None]
    z = (cuts[:, :-1, None] + widths * at).reshape(n, 1, -1) - mu[:, :, None]
    z *= (FINENESS / np.maximum(sd, NARROWEST))[:, :, None]
    below = _cdf_at(z)
    mass = (widths * weights).reshape(n, -1)
    for column in range(r):
        mass *= below[:, column]
    if prefixes:
        found = np.empty((n, k - r + 1))
        found[:, 0] = mass.sum(1)
        for column in range(r, k):
            mass *= below[:, column]
            found[:, column - r + 1] = mass.sum(1)
    elif k - r <= FEW:
        found = _products(mass, below[:, r:]).sum(2)
    else:
        half = r + (k - r) // 2
        low, high = _products(None, below[:, r:half]), _products(mass, below[:, half:])
        found = (high @ low.transpose(0, 2, 1)).reshape(n, -1)
    np.subtract(cuts[:, -1:], found, out=found)
    if not r:
        found[:, 0] = -np.inf
    return found


@cache
def _panels() -> tuple[Array, Array, Array]:
    at, weights = np.polynomial.legendre.leggauss(POINTS)
    return np.array(EDGES), (at + 1) / 2, weights / 2


def _products(start: Array | None, factors: Array) -> Array:
    """Return start times the product of each subset of factors (n, 2**u, nodes); start (n, nodes), None: 1."""
    n, u, nodes = factors.shape
    found = np.empty((n, 1 << u, nodes))
    found[:, 0] = 1.0 if start is None else start
    for j in range(u):
        np.multiply(found[:, : 1 << j], factors[:, j, None], out=found[:, 1 << j : 2 << j])
    return found


# Correlated


def correlated_maxima(ran: Array, means: Array, covariance: Array, *, prefixes: bool = False) -> Array:
    """Return E[max] of the r that have run and each subset of u others, as ``independent_maxima``.

    covariance  of the r, then the u; it may be singular. Up to three in all are exact, more come from fixed points
    that all sets share: a larger set is never worth less.
    """
    r, u = ran.shape[1], means.shape[1]
    subsets = [(1 << j) - 1 for j in range(u + 1)] if prefixes else list(range(1 << u))
    if r + u <= 3:
        return _few(np.concatenate([ran, means], 1), covariance, r, subsets)
    points = min(max(POINT_CELLS // len(subsets), FEWEST), MOST)
    errors = normal_points(points - points % 2, r + u) @ _root(covariance).T
    step = max(CELLS // (len(errors) * len(subsets)), 1)
    found = np.empty((len(means), len(subsets)))
    for i in range(0, len(means), step):
        some = slice(i, i + step)
        start = np.full((len(means[some]), len(errors)), -np.inf)
        for j in range(r):
            np.maximum(start, ran[some, j, None] + errors[:, j], out=start)
        found[some] = _drawn(start, means[some], errors[:, r:], prefixes)
    return found


def _drawn(start: Array, means: Array, errors: Array, prefixes: bool) -> Array:
    n, u = means.shape
    found = np.empty((n, u + 1 if prefixes else 1 << u, start.shape[1]))
    found[:, 0] = start
    for j in range(u):
        drawn = means[:, j, None, None] + errors[:, j]
        old, new = (slice(j, j + 1), slice(j + 1, j + 2)) if prefixes else (slice(1 << j), slice(1 << j, 2 << j))
        np.maximum(found[:, old], drawn, out=found[:, new])
    return np.asarray(found.mean(2))


def _root(covariance: Array) -> Array:
    """Return a matrix whose product with its own transpose is the covariance; small negative eigenvalues are noise."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    if values[0] < -1e-6 * max(values[-1], SINGULAR):
        raise PolicyError(f"a covariance has the eigenvalue {values[0]:.3g}; wanted none below 0: it is not one")
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1]


def _few(mu: Array, covariance: Array, r: int, subsets: list[int]) -> Array:
    """Return E[max] of at most three, by closed form and one integral; columns: the r that have run, then others."""
    n, k = mu.shape
    found, both = np.empty((n, len(subsets))), covariance.tolist()
    for place, subset in enumerate(subsets):
        members = [*range(r), *(r + j for j in range(k - r) if subset >> j & 1)]
        found[:, place] = _one([mu[:, i] for i in members], [[both[i][j] for j in members] for i in members])
    return found


def _one(mu: list[Array], covariance: list[list[float]]) -> Array | float:
    if len(mu) < 2:
        return mu[0] if mu else -math.inf
    first, others = covariance[0], range(1, len(mu))
    spreads = [math.sqrt(max(covariance[j][j] + first[0] - 2 * first[j], 0.0)) for j in others]
    if len(mu) == 2:
        return mu[0] + gain(mu[1] - mu[0], spreads[0])
    shared = covariance[1][2] - first[1] - first[2] + first[0]
    return mu[0] + _best_of_two_and_zero(mu[1] - mu[0], mu[2] - mu[0], spreads[0], spreads[1], shared)


def _best_of_two_and_zero(a: Array, b: Array, sa: float, sb: float, shared: float) -> Array:
    """Return E[max(0, A, B)]: the integral over A = a + sa z of its density times (c + E[max(B - c, 0) | z]).

    c = max(0, a + sa z). It bends at z = -a / sa, and where B's conditional mean crosses c.
    """
    if sa < sb:
        a, b, sa, sb = b, a, sb, sa
    if sa < SINGULAR:
        return np.maximum(np.maximum(a, b), 0.0)
    slope = shared / sa
    rest = math.sqrt(max(sb * sb - slope * slope, 0.0))
    edges, at, weights = _panels()
    zero = np.zeros((len(a), 1))
    bends = [zero + REACH * np.array([-1, 1]), zero + edges, (-a / sa)[:, None]]
    for height, tilt in ((-b, slope), (a - b, slope - sa)):
        if abs(tilt) > SINGULAR:
            bends.append((height[:, None] + rest * edges) / tilt)
    cuts = np.minimum(np.maximum(np.concatenate(bends, 1), -REACH), REACH)
    cuts.sort(axis=1)
    widths = (cuts[:, 1:] - cuts[:, :-1])[:, :, None]
    z = (cuts[:, :-1, None] + widths * at).reshape(len(a), -1)
    kept = np.maximum(a[:, None] + sa * z, 0.0)
    worth = kept + gain(b[:, None] + slope * z - kept, rest)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return np.asarray((worth * density * (widths * weights).reshape(z.shape)).sum(1))
