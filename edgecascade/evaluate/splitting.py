"""Which questions are fitted on and which are played: by chance, every task on both sides in proportion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import QuestionFileError

Places = NDArray[np.intp]

FEWEST = 10
"""Questions on either side, below which nothing can be fitted or said."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The numbers of the questions on either side, in random order: some tests want it, and files are often sorted."""

    train: Places
    test: Places


def splits(tasks: Sequence[str], *, share: float, count: int, seed: int, said: Sequence[str] = ()) -> list[Split]:
    """Return so many splits with a ``share`` of the questions to fit on; QuestionFileError for too few on a side.

    said  of how the questions were read, which may be why they are few

    Each task gives its share rounded, the largest remainders first, so that the whole is exact to one question.

    >>> len(splits(["a"] * 30 + ["b"] * 70, share=0.3, count=1, seed=0)[0].train)
    30
    """
    train = round(share * len(tasks))
    if min(train, len(tasks) - train) < FEWEST:
        read = f" ({'; '.join(said)})" if said else ""
        raise QuestionFileError(
            f"too few questions: found {len(tasks)}{read}, of which {train} are fitted on and {len(tasks) - train} "
            f"played, wanted at least {FEWEST} of each; give more rows, or another --train"
        )
    random = np.random.default_rng(seed)
    kinds = np.unique(np.array(tasks, object), return_inverse=True)[1]
    groups = np.split(np.argsort(kinds, kind="stable"), np.cumsum(np.bincount(kinds))[:-1])
    return [_split(groups, train, len(tasks), random) for _ in range(count)]


def _split(groups: Sequence[Places], train: int, n: int, random: np.random.Generator) -> Split:
    wanted = np.array([len(group) * train / n for group in groups])
    taken = np.floor(wanted).astype(int)
    missing = train - int(taken.sum())
    taken[np.lexsort((random.random(len(groups)), taken - wanted))[:missing]] += 1
    chosen = np.concatenate([random.permutation(group)[:count] for group, count in zip(groups, taken, strict=True)])
    rest = np.setdiff1d(np.arange(n), chosen)
    return Split(random.permutation(chosen), random.permutation(rest))
