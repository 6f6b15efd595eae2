"""What answers that were seen change: what is believed of the model itself, and of those that have not run.

    J       the informative models: whose answers show something        R   those of J that have run, a state; m = 2^|J|
    b_i     quality of model i by the question alone, z_i its log-odds  a_j by what j's answer showed
    v_j     4 (a_j - b_j), the surprise, 0 where a_j is not known       u_i log-odds of a_i, less z_i

    log-odds of i in R = intercept + slope z_i + own u_i + sum over j of R of share_j v_j

A small regression for each i and R, as in Dekoninck et al., arXiv:2410.10347, section 4 and appendix. Different from
the paper: each starts at what needs no fitting (intercept 0, slope 1, own 1 where i has run, shares 0) and is drawn
there. Models that have not run are fitted together, then each is drawn to what they share, for one model's surprise
tells little of another and a few hundred rows do not show of which: fitted one by one, it did more harm than good. It
is dropped where it does not lower the log loss of rows left out. With more than ``MOST`` informative models an answer
changes only what is believed of its own model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecascade.calibrators.logistic import logit, sigmoid, softplus
from edgecascade.estimators.folds import Parts
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array, Mask

MOST = 3
MOST_STATES = 8
"""Informative models that get states, 2^8 of them; where more are, those whose answers tell most about themselves."""
PULL = 2.0
"""Rows' worth by which a coefficient is drawn to where it starts."""
STIFF = 1000.0
"""The same, of intercept and slope of models that have not run, and of each of these to what they share."""
EDGE = 1e-4
"""Estimates are kept this far from 0 and 1."""
STEPS = 30
FIXED = 3
"""Columns before the surprises: 1, z_i, u_i."""


@dataclass(frozen=True, slots=True, eq=False)
class Updates:
    """Coefficients (m, k, 3 + |J|) of 1, z_i, u_i and v_j, 0 for those outside of the state; ``informative`` are J."""

    informative: tuple[int, ...]
    coefficients: Array

    def states(self, ran: Mask) -> NDArray[np.intp]:
        """Return the state of each row (n,), by which models have run (n, k)."""
        bits = 1 << np.arange(len(self.informative))
        return np.asarray(ran[:, list(self.informative)] @ bits, np.intp)

    def __call__(self, before: Array, after: Array, states: NDArray[np.intp]) -> Array:
        """Return the quality expected of each model (n, k), each row in its own state; all (n, k), NaN: not known."""
        if not states.any():
            return before
        z, u, v = _shown(before, after, self.informative)
        return np.where(states[:, None] > 0, _believed(z, u, v, self.coefficients[states]), before)

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"informative": list(self.informative), "coefficients": self.coefficients}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(tuple(map(int, record["informative"])), *arrays(record, coefficients="mkc"))


def fit_updates(before: Array, after: Array, quality: Array, parts: Parts) -> tuple[Updates, Array]:
    """Return the updates and what is believed of the training rows in each state (n, m, k), each without its fold.

    before, after  (n, k), both out of fold; ``after`` NaN for models that show nothing
    """
    informative = _informative(before, after, quality)
    shown, m = _shown(before, after, informative), 1 << len(informative)
    z, u, v = shown
    coefficients = _fits(shown, quality, np.ones(len(z), bool), informative)
    held = np.repeat(before[:, None], m, axis=1)
    for part in range(int(parts.max()) + 1 if m > 1 else 0):
        out = parts == part
        found = _fits(shown, quality, ~out, informative)
        for state in range(1, m):
            held[out, state] = _believed(z[out], u[out], v[out], found[None, state])
    for state in range(1, m):
        rest = _others(state, before.shape[1], informative)
        if _losses(logit(held[:, state]), quality)[rest].sum() >= _losses(z, quality)[rest].sum():
            coefficients[state, rest], held[:, state, rest] = coefficients[0, rest], before[:, rest]
    return Updates(informative, coefficients), held


def _informative(before: Array, after: Array, quality: Array) -> tuple[int, ...]:
    """Return the models whose answers show something, in their order; of too many those that show most."""
    found = np.flatnonzero(np.isfinite(after).any(axis=0))
    if len(found) > MOST_STATES:
        z, u, _ = _shown(before, after, ())
        gains = _losses(z, quality) - _losses(z + u, quality)
        found = np.sort(found[np.argsort(-gains[found], kind="stable")[:MOST_STATES]])
    return tuple(found.tolist())


