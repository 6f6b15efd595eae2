"""A second look at a choice: the same choice, wherever it stands in the list."""

import math
import threading
from collections.abc import Generator, Mapping
from string import ascii_uppercase

import pytest

from edgecascade.evidence import ALTERNATIVES, SMALLEST_MASS, draft, second_look
from edgecascade.prompts import choose
from edgecascade.records import Alternative, Ending, FinishReason, Question, Sampling, Token

CHOICES = ("red", "green", "blue")
ASK = choose("Which colour?", CHOICES, sampling=Sampling(max_tokens=9, temperature=0.7, seed=1))


class ScriptedTier:
    """Answers with one text, and thinks of these tokens with these probabilities; notes what it was asked."""

    load_seconds = 0.0

    def __init__(self, text: str, thoughts: Mapping[str, float], *, finish_reason: FinishReason = "stop") -> None:
        self.text, self.thoughts, self.finish_reason = text, thoughts, finish_reason
        self.asked: list[tuple[Question, int]] = []

    def stream(
        self, question: Question, *, hidden: bool = False, alternatives: int = 0, cancel: threading.Event | None = None
    ) -> Generator[Token, None, Ending]:
        """Yield the text as one token."""
        self.asked.append((question, alternatives))
        others = tuple(Alternative(0, text, math.log(share)) for text, share in self.thoughts.items())
        if self.text:
            yield Token(0, self.text, -0.1, -0.1, 1.0, 0.5, 0.9, 20.0, 0.1, alternatives=others[:alternatives])
        return Ending(self.finish_reason, 10, 1, 0, 0.1)

    def stream_samples(
        self, question: Question, samples: int, *, cancel: threading.Event | None = None
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Never asked here."""
        raise NotImplementedError


@pytest.mark.parametrize("chosen", "ABC")
def test_the_probability_is_that_of_the_reversed_letter(chosen: str) -> None:
    """First becomes last; the share is taken among the letters of the choices alone."""
    shares = {"A": 0.1, "B": 0.2, "C": 0.5}
    look = second_look(ScriptedTier("A", {**shares, "The": 0.15, "D": 0.05}), ASK, f"{chosen}. It is.")

    turned = "CBA"["ABC".index(chosen)]
    assert look and look.probability == pytest.approx(shares[turned] / 0.8) and look.seconds >= 0


def test_the_choices_text_is_an_answer_too() -> None:
    """What was answered is read as the grader reads it."""
    look = second_look(ScriptedTier("A", {"A": 0.25, "C": 0.75}), ASK, "It is blue.")

    assert look and look.probability == pytest.approx(0.25)


def test_a_letter_may_be_written_in_several_ways() -> None:
    """With a space, a bracket or a star before it, it is the same letter."""
    look = second_look(ScriptedTier("A", {"A": 0.1, " A": 0.2, "(A": 0.1, "**A": 0.1, "B": 0.5}), ASK, "C")

    assert look and look.probability == pytest.approx(0.5)


@pytest.mark.parametrize("answer", ["", "I do not know.", "Z", "purple"])
def test_an_answer_that_names_no_choice_is_not_looked_at_again(answer: str) -> None:
    """The model is not even asked."""
    tier = ScriptedTier("A", {"A": 1.0})

    assert second_look(tier, ASK, answer) is None and tier.asked == []


@pytest.mark.parametrize("thoughts", [{}, {"The": 0.9}, {"The": 0.9, "A": SMALLEST_MASS / 2}])
def test_where_no_letter_is_thought_of_nothing_is_said(thoughts: dict[str, float]) -> None:
    """A share of next to nothing would be noise."""
    assert second_look(ScriptedTier("The", thoughts), ASK, "A") is None


def test_a_model_that_says_nothing_has_no_second_look() -> None:
    """No token, no look."""
    assert second_look(ScriptedTier("", {}), ASK, "A") is None


def test_one_greedy_token_is_asked_for() -> None:
    """The turned question, its likeliest tokens named, whatever the answer's own sampling was."""
    tier = ScriptedTier("A", {"A": 0.5, "C": 0.5})
    second_look(tier, ASK, "A")

    ((question, alternatives),) = tier.asked
    assert question.messages == ASK.turned and alternatives == ALTERNATIVES
    assert (question.sampling.max_tokens, question.sampling.temperature) == (1, 0.0)


def test_a_choice_is_drafted_with_its_second_look() -> None:
    """The answer first, then the look."""
    made = draft(tier := ScriptedTier("B", {"B": 0.7, "C": 0.3}), ASK)

    assert made.second_look and made.second_look.probability == pytest.approx(0.7)
    assert [question.messages for question, _ in tier.asked] == [ASK.messages, ASK.turned]


@pytest.mark.parametrize(("question", "finish_reason"), [(Question.of("Which colour?"), "stop"), (ASK, "cancelled")])
def test_an_open_question_and_a_cancelled_answer_have_none(question: Question, finish_reason: FinishReason) -> None:
    """There is nothing to turn round, or nobody who waits for it."""
    made = draft(tier := ScriptedTier("B", {"B": 1.0}, finish_reason=finish_reason), question)

    assert made.second_look is None and len(tier.asked) == 1


def test_more_choices_than_thoughts_are_no_harm() -> None:
    """With 26 choices the letters that are not thought of count nothing."""
    ask = choose("Which?", [f"number {letter}" for letter in ascii_uppercase])
    look = second_look(ScriptedTier("A", {"Z": 0.3, "B": 0.1}), ask, "A")

    assert look and look.probability == pytest.approx(0.75)
