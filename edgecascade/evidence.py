"""Question to draft with its evidence: the one bracket that runtime, calibration and bench share."""

import threading
from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from edgecascade.records import Answer, Draft, Ending, Question, Timings, Token, Usage
from edgecascade.signals import signals

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
    stream = tier.stream(question, hidden=hidden, alternatives=alternatives, cancel=cancel)
    tokens: list[Token] = []
    while True:
        try:
            token = next(stream)
        except StopIteration as stop:
            return draft_of(tokens, stop.value, load_seconds=tier.load_seconds)
        tokens.append(token)
        show(token)


def samples(tier: Tier, question: Question, count: int, *, cancel: threading.Event | None = None) -> tuple[Draft, ...]:
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
    seconds = [token.seconds for token in tokens]
    writing = sum(seconds[1:])
    read = ending.prompt_tokens - ending.reused_tokens
    return Draft(
        text="".join(token.text for token in tokens).strip(),
        tokens=tuple(tokens),
        finish_reason=ending.finish_reason,
        usage=Usage(ending.prompt_tokens, ending.completion_tokens),
        timings=Timings(
            load_s=load_seconds,
            ttft_s=seconds[0] if seconds else ending.prefill_seconds,
            prefill_tps=read / ending.prefill_seconds if ending.prefill_seconds > 0 else 0.0,
            decode_tps=len(seconds[1:]) / writing if writing > 0 else 0.0,
            total_s=sum(seconds) if seconds else ending.prefill_seconds,
        ),
        hidden=ending.hidden,
    )


def answer_of(draft: Draft, *, model: str, id: str, samples: tuple[Draft, ...] = ()) -> Answer:
    """Return the answer of the local tier, the only one there is."""
    measured = signals(draft)
    if samples:
        measured["agreement"] = agreement([sample.text for sample in samples])
    return Answer(
        id=id,
        text=draft.text,
        tier="local",
        model=model,
        p_correct=None,
        mean_token_probability=draft.mean_token_probability,
        reason="only the local tier is set up",
        finish_reason=draft.finish_reason,
        usage=draft.usage,
        timings=draft.timings,
        signals=measured,
        samples=samples,
    )


def agreement(texts: Sequence[str]) -> float:
    """Return the share of the texts that equal the most frequent one, case and outer punctuation aside.

    >>> agreement(["Paris", "paris.", "Lyon", "Paris"])
    0.75
    """
    plain = [" ".join(text.casefold().strip(" .!").split()) for text in texts]
    return max(plain.count(text) for text in plain) / len(plain)
