"""A subset of a pool votes: who is of it, what each vote weighs, when it is decided, and how long it takes.

p      chance that each model's answer is right (n, k)        place  of each model in the ranking (n, k), 0 first
ran    who has answered (n, k)                                 wanted  who is of the subset (n, k)
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecascade.policies.frontier import SLACK
from edgecascade.policies.voting import NO_LABEL, Labels, chosen, shares
from edgecascade.pool import Array, Mask

Places = NDArray[np.intp]
Kind = Literal["max", "labelled", "weighted"]
KINDS: tuple[Kind, ...] = ("weighted", "max", "labelled")
"""Of equal quality the first is taken."""

LABELLED = 0.5
"""The chance from which a model's predicted label is "right"."""
LESS_SURE = 1e-6
"""Votes of one each differ by so little: ties go to the more confident."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How many are asked, how their votes count, and the price of one unit of cost in units of confidence."""

    kind: Kind
    size: int
    price: float


def ranking(p: Array, cost: Array, price: float) -> Array:
    """Return p - price x cost (n, k); of infinite price the cheapest first."""
    return np.asarray(-cost if np.isinf(price) else p - price * cost)


def subset(p: Array, cost: Array, setting: Setting, *, open: Mask, ran: Mask) -> tuple[Mask, Places]:
    """Return who is of the vote (n, k), and the place of each model in the ranking (n, k), 0 first.

    p, cost  expected of each model (n, k)      open, ran  who may be asked, and who has answered and is of it anyway
    """
    usable = open | ran
    order = np.lexsort((-p, cost, -ranking(p, cost, setting.price), ~ran, ~usable), axis=1)
    place = order.argsort(axis=1)
    wanted = usable & (place < setting.size)
    if setting.kind == "labelled":
        wanted &= (p > LABELLED) | (place == 0) | ran
    return wanted, place


def votes(p: Array, kind: Kind) -> Array:
    """Return the weight of each model's vote (n, k)."""
    return p if kind == "weighted" else 1 + LESS_SURE * p


def voted(p: Array, kind: Kind, labels: Labels, among: Mask) -> Places:
    """Return the model whose answer the vote of ``among`` (n, k) gives (n,); -1 where it is of nobody."""
    return chosen(np.where(among, votes(p, kind), 0.0), labels)


def selected(p: ArrayLike, labels: Labels, *, size: int, kind: Kind = "weighted") -> tuple[Mask, Places]:
    """Return who is asked (n, k), and the model whose answer is given (n,): MaxConf, LabelledMaxConf, WeightedMaxConf.

    p       chance that each model's answer is right (n, k), of a classifier of any kind
    labels  of the answers (n, k, s), as of ``voting.labels_of_answers``      size  of the subset, 1: ConfArgMax

    >>> letters = np.array([[[0], [1], [1], [0]]])
    >>> asked, given = selected([[0.6, 0.4, 0.3, 0.1]], letters, size=3)
    >>> asked.tolist(), given.tolist()
    ([[True, True, True, False]], [1])
    """
    p = np.asarray(p, np.float64)
    nobody = np.zeros(p.shape, bool)
    asked, _ = subset(p, np.zeros(p.shape), Setting(kind, size, 0.0), open=~nobody, ran=nobody)
    return asked, voted(p, kind, labels, asked)


def following(weights: Array, place: Places, wanted: Mask, ran: Mask, labels: Labels | None) -> Mask:
    """Return the next one to ask in sequence (n, k), nobody where the vote can no longer turn.

    labels  (n, k, s) of the answers so far; None where they cannot be compared: then all may stand against the first
    """
    waiting = wanted & ~ran
    left = np.where(waiting, weights, 0.0).sum(axis=1)
    cast = np.where(ran, weights, 0.0)
    groups = cast if labels is None else shares(cast, labels).sum(axis=1)
    groups = np.sort(np.pad(groups, ((0, 0), (1, 0))), axis=1)
    lead = groups[:, -1]
    against = groups[:, :-1].sum(axis=1) if labels is None else groups[:, -2]
    undecided = lead <= against + left * (1 + SLACK)
    first = np.where(waiting, place, place.shape[1]).min(axis=1, keepdims=True)
    return np.asarray(waiting & (place == first) & undecided[:, None])


def asked_in_sequence(weights: Array, place: Places, wanted: Mask, labels: Labels | None) -> Mask:
    """Return who has been asked (n, k) when the vote is decided; labels (n, k, s) of all answers."""
    ran = np.zeros(wanted.shape, bool)
    for _ in range(wanted.shape[1]):
        known = None if labels is None else np.where(ran[:, :, None], labels, NO_LABEL)
        new = following(weights, place, wanted, ran, known)
        if not new.any():
            break
        ran |= new
    return ran
