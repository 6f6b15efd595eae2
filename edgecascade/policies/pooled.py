"""Policies of a pool: fitted on a table of recorded results, they decide for n questions at once; live for one.

    training ─▶ fit ─▶ Fitted ─▶ at(budget) ─▶ PoolPolicy ─▶ next: which models now ─▶ ... ─▶ answer: whose votes count

``FITS`` names them. Every fit takes ``Training`` and a seed and returns a ``Fitted``; none changes what it was given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from edgecascade.pool import Array, Beliefs, Feedback, Mask, Seen, Table


class Estimator(Protocol):
    """What is believed of each model's answer before and after models have run; ``estimators`` fits one."""

    @property
    def models(self) -> tuple[str, ...]:
        """The pool."""

    @property
    def covariances(self) -> Array:
        """As in ``Beliefs`` (m, k, k)."""

    def states(self, ran: Mask) -> Any:
        """Return which of the m states each row is in (n,), intp."""

    def quality(self, seen: Seen) -> Array:
        """Return the quality expected of each model's answer (n, k), 0 to 1; of one that has run, by what it showed."""

    def cost(self, seen: Seen) -> Array:
        """Return the cost expected of a call to each model (n, k)."""


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What policies are fitted on.

    table      recorded results                      features  of the queries (n, d)
    estimator  fitted on them                        beliefs   of these very rows, each by an estimator that had not
    seen it: what the estimator will believe of questions that are new
    """

    table: Table
    features: Array
    estimator: Estimator
    beliefs: Beliefs


class PoolPolicy(Protocol):
    """Decides for n questions at once. Pure: the same ``seen`` gives the same arrays, and nothing is changed."""

    @property
    def models(self) -> tuple[str, ...]:
        """The pool."""

    def next(self, seen: Seen) -> Mask:
        """Return which models to run now, at once (n, k): open ones that have not run; a row of none: stop."""

    def answer(self, seen: Seen) -> Array:
        """Return how much each answer's vote weighs (n, k), 0 of a model that has not run.

        Equal answers add up, and the heaviest is given. A row of one positive weight names one model's answer.
        """

    def worth(self, seen: Seen) -> Array:
        """Return the ranking (n, k): a model of more worth is asked sooner, where it may be asked."""


class Fitted(Protocol):
    """A policy fitted on recorded results, before it is told what it may spend."""

    @property
    def models(self) -> tuple[str, ...]:
        """The pool."""

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> PoolPolicy:
        """Return the policy that spends at most ``budget`` a question on average; None: no limit.

        confidence  with which new questions keep it, 0.5 to 1; None: kept on average on the training questions
        A policy that knows no budget is the same at each. One that cannot go below some cost returns its cheapest.
        """

    def learn(self, feedback: Feedback) -> Self:
        """Return what it becomes when one answer's worth is known; itself where it does not learn."""

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` of its module makes it from again: plain values and numpy arrays."""


Fit = Callable[..., Fitted]
"""``fit(training: Training, *, seed: int = 0) -> Fitted``."""

FITS: Mapping[str, str] = {
    "constant": "constant",
    "random": "constant",
    "threshold": "frugal",
    "margin": "dynamic_margin",
    "knn": "knn",
    "routing": "cascade_routing",
    "cascading": "cascade_routing",
    "cascade_routing": "cascade_routing",
    "mixllm": "mixllm",
    "selectllm": "selectllm",
    "smoothie": "smoothie",
    "smart": "smart",
    "linucb": "linucb",
}
"""Name -> module of this folder; its ``FITS[name]`` fits, its ``of_json(record, estimator)`` reads a saved one."""
