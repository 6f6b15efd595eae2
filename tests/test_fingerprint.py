"""A fingerprint is equal to itself and as far from another as their log-probabilities are."""

import math
from collections.abc import Sequence

import pytest

from edgecascade.fingerprint import ALTERNATIVES, PROMPTS, difference, fingerprint, question_of
from edgecascade.records import Alternative, Question, Token


class ScriptedFirstToken:
    """Answers the n-th question with alternatives of these ids and log-probabilities; notes what was asked."""

    def __init__(self, *rows: Sequence[tuple[int, float]]) -> None:
        self.rows, self.asked = rows, list[Question]()

    def __call__(self, question: Question) -> Token:
        """Return the first token."""
        self.asked.append(question)
        row = self.rows[(len(self.asked) - 1) % len(self.rows)]
        alternatives = tuple(Alternative(id, f"w{id}", logprob) for id, logprob in row)
        return Token(row[0][0], "w", row[0][1], row[0][1], 0.1, 1.0, 0.9, 20.0, 0.1, alternatives=alternatives)


def row(first: int = 0, shift: float = 0.0) -> list[tuple[int, float]]:
    """The eight likeliest: ids from ``first`` on, log-probabilities -0.5, -1.0, ... and a shift."""
    return [(first + place, -0.5 * (place + 1) + shift) for place in range(ALTERNATIVES)]


def test_there_are_64_different_prompts() -> None:
    """None is asked twice, and none is empty."""
    assert len(PROMPTS) == len(set(PROMPTS)) == 64 and all(prompt.strip() for prompt in PROMPTS)


def test_the_prompts_are_asked_in_order_for_one_token() -> None:
    """Noting and comparing ask the same questions, greedily."""
    noting, comparing = ScriptedFirstToken(row()), ScriptedFirstToken(row())
    difference(comparing, fingerprint(noting))

    assert noting.asked == comparing.asked == [question_of(prompt) for prompt in PROMPTS]
    assert {(q.sampling.max_tokens, q.sampling.temperature) for q in noting.asked} == {(1, 0.0)}


def test_the_likeliest_token_is_noted() -> None:
    """Its id and its log-probability, a mark a prompt."""
    assert fingerprint(ScriptedFirstToken(row(3), row(7, -0.25))) == ((3, -0.5), (7, -0.75)) * 32


def test_the_same_model_differs_by_nothing() -> None:
    """Zero, exactly."""
    assert difference(ScriptedFirstToken(row(), row(5)), fingerprint(ScriptedFirstToken(row(), row(5)))) == 0.0


@pytest.mark.parametrize("shift", [0.01, -0.3])
def test_a_shift_of_all_is_the_difference(shift: float) -> None:
    """Either way round."""
    found = difference(ScriptedFirstToken(row(shift=shift)), fingerprint(ScriptedFirstToken(row())))

    assert found == pytest.approx(abs(shift), rel=1e-12)


def test_differences_are_squared_and_averaged() -> None:
    """Half of the prompts 0.3 off and a quarter 0.4: the root of their mean square."""
    now = ScriptedFirstToken(row(shift=0.3), row(), row(shift=-0.3), row(shift=0.4))

    found = difference(now, fingerprint(ScriptedFirstToken(row())))

    assert found == pytest.approx(math.sqrt((2 * 0.09 + 0.16) / 4), rel=1e-12)


def test_the_marked_token_is_followed_not_the_likeliest() -> None:
    """Where two tokens change places the marked one's own log-probability counts."""
    swapped = [(1, -0.5), (0, -1.0), *row()[2:]]

    found = difference(ScriptedFirstToken(swapped), fingerprint(ScriptedFirstToken(row())))

    assert found == pytest.approx(0.5, rel=1e-12)


def test_a_token_that_is_gone_counts_with_the_eighth() -> None:
    """Another model, whose eight likeliest do not hold the mark, differs by 3.5 nats at least."""
    found = difference(ScriptedFirstToken(row(100)), fingerprint(ScriptedFirstToken(row())))

    assert found == pytest.approx(3.5, rel=1e-12)


def test_progress_is_told() -> None:
    """After each prompt, how many are done."""
    said: list[int] = []
    marks = fingerprint(ScriptedFirstToken(row()), say=said.append)
    difference(ScriptedFirstToken(row()), marks, say=said.append)

    assert said == [*range(1, 65), *range(1, 65)]
