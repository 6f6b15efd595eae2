"""Concepts count in any common form."""

import pytest

from edgecascade.grading import grade
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Message

NOTHING = Grade(0.0, parsed=False)


def ask(metric: str, *gold: str) -> LabelledQuestion:
    """Return a question with this metric."""
    return LabelledQuestion(id="1", task="t", messages=(Message("user", "?"),), metric=metric, gold=gold)


COVERAGE = [
    ("The dog will run and catch the knife at the hot spring", 1.0),
    ("Dogs ran, catching knives in hot springs", 1.0),
    ("dog run catch knife hot spring", 1.0),
    ("RUNNING DOG", 2 / 5),
    ("A dog.", 1 / 5),
    ("**dog**, run", 2 / 5),
    ("dogma", 0.0),
    ("spring", 0.0),
    ("caught", 1 / 5),
    ("I cannot answer", 0.0),
    ("собака", 0.0),
    ("the dog's knife", 2 / 5),
]


@pytest.mark.parametrize(("answer", "share"), COVERAGE)
def test_coverage_counts_concepts_in_any_common_form(answer: str, share: float) -> None:
    """Each concept counts once, as a whole word, inflected or not."""
    assert grade(answer, ask("commongen_coverage", "dog, run, catch, knife, hot spring")).score == pytest.approx(share)


def test_coverage_of_no_word_is_not_parsed() -> None:
    """An empty text covers nothing."""
    assert grade("", ask("commongen_coverage", "dog")) == NOTHING
