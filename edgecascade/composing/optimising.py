"""The allocation of a program, found on one part of the questions and judged on the rest.

    questions ─▶ training ─▶ one model everywhere ─▶ coordinate ascent (─▶ every allocation)
              └▶ held out ─▶ what was found, against each model everywhere

The figures of the training part flatter whatever was chosen by them; those held out do not. With few questions the
interval says how little they show, and the gain over the best model everywhere is paired, question by question.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from edgecascade.composing.trying import Rows, Trials, Tried
from edgecascade.compound.allocation import (
    ROUNDING,
    Aggregate,
    Allocation,
    Found,
    Worth,
    ascend,
    best_of,
    drawn,
    every,
    uniform,
)
from edgecascade.errors import BudgetError, ConfigError, QuestionFileError
from edgecascade.guarantees.binomial import interval
from edgecascade.metrics import Interval, bootstrap, paired_gain
from edgecascade.pool import Array

DELTA = 0.05
"""A 95 % interval is wrong so often."""
ALL_SIGNS, DRAWN_SIGNS = 12, 2000
"""Up to how many questions the signs of a gain are tried in every way, and how many ways are drawn beyond."""
MOST_ALLOCATIONS = 4096
"""Of which an exhaustive search tries all: beyond, nobody waits for it."""

Start = Literal["single", "random"]
Stage = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an allocation is searched for.

    train           share of the questions to choose by; 1: all, and nothing is held out
    aggregate       how questions decide between candidates       start  "single": the best model everywhere
    alpha           weight of what the diagnoser says; 0: it is not asked
    value_usd       what a right answer is worth; None: whatever it costs       usd_per_second  price of waiting
    exhaustive      also try every allocation
    """

    train: float = 0.5
    aggregate: Aggregate = "mean"
    start: Start = "single"
    alpha: float = 0.0
    value_usd: float | None = None
    usd_per_second: float = 0.0
    exhaustive: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """An allocation on questions: quality with its 95 % interval, and the means a question of what it took.

    worth  quality less that cost, in right answers; None where the plan says nothing of what an answer is worth
    """

    quality: Interval
    calls: float
    seconds: float
    usd: float | None
    worth: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        quality = {"quality": self.quality.value, "low": self.quality.low, "high": self.quality.high}
        took = {"calls": self.calls, "seconds": self.seconds, "usd": self.usd}
        return quality | took | ({} if self.worth is None else {"worth": self.worth})


@dataclass(frozen=True, slots=True)
class Compared:
    """An allocation on both parts; ``held_out`` is None where nothing is, or its calls were not allowed any more."""

    allocation: Allocation
    training: Figures
    held_out: Figures | None

    def as_json(self) -> dict[str, Any]:
        """Return the figures of both parts."""
        return {"training": self.training.as_json(), "held_out": self.held_out.as_json() if self.held_out else None}


@dataclass(frozen=True, slots=True)
class Gain:
    """What the chosen allocation has over another on the same questions, with its bootstrapped interval.

    p_value  how often differences of these sizes would make as much, were each as likely to be the other way round; a
             bootstrap of a handful of questions knows no better than that. Of right and wrong answers: the sign test
    """

    value: float
    low: float
    high: float
    p_value: float

    @property
    def shown(self) -> bool:
        """Whether interval and test agree that the two differ."""
        return self.p_value <= DELTA and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class Optimised:
    """What was found.

    chosen      the best that the ascent evaluated             singles   each model everywhere, by model
    gain        of quality, held out, of the chosen over the single that was best in training; None where none is
    worth_gain  of worth, likewise; None also where the plan says nothing of what an answer is worth
    exhaustive  the best of all allocations in training; None where they were not all tried
    """

    chosen: Compared
    singles: tuple[Compared, ...]
    best_single: int
    gain: Gain | None
    worth_gain: Gain | None
    exhaustive: Compared | None
    search: Found
    training: tuple[int, ...]
    held_out: tuple[int, ...]


