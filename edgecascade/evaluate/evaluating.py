"""All of it, in order: split, make ready, fit and play each policy and each baseline, compare, sum up."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from edgecascade.errors import PolicyError
from edgecascade.evaluate.comparing import Gain, Rival, gain, gains, over_splits, random_mix
from edgecascade.evaluate.intervals import Interval, middle_of, redrawn
from edgecascade.evaluate.notices import notices_of
from edgecascade.evaluate.results import Evaluation, Result
from edgecascade.evaluate.splitting import splits
from edgecascade.evaluate.streaming import Arrivals, Stream, check
from edgecascade.evaluate.threads import one_thread
from edgecascade.evaluate.trials import Clock, Part, Trial, oracle_trial, part_of, single, trial
from edgecascade.policies.pooled import FITS
from edgecascade.pool import Array, Queries, Table

ALWAYS = ("constant", "random", "threshold", "margin", "knn")
"""Policies that are played whether or not they were asked for; the single models and the oracle besides."""
ORACLE = "oracle"
MICROSECONDS = 1e6

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """What is kept of one split; curve (b, 3): budget, cost, quality."""

    quality: float
    cost: float
    runs: Array
    alone: Array
    fit_seconds: float
    decide_seconds: float
    auc: float | None
    curve: Array
    seconds: tuple[float, float]
    promised: float | None
    stream: Stream | None

    @classmethod
    def of(cls, one: Trial, budgets: Array) -> "_Sums":
        """Return the sums of one trial."""
        curve = np.empty((0, 3))
        if len(one.costs):
            curve = np.stack([budgets, one.costs.mean(axis=1), one.qualities.mean(axis=1)], axis=1)
        seconds, in_turn = one.seconds.mean(axis=1).tolist()
        return cls(
            float(one.quality.mean()), float(one.cost.mean()), one.runs, one.alone, one.fit_seconds,
            one.decide_seconds, one.auc, curve, (seconds, in_turn), one.promised,
            one.stream,
        )  # fmt: skip


@dataclass(slots=True)
class _Gathered:
    """A policy's figures so far, one of each a split; ``again`` are the intervals of a single one."""

    reason: str | None = None
    sums: list[_Sums] = field(default_factory=list)
    gains: dict[str, list[float]] = field(default_factory=dict)
    areas: dict[str, list[float]] = field(default_factory=dict)
    again: dict[str, Interval] = field(default_factory=dict)

    def add(self, one: Trial, part: Part, rivals: Mapping[str, Rival], weights: Array | None) -> None:
        """Take up one split; ``weights`` of its questions, redrawn, where it is the only one."""
        self.sums.append(_Sums.of(one, part.budgets))
        for name, rival in rivals.items():
            self.gains.setdefault(name, []).append(gain(one, rival))
            if one.auc is not None:
                self.areas.setdefault(name, []).append(one.auc - rival.area(part.low, part.high))
        if weights is not None:
            self.again = {name: middle_of(gains(one, rival, weights)) for name, rival in rivals.items()}
            self.again["quality"] = middle_of(gains(one, None, weights))


def evaluate(
    table: Table,
    queries: Queries,
    policies: Sequence[str],
    *,
    source: str,
    clock: Clock,
    train: float = 0.3,
    count: int = 5,
    seed: int = 0,
    budget: float | None = None,
    confidence: float | None = None,
    sweep: bool = False,
    arrivals: Arrivals | None = None,
    notices: Sequence[str] = (),
    tell: Tell = lambda done, total, what: None,
) -> Evaluation:
    """Return policies and baselines, each fitted on a share of a table and played on the rest, ``count`` times.

    policies    names of ``policies.pooled.FITS``       source  what the table is called       clock  counts seconds
    train       share of the questions to fit on        budget  mean cost a question; None: that of the best single
    confidence  with which new questions keep the budget, 0.5 to 1; None: on average on the training questions
    arrivals    of the played questions as a stream too, for the policies that were asked for

    The same but for seconds by the same seed. A policy that cannot be fitted on this table is listed with its reason;
    PolicyError where none of those asked for can, and
    for a stream where the table does not tell how long answers took.
    """
    if arrivals:
        check(table)
    parts = splits(table.tasks, share=train, count=count, seed=seed, said=notices)
    names = tuple(dict.fromkeys(("threshold", *ALWAYS, *policies)))  # the first is what the others are held against
    singles = tuple(map(label, table.models))
    gathered = {name: _Gathered() for name in (*singles, ORACLE, *names)}
    budgets, seconds = [], []
    for number, split in enumerate(parts):
        say, own = partial(_say, tell, number, count, len(names) + 1), seed + number
        say(0, "estimates")
        weights = redrawn(len(split.test), seed=seed) if count == 1 else None
        with one_thread():
            part = part_of(table, queries, split, budget=budget, seed=own, clock=clock)
            tries = {
                name: partial(
                    trial, name, part, confidence=confidence, seed=own, clock=clock,
                    arrivals=arrivals if name in policies else None,
                )
                for name in names
            }  # fmt: skip
            _play(part, singles, tries, gathered, weights, say)
        budgets.append(part.budget)
        seconds.append(part.estimate_seconds)
    _say(tell, count, count, len(names) + 1, 0, "")
    sizes = len(parts[0].train), len(parts[0].test)
    found = {name: _result(name, one, table.models, *sizes) for name, one in gathered.items()}
    asked = tuple(found[name] for name in policies)
    if all(one.reason for one in asked):
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in asked)
        raise PolicyError(f"none of the policies can be evaluated on this table: {reasons}")
    spent = mean(budgets)
    alone = {name: np.mean([sums.alone for sums in one.sums], axis=0) for name, one in gathered.items() if one.sums}
    return Evaluation(
        source=source,
        policies=asked,
        baselines=tuple(found[name] for name in (*singles, ORACLE, *ALWAYS)),
        models=table.models,
        unit=table.unit,
        features=queries.kind,
        feature_source=queries.source,
        n_train=sizes[0],
        n_test=sizes[1],
        splits=count,
        seed=seed,
        budget=spent,
        confidence=confidence,
        estimate_seconds=mean(seconds),
        budget_stated=budget is not None,
        sweep=sweep,
        arrivals=arrivals,
        notices=(*notices, *notices_of(asked, alone, table, budget=spent, splits=count)),
    )


