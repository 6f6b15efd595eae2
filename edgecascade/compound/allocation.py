"""Which model for which module: the coordinate ascent of LLMSelector, exhaustive search, and one model everywhere.

Chen, Davis, Hanin, Bailis, Zaharia, Zou, Stoica, "Optimizing Model Selection for Compound AI Systems",
arXiv:2502.14815, algorithm 1.

    L, K, n      modules, models, training questions         f   an allocation: the model's number of each module (L,)
    worth        of f on each question (n,): quality, less what it cost in units of quality
    blame        how far a module is to blame for a wrong answer (n,): 0 to 1, by a model that diagnoses
    alpha        the weight of 1 - blame beside the worth

Module by module, in turn, every model is tried there while the others stay. Each question names the candidates that are
best on it, all that are equally good; the candidate named most often is taken ("vote"). It ends when L steps in a row
have changed nothing. Where a module that does better never makes the whole do worse, this finds the optimum in a number
of evaluations linear in L and K (their theorems); in general the problem is NP-hard.

Different from the paper: "mean" takes the candidate of the highest mean instead, because a vote over ties may take one
that is worse on average, and nothing in the paper looks. (Where answers are only right or wrong the two are one: a
question that all candidates fail names them all.) Whatever is evaluated on the way is remembered, and the best of it by
mean is the result; a cycle, which votes can run into, is noticed and ended; equal candidates leave the module as it is.
The paper's budget is ``worth`` raising BudgetError: the search ends, with the best so far. And it may begin with the
best model everywhere, which is asked for comparison anyway. Quality on new questions, on the simulated tasks of
``bench/compound.py`` (L = 2 to 6, K = 3 and 10, n = 50), 960 of right and wrong answers and 240 of graded ones:

                      as published   vote, best on its way   mean    exhaustive   best model everywhere
    right or wrong    .6992          .7001                   .7001   .7018        .6331
    graded            .6547          .6677                   .6700   .6700        .5967
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from edgecascade.errors import BudgetError, ConfigError
from edgecascade.pool import Array

Allocation = tuple[int, ...]
Worth = Callable[[Sequence[Allocation]], Array]
"""Worth of several allocations on each training question: (m, n)."""
Blame = Callable[[Sequence[Allocation], int], Array]
"""How far one module is to blame under each allocation, by question: (m, n)."""

Aggregate = Literal["mean", "vote"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
Ended = Literal["settled", "cycle", "budget", "complete"]
ROUNDING = 1e-12
"""Means closer than this are equal: they may be sums of the same numbers in another order."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    allocation  the best by mean worth of all that were evaluated, the earliest of equals
    worth       its mean over the training questions
    known       the mean of each that was evaluated, in that order
    trace       the path, from where it began to where it ended; () of a search that has none
    ended       "settled": nothing changed any more; "cycle": it came back to where it had been; "budget": no more calls
                were allowed; "complete": all were evaluated
    """

    allocation: Allocation
    worth: float
    known: Mapping[Allocation, float]
    trace: tuple[Allocation, ...]
    ended: Ended


def uniform(modules: int, models: int) -> list[Allocation]:
    """Return the allocations of one model everywhere, by model."""
    return [(model,) * modules for model in range(models)]


def drawn(modules: int, models: int, seed: int) -> Allocation:
    """Return a random allocation: where the paper begins."""
    return tuple(int(model) for model in np.random.default_rng(seed).integers(models, size=modules))


def every(modules: int, models: int) -> list[Allocation]:
    """Return all K^L allocations."""
    return list(itertools.product(range(models), repeat=modules))


def best_of(worth: Worth, allocations: Sequence[Allocation]) -> Found:
    """Return the best of some allocations by mean worth; ConfigError where there are none."""
    if not allocations:
        raise ConfigError("nothing to choose from: found no allocation, wanted one or more; name modules and models")
    known = dict(zip(allocations, worth(allocations).mean(axis=1).tolist(), strict=True))
    return _found(known, (), "complete")


def ascend(
    worth: Worth,
    models: int,
    start: Allocation,
    *,
    aggregate: Aggregate = "mean",
    blame: Blame | None = None,
    alpha: float = 0.0,
    known: Mapping[Allocation, float] = MappingProxyType({}),
) -> Found:
    """Return what coordinate ascent finds among ``models`` ** len(start) allocations.

    aggregate  how the questions decide between candidates: by their mean, or by the paper's vote
    blame      asked only where ``alpha`` is above 0
    known      mean worth of what was evaluated before, which may turn out to be the best

    Raises BudgetError where nothing is known and not even the first candidates can be evaluated.
    """
    known = dict(known)
    trace, seen = [start], set[tuple[Allocation, int]]()
    ended: Ended = "settled"
    while not settled(trace):
        module = (len(trace) - 1) % len(start)
        if (trace[-1], module) in seen:
            ended = "cycle"
            break
        seen.add((trace[-1], module))
        candidates = [(*trace[-1][:module], model, *trace[-1][module + 1 :]) for model in range(models)]
        try:
            worths = worth(candidates)
            known.update(zip(candidates, worths.mean(axis=1).tolist(), strict=True))
            told = worths + alpha * (1 - blame(candidates, module)) if blame and alpha else worths
        except BudgetError:
            if not known:
                raise
            ended = "budget"
            break
        trace.append(candidates[_CHOOSE[aggregate](told, trace[-1][module])])
    return _found(known, tuple(trace), ended)


def settled(trace: Sequence[Allocation]) -> bool:
    """Return whether the last L + 1 allocations are the same: every module was tried, and none changed."""
    last = trace[-len(trace[0]) - 1 :]
    return len(last) > len(trace[0]) and len(set(last)) == 1


def by_vote(worths: Array, incumbent: int) -> int:
    """Return which of K candidates is among the best ones of most questions; worths (K, n).

    >>> graded = np.array([[0.6, 0.6, 0.0], [0.5, 0.5, 1.0]])
    >>> by_vote(graded, incumbent=1), by_mean(graded, incumbent=0)
    (0, 1)
    """
    named = (worths == worths.max(axis=0)).sum(axis=1)
    return _largest(named.astype(np.float64), incumbent)


def by_mean(worths: Array, incumbent: int) -> int:
    """Return which of K candidates is worth most on average; worths (K, n)."""
    return _largest(worths.mean(axis=1), incumbent)


_CHOOSE: Mapping[Aggregate, Callable[[Array, int], int]] = {"mean": by_mean, "vote": by_vote}


def _largest(values: Array, incumbent: int) -> int:
    """Return the place of the largest value; the incumbent where it is one of the largest, else the first."""
    largest = np.flatnonzero(values >= values.max() - ROUNDING)
    return incumbent if incumbent in largest else int(largest[0])


def _found(known: Mapping[Allocation, float], trace: tuple[Allocation, ...], ended: Ended) -> Found:
    best = _first_best(known.items())
    return Found(best, known[best], known, trace, ended)


def _first_best(known: Iterable[tuple[Allocation, float]]) -> Allocation:
    """Return the earliest allocation that no other beats by more than rounding."""
    best, height = next(iter(known))
    for allocation, mean in known:
        if mean > height + ROUNDING:
            best, height = allocation, mean
    return best