def optimise(trials: Trials, plan: Plan, *, stage: Stage = lambda what: None) -> Optimised:
    """Return the allocation that was found, beside each model everywhere.

    Raises BudgetError where the calls allowed do not even suffice for one model everywhere; ConfigError for a cost that
    is unknown, or too many allocations to try all; QuestionFileError for too few questions. ``stage`` is told what
    begins.
    """
    modules, models = len(trials.program.modules), len(trials.models)
    if plan.exhaustive and models**modules > MOST_ALLOCATIONS:
        raise ConfigError(
            f"{models**modules} allocations of {models} models to {modules} modules are too many to try: wanted at "
            f"most {MOST_ALLOCATIONS}; leave out --exhaustive, or some models"
        )
    training, held_out = split(len(trials), plan.train, plan.seed)
    worth = worth_of(trials, training, plan)
    stage("each model everywhere")
    single = best_of(worth, uniform(modules, models))
    start = single.allocation if plan.start == "single" else drawn(modules, models, plan.seed)
    stage("coordinate ascent")
    search = ascend(
        worth,
        models,
        start,
        aggregate=plan.aggregate,
        blame=partial(trials.blames, rows=training),
        alpha=plan.alpha,
        known=single.known,
    )
    best = None
    if plan.exhaustive:
        stage("every allocation")
        with _while_allowed(stage):
            best = best_of(worth, every(modules, models))
    wanted = [search.allocation, *uniform(modules, models), *([best.allocation] if best else [])]
    there = None
    if held_out:
        stage("held out")
        with _while_allowed(stage):
            there = trials.tried(wanted, held_out)
    here = [figures_of(tried, plan) for tried in trials.tried(wanted, training)]
    out = [figures_of(tried, plan) for tried in there] if there else [None] * len(wanted)
    compared = [Compared(*one) for one in zip(wanted, here, out, strict=True)]
    place = uniform(modules, models).index(single.allocation)
    return Optimised(
        chosen=compared[0],
        singles=tuple(compared[1 : models + 1]),
        best_single=place,
        gain=_gain(there[0].quality, there[1 + place].quality) if there else None,
        worth_gain=_gain(*(_worth(there[one], plan) for one in (0, 1 + place))) if there and plan.value_usd else None,
        exhaustive=compared[-1] if best else None,
        search=search,
        training=training,
        held_out=held_out,
    )


@contextmanager
def _while_allowed(stage: Stage) -> Iterator[None]:
    """Leave undone, and say, what takes more calls than are allowed."""
    try:
        yield
    except BudgetError as error:
        stage(f"left out: {error}")


def worth_of(trials: Trials, rows: Rows, plan: Plan) -> Worth:
    """Return the worth of allocations on some questions: quality less what it cost, in units of a right answer."""

    def worth(allocations: Sequence[Allocation]) -> Array:
        return np.stack([_worth(tried, plan) for tried in trials.tried(allocations, rows)])

    return worth


def split(count: int, train: float, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the numbers of the questions to choose by, and of those held out, each rising; no part is empty if it can.

    >>> split(4, 0.5, 0), split(3, 1.0, 0)
    (((0, 2), (1, 3)), ((0, 1, 2), ()))
    """
    if not count:
        raise QuestionFileError("nothing to choose by: found no question, wanted one or more; see the notes")
    chosen = max(1, min(round(train * count), count - (train < 1)))
    mixed = np.random.default_rng(seed).permutation(count).tolist()
    return tuple(sorted(mixed[:chosen])), tuple(sorted(mixed[chosen:]))


def figures_of(tried: Tried, plan: Plan | None = None) -> Figures:
    """Return the means of a trial; the interval is exact where every answer is right or wrong, else bootstrapped."""
    n, total = len(tried.quality), float(tried.quality.sum())
    if np.isin(tried.quality, (0.0, 1.0)).all():
        quality = Interval(total / n, *interval(round(total), n, DELTA))
    else:
        quality = bootstrap(_mean, tried.quality, level=1 - DELTA)
    usd = float(tried.usd.mean())
    worth = _mean(_worth(tried, plan)) if plan and plan.value_usd else None
    return Figures(quality, _mean(tried.calls), _mean(tried.seconds), None if np.isnan(usd) else usd, worth)


def _worth(tried: Tried, plan: Plan) -> Array:
    if plan.value_usd is None:
        return tried.quality
    if np.isnan(tried.usd).any():
        raise ConfigError(
            "the cost of an answer is unknown: found a cloud without a price, wanted one; set it as "
            '[prices."openai:MODEL"] in the config, or leave out --value-usd'
        )
    return np.asarray(tried.quality - (tried.usd + plan.usd_per_second * tried.seconds) / plan.value_usd)


def _gain(chosen: Array, single: Array) -> Gain:
    found = paired_gain(_mean, chosen, single, level=1 - DELTA)
    return Gain(found.value, found.low, found.high, chance(chosen - single))


def chance(differences: Array) -> float:
    """Return how often differences of these sizes have as great a sum where their signs are chance: all, or many drawn.

    >>> chance(np.array([1.0, 0.0, 1.0, 1.0, -1.0])), chance(np.zeros(3)), round(chance(np.ones(40)), 4)
    (0.625, 1.0, 0.0005)
    """
    told = differences[differences != 0]
    if drawn := len(told) > ALL_SIGNS:
        signs = np.random.default_rng(0).choice((-1.0, 1.0), (DRAWN_SIGNS, len(told)))
    else:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(told))))
    as_great = int((np.abs(signs @ told) >= abs(told.sum()) * (1 - ROUNDING)).sum())
    return (as_great + drawn) / (len(signs) + drawn)  # what was seen is one of the draws


def _mean(values: Array) -> float:
    return float(np.mean(values))
