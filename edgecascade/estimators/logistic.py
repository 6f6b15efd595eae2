"""Logistic regression of k targets at once, pulled towards each target's mean and towards what the targets share.

    x       features of a question, centred              t    its k targets, 0 to 1, graded ones too
    z       x @ weights + intercepts                     loss   mean over rows, sum over targets, of softplus(z) - t z
    penalty strength * (total variance of x) / 2 * (|common weights|^2 + apart * |what differs from them|^2)

A question that is hard is hard for most models: k models of one pool share more than half of what features tell. With
``apart`` above 1 the weights that they do not share are penalised more (Evgeniou and Pontil, "Regularized multi-task
learning", KDD 2004). Multiplying all features by one number changes nothing.

The features are turned to their principal axes and the targets to (mean, the rest): there the penalty is diagonal and
the curvature nearly so, and L-BFGS in the scale of its diagonal needs some ten steps.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.calibrators.logistic import logit, sigmoid, softplus
from edgecascade.errors import PolicyError
from edgecascade.estimators.folds import Parts, folds_of
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array

STRENGTHS = (math.inf, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
"""From the constant to nearly free; what cross-validation chooses from."""
FOLDS = 5
STEPS = 100
MEMORY = 8
CLOSE = 1e-5
"""Of the gradient in the scale of the curvature: estimates are then within some 1e-5 of their limit."""
CURVATURE = 0.2
"""p (1 - p) where it is not known yet; at most 0.25."""


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """p = sigmoid(x @ weights + intercepts); weights (d, k), intercepts (k,)."""

    weights: Array
    intercepts: Array

    def __call__(self, features: Array) -> Array:
        """Return the probabilities (n, k), strictly between 0 and 1."""
        return sigmoid(self.log_odds(features))

    def log_odds(self, features: Array) -> Array:
        """Return z (n, k)."""
        return np.asarray(features @ self.weights + self.intercepts)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"weights": self.weights, "intercepts": self.intercepts}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(*arrays(record, weights="dk", intercepts="k"))


def fit_logistic(
    features: Array, targets: Array, *, strength: float | None = None, apart: float = 1.0, seed: int = 0
) -> Logistic:
    """Return the fit to features (n, d) and targets (n, k) in [0, 1].

    strength  of the penalty, math.inf: only the means; None: of ``STRENGTHS`` the best by cross-validated log loss
    apart     how much more the weights that targets do not share are penalised, at least 1; 1: fitted one by one

    Each target counts as if half a right and half a wrong answer had been seen besides. PolicyError for shapes that do
    not fit and for targets outside 0 to 1.
    """
    features, targets = checked(features, targets)
    if strength is None and len(features) < 2:
        strength = math.inf
    if strength is None:
        parts = folds_of(len(features), FOLDS, seed)
        held = out_of_fold(features, targets, STRENGTHS, parts, apart=apart)
        strength = STRENGTHS[int(np.argmin([log_loss(z, targets) for z in held]))]
    return path(features, targets, [strength], apart=apart)[0]


def log_loss(log_odds: Array, targets: Array) -> float:
    """Return the mean log loss, nats, over rows and targets."""
    return float(np.mean(softplus(log_odds) - targets * log_odds))


def out_of_fold(
    features: Array, targets: Array, strengths: Sequence[float], parts: Parts, *, apart: float = 1.0
) -> Array:
    """Return, by strength, the log-odds of every row from a fit without its fold (len(strengths), n, k)."""
    found = np.empty((len(strengths), *targets.shape))
    for part in range(int(parts.max(initial=0)) + 1):
        held = parts == part
        fits = path(features[~held], targets[~held], strengths, apart=apart)
        found[:, held] = [fit.log_odds(features[held]) for fit in fits]
    return found


def checked(features: Array, targets: Array) -> tuple[Array, Array]:
    """Return both as float64; PolicyError where they cannot be fitted."""
    features, targets = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    if features.ndim != 2 or targets.ndim != 2 or len(features) != len(targets) or not len(targets):
        raise PolicyError(
            f"features and targets do not belong together: found shapes {features.shape} and {targets.shape}, "
            "wanted (n, d) and (n, k), n at least 1"
        )
    if not (np.isfinite(features).all() and (targets >= 0).all() and (targets <= 1).all()):
        raise PolicyError(
            "features or targets cannot be fitted: found NaN, infinity or targets outside 0 to 1, wanted finite "
            "features and targets from 0 to 1; leave such rows out"
        )
    return features, targets


def path(features: Array, targets: Array, strengths: Sequence[float], *, apart: float = 1.0) -> list[Logistic]:
    """Return a fit for each strength, each begun where the one before it ended."""
    n, k = targets.shape
    targets = (targets * n + 0.5) / (n + 1)
    centre = features.mean(axis=0)
    moved = features - centre
    spread, axes = np.linalg.eigh(moved.T @ moved / n)
    total = max(float(spread.clip(0).sum()), np.finfo(float).tiny)
    problem = _Problem(moved @ axes, spread.clip(0) / total, targets, _shared(k), total)
    weights, intercepts = np.zeros((len(axes), k)), logit(targets.mean(axis=0))
    fits = []
    for strength in strengths:
        if math.isfinite(strength):
            weights, intercepts = problem.solved(weights, intercepts, strength, apart)
        turned = axes @ weights @ problem.basis.T
        fits.append(Logistic(turned, intercepts - centre @ turned))
    return fits


def _shared(k: int) -> Array:
    """Return an orthonormal basis of the targets (k, k) whose first column is their mean: a Householder reflection."""
    mirror = np.full(k, 1 / math.sqrt(k))
    mirror[0] -= 1.0
    size = float(mirror @ mirror)
    return np.eye(k) - (2 * np.outer(mirror, mirror) / size if size > 0 else 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Rows on their principal axes (n, d), each axis's share of the variance (d,), targets (n, k), basis (k, k)."""

    rows: Array
    spread: Array
    targets: Array
    basis: Array
    total: float

    def solved(self, weights: Array, intercepts: Array, strength: float, apart: float) -> tuple[Array, Array]:
        """Return the weights (d, k), on both bases, and intercepts (k,) of the least loss, from a first guess."""
        n, (d, k) = len(self.rows), weights.shape
        penalty = strength * np.where(np.arange(k) > 0, apart, 1.0)
        scale = 1 / np.sqrt(CURVATURE * self.spread[:, None] + penalty) / math.sqrt(self.total)
        unit = 1 / math.sqrt(CURVATURE)

        def loss(point: Array) -> tuple[float, Array]:
            inner, shift = point[: d * k].reshape(d, k) * scale, point[d * k :] * unit
            z = self.rows @ inner @ self.basis.T + shift
            off = (sigmoid(z) - self.targets) / n
            bent = penalty * self.total * inner
            slope = ((self.rows.T @ off) @ self.basis + bent) * scale
            value = float(np.sum(softplus(z) - self.targets * z)) / n + float(np.vdot(bent, inner)) / 2
            return value, np.concatenate([slope.ravel(), off.sum(axis=0) * unit])

        found = minimised(loss, np.concatenate([(weights / scale).ravel(), intercepts / unit]))
        return found[: d * k].reshape(d, k) * scale, found[d * k :] * unit