def _losses(z: Array, quality: Array) -> Array:
    """Return the log loss of each model (k,)."""
    return np.asarray((softplus(z) - quality * z).mean(axis=0))


def _shown(before: Array, after: Array, informative: Sequence[int]) -> tuple[Array, Array, Array]:
    """Return z, u (n, k) and v (n, |J|)."""
    known, z = np.isfinite(after), logit(before)
    inside = np.where(known, after, 0.5).clip(EDGE, 1 - EDGE)
    places = list(informative)
    v = np.where(known, 4 * (inside - before), 0.0)[:, places]
    return z, np.where(known, logit(inside) - z, 0.0), v


def _believed(z: Array, u: Array, v: Array, coefficients: Array) -> Array:
    """Return the quality expected (n, k) by coefficients (n or 1, k, 3 + |J|)."""
    odds = coefficients[..., 0] + coefficients[..., 1] * z + coefficients[..., 2] * u
    return sigmoid(odds + (coefficients[..., FIXED:] @ v[:, :, None])[..., 0])


def _others(state: int, k: int, informative: Sequence[int]) -> list[int]:
    """Return the models that have not run in a state, or show nothing."""
    ran = {model for place, model in enumerate(informative) if state >> place & 1}
    return [model for model in range(k) if model not in ran]


def _fits(shown: tuple[Array, Array, Array], quality: Array, rows: Mask, informative: Sequence[int]) -> Array:
    """Return the coefficients of every state (m, k, 3 + |J|), fitted on some rows."""
    z, u, v = (one[rows] for one in shown)
    quality = quality[rows]
    k, width = z.shape[1], FIXED + len(informative)
    found = np.zeros((1 << len(informative), k, width))
    found[:, :, 1] = 1.0
    alone: dict[int, Array] = {}
    for state in range(1, len(found)):
        known = [place for place in range(len(informative)) if state >> place & 1]
        surprises = [FIXED + place for place in known] if len(informative) <= MOST else []
        for place in known:
            model = informative[place]
            columns = [0, 1, 2, *(one for one in surprises if one != FIXED + place)]
            if surprises or model not in alone:
                wide, start = _columns(z, u, v, model)[:, columns], np.eye(len(columns))[1] + np.eye(len(columns))[2]
                alone[model] = drawn_fit(wide, quality[:, model], start, PULL)
            found[state, model, columns] = alone[model]
        if surprises and (rest := _others(state, k, informative)):
            columns = [0, 1, *surprises]
            wide = np.stack([_columns(z, u, v, model)[:, columns] for model in rest])
            found[np.ix_([state], rest, columns)] = _together(wide, quality[:, rest].T)
    return found


def _columns(z: Array, u: Array, v: Array, model: int) -> Array:
    return np.column_stack([np.ones(len(z)), z[:, model], u[:, model], v])


def _together(rows: Array, targets: Array) -> Array:
    """Return coefficients (r, c) of r models with rows (r, n, c): each drawn to what fits them all."""
    width = rows.shape[2]
    pull = np.array([STIFF, STIFF] + [PULL] * (width - 2))
    shared = drawn_fit(rows.reshape(-1, width), targets.ravel(), np.eye(width)[1], pull)
    return np.stack([drawn_fit(one, target, shared, STIFF) for one, target in zip(rows, targets, strict=True)])


def drawn_fit(rows: Array, targets: Array, start: Array, pull: float | Array) -> Array:
    """Return coefficients (c,) of a logistic regression, drawn to ``start`` by ``pull`` rows' worth: Newton's method.

    pull  one number for all, or one each (c,)
    """
    found, weight = start.copy(), pull / 4 * np.maximum((rows**2).mean(axis=0), 1e-9)

    def loss(point: Array) -> float:
        z = rows @ point
        return float(np.sum(softplus(z) - targets * z) + ((point - start) ** 2 @ weight) / 2)

    value = loss(found)
    for _ in range(STEPS):
        p = sigmoid(rows @ found)
        slope = rows.T @ (p - targets) + weight * (found - start)
        step = np.linalg.solve((rows.T * (p * (1 - p))) @ rows + np.diag(weight), slope)
        rate = 1.0
        while (trial := loss(found - rate * step)) > value and rate > 1e-6:
            rate /= 2
        if trial > value - 1e-9 * len(rows):
            break
        found, value = found - rate * step, trial
    return found
