"""p_correct of an answer by what it showed: log-probability signals that the table holds, or recorded estimates.

One logistic regression a model, on signals squeezed by sign(x) ln(1 + |x|) and standardised.

Different from Dekoninck et al., arXiv:2410.10347, appendix: theirs takes 8 signals of one kind; here whatever evidence
the table has, the strength of the penalty cross-validated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.calibrators.logistic import sigmoid
from edgecascade.errors import PolicyError
from edgecascade.estimators.folds import Parts, folds_of
from edgecascade.estimators.logistic import STRENGTHS, Logistic, log_loss, out_of_fold, path
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array, Evidence, Table


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """One model's head: the signals by name, their centre and scale (s,), and the regression on them."""

    names: tuple[str, ...]
    centre: Array
    scale: Array
    fit: Logistic

    def __call__(self, evidence: Evidence) -> Array:
        """Return p_correct (n,); PolicyError where a signal is missing."""
        lost = [name for name in self.names if name not in evidence.names]
        if lost:
            raise PolicyError(f"evidence without the signals fitted on: found no {lost[0]}, wanted {len(self.names)}")
        return self.fit((_squeezed(evidence, self.names) - self.centre) * self.scale)[:, 0]

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"names": list(self.names), "centre": self.centre, "scale": self.scale, "fit": self.fit.as_json()}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        centre, scale = arrays(record, centre="s", scale="s")
        return cls(tuple(record["names"]), centre, scale, Logistic.of_json(record["fit"]))


@dataclass(frozen=True, slots=True, eq=False)
class After:
    """Heads by model; a model without one is believed what the table recorded of it."""

    models: tuple[str, ...]
    heads: Mapping[str, Watched]

    def __call__(self, table: Table) -> Array:
        """Return p_correct of each answer (n, k) in the order of the table's models, NaN where nothing shows it."""
        found = recorded(table)
        for name, head in self.heads.items():
            if name in table.models and name in table.evidence:
                place = table.models.index(name)
                known = np.isfinite(found[:, place])
                found[:, place] = np.where(known, found[:, place], head(table.evidence[name]))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"models": list(self.models), "heads": {name: one.as_json() for name, one in self.heads.items()}}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(tuple(record["models"]), {name: Watched.of_json(one) for name, one in record["heads"].items()})


def fit_after(table: Table, *, folds: int = 5, seed: int = 0) -> tuple[After, Array]:
    """Return the heads, and p_correct of the training answers (n, k), each by a head that had not seen its question.

    What the table recorded after its models had run is taken as it is; PolicyError where it is not within 0 to 1.
    """
    found = recorded(table)
    parts = folds_of(table.tasks, folds, seed)
    heads: dict[str, Watched] = {}
    for place, name in enumerate(table.models):
        if name not in table.evidence or np.isfinite(found[:, place]).all():
            continue
        heads[name], held = _watched(table.evidence[name], table.quality[:, place], parts)
        found[:, place] = np.where(np.isfinite(found[:, place]), found[:, place], held)
    return After(table.models, heads), found


def recorded(table: Table) -> Array:
    """Return what the table recorded after its models had run (n, k); PolicyError outside 0 to 1."""
    wild = (table.after < 0) | (table.after > 1)
    if wild.any():
        raise PolicyError(
            f"estimates made after a model has run are no probabilities: found {table.after[wild][0]:g}, wanted 0 to "
            "1; calibrate them first"
        )
    return table.after.copy()


def _watched(evidence: Evidence, quality: Array, parts: Parts) -> tuple[Watched, Array]:
    if len(quality) < 2 or not np.isfinite(evidence.values).all():
        raise PolicyError(
            f"evidence cannot be fitted: found {len(quality)} answers, NaN or infinite signals among them or too few, "
            "wanted at least 2, all finite; leave such rows out"
        )
    signals = _squeezed(evidence, evidence.names)
    centre, spread = signals.mean(axis=0), signals.std(axis=0)
    flat = spread <= 1e-9 * np.maximum(np.abs(centre), 1e-300)
    scale = np.where(flat, 0.0, 1 / np.where(flat, 1.0, spread))
    features, targets = (signals - centre) * scale, quality[:, None]
    held = out_of_fold(features, targets, STRENGTHS, parts)
    best = int(np.argmin([log_loss(z, targets) for z in held]))
    fit = path(features, targets, [STRENGTHS[best]])[0]
    return Watched(evidence.names, centre, scale, fit), sigmoid(held[best][:, 0])


def _squeezed(evidence: Evidence, names: tuple[str, ...]) -> Array:
    places = [evidence.names.index(name) for name in names]
    values = evidence.values[:, places]
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
