"""A tier without a model: it says what its script says, at no cost and at once.

It stands for a model on this device, judged by estimates of the script, or for a cloud, asked with a meter and a
deadline. Nothing is drawn by chance and nothing waits, unless a reply has an event to wait for.
"""

import copy
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from edgecascade.cloud.calls import Outgoing, Settled
from edgecascade.errors import ClosedError, CloudError, DeviceError
from edgecascade.records import (
    Calibration,
    Draft,
    Ending,
    Estimate,
    FinishReason,
    Place,
    Question,
    Token,
    ToolCall,
)  # fmt: skip
from edgecascade.testing.pieces import pieces_of

if TYPE_CHECKING:
    from edgecascade.cascade.gating import Gate
    from edgecascade.cloud.calls import Meter
    from edgecascade.store.prices import Price

KEPT_QUESTIONS = 1000
"""So many of the last questions a tier remembers: it may be asked for days."""

_LOOK_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """What a ``ScriptedTier`` says to one question.

    p_correct, threshold, promise  of the estimate
    logprobs         of each token; None: -0.1 of each on a device, untold by a cloud
    tokens           how many the text is streamed in; None: its words
    fails            raised after ``fails_after`` tokens
    seconds_a_token  told, not waited for
    wait             what the first token waits for
    """

    text: str
    _: KW_ONLY
    p_correct: float | None = None
    threshold: float | None = None
    promise: str | None = None
    logprobs: Sequence[float] | None = None
    tokens: int | None = None
    fails: CloudError | DeviceError | None = None
    fails_after: int = 0
    finish_reason: FinishReason = "end"
    seconds_a_token: float = 0.0
    wait: threading.Event | None = None
    tool_calls: tuple[ToolCall, ...] = ()

    def estimate(self) -> Estimate:
        """Return what a calibration is made to say of it."""
        known = self.p_correct is not None
        fresh = Calibration("scripted", "fresh", "scripted") if known else None
        return Estimate(self.p_correct, self.threshold, self.promise, fresh)

    def written(self, place: Place) -> tuple[Token, ...]:
        """Return its tokens, as a tier at that place tells them."""
        pieces = pieces_of(self.text, self.tokens)
        if self.logprobs is None and place == "cloud":
            return tuple(Token.untold(piece, self.seconds_a_token) for piece in pieces)
        logprobs = [-0.1] * len(pieces) if self.logprobs is None else self.logprobs
        return tuple(
            Token(number, piece, logprob, logprob, 2.0, 0.3, 0.99, 10.0, self.seconds_a_token)
            for number, (piece, logprob) in enumerate(zip(pieces, logprobs, strict=True))
        )