def minimised(loss: Callable[[Array], tuple[float, Array]], point: Array) -> Array:
    """Return where a smooth convex function is least, by L-BFGS (Nocedal 1980); ``loss`` gives value and gradient.

    For functions whose curvature is near 1 in every direction, so that a step of 1 is a good first try.
    """
    value, slope = loss(point)
    pairs: list[tuple[Array, Array, float]] = []
    for _ in range(STEPS):
        if float(np.abs(slope).max(initial=0.0)) < CLOSE:
            break
        step = _two_loops(slope, pairs)
        gain, rate = float(slope @ step), 1.0
        while (trial := loss(point - rate * step))[0] > value - 1e-4 * rate * gain:
            rate /= 2
            if rate < 1e-6:  # nothing but rounding is left to gain
                return point
        moved, bend = -rate * step, trial[1] - slope
        point, (value, slope) = point + moved, trial
        if (both := float(moved @ bend)) > 1e-16:
            pairs = [*pairs[1 - MEMORY :], (moved, bend, both)]
    return point


def _two_loops(slope: Array, pairs: Sequence[tuple[Array, Array, float]]) -> Array:
    """Return the inverse curvature that the last moves showed, times the slope."""
    step, shares = slope.copy(), []
    for moved, bend, both in reversed(pairs):
        shares.append(float(moved @ step) / both)
        step -= shares[-1] * bend
    for moved, bend, both in pairs:
        step += (shares.pop() - float(bend @ step) / both) * moved
    return step
