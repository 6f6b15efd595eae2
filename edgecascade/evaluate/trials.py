"""One policy on one split: fitted, told a budget, played; then played at every budget of the curve.

b       budgets of the curve, from the cheapest to the dearest single model, close together at the cheap end
k       models           cost, quality   means over the played questions
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from edgecascade.errors import ConfigError
from edgecascade.estimators import After, Features, PoolEstimator, fit_after, fit_estimator, fit_features
from edgecascade.evaluate.splitting import Split
from edgecascade.evaluate.streaming import Arrivals, Stream, streamed
from edgecascade.policies.frontier import area, lagrangian_sweep
from edgecascade.policies.playing import Played, play
from edgecascade.policies.pooled import FITS, Fit, PoolPolicy, Training
from edgecascade.policies.smart import Smart
from edgecascade.pool import Array, Queries, Seen, Table

BUDGETS = 17
DECISIONS = 200
"""Single decisions that are timed."""
SAME = 1 + 1e-9
"""Costs that differ by less are the same."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Part:
    """One split, made ready for every policy alike.

    training  what policies are fitted on        test, features, after, draw  what is played
    budget    of the headline figures            budgets  of the curve (b,)
    low, high costs between which the area under a curve is taken
    estimate_seconds  that the features and the shared estimator took to fit
    """

    training: Training
    test: Table
    features: Array
    after: Array
    draw: Array
    budget: float
    budgets: Array
    low: float
    high: float
    estimate_seconds: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trial:
    """What a policy made of one split.

    quality, cost  of each played question (n,), at the budget
    runs      calls of each model a question (k,)          alone  share of questions that it alone was asked (k,)
    costs, qualities  of the curve (b, n); none of a single model
    auc       mean height of the curve, 0 to 1; None where there is none
    seconds   of each played question (2, n): a round's models asked at once, and all in turn; NaN where unknown
    promised  SMART's bound below how often its answer is the reference's           stream  what becomes of a stream
    """

    quality: Array
    cost: Array
    runs: Array
    alone: Array
    seconds: Array = field(default_factory=lambda: np.full((2, 1), np.nan))
    fit_seconds: float = 0.0
    decide_seconds: float = 0.0
    costs: Array = field(default_factory=lambda: np.empty((0, 0)))
    qualities: Array = field(default_factory=lambda: np.empty((0, 0)))
    auc: float | None = None
    promised: float | None = None
    stream: Stream | None = None


def known(names: str) -> tuple[str, ...]:
    """Return the policies that "a,b" or "all" names; ConfigError for one that there is not.

    >>> known("random, constant")
    ('random', 'constant')
    """
    wanted = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if wanted == ("all",):
        return tuple(FITS)
    for name in wanted or ("",):
        if name not in FITS:
            raise ConfigError(f"policy {name!r} is unknown: wanted one of {', '.join(FITS)}, or all; choose among them")
    return wanted


def fit_named(name: str) -> Fit:
    """Return what fits the policy of that name."""
    module = importlib.import_module(f"edgecascade.policies.{FITS[name]}")
    fits: Mapping[str, Fit] = module.FITS
    return fits[name]


@dataclass(frozen=True, slots=True, eq=False)
class Fitting:
    """What all policies share of a fit: ``training`` for them, the rest to make the same of new questions."""

    training: Training
    features: Features
    after: After
    estimator: PoolEstimator


def fitting(table: Table, queries: Queries, *, seed: int) -> Fitting:
    """Return features and estimates fitted on a table."""
    features = fit_features(queries, seed=seed)
    after, own = fit_after(table, seed=seed)
    shown = features(queries)
    estimator, beliefs = fit_estimator(table, shown, own, seed=seed)
    return Fitting(Training(table, shown, estimator, beliefs), features, after, estimator)


def part_of(table: Table, queries: Queries, split: Split, *, budget: float | None, seed: int, clock: Clock) -> Part:
    """Return a split made ready; without a budget it is what the best single model costs on the training rows."""
    train, test = table.rows(split.train), table.rows(split.test)
    started = clock()
    shared = fitting(train, queries.rows(split.train), seed=seed)
    seconds = clock() - started
    best = int(np.lexsort((train.cost.mean(0), -train.quality.mean(0)))[0])
    low, high = span(test.cost)
    return Part(
        training=shared.training,
        test=test,
        features=shared.features(queries.rows(split.test)),
        after=shared.after(test),
        draw=np.random.default_rng(seed).random(len(test)),
        budget=float(train.cost[:, best].mean()) if budget is None else budget,
        budgets=budgets_between(*span(train.cost)),
        low=low,
        high=high,
        estimate_seconds=seconds,
    )


