"""Tests of whose answer is given when several models have answered."""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest

from edgecascade.policies.voting import chosen, labels_of, labels_of_answers
from edgecascade.pool import Table


def literal(weights: list[float], labels: list[list[int]]) -> int:
    """Count one question's votes by hand, exactly."""
    votes: dict[object, dict[int, Fraction]] = defaultdict(dict)
    for model, (weight, samples) in enumerate(zip(weights, labels, strict=True)):
        known = [label for label in samples if label >= 0] or [("own", model)]
        for label in known:
            votes[label][model] = votes[label].get(model, Fraction(0)) + Fraction(weight) / len(known)
    if not any(weights):
        return -1
    most = max(sum(group.values()) for group in votes.values())
    strongest = [group for group in votes.values() if sum(group.values()) == most]
    best = max(weight for group in strongest for weight in group.values())
    return min(model for group in strongest for model, weight in group.items() if weight == best)


def test_the_votes_are_counted_as_by_hand() -> None:
    """On 200 seeded elections, ties among them, the short form names the model that exact counting does."""
    random = np.random.default_rng(0)
    for _ in range(200):
        k, s = random.integers(1, 6), random.integers(1, 4)
        weights, labels = random.integers(0, 4, (3, k)) / 4, random.integers(-1, 3, (3, k, s))

        assert chosen(weights, labels).tolist() == list(map(literal, weights.tolist(), labels.tolist()))


def test_one_vote_names_its_model() -> None:
    """A row of one positive weight names that model, whether its answer is known or not."""
    weights = np.eye(3)

    assert chosen(weights, np.array([[[0], [0], [0]]] * 3)).tolist() == [0, 1, 2]
    assert chosen(weights, np.full((3, 3, 2), -1)).tolist() == [0, 1, 2]


def test_the_last_bits_of_a_sum_decide_nothing() -> None:
    """0.1 + 0.2 weighs as much as 0.3, so the heavier member's group wins, in either order."""
    labels = np.array([[[0], [0], [1]], [[1], [0], [0]]])

    assert chosen([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]], labels).tolist() == [2, 0]


def test_votes_do_not_depend_on_the_scale_of_weights() -> None:
    """Tiny weights vote as large ones do."""
    random = np.random.default_rng(1)
    weights, labels = random.random((100, 5)), random.integers(0, 3, (100, 5, 1))

    assert (chosen(weights * 1e-200, labels) == chosen(weights, labels)).all()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The answer is (B).", "b", True),
        ("I add both.\nAnswer: 1,000", "1000", True),
        (r"So \boxed{5}.", " 5 ", True),
        ("A", "B", False),
        ("-3", "3", False),
        ("C++", "C", False),
        ("→", "←", False),
    ],
)
def test_equal_answers_say_the_same(one: str, other: str, same: bool) -> None:
    """Wording and punctuation around an answer do not make it another."""
    labels = labels_of_answers((((one,), (other,)),))

    assert (labels[0, 0, 0] == labels[0, 1, 0]) == same


def test_unknown_answers_have_no_label() -> None:
    """A model without samples, or with fewer than others, is -1 there."""
    labels = labels_of_answers(((("a", "b"), (), ("b",)), ((), (), ())))

    assert labels.tolist() == [[[0, 1], [-1, -1], [1, -1]], [[-1, -1]] * 3]


def test_without_answers_equal_quality_is_the_least_that_voting_gets() -> None:
    """What is voted for by quality is never better than by answers that agree where they are right."""
    random = np.random.default_rng(2)
    quality, wrong = (random.random((300, 5)) < 0.4).astype(float), random.integers(0, 3, (300, 5))
    answers = tuple(
        tuple(("right" if right else f"wrong {way}",) for right, way in zip(*row, strict=True))
        for row in zip(quality, wrong, strict=True)
    )
    least, real = Table.of(quality), Table.of(quality, answers=answers)
    rows, weights = np.arange(300), np.ones((300, 5))
    voted = [quality[rows, chosen(weights, labels_of(table))] for table in (least, real)]

    assert (voted[0] <= voted[1]).all()
