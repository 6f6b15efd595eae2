"""A fingerprint of a model as it runs here: what it thinks of 64 fixed prompts before it has said a word.

At the first token of each answer the likeliest token's id and log-probability are noted. Elsewhere, or later, the same
tokens' log-probabilities are read again: their root mean square difference tells the same weights (rounding of another
batch or processor) from other ones, without a label and without regard to the words that come out.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from edgecascade.records import Question, Sampling, Token

Mark = tuple[int, float]
"""A token's id and its log-probability."""

LARGEST = 0.065
"""Root mean square difference in nats from which a model counts as another one.

Measured on SmolLM2-135M Q4_1: another chunk, context or number of threads 0.000, flash attention off 0.059; a cache of
q8_0 0.091; the weights as Q8_0 0.071, as Q5_0 0.34, as Q4_0 0.61.
"""
ALTERNATIVES = 8

_FORMS = (
    "What is the {}?",
    "Complete the sentence with one word: the {} is",
    "Answer yes or no: is there a {}?",
    "Name one example of a {}.",
)
_THINGS = (
    "capital of Canada", "largest planet", "color of grass", "sum of 17 and 25", "smallest prime number",
    "opposite of hot", "chemical symbol for gold", "day after Monday", "plural of mouse", "square root of 81",
    "longest river in Africa", "boiling point of water", "language of Brazil", "author of Hamlet", "month before May",
    "number of legs of a spider",
)  # fmt: skip

PROMPTS = tuple(form.format(thing) for thing in _THINGS for form in _FORMS)
"""They never change: a fitted file compares with what was noted when it was made."""


class FirstToken(Protocol):
    """Answers a question with its first token, alternatives named."""

    def __call__(self, question: Question) -> Token:
        """Return the first token."""


def fingerprint(first_token: FirstToken, *, say: Callable[[int], None] = lambda done: None) -> tuple[Mark, ...]:
    """Return the likeliest first token of each prompt; ``say`` is told how many are done."""
    marks: list[Mark] = []
    for number, prompt in enumerate(PROMPTS, 1):
        token = first_token(question_of(prompt))
        marks.append((token.alternatives[0].id, token.alternatives[0].logprob))
        say(number)
    return tuple(marks)


def difference(
    first_token: FirstToken, marks: Sequence[Mark], *, say: Callable[[int], None] = lambda done: None
) -> float:
    """Return the root mean square difference in nats of the marked tokens' log-probabilities, now and then.

    A token that is no longer among the eight likeliest counts with the eighth's: the difference is then at least so.
    """
    total = 0.0
    for number, (prompt, (id, logprob)) in enumerate(zip(PROMPTS, marks, strict=True), 1):
        alternatives = first_token(question_of(prompt)).alternatives
        now = next((other.logprob for other in alternatives if other.id == id), alternatives[-1].logprob)
        total += (now - logprob) ** 2
        say(number)
    return math.sqrt(total / len(marks))


def question_of(prompt: str) -> Question:
    """Return a prompt as a question of one token."""
    return Question.of(prompt, sampling=Sampling(max_tokens=1))