def span(cost: Array) -> tuple[float, float]:
    """Return the mean cost of the cheapest and of the dearest single model; where all cost the same, up to all of them.

    >>> span(np.ones((5, 3)))
    (1.0, 3.0)
    """
    means = cost.mean(axis=0)
    low, high = float(means.min()), float(means.max())
    return low, high if high > low * SAME else float(means.sum())


def budgets_between(low: float, high: float) -> Array:
    """Return the budgets of a curve: their distances from the cheapest grow as squares, since much happens there.

    Costs may differ a hundredfold, so equal steps would skip the cheap end; logarithms cannot begin at 0.
    """
    return low + (high - low) * np.linspace(0, 1, BUDGETS) ** 2


def trial(
    name: str, part: Part, *, confidence: float | None, seed: int, clock: Clock, arrivals: Arrivals | None = None
) -> Trial:
    """Return what a policy makes of a split, as a stream too; PolicyError where it cannot be fitted on this table."""
    fit = fit_named(name)  # the import is no part of the fit
    started = clock()
    fitted = fit(part.training, seed=seed)
    policy = fitted.at(part.budget, confidence=confidence)
    seconds = clock() - started
    played = _played(policy, part)
    curve = [_played(fitted.at(float(budget), confidence=confidence), part) for budget in part.budgets]
    costs, qualities = (np.array([getattr(one, what) for one in curve]) for what in ("cost", "quality"))
    points = np.stack([costs.mean(axis=1), qualities.mean(axis=1)], axis=1)
    return Trial(
        quality=played.quality,
        cost=played.cost,
        runs=played.ran.mean(axis=0),
        alone=(played.ran & (played.ran.sum(axis=1) == 1)[:, None]).mean(axis=0),
        seconds=np.stack([played.seconds, played.in_turn]),
        fit_seconds=seconds,
        decide_seconds=_decision(policy, part, clock),
        costs=costs,
        qualities=qualities,
        auc=area(points, part.low, part.high),
        promised=fitted.promised(part.budget, confidence=confidence) if isinstance(fitted, Smart) else None,
        stream=streamed(policy, part.test, part.features, part.after, arrivals, seed=seed) if arrivals else None,
    )


def _played(policy: PoolPolicy, part: Part) -> Played:
    return play(policy, part.test, part.features, part.after, draw=part.draw)


def _decision(policy: PoolPolicy, part: Part, clock: Clock) -> float:
    """Return the median seconds of a first decision on one question."""
    chosen = slice(0, DECISIONS)
    first = Seen.first(
        part.features[chosen],
        len(part.test.models),
        prompt_tokens=part.test.prompt_tokens[chosen],
        draw=part.draw[chosen],
    )
    taken = []
    for row in range(len(first)):
        one = first.rows([row])
        started = clock()
        policy.next(one)
        taken.append(clock() - started)
    return median(taken)


def single(column: int, part: Part) -> Trial:
    """Return what asking one model always makes of a split."""
    only = np.eye(len(part.test.models))[column]
    seconds = np.stack([part.test.seconds[:, column]] * 2)
    return Trial(
        quality=part.test.quality[:, column], cost=part.test.cost[:, column], runs=only, alone=only, seconds=seconds
    )


def oracle_trial(part: Part) -> Trial:
    """Return what whoever knows each answer's quality beforehand makes of a split: no router does better."""
    quality, cost = part.test.quality, part.test.cost
    best, rows = lagrangian_sweep(quality, cost), np.arange(len(part.test))
    at, *others = [best.mix(float(budget)).choose(quality, cost, part.draw) for budget in (part.budget, *part.budgets)]
    asked = np.eye(quality.shape[1])[at].mean(axis=0)
    return Trial(
        quality=quality[rows, at],
        cost=cost[rows, at],
        runs=asked,
        alone=asked,
        seconds=np.stack([part.test.seconds[rows, at]] * 2),
        costs=np.array([cost[rows, models] for models in others]),
        qualities=np.array([quality[rows, models] for models in others]),
        auc=area(best.points, part.low, part.high),
    )
