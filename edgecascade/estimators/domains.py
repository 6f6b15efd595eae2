"""Which task a question seems to come from: the tasks of recorded questions are known, those of new ones are not.

One logistic regression a task, all at once, scaled to sum 1, and then by the root of the largest chance: a question
that is like none of the tasks is told so. MixLLM (arXiv:2502.18482, section 3.1) lets another model tag domains and
trains an encoder on them; here the names in the table are the tags, and whatever features there are the encoder.

It is the largest single gain of the estimates: on 13 tasks and 7 models, log loss .104 nats below the constant without
it, .121 with it, .128 where the task is told. Fitted on 1,200 questions of 9 of these tasks, or of 39 of another
table's 57; gain on other questions of the same tasks, and on the tasks left out (5 draws, standard error .01 to .03):

                                        13 tasks            57 tasks
    no domains                      .113, left out .023   .066, left out .100
    chances of sum 1                .123          -.001   .071          .092
    times the root of the largest   .122           .017   .070          .091
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgecascade.calibrators.logistic import sigmoid
from edgecascade.estimators.folds import Parts
from edgecascade.estimators.logistic import Logistic, out_of_fold, path
from edgecascade.pool import Array

STRENGTH = 3e-5
"""Tasks are told apart by many small signs: nearly free."""
LEAST_ROWS = 10
"""A task of fewer questions is one with the others like it."""
MOST = 40


@dataclass(frozen=True, slots=True, eq=False)
class Domains:
    """Names of t domains, "" for what is too rare to have one, and the regression behind them."""

    names: tuple[str, ...]
    fit: Logistic

    def __call__(self, features: Array) -> Array:
        """Return how likely each domain is (n, t): rows of sum 1 of a question that is plainly of one, else of less."""
        return members(self.fit(features))

    def as_json(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {"names": list(self.names), "fit": self.fit.as_json()}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(tuple(record["names"]), Logistic.of_json(record["fit"]))


def members(chances: Array) -> Array:
    """Return the shares of the domains by the chance of each against all others, times the root of the largest (n, t).

    The largest is .94 on average of new questions of 9 tasks, .68 of questions of 4 others. Not its root but the chance
    itself costs more on known tasks (.1189 for .1207, .0830 for .0859 nats) than it brings on others.
    """
    familiar = np.sqrt(chances.max(axis=1, keepdims=True))
    return np.asarray(familiar * chances / chances.sum(axis=1, keepdims=True))


def fit_domains(features: Array, tasks: Sequence[str], parts: Parts) -> tuple[Domains | None, Array]:
    """Return the fit to features (n, d), and what it says of every row without its fold (n, t).

    None and (n, 0) where there is one domain only.
    """
    counts = Counter(tasks).most_common(MOST)
    common = {name for name, count in counts if count >= LEAST_ROWS}
    named = [name if name in common else "" for name in tasks]
    names = tuple(sorted(set(named)))
    if len(names) < 2:
        return None, np.empty((len(features), 0))
    truth = np.array([[name == own for name in names] for own in named], np.float64)
    held = members(sigmoid(out_of_fold(features, truth, [STRENGTH], parts)[0]))
    return Domains(names, path(features, truth, [STRENGTH])[0]), held
