"""Splits: every task on both sides in proportion, nothing on both."""

import numpy as np
import pytest

from edgecascade.errors import QuestionFileError
from edgecascade.evaluate.splitting import splits

TASKS = ["a"] * 50 + ["b"] * 33 + ["c"] * 17


def test_each_side_has_its_share_of_every_task() -> None:
    """To one question; together the sides are all questions, and no question is on both."""
    for split in splits(TASKS, share=0.3, count=20, seed=1):
        counts = [sum(TASKS[row] == task for row in split.train) for task in "abc"]

        assert len(split.train) == 30 and np.abs(np.subtract(counts, [15, 9.9, 5.1])).max() < 1
        assert sorted([*split.train, *split.test]) == list(range(100))


def test_the_seed_decides() -> None:
    """The same seed gives the same splits, another other ones; those of one seed differ, and are in no order."""
    one, again, other = (splits(TASKS, share=0.5, count=2, seed=seed) for seed in (1, 1, 2))

    assert [split.train.tolist() for split in one] == [split.train.tolist() for split in again]
    assert len({tuple(sorted(split.train)) for split in (*one, *other)}) == 4
    assert list(one[0].test) != sorted(one[0].test)


def test_too_few_questions_are_refused() -> None:
    """On either side, with how many there are."""
    with pytest.raises(QuestionFileError, match="found 100, of which 5 are fitted on and 95 played"):
        splits(TASKS, share=0.05, count=1, seed=0)
    with pytest.raises(QuestionFileError, match="16 are fitted on and 4 played"):
        splits(TASKS[:20], share=0.8, count=1, seed=0)