class ScriptedTier:
    """A tier with a script: a reply a question, the last one for ever; a plain text is a ``ScriptedReply``.

    A sample and a second look at choices take a reply as well.

    place  "device" or "cloud"
    price  of a cloud's tokens; None: unknown
    gates  that may stop its answers
    out    why a cloud would not even be asked; None: it would

    >>> from edgecascade import evidence
    >>> tier = ScriptedTier("Paris.", ScriptedReply("Rome.", p_correct=0.2), name="tiny")
    >>> [evidence.draft(tier, Question.of("Capital?")).text for _ in range(3)], tier.calls
    (['Paris.', 'Rome.', 'Rome.'], 3)
    """

    load_seconds = 0.0

    def __init__(
        self,
        *replies: str | ScriptedReply,
        name: str = "scripted",
        place: Place = "device",
        price: "Price | None" = None,
        gates: Sequence["Gate"] = (),
        out: str | None = None,
    ) -> None:
        if not replies:
            raise ValueError("a tier that has nothing to say: found no replies, wanted one or more")
        self.name, self.place, self.price, self.out = name, place, price, out
        self.calls, self.closed = 0, False
        script = [ScriptedReply(reply) if isinstance(reply, str) else reply for reply in replies]
        self._script = [(reply, reply.written(place)) for reply in script]
        self._by_text = {reply.text.strip(): reply for reply in reversed(script)}
        self._asked: deque[Question] = deque(maxlen=KEPT_QUESTIONS)
        self._gates, self._guard = gates, threading.Lock()

    @property
    def asked(self) -> list[Question]:
        """The last questions, in the order in which their answers began."""
        with self._guard:
            return list(self._asked)

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        when_read: Callable[[int, None], None] | None = None,
        meter: "Meter | None" = None,
        deadline: float | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of the next reply, and return how it ended; ``meter`` is told as by a real cloud.

        Hidden states and alternatives are never told. ``deadline`` is on the monotonic clock.
        """
        words = sum(len(message.content.split()) for message in question.messages)
        settle = meter(self._outgoing(question)) if meter else None
        seconds, written, outcome = 0.0, 0, "cancelled"
        try:
            reply, tokens = self._take(question)
            seconds = reply.seconds_a_token
            if when_read:
                when_read(words, None)
            _wait(reply.wait, cancel, deadline)
            for token in tokens[: reply.fails_after] if reply.fails else tokens:
                if cancel and cancel.is_set():
                    break
                written += 1
                yield token
            if cancel and cancel.is_set():
                return Ending("cancelled", words, written, 0, seconds)
            if reply.fails:
                raise copy.copy(reply.fails)  # the same one again and again would drag every traceback along
            outcome = "ok"
            return Ending(reply.finish_reason, words, written, 0, seconds, tool_calls=reply.tool_calls)
        except DeviceError as error:
            outcome = error.code if isinstance(error, CloudError) else "device"
            raise
        finally:
            if settle:
                settle(Settled(outcome, words, written, written * seconds, None, True))

    def stream_samples(
        self, question: Question, samples: int, *, cancel: threading.Event | None = None
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Yield (number, token) of the next replies, one after another, and return how each ended."""
        endings = []
        for number in range(samples):
            stream = self.stream(question, cancel=cancel)
            try:
                while True:
                    yield number, next(stream)
            except StopIteration as stop:
                endings.append(stop.value)
        return tuple(endings)

    def estimate(self, question: Question, draft: Draft, measured: Mapping[str, float] | None = None) -> Estimate:
        """Return what the script says of the reply with the draft's text; unknown of another text."""
        reply = self._by_text.get(draft.text)
        return reply.estimate() if reply else Estimate(None, None, None, None)

    def gates(self, question: Question) -> Sequence["Gate"]:
        """Return the gates that may stop its answers."""
        return self._gates

    def wants_hidden(self, question: Question) -> bool:
        """Return that no hidden state is needed."""
        return False

    def judge(self, question: Question) -> None:
        """Return that nothing was fitted: its script judges."""

    def run_of(self, question: Question) -> None:
        """Return that nothing is recorded of how it runs."""

    def down(self) -> str | None:
        """Return why it would not be asked."""
        return self.out

    def close(self) -> None:
        """Answer no more."""
        self.closed = True

    def _take(self, question: Question) -> tuple[ScriptedReply, tuple[Token, ...]]:
        with self._guard:
            if self.closed:
                raise ClosedError(f"the tier {self.name} is closed: found a question; open another one")
            place = min(self.calls, len(self._script) - 1)
            self.calls += 1
            self._asked.append(question)
            return self._script[place]

    def _outgoing(self, question: Question) -> Outgoing:
        sent = "\n".join(message.content for message in question.messages).encode()
        digest = hashlib.sha256(sent).hexdigest()
        return Outgoing("scripted", self.name, len(sent), digest, len(sent), question.sampling.max_tokens, 1)


def _wait(until: threading.Event | None, cancel: threading.Event | None, deadline: float | None) -> None:
    """Wait for the event, at most until cancelled; raise CloudError at the deadline."""
    while until and not until.wait(_LOOK_SECONDS) and not (cancel and cancel.is_set()):
        if deadline is not None and time.monotonic() >= deadline:
            raise CloudError("no token came in time; wait longer, or ask again", code="timeout")
