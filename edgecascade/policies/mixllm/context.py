"""What MixLLM makes of a query: its features, and beside them how likely it is of each domain.

    e    features, centred and scaled, and the domains, all divided by the root of the ridge penalty rho; then a 1 (p,)

With rho inside e, A = I + sum of e e^T keeps the paper's form, and e^T A^-1 e is the doubt of the very regression that
predicts. rho, and which domains help if any, are chosen by the exact leave-one-out error.

Different from the paper: the tags are the tasks that a table names, or else clusters of its features; the paper tags
queries with a 13B model (arXiv:2502.18482, section 3.1), sorts the tags by hand into 20 domains and fine-tunes BERT
toward them (eq. 1-3). Area under the quality-cost curve on two tables of seven and of two models, 30 % of them trained
on:

    no domains .663 .813 | clusters .664 .813 | tags .676 .814 | random mix .621 .800
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from edgecascade.estimators.clusters import Clusters, fit_clusters
from edgecascade.estimators.domains import Domains, fit_domains
from edgecascade.estimators.folds import folds_of
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array, Table

DOMAINS = 20
"""Clusters: as many as the paper's domains."""
FEWEST = 10
"""Training questions a cluster: with fewer of them there are fewer clusters."""
REACH = 3.0
"""How much a tagged domain weighs beside the features, whose rows have a length near 1; 6 is as good, 1 less."""
FOLDS = 5
PENALTIES = tuple(float(value) for value in np.geomspace(0.3, 1000.0, 10))


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """Turns features (n, d) into e (n, p): ``middle`` (d,) and ``width`` of the features, rho.

    domains  how likely each is, by tags or by clusters, times ``reach``; None: no domains
    """

    middle: Array
    width: float
    penalty: float = 1.0
    domains: Domains | Clusters | None = None
    reach: float = 1.0

    def __call__(self, features: Array) -> Array:
        """Return e of each query (n, p)."""
        rows = (features - self.middle) / self.width
        return self.beside(rows, None if self.domains is None else _members(self.domains, rows))

    def beside(self, rows: Array, members: Array | None) -> Array:
        """Return e of scaled features (n, d), and what is said of their domains (n, t)."""
        wide = rows if members is None else np.hstack([rows, self.reach * members])
        return np.hstack([wide / np.sqrt(self.penalty), np.ones((len(rows), 1))])

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        tags = self.domains.as_json() if isinstance(self.domains, Domains) else None
        clusters = self.domains.as_json() if isinstance(self.domains, Clusters) else None
        numbers = {name: getattr(self, name) for name in ("middle", "width", "penalty", "reach")}
        return numbers | {"tags": tags, "clusters": clusters}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        domains = Domains.of_json(record["tags"]) if record["tags"] else None
        clusters = Clusters.of_json(record["clusters"]) if record["clusters"] else None
        width, penalty, reach = (float(record[name]) for name in ("width", "penalty", "reach"))
        [middle] = arrays(record, middle="d")
        return cls(middle, width, penalty, domains or clusters, reach)


def fit_context(features: Array, table: Table, *, domains: bool = True, seed: int = 0) -> tuple[Context, Array]:
    """Return the context of least leave-one-out squared error, and e of the table's rows (n, p); features (n, d).

    Whose domain a row itself was taught is told it without its fold, as it will be of new queries.
    """
    middle = features.mean(axis=0)
    width = float(np.sqrt(((features - middle) ** 2).sum(axis=1).mean())) or 1.0
    plain, rows = Context(middle, width), (features - middle) / width
    choices: list[tuple[Context, Array | None]] = [(plain, None)]
    if domains and (kinds := min(DOMAINS, len(features) // FEWEST)) > 1 and features.shape[1]:
        tags, held = fit_domains(rows, table.tasks, folds_of(table.tasks, FOLDS, seed))
        clusters = fit_clusters(rows, kinds, seed=seed)
        choices.append((replace(plain, domains=clusters), _members(clusters, rows)))
        if tags is not None:
            choices.append((replace(plain, domains=tags, reach=REACH), held))
    tried = [(*best_penalty(one.beside(rows, members), table.quality), one, members) for one, members in choices]
    _, penalty, context, members = min(tried, key=lambda one: one[0])
    context = replace(context, penalty=penalty)
    return context, context.beside(rows, members)


def _members(domains: Domains | Clusters, rows: Array) -> Array:
    """Return how likely each domain is (n, t)."""
    return domains(rows) if isinstance(domains, Domains) else np.eye(len(domains))[domains(rows)]


def best_penalty(rows: Array, quality: Array) -> tuple[float, float]:
    """Return the least mean squared error of leaving one out, and the penalty that has it."""
    centred, off = rows - rows.mean(axis=0), quality - quality.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    turned = centred @ vectors
    along = turned.T @ off
    errors = []
    for penalty in PENALTIES:
        shrunk = 1 / (np.maximum(values, 0.0) + penalty)
        leverage = (turned**2 * shrunk).sum(axis=1) + 1 / len(rows)
        left_out = (off - turned @ (shrunk[:, None] * along)) / np.maximum(1 - leverage, 1e-9)[:, None]
        errors.append(float(np.mean(left_out**2)))
    place = int(np.argmin(errors))
    return errors[place], PENALTIES[place]
