"""Estimates of the quality of k models' answers, given as arrays: before and after models have run, and how sure.

R   the models that have run, as a number: model i is bit i
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgecascade.errors import PolicyError
from edgecascade.policies.routing.corrections import Corrections, straight
from edgecascade.policies.routing.supersets import Places, Views, has_run
from edgecascade.pool import Array, Beliefs

MOST_STATES = 12
"""Covariances or estimates by R are taken for up to this many models."""
APART = 1e-9
"""Covariances below this share of the variances are none."""


def numbers(name: str, values: ArrayLike, shape: Sequence[int], *, least: float | None = None) -> Array:
    """Return values broadcast to a shape; PolicyError where they do not fit, are no numbers, or below ``least``."""
    found = np.asarray(values, np.float64)
    if found.shape != tuple(shape):
        try:
            found = np.broadcast_to(found, shape)
        except ValueError as error:
            wanted = " x ".join(map(str, shape))
            raise PolicyError(f"{name}: found shape {found.shape}, wanted {wanted}: questions x models") from error
    if not np.isfinite(found).all():
        raise PolicyError(f"{name}: found NaN or infinity, wanted numbers; leave such questions out")
    if least is not None and (found < least).any():
        raise PolicyError(f"{name}: found {found.min():g}, wanted at least {least:g}")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How unsure the estimates are.

    before, after  standard deviations of models that have not run, and that have: (k,) or (n, k)
    covariances    instead: of all k models by state (m, k, k), with the state of each R (2**k,)
    """

    before: Array
    after: Array
    covariances: Array | None = None
    state: Places | None = None
    correlated: tuple[bool, ...] = ()

    @classmethod
    def of(cls, before: ArrayLike, after: ArrayLike, covariances: ArrayLike | None, n: int, k: int) -> "Spread":
        """Return the checked spread; one covariance (k, k) is that before any has run, later of those that have not."""
        rows = _sds("sd_before", before, n, k), _sds("sd_after", after, n, k)
        if covariances is None:
            return cls(rows[0], rows[1])
        found = np.asarray(covariances, np.float64)
        if found.shape not in ((k, k), (1 << min(k, MOST_STATES), k, k)) or not np.isfinite(found).all():
            raise PolicyError(
                f"covariances: found shape {found.shape}, wanted {k} x {k} or {1 << k} x {k} x {k} finite numbers"
            )
        if found.ndim == 3:
            return cls.by_state(found, np.arange(1 << k))
        if k > MOST_STATES or rows[1].ndim != 1:
            raise PolicyError(
                f"one covariance: found {k} models, or sd_after by question; wanted up to {MOST_STATES}, (k,)"
            )
        ran = (np.arange(1 << k)[:, None] >> np.arange(k) & 1).astype(bool)
        left = np.where(ran[:, :, None] | ran[:, None], 0.0, found)
        return cls.by_state(left + np.einsum("sk,kl->skl", ran * rows[1] ** 2, np.eye(k)), np.arange(1 << k))

    @classmethod
    def by_state(cls, covariances: Array, state: Places) -> "Spread":
        """Return a spread of covariances (m, k, k)."""
        both = (covariances + covariances.transpose(0, 2, 1)) / 2
        variances = np.diagonal(both, axis1=1, axis2=2)
        values = np.linalg.eigvalsh(both)
        if (values < -1e-6 * np.maximum(values[:, -1:], APART)).any():
            raise PolicyError(
                f"covariances: found the eigenvalue {values.min():.3g}, wanted none below 0; they are none"
            )
        off = np.abs(both - np.eye(both.shape[1]) * variances[:, None]).max((1, 2))
        correlated = tuple((off > APART * variances.max(1)).tolist())
        zero = np.zeros(both.shape[1])
        return cls(zero, zero, both, state, correlated)

    def given(self, before: ArrayLike | None, after: ArrayLike | None) -> "Spread":
        """Return it with other standard deviations."""
        earlier = self.before if before is None else np.asarray(before, np.float64)
        later = self.after if after is None else np.asarray(after, np.float64)
        return replace(self, before=earlier, after=later)

    def scaled(self, factor: Array) -> "Spread":
        """Return it with every standard deviation of a model that has not run times the model's factor (k,)."""
        if self.covariances is None:
            return replace(self, before=self.before * factor)
        return replace(self, covariances=self.covariances * np.outer(factor, factor))

    def claimed(self) -> Array:
        """Return the standard deviations before any model has run, as a mean over the questions (k,)."""
        if self.covariances is None or self.state is None:
            return _over_questions(self.before)
        return np.asarray(np.sqrt(np.maximum(self.covariances[self.state[0]].diagonal(), 0.0)))

    def at(self, rows: Places | slice, ran: int) -> tuple[Array, Array | None]:
        """Return the standard deviations, (1, k) or of these rows, and the covariance at R; None: uncorrelated."""
        if self.covariances is None or self.state is None:
            before, after = (one[None] if one.ndim == 1 else one[rows] for one in (self.before, self.after))
            return np.where(has_run(ran, before.shape[1]), after, before), None
        state = int(self.state[ran])
        covariance = self.covariances[state]
        return np.sqrt(np.maximum(covariance.diagonal(), 0.0))[None], covariance if self.correlated[state] else None

    def as_json(self) -> dict[str, Any]:
        """Return its arrays; of standard deviations by question the root mean square."""
        if self.covariances is not None:
            return {"covariances": self.covariances, "state": self.state}
        return {name: _over_questions(getattr(self, name)) for name in ("before", "after")}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> "Spread":
        """Return the spread that was saved."""
        if "covariances" in record:
            return cls.by_state(np.asarray(record["covariances"], np.float64), np.asarray(record["state"], np.intp))
        return cls(np.asarray(record["before"], np.float64), np.asarray(record["after"], np.float64))


