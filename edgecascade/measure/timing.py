"""One answer, timed: every step measures through it, and it measures through the very stream that answers.

What is read is unlike all that was read before, from its first word on, so that nothing of it is in memory; where
several depths are written at, one is the beginning of the other, so that the deeper is read only once.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

from edgecascade.records import Ending, Message, Question, Sampling, Token

STORY = "Write a very long story about a ship, its captain, the sea, and all the harbours they came to."
HELLO = "Hello."
WORDS = (
    "river", "lamp", "stone", "garden", "window", "bread", "letter", "winter", "bridge", "music", "paper", "silver",
    "morning", "forest", "table", "glass", "harbour", "summer", "cloud", "market", "candle", "road", "island", "mirror",
)  # fmt: skip

Clock = Callable[[], float]


class Writer(Protocol):
    """Whatever writes tokens after it has read a prompt, and can count one."""

    def stream(
        self,
        question: Question,
        *,
        cancel: threading.Event | None = None,
        when_read: Callable[[int, Any], None] | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended."""

    def tokens_of(self, messages: Sequence[Message]) -> list[int]:
        """Return the prompt's tokens."""


class Until(threading.Event):
    """Set from a time on; the engine looks at it between tokens, and on a CPU in the middle of a chunk."""

    def __init__(self, clock: Clock, end: float) -> None:
        super().__init__()
        self.clock, self.end = clock, end

    def is_set(self) -> bool:
        """Return whether it is time."""
        return self.clock() >= self.end


@dataclass(frozen=True, slots=True)
class Timed:
    """How long one answer took.

    depth    tokens in memory when writing began     first_s  from the question to the first token
    read     of these, read for this answer          written  tokens
    read_s   seconds to read them                    write_s  a token, between the first and the last; None below two
    """

    depth: int
    read: int
    read_s: float
    first_s: float
    written: int
    write_s: float | None


def timed(writer: Writer, question: Question, *, clock: Clock, end: float) -> Timed | None:
    """Return the times of an answer that is cut off at ``end``; None where no token was written by then."""
    read_at: list[tuple[int, float]] = []
    arrivals: list[float] = []
    started = clock()
    stream = writer.stream(
        question, cancel=Until(clock, end), when_read=lambda tokens, state: read_at.append((tokens, clock()))
    )
    while True:
        try:
            next(stream)
        except StopIteration as stop:
            ending: Ending = stop.value
            break
        arrivals.append(clock())
    if not read_at or not arrivals:
        return None
    depth, at = read_at[0]
    steps = len(arrivals) - 1
    return Timed(
        depth,
        depth - ending.reused_tokens,
        at - started,
        arrivals[0] - started,
        len(arrivals),
        (arrivals[-1] - arrivals[0]) / steps if steps else None,
    )


def prompt_of(writer: Writer, tokens: int, *, mark: int, task: str = "", max_tokens: int = 1) -> Question:
    """Return a question of at most so many tokens, but never less than ``task``; another mark shares no chunk with it.

    A prompt of the same mark and fewer tokens is a beginning of it, but for the task at its end.
    """

    def question(words: int) -> Question:
        head = f"{mark} {' '.join(WORDS[number % len(WORDS)] for number in range(words))}\n" if words else ""
        return Question.of(head + (task or "?"), sampling=Sampling(max_tokens=max_tokens))

    def length(words: int) -> int:
        return len(writer.tokens_of(question(words).messages))

    return question(max(bisect_right(range(tokens + 1), tokens, key=length) - 1, 0))


def there_and_back(places: Sequence[int], rounds: int) -> list[int]:
    """Return every place twice a round, up and down again, so that what drifts with time weighs on all alike.

    >>> there_and_back([0, 512, 2048], 1)
    [0, 512, 2048, 2048, 512, 0]
    """
    return [*places, *reversed(places)] * rounds


def medians(found: Mapping[int, Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Return the point of each place, the median of its x and of its y, in order.

    >>> medians({512: [(540.0, 3.0)], 0: [(30.0, 1.0), (31.0, 1.2), (30.0, 9.0)]})
    [(30.0, 1.2), (540.0, 3.0)]
    """
    return sorted((median(x for x, _ in points), median(y for _, y in points)) for points in found.values())


def rising(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points, those left out that noise, or an equal x, puts at no more than the one before.

    >>> rising([(0, 0.0), (64, 3.0), (64, 3.1), (128, 2.5), (256, 9.0)])
    [(0, 0.0), (64, 3.0), (256, 9.0)]
    """
    kept: list[tuple[float, float]] = []
    for x, y in points:
        if not kept or (x > kept[-1][0] and y > kept[-1][1]):
            kept.append((x, y))
    return kept


def never_falling(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points of different x, each at least as high as the one before: nothing is faster for being deeper.

    >>> never_falling([(30, 0.1), (540, 0.098), (2070, 0.2)])
    [(30, 0.1), (540, 0.1), (2070, 0.2)]
    """
    kept: list[tuple[float, float]] = []
    for x, y in points:
        if not kept or x > kept[-1][0]:
            kept.append((x, max(y, kept[-1][1]) if kept else y))
    return kept
