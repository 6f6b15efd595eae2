"""Question to draft with its evidence: the one bracket that runtime, calibration and bench share."""

import math
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Protocol

from edgecascade.grading import letter_of
from edgecascade.records import Draft, Ending, Estimate, Question, SecondLook, Timings, Token, Usage

ALTERNATIVES = 8
SMALLEST_MASS = 1e-4
"""Letters of less probability together than this were not thought of."""

Show = Callable[[Token], None]


class Tier(Protocol):
    """Whatever can answer, token by token."""

    @property
    def load_seconds(self) -> float:
        """What loading took."""

    def stream(
        self, question: Question, *, hidden: bool = False, alternatives: int = 0, cancel: threading.Event | None = None
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended."""


class Sampler(Protocol):
    """Whatever can write several answers side by side."""

    @property
    def load_seconds(self) -> float:
        """What loading took."""

    def stream_samples(
        self, question: Question, samples: int, *, cancel: threading.Event | None = None
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Yield (number, token) of several answers, and return how each ended."""


def draft(
    tier: Tier,
    question: Question,
    *,
    show: Show = lambda token: None,
    hidden: bool = False,
    alternatives: int = 0,
    cancel: threading.Event | None = None,
) -> Draft:
    """Return the tier's answer to a question; ``show`` is given each token as it comes."""
    writing = drafting(
        tier,
        question,
        tier.stream(question, hidden=hidden, alternatives=alternatives, cancel=cancel),
        cancel=cancel,
    )
    while True:
        try:
            show(next(writing))
        except StopIteration as stop:
            made: Draft = stop.value
            return made


def drafting(
    tier: Tier,
    question: Question,
    stream: Generator[Token, None, Ending],
    *,
    cancel: threading.Event | None = None,
) -> Generator[Token, None, Draft]:
    """Yield a tier's tokens as they come, and return the draft that they make, its second look taken."""
    tokens: list[Token] = []
    try:
        while True:
            token = next(stream)
            tokens.append(token)
            yield token
    except StopIteration as stop:
        made = draft_of(tokens, stop.value, load_seconds=tier.load_seconds)
    finally:
        stream.close()
    if question.turned and made.finish_reason != "cancelled":
        return replace(made, second_look=second_look(tier, question, made.text, cancel=cancel))
    return made


def second_look(
    tier: Tier, question: Question, answer: str, *, cancel: threading.Event | None = None
) -> SecondLook | None:
    """Return how much of its probability the model gives to the same choice when they are listed in reverse order.

    Small models prefer places in a list; a choice that survives the turn was not made by its place. None where the
    answer names no choice, or the model thinks of no letter. Costs reading the turned part of the prompt and one token.
    """
    chosen = letter_of(answer, question.choices)
    if chosen is None:
        return None
    started = time.perf_counter()
    turned = Question(question.turned, replace(question.sampling, max_tokens=1, temperature=0.0))
    again = draft(tier, turned, alternatives=ALTERNATIVES, cancel=cancel)
    letters = ascii_uppercase[: len(question.choices)]
    mass = dict.fromkeys(letters, 0.0)
    for alternative in again.tokens[0].alternatives if again.tokens else ():
        if (letter := alternative.text.strip(" \n(*")) in mass:
            mass[letter] += math.exp(alternative.logprob)
    total = sum(mass.values())
    if total < SMALLEST_MASS:
        return None
    place = len(letters) - 1 - letters.index(chosen)
    return SecondLook(mass[letters[place]] / total, time.perf_counter() - started)


def samples(
    tier: Sampler, question: Question, count: int, *, cancel: threading.Event | None = None
) -> tuple[Draft, ...]:
    """Return several answers to one question, written side by side."""
    stream = tier.stream_samples(question, count, cancel=cancel)
    tokens: list[list[Token]] = [[] for _ in range(count)]
    while True:
        try:
            number, token = next(stream)
        except StopIteration as stop:
            return tuple(
                draft_of(own, ending, load_seconds=tier.load_seconds)
                for own, ending in zip(tokens, stop.value, strict=True)
            )
        tokens[number].append(token)


def draft_of(tokens: Sequence[Token], ending: Ending, *, load_seconds: float = 0.0) -> Draft:
    """Return the draft that the tokens make."""
    told = tuple(token for token in tokens if token.told)
    seconds = [token.seconds for token in tokens]
    writing = sum(seconds[1:])
    read = ending.prompt_tokens - ending.reused_tokens
    return Draft(
        text="".join(token.text for token in tokens).strip(),
        tokens=told,
        finish_reason=ending.finish_reason,
        usage=Usage(ending.prompt_tokens, ending.completion_tokens, ending.usage_told),
        timings=Timings(
            load_s=load_seconds,
            ttft_s=seconds[0] if seconds else ending.prefill_seconds,
            prefill_tps=read / ending.prefill_seconds if ending.prefill_seconds > 0 else 0.0,
            decode_tps=len(seconds[1:]) / writing if writing > 0 else 0.0,
            total_s=sum(seconds) if seconds else ending.prefill_seconds,
        ),
        hidden=ending.hidden,
        tool_calls=ending.tool_calls,
        served_by=ending.served_by,
    )


UNKNOWN = Estimate(None, None, None, None)
"""What is known without a calibration."""


def agreement(texts: Sequence[str]) -> float:
    """Return the share of the texts that equal the most frequent one, case and outer punctuation aside.

    >>> agreement(["Paris", "paris.", "Lyon", "Paris"])
    0.75
    """
    plain = [" ".join(text.casefold().strip(" .!").split()) for text in texts]
    return max(plain.count(text) for text in plain) / len(plain)
