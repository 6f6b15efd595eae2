"""A policy plays a table: next, next, ..., answer, shown only what the models that it has run would show.

The quality of an answer that was voted for is that of the model which gave it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.policies.pooled import PoolPolicy
from edgecascade.policies.voting import chosen, labels_of
from edgecascade.pool import Array, Mask, Seen, Table

FIRST_MARGIN = "first_margin"
"""The signal that tells how much likelier the first token was than the next."""


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What became of n questions.

    ran      which models were run (n, k)         answered  the model whose answer was given (n,); -1: none ran
    quality  of that answer (n,), 0 without one   cost      of all that were run (n,)
    steps    rounds until nothing more was asked for
    seconds  until all had answered (n,), those of a round asked at once; NaN where the table does not tell
    in_turn  the same, asked one after another
    """

    ran: Mask
    answered: NDArray[np.intp]
    quality: Array
    cost: Array
    steps: int
    seconds: Array
    in_turn: Array


def play(
    policy: PoolPolicy,
    table: Table,
    features: ArrayLike,
    after: ArrayLike,
    *,
    draw: ArrayLike | None = None,
    open: ArrayLike | None = None,
) -> Played:
    """Return what the policy makes of a table's questions.

    features  of the queries (n, d)                    after  p_correct of each answer, NaN where it tells none (n, k)
    draw      as in ``Seen`` (n,); None: from seed 0   open   as in ``Seen`` (n, k) or (k,); None: every model
    """
    assert tuple(policy.models) == table.models, "a policy of other models, or in another order"
    whole = whole_view(table, features, after, draw=draw, open=open)
    ran, steps, seconds = np.zeros(whole.open.shape, bool), 0, np.zeros(len(table))
    going = np.arange(len(table))
    while going.size and steps < len(table.models):
        asked = policy.next(shown(whole.rows(going), ran[going]))
        assert not (asked & ~whole.open[going]).any(), "a policy asked a model that is not open"
        new = asked & ~ran[going]
        going, new = going[new.any(axis=1)], new[new.any(axis=1)]
        ran[going] |= new
        seconds[going] += np.where(new, table.seconds[going], 0.0).max(axis=1, initial=0.0)
        steps += bool(going.size)
    weights = np.asarray(policy.answer(shown(whole, ran)), np.float64)
    assert not weights[~ran].any(), "a policy weighs the answer of a model that has not run"
    return settled(table, ran, _answered(weights, table), steps, seconds)


def _answered(weights: Array, table: Table) -> NDArray[np.intp]:
    """Return the model whose answer is given (n,); only where several models have a vote are answers compared."""
    answered = np.where(weights.any(axis=1), weights.argmax(axis=1), -1)
    several = np.flatnonzero((weights > 0).sum(axis=1) > 1)
    if several.size:
        answered[several] = chosen(weights[several], labels_of(table.rows(several)))
    return answered


def whole_view(
    table: Table,
    features: ArrayLike,
    after: ArrayLike,
    *,
    draw: ArrayLike | None = None,
    open: ArrayLike | None = None,
) -> Seen:
    """Return what would be seen of a table if every model had run; arguments as ``play`` has them."""
    shape = table.quality.shape
    return Seen(
        features=np.asarray(features, np.float64),
        prompt_tokens=table.prompt_tokens,
        ran=np.ones(shape, bool),
        after=np.asarray(after, np.float64),
        margin=margins(table),
        answers=table.answers,
        open=np.ones(shape, bool) if open is None else np.broadcast_to(np.asarray(open, bool), shape),
        draw=np.asarray(np.random.default_rng(0).random(shape[0]) if draw is None else draw, np.float64),
        waits=np.zeros(shape[1]),
    )


def margins(table: Table) -> Array:
    """Return the margin between the two likeliest first tokens of each answer (n, k); NaN where it is not recorded."""
    found = np.full(table.quality.shape, np.nan)
    for place, model in enumerate(table.models):
        evidence = table.evidence.get(model)
        if evidence is not None and FIRST_MARGIN in evidence.names:
            found[:, place] = evidence.column(FIRST_MARGIN)
    return found


def shown(whole: Seen, ran: Mask) -> Seen:
    """Return ``whole`` without what only a model that has not run would show."""
    answers = None
    if whole.answers is not None:
        pairs = zip(whole.answers, ran, strict=True)
        answers = tuple(tuple(one if has else () for one, has in zip(row, done, strict=True)) for row, done in pairs)
    after, margin = np.where(ran, whole.after, np.nan), np.where(ran, whole.margin, np.nan)
    return replace(whole, ran=ran.copy(), after=after, margin=margin, answers=answers)


def settled(table: Table, ran: Mask, answered: NDArray[np.intp], steps: int, seconds: Array) -> Played:
    """Return the record of what was run and answered."""
    rows, none = np.arange(len(table)), answered < 0
    quality = np.where(none, 0.0, table.quality[rows, np.where(none, 0, answered)])
    cost, in_turn = (np.where(ran, each, 0.0).sum(axis=1) for each in (table.cost, table.seconds))
    return Played(ran.copy(), answered, quality, cost, steps, seconds, in_turn)