def _say(tell: Tell, number: int, count: int, steps: int, step: int, what: str) -> None:
    """Tell how far it is: so many steps of one split, of so many splits."""
    tell(number * steps + step, count * steps, f"split {number + 1} of {count}, {what}" if what else "")


def _play(
    part: Part,
    singles: Sequence[str],
    tries: Mapping[str, Callable[[], Trial]],
    gathered: Mapping[str, _Gathered],
    weights: Array | None,
    say: Callable[[int, str], None],
) -> None:
    """Play the single models, the oracle and every policy on one split."""
    rivals = {"random_mix": random_mix(part)}
    for column, name in enumerate(singles):
        gathered[name].add(single(column, part), part, rivals, weights)
    gathered[ORACLE].add(oracle_trial(part), part, {}, weights)
    for step, (name, play) in enumerate(tries.items(), 1):
        say(step, name)
        try:
            one = play()
        except PolicyError as error:
            gathered[name].reason = str(error)
            continue
        gathered[name].add(one, part, rivals, weights)
        if name == "threshold":
            rivals = rivals | {name: Rival(one.costs, one.qualities)}


def label(model: str) -> str:
    """Return what a single model is called among the baselines: its name, unless a policy has it.

    >>> label("small"), label("oracle")
    ('small', 'model oracle')
    """
    return f"model {model}" if model in (*FITS, ORACLE) else model


def _result(name: str, gathered: _Gathered, models: Sequence[str], n_train: int, n_test: int) -> Result:
    """Return the means over the splits; the reason alone where there are none."""
    if gathered.reason is not None:
        return Result(name=name, reason=gathered.reason)
    sums, again = gathered.sums, gathered.again

    def over(figures: list[float], what: str) -> Gain:
        return over_splits(figures, again.get(what), n_train, n_test)

    quality = over([one.quality for one in sums], "quality")
    areas = [one.auc for one in sums if one.auc is not None]
    promises = [one.promised for one in sums if one.promised is not None]
    streams = [one.stream for one in sums if one.stream is not None]
    runs = np.mean([one.runs for one in sums], axis=0)
    return Result(
        name=name,
        quality=quality.value,
        cost=mean([one.cost for one in sums]),
        interval=(max(quality.low, 0.0), min(quality.high, 1.0)),
        calls=dict(zip(models, runs.tolist(), strict=True)),
        fit_seconds=mean([one.fit_seconds for one in sums]),
        decide_microseconds=MICROSECONDS * mean([one.decide_seconds for one in sums]),
        auc=mean(areas) if areas else None,
        against={rival: over(figures, rival) for rival, figures in gathered.gains.items()},
        areas={rival: over(figures, "area") for rival, figures in gathered.areas.items() if len(sums) > 1},
        curve=tuple(map(tuple, np.mean([one.curve for one in sums], axis=0).tolist())),
        seconds=_seconds([one.seconds for one in sums]),
        promised=mean(promises) if promises else None,
        stream=Stream(*np.mean(streams, axis=0).tolist()) if streams else None,
    )


def _seconds(found: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Return the means at once and in turn; None where the table does not tell all of them."""
    at_once, in_turn = np.mean(found, axis=0).tolist()
    return (at_once, in_turn) if math.isfinite(in_turn) else None


def mean(figures: Sequence[float]) -> float:
    """Return the mean."""
    return float(np.mean(figures))
