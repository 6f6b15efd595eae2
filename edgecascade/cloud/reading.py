"""The bytes of a reply to tokens and an ending. Pure: it knows neither a network nor a thread, only a clock.

Log-probabilities become a token's numbers from the alternatives that are told: what is left of the mass counts as one
further outcome of the entropy, and ``logsumexp``, which nobody tells, is 0.
"""

import json
import math
import time
from collections.abc import Callable, Sequence

from edgecascade.cloud.sse import Events
from edgecascade.cloud.wire import TOP, CallPart, Codec, Piece, Told
from edgecascade.records import Ending, FinishReason, Token, ToolCall

LARGEST = 8 << 20
"""Bytes of a reply, without what long answers need more."""

BYTES_A_TOKEN = 4
"""Of a text whose tokens nobody counted."""


class Reading:
    """What has come of one answer so far.

    sse           whether it comes as a stream of events
    prompt_bytes  for an estimate where the server does not count
    max_tokens    of the answer, which bounds it
    alternatives  so many are kept with each token
    started       the clock at the question
    """

    def __init__(
        self,
        codec: Codec,
        *,
        sse: bool,
        prompt_bytes: int,
        max_tokens: int,
        alternatives: int = 0,
        started: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.over = False
        self.size = 0
        self.first_seconds: float | None = None
        self._codec, self._sse, self._kept, self._clock = codec, sse, alternatives, clock
        self._prompt_bytes, self._longest = prompt_bytes, max_tokens * 64 + (64 << 10)
        self._limit = LARGEST + max_tokens * 4096  # twenty alternatives of a token take about 2 KiB
        self._events, self._body = Events(limit=self._limit), bytearray()
        self._started = self._last = started
        self._finish: FinishReason | None = None
        self._prompt_tokens: int | None = None
        self._completion_tokens: int | None = None
        self._told_tokens, self._untold_bytes = 0, 0
        self._served_by: str | None = None
        self._calls: dict[int, list[str]] = {}

    def feed(self, chunk: bytes) -> list[Token]:
        """Return the tokens that further bytes make; ValueError: this is no answer, ServerError: it says why not."""
        if not self._sse:
            self._body += chunk
            if len(self._body) > LARGEST:
                raise ValueError("more bytes than any answer needs")
            return []
        return [token for text in self._events.feed(chunk) for token in self._event(text)]

    def close(self) -> list[Token]:
        """Return the last tokens; the bytes are at their end. EOFError: the answer is not."""
        found: list[Token] = []
        if not self._sse:
            found = self._take(self._codec.whole(_json(self._body)))
        elif self._finish is None and not self.size:
            raise ValueError("not one choice")
        elif not self.all_said:
            raise EOFError("no end of the answer")
        self.over = True
        return found

    @property
    def all_said(self) -> bool:
        """Whether the answer is whole, however its bytes end; its usage may be still to come."""
        return self._finish is not None or (self.over and self.size > 0)

    def ending(self) -> Ending:
        """Return how it ended."""
        calls = tuple(
            ToolCall(_call_id(id, number), name, arguments)
            for number, (id, name, arguments) in enumerate(row for _, row in sorted(self._calls.items()))
        )
        finish = self._finish or "end"
        return Ending(
            finish_reason="tool_calls" if calls and finish == "end" else finish,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            reused_tokens=0,
            prefill_seconds=self._clock() - self._started if self.first_seconds is None else self.first_seconds,
            usage_told=self.told,
            tool_calls=calls,
            served_by=self._served_by,
        )

    @property
    def told(self) -> bool:
        """Whether the server counted all the tokens."""
        return self.all_said and self._prompt_tokens is not None and self._completion_tokens is not None

    @property
    def prompt_tokens(self) -> int:
        """Tokens read, estimated where the server does not tell."""
        return estimated(self._prompt_bytes) if self._prompt_tokens is None else self._prompt_tokens

    @property
    def completion_tokens(self) -> int:
        """Tokens written, estimated where the server does not tell, or not to the end."""
        if self.all_said and self._completion_tokens is not None:
            return self._completion_tokens
        return max(self._told_tokens + estimated(self._untold_bytes), self._completion_tokens or 0)

    def _event(self, text: str) -> list[Token]:
        if self.over:
            return []
        if text.strip() == "[DONE]":
            self.over = True
            return []
        return self._take(self._codec.event(_json(text.encode())))

    def _take(self, piece: Piece) -> list[Token]:
        self.over = self.over or piece.over
        if self._finish != "filter":
            self._finish = piece.finish or self._finish
        if piece.prompt_tokens is not None:
            self._prompt_tokens = piece.prompt_tokens
        if piece.completion_tokens is not None:
            self._completion_tokens = piece.completion_tokens
        self._served_by = piece.served_by or self._served_by
        for part in piece.calls:
            self._add(part)
        self.size += len(piece.text.encode())
        if self.size > self._longest:
            raise ValueError("more text than was asked for")
        return self._tokens(piece)

    def _add(self, part: CallPart) -> None:
        row = self._calls.setdefault(len(self._calls) if part.index is None else part.index, ["", "", ""])
        row[0] = row[0] or part.id
        row[1] = row[1] or part.name
        row[2] += part.arguments
        self.size += len(part.arguments.encode()) + 1
        self._untold_bytes += len(part.arguments.encode())

    def _tokens(self, piece: Piece) -> list[Token]:
        if not piece.text and not piece.told:
            return []
        now = self._clock()
        seconds, self._last = now - self._last, now
        if self.first_seconds is None:
            self.first_seconds = now - self._started
        self._told_tokens += len(piece.told)
        if not piece.told:
            self._untold_bytes += len(piece.text.encode())
            return [Token.untold(piece.text, seconds)]
        texts = fitted([told.text for told in piece.told], piece.text)
        waits = [seconds] + [0.0] * (len(texts) - 1)
        return [
            token_of(told, text, wait, self._kept) for told, text, wait in zip(piece.told, texts, waits, strict=True)
        ]


def fitted(texts: list[str], whole: str) -> list[str]:
    """Return the tokens' texts, such that together they are the whole: a part of a character has none of its own.

    >>> fitted(["a", "?", "?"], "aé")
    ['', '', 'aé']
    """
    return texts if "".join(texts) == whole else [""] * (len(texts) - 1) + [whole]


def token_of(told: Told, text: str, seconds: float, kept: int) -> Token:
    """Return a token with the numbers that its alternatives tell."""
    likeliest = sorted(told.alternatives, key=lambda other: -other.logprob)
    known = [other.logprob for other in likeliest] or [told.logprob]
    if told.logprob < known[-1]:
        known.append(told.logprob)  # chosen, though it is not among the likeliest
    rest = max(1.0 - math.fsum(map(math.exp, known)), 0.0)
    second = known[1] if len(known) > 1 else math.log(max(rest, 1e-12))
    return Token(
        id=told.id,
        text=text,
        logprob=told.logprob,
        top_logprob=max(known),
        margin=max(known[0] - second, 0.0),
        entropy=entropy(known, rest),
        top5_mass=min(math.fsum(map(math.exp, known[:TOP])), 1.0),
        logsumexp=0.0,
        seconds=seconds,
        alternatives=tuple(likeliest[:kept]),
    )


def entropy(logprobs: Sequence[float], rest: float) -> float:
    """Return the entropy in nats of these outcomes and one of the remaining probability: a lower bound of the true.

    >>> round(entropy([math.log(0.5)], 0.5), 3)
    0.693
    """
    told = -math.fsum(math.exp(logprob) * logprob for logprob in logprobs)
    return max(told - (rest * math.log(rest) if rest > 0 else 0.0), 0.0)


def estimated(size: int) -> int:
    """Return about how many tokens so many bytes are."""
    return math.ceil(size / BYTES_A_TOKEN)


def _call_id(id: str, number: int) -> str:
    """Return a call's own id, or a made one; what stands behind a ``~`` is the server's."""
    return f"call_{number}{id}" if not id or id.startswith("~") else id


def _json(text: bytes | bytearray) -> object:
    """Return the JSON in it; raise ValueError for what is none."""
    try:
        return json.loads(text.decode())
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error
