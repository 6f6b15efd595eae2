"""Cascade routing: run the models whose best answer is worth their price, one at a time, and look again after each.

Dekoninck, Baader, Vechev, "A Unified Approach to Routing and Cascading for LLMs", arXiv:2410.10347: routing (theorem 1)
chooses one model from the question alone, cascading (theorem 2) runs models in order of cost until it stops, and
cascade routing (theorem 3) does both. All three are one rule under other limits; ``routing`` holds what they are made
of.

``fit_cascade_routing`` and ``cascade_routing`` take arrays: estimates of your own, from anywhere. ``FITS`` takes a
table's ``Training``.

Different from the paper:
- E[max] is exact (``expected_max``); its program samples it, and takes the variance for the standard deviation.
- Every price of the budget's curve is found in one sweep, without bisection or random search. Prices that differ by
  step are ``ratios`` to the first one; they are kept only where they gain on held-out halves.
- Of the chosen set the cheapest model runs first. Ties of price are mixed by a draw of each question, not anew at
  every step, so that the mean cost is the budget.
- All supersets are looked at where at most eleven models have not run (eight where errors are correlated), without a
  limit on their number; of more, a question looks at those that the fewest others beat in cost and hope.
- Where the truth is given, estimates that are shifted, too sure or on another scale are corrected first, and so are
  deviations that promise too much (``corrections``). Of 150 questions and three models, medium to high noise, that
  gained in points of area: 3 to 4 where each model's are shifted by .12, 2 where they are the truth plus noise, 12
  where one model's always look right, .1 to .2 where they are true; of 40 questions and eleven models 1.1 ± .7. The
  program takes them as they are.
- A budget is spent where the estimates say that it helps, and measured quality has a say only beyond chance. The
  program takes the price of the highest measured quality: of 100 questions that is noise, and lost .6 points of area.
- ``confidence`` keeps the budget on new questions; a price fitted on the mean overshoots it every other time.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgecascade.errors import PolicyError
from edgecascade.policies.pooled import Estimator, Fit, Training
from edgecascade.policies.routing.corrections import Corrections
from edgecascade.policies.routing.estimates import Estimates, Spread, numbers
from edgecascade.policies.routing.pool import FittedRouting
from edgecascade.policies.routing.price_search import Recorded, Worth, fit_prices
from edgecascade.policies.routing.routed import CascadeRouting, Runs, read_cascade_routing
from edgecascade.policies.routing.supersets import Places, Rules, Strategy
from edgecascade.pool import Array

__all__ = ["FITS", "CascadeRouting", "Runs", "cascade_routing", "fit_cascade_routing", "of_json"]

STRATEGIES: tuple[Strategy, ...] = ("cascade_routing", "cascading", "routing")
MOST_MODELS = 60
DIGITS = 9
TINY = 1e-300
CORRELATED = 0.4
"""Errors less correlated than this, on average, are taken for independent by a pool's policies: on the edge table (.15)
it changed quality by at most .0015, and took an eighth of the time."""


def fit_cascade_routing(
    before: ArrayLike,
    after: ArrayLike,
    cost: ArrayLike,
    *,
    sd_before: ArrayLike | None = None,
    sd_after: ArrayLike = 0.0,
    covariances: ArrayLike | None = None,
    quality: ArrayLike | None = None,
    spent: ArrayLike | None = None,
    budget: float | None = None,
    confidence: float | None = None,
    strategy: Strategy = "cascade_routing",
    depth: int | None = None,
    per_step: bool = True,
    seed: int = 0,
) -> CascadeRouting:
    """Return cascade routing fitted on your own estimates of the quality of k models' answers to n questions.

    before       of each model before any has run (n, k)
    after        of each model once it has run, the others' staying as they were (n, k); or of all models by the set of
                 those that have run (n, 2**k, k), where model i is bit i of the set's number, at most 12 models
    cost         expected of a call, at least 0: (k,) or (n, k)
    sd_before, sd_after  standard deviations of these estimates, at least 0: one, (k,) or (n, k); ``sd_before`` None:
                 how far ``after`` lies from ``before`` on these questions
    covariances  of their errors, instead: by the set of models that have run (2**k, k, k); or (k, k) before any has,
                 of which those that have not run keep theirs, and the rest have ``sd_after``
    quality      what the answers were worth (n, k): corrects estimates and deviations that it contradicts beyond
                 chance, here and in ``run`` (at least 20 questions), and chooses prices by step
    spent        what the calls cost (n, k), where that is not ``cost``: what counts against the budget
    budget, confidence   as ``CascadeRouting.at``: mean cost a question, None: no limit
    strategy     "cascade_routing": any models; "cascading": in order of cost; "routing": one, by ``before`` alone
    depth        most models that a question may run; None: all
    per_step     whether the price of cost may differ by step, where that gains on held-out halves
    seed         of the halves, and of the order in which the ladder tests questions

    A budget below the cheapest model cannot be kept: every question runs the cheapest, and ``feasible`` is False.
    PolicyError for shapes that do not fit, NaN, a negative cost or standard deviation, a negative or NaN budget.
    Source: arXiv:2410.10347, theorems 1 to 3.

    >>> fitted = fit_cascade_routing([[0.5, 0.6]] * 4, [[0.9, 0.9], [0.9, 0.9], [0.1, 0.9], [0.1, 0.9]], [1.0, 5.0],
    ...                              sd_before=0.4, budget=3.5)
    >>> runs = fitted.run([[0.5, 0.6]] * 2, [[0.9, 0.9], [0.1, 0.9]])
    >>> runs.run.tolist(), runs.answer.tolist(), runs.cost.tolist()
    ([[True, False], [True, True]], [0, 1], [1.0, 6.0])
    """
    n, k = _shape(before)
    rules = _rules(strategy, depth, k)
    costs = numbers("cost", cost, (n, k), least=0.0)
    spread = Spread.of(0.0 if sd_before is None else sd_before, sd_after, covariances, n, k)
    truth = None if quality is None else numbers("quality", quality, (n, k))
    seen = Estimates.of(before, after, costs, spread, rules.order)
    if sd_before is None and covariances is None:
        spread = replace(spread, before=(seen.shown() - seen.before).std(0))
        seen = replace(seen, spread=spread)
    corrections = Corrections.none(k) if truth is None else seen.corrections(truth)
    rules = replace(rules, order=_order(costs, seen.before if truth is None else truth))
    seen = replace(seen.corrected(corrections), order=rules.order)
    paid = costs if spent is None else numbers("spent", spent, (n, k), least=0.0)
    recorded = Recorded(seen.views, paid, _worth(seen, truth), rules)
    prices = fit_prices(recorded, per_step=per_step, seed=seed)
    return CascadeRouting(prices, rules, spread, costs.mean(0), corrections, prices.at(budget, confidence=confidence))


def cascade_routing(
    before: ArrayLike, after: ArrayLike, cost: ArrayLike, budget: float | None = None, **options: Any
) -> Runs:
    """Return what cascade routing runs and answers on the very questions that it is fitted on.

    Arguments as ``fit_cascade_routing`` has them; ``seed`` also draws what is mixed.

    >>> cascade_routing([[0.5, 0.6]], [[0.9, 0.9]], [1.0, 5.0], 2.0, sd_before=0.1).answer.tolist()
    [0]
    """
    fitted = fit_cascade_routing(before, after, cost, budget=budget, **options)
    return fitted.run(before, after, cost, seed=options.get("seed", 0))


def _shape(before: ArrayLike) -> tuple[int, int]:
    shape = np.shape(before)
    if len(shape) != 2 or not shape[0] or not shape[1]:
        raise PolicyError(f"before: found shape {shape}, wanted questions x models, at least one of each")
    return shape[0], shape[1]


def _rules(strategy: Strategy, depth: int | None, k: int) -> Rules:
    if strategy not in STRATEGIES:
        raise PolicyError(f"a strategy {strategy!r}; wanted one of {', '.join(STRATEGIES)}")
    if k > MOST_MODELS:
        raise PolicyError(f"a pool of {k} models; wanted at most {MOST_MODELS}")
    if depth is not None and depth < 1:
        raise PolicyError(f"a depth of {depth}; wanted at least 1 model a question, or None")
    steps = 1 if strategy == "routing" else k if depth is None else min(depth, k)
    return Rules(strategy, steps, tuple(range(k)))


def _order(cost: Array, quality: Array) -> tuple[int, ...]:
    """Return the models by mean cost, then mean quality, the better first, then place."""
    means = cost.mean(0)
    rounded = np.round(means / max(means.max(), TINY), DIGITS)  # the same price adds up to other last digits
    places = np.lexsort((np.arange(cost.shape[1]), -quality.mean(0), rounded))
    return tuple(places.tolist())


def _worth(seen: Estimates, truth: Array | None) -> Worth:
    """Return the quality of the answers that are given, believed and measured; where not measured, believed."""

    def worth(rows: Places, ran: Places) -> Array:
        answer, believed = seen.answers(rows, ran)
        return np.stack([believed, believed if truth is None else truth[rows, answer]], 1)

    return worth


def fit(training: Training, *, seed: int = 0, strategy: Strategy = "cascade_routing") -> FittedRouting:
    """Return cascade routing fitted on a table, by what its estimator believes of questions that are new to it."""
    table, beliefs = training.table, training.beliefs
    rules = replace(_rules(strategy, None, len(table.models)), order=_order(beliefs.cost, table.quality))
    seen = Estimates.of_beliefs(beliefs, rules.order, least=CORRELATED)
    prices = fit_prices(Recorded(seen.views, table.cost, _worth(seen, table.quality), rules), seed=seed)
    same = Corrections.none(len(table.models))
    routing = CascadeRouting(prices, rules, seen.spread, seen.cost.mean(0), same, prices.at(None))
    return FittedRouting(routing, training.estimator)


def of_json(record: Mapping[str, Any], estimator: Estimator) -> FittedRouting:
    """Return the fitted policy that was saved; PolicyError for a damaged record."""
    return FittedRouting(read_cascade_routing(record), estimator)


FITS: Mapping[str, Fit] = {name: partial(fit, strategy=name) for name in STRATEGIES}