def _sds(name: str, values: ArrayLike, n: int, k: int) -> Array:
    shape = (n, k) if np.ndim(values) == 2 else (k,)
    return np.array(numbers(name, values, shape, least=0.0))


def _over_questions(sds: Array) -> Array:
    """Return the root mean square of each model (k,)."""
    return sds if sds.ndim == 1 else np.asarray(np.sqrt((sds**2).mean(0)))


def correlation(covariance: Array) -> float:
    """Return the mean absolute correlation of different variables; of those without spread there is none."""
    sds = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
    scale = np.outer(sds, sds)
    found = np.divide(np.abs(covariance), scale, out=np.zeros_like(covariance), where=scale > 0)
    k = len(covariance)
    return float((found.sum() - found.trace()) / max(k * (k - 1), 1))


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """What is believed of n questions at every R.

    before, after (n, k)     by_state  instead of them (n, m, k), with the state of each R (2**k,)
    cost  (n, k)             order     of models that are believed equally good
    """

    before: Array
    after: Array
    cost: Array
    spread: Spread
    order: tuple[int, ...]
    by_state: Array | None = None
    state: Places | None = None

    @classmethod
    def of(
        cls, before: ArrayLike, after: ArrayLike, cost: ArrayLike, spread: Spread, order: Sequence[int]
    ) -> "Estimates":
        """Return the checked estimates; PolicyError where arrays do not fit each other."""
        k = len(order)
        if np.ndim(before) != 2 or np.shape(before)[1] != k:
            raise PolicyError(f"before: found shape {np.shape(before)}, wanted questions x {k} models")
        n = len(np.asarray(before))
        rows, costs = numbers("before", before, (n, k)), numbers("cost", cost, (n, k), least=0.0)
        for one in (spread.before, spread.after):
            numbers("sd", one, (n, k) if one.ndim == 2 else (k,), least=0.0)
        if np.ndim(after) < 3:
            return cls(rows, numbers("after", after, (n, k)), costs, spread, tuple(order))
        if k > MOST_STATES:
            raise PolicyError(f"after by set of models: found {k} models, wanted up to {MOST_STATES}; give (n, k)")
        by_set = np.array(numbers("after", after, (n, 1 << k, k)))
        by_set[:, 0] = rows
        return cls(rows, rows, costs, spread, tuple(order), by_set, np.arange(1 << k))

    @classmethod
    def of_beliefs(cls, beliefs: Beliefs, order: Sequence[int], *, least: float) -> "Estimates":
        """Return what an estimator believes, whose errors are independent where less correlated than ``least``."""
        covariances = beliefs.covariances
        if correlation(covariances[beliefs.state[0]]) < least:
            covariances = covariances * np.eye(covariances.shape[1])
        spread = Spread.by_state(covariances, beliefs.state)
        cost, first = np.maximum(beliefs.cost, 0.0), beliefs.means[:, beliefs.state[0]]
        return cls(first, first, cost, spread, tuple(order), beliefs.means, beliefs.state)

    def shown(self) -> Array:
        """Return what is believed of each model once it alone has run (n, k)."""
        if self.by_state is None:
            return self.after
        each = np.arange(len(self.order))
        return np.asarray(self.by_state[:, 1 << each, each])

    def corrections(self, quality: Array) -> Corrections:
        """Return what makes these estimates true to the quality that was measured (n, k)."""
        return Corrections.of(self.before, self.shown(), self.spread.claimed(), quality)

    def corrected(self, by: Corrections) -> "Estimates":
        """Return the estimates corrected: of models that have not run as ``before``, of the others as ``after``."""
        before, after, by_state = straight(self.before, by.before), straight(self.after, by.after), self.by_state
        if by_state is not None:
            ran = (np.arange(by_state.shape[1])[:, None] >> np.arange(len(self.order)) & 1).astype(bool)
            by_state = np.where(ran, straight(by_state, by.after), straight(by_state, by.before))
        return replace(self, before=before, after=after, by_state=by_state, spread=self.spread.scaled(by.sds))

    def views(self, rows: Places, ran: int) -> Views:
        """Return what is believed of some questions at R."""
        sds, covariance = self.spread.at(rows, ran)
        return Views(self.means(rows, ran), self.cost[rows], sds, covariance)

    def means(self, rows: Places, ran: int) -> Array:
        """Return the mean quality believed of each model (len(rows), k)."""
        if self.by_state is not None and self.state is not None:
            return np.asarray(self.by_state[rows, self.state[ran]])
        return np.where(has_run(ran, len(self.order)), self.after[rows], self.before[rows])

    def answers(self, rows: Places, ran: Places) -> tuple[Places, Array]:
        """Return the model that is believed best of those that have run, and how good, for questions at their end."""
        answer, quality = np.empty(len(rows), np.intp), np.empty(len(rows))
        for code in sorted(set(ran.tolist())):
            here = np.flatnonzero(ran == code)
            columns = np.array([i for i in self.order if code >> i & 1])
            means = self.means(rows[here], code)[:, columns]
            best = means.argmax(1)
            answer[here], quality[here] = columns[best], means[np.arange(len(here)), best]
        return answer, quality
