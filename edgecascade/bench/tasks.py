"""What models are asked in the suites, and what stands for a model there."""

from collections.abc import Sequence
from typing import Protocol

from edgecascade import evidence
from edgecascade.errors import InputError
from edgecascade.records import Message, Question, Sampling

TASK = "Write a very long story about a ship, its captain, the sea, and all the harbours they came to."
SYSTEM = "You are a storyteller. Your stories never end."
STRANGE = Question.of("Hm.", system="Nothing here begins as anything else does.", sampling=Sampling(max_tokens=1))


class Answering(evidence.Tier, evidence.Sampler, Protocol):
    """What the suites measure: an engine, or whatever answers as one does."""

    def tokens_of(self, messages: Sequence[Message]) -> list[int]:
        """Return a prompt's tokens."""


def forget(engine: evidence.Tier) -> None:
    """Make the engine's memory one of a prompt that shares no chunk with any other."""
    evidence.draft(engine, STRANGE)


def story(tokens: int, *, temperature: float = 0.0) -> Question:
    """Return a question whose answer does not end by itself."""
    seed = 1 if temperature else None
    sampling = Sampling(max_tokens=tokens, temperature=temperature, seed=seed)
    return Question.of(TASK, system=SYSTEM, sampling=sampling)


def prompt_of(engine: Answering, length: int) -> tuple[Message, ...]:
    """Return a prompt of about this many tokens that shares no chunk with one of another length."""
    words = [str(number) for number in range(length * 7, length * 8)]
    while words and len(engine.tokens_of([Message("user", " ".join(words))])) > length:
        words.pop()
    return (Message("user", " ".join(words)),)


def check_written(tokens: int, wanted: int = 2) -> None:
    """Raise InputError where an answer is too short to be timed."""
    if tokens < wanted:
        raise InputError(
            f"the model's answer is too short to time: found {tokens} tokens, wanted {wanted} or more; use an instruct "
            "model"
        )
