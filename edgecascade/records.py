"""The frozen records that travel down the straight line: question, token, draft, answer.

Log-probabilities are natural logarithms at temperature 1, before any sampler.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edgecascade.errors import QuestionError, SamplingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALLEST = 1e-3
"""Temperatures and penalties below it are not told from 0 in float32."""

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["end", "length", "stop", "cancelled"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in ("system", "user", "assistant"):
            raise QuestionError(f"unknown role {self.role!r}: found in a message, wanted system, user or assistant")
        try:
            self.content.encode()
        except UnicodeEncodeError as error:
            raise QuestionError(
                f"a message is not text: found {error.object[error.start]!r} at {error.start}, wanted Unicode without "
                "surrogates; decode it with errors='replace'"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are chosen. The default is greedy: the likeliest token each time.

    temperature     0 is greedy; otherwise logits are divided by it
    top_k           keep the k likeliest (0: all)
    top_p           keep the smallest set of this total probability (1: all)
    min_p           drop tokens below this share of the likeliest (0: none)
    repeat_penalty  divide the logits of the last 64 tokens by it (1: off)
    seed            None draws one; the same seed on the same device gives the same text
    stop            strings that end the answer and are cut off it
    max_tokens      the longest answer
    grammar         a GBNF grammar that the answer must follow
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int = 512
    grammar: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.stop, str):
            raise SamplingError(f"stop = {self.stop!r} is one text; wanted a tuple of texts: stop=({self.stop!r},)")
        for name in ("top_k", "max_tokens", "seed"):
            if not isinstance(getattr(self, name), int | None):
                raise SamplingError(f"{name} = {getattr(self, name)!r} is not a whole number; wanted one")
        limits: list[tuple[str, float, bool, str]] = [
            (
                "temperature",
                self.temperature,
                self.temperature == 0 or SMALLEST <= self.temperature <= 100,
                "0 (greedy), or 0.001 to 100",
            ),
            ("top_k", self.top_k, self.top_k >= 0, "0 (all) or more"),
            ("top_p", self.top_p, 0 < self.top_p <= 1, "above 0, at most 1 (all)"),
            ("min_p", self.min_p, 0 <= self.min_p < 1, "0 (none) up to, not including, 1"),
            ("repeat_penalty", self.repeat_penalty, SMALLEST <= self.repeat_penalty <= 10, "0.001 to 10 (1 is off)"),
            ("max_tokens", self.max_tokens, self.max_tokens >= 1, "1 or more"),
            ("seed", self.seed or 0, 0 <= (self.seed or 0) < 2**32 - 1, "0 to 4294967294"),
        ]
        for name, found, good, wanted in limits:
            if not good:
                raise SamplingError(f"{name} = {found} cannot be used; wanted {wanted}")
        if any(not text for text in self.stop):
            raise SamplingError("an empty stop string would end every answer at once; leave it out")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how it is to be answered.

    choices  the texts to choose from, which the messages list as A, B, C ...; () for an open question
    turned   the same messages with the choices in reverse order, for a second look (``prompts.choose`` makes both)
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    choices: tuple[str, ...] = ()
    turned: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        if not self.messages:
            raise QuestionError("a question without messages: nothing to answer; give at least one user message")
        if not self.messages[-1].content.strip():
            raise QuestionError("the question is empty: found no text, wanted at least one word")

    @classmethod
    def of(cls, text: str, *, system: str | None = None, sampling: Sampling | None = None) -> "Question":
        """Return a one-turn question.

        >>> Question.of("Why?", system="Be brief.").messages[0].role
        'system'
        """
        first = (Message("system", system),) if system else ()
        return cls((*first, Message("user", text)), sampling or Sampling())


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have been chosen."""

    id: int
    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token with what the model thought of it.

    id            number in the vocabulary
    text          the characters that became whole with it; "" while a character or a stop string is pending
    logprob       ln p(chosen)
    top_logprob   ln p(likeliest)
    margin        ln p(likeliest) - ln p(second), at least 0
    entropy       of the whole distribution, nats
    top5_mass     probability of the five likeliest
    logsumexp     of the raw logits
    seconds       since the previous token (the first: since the question)
    end           whether it is the model's own end-of-turn token
    alternatives  the likeliest tokens, likeliest first, when asked for
    """

    id: int
    text: str
    logprob: float
    top_logprob: float
    margin: float
    entropy: float
    top5_mass: float
    logsumexp: float
    seconds: float
    end: bool = False
    alternatives: tuple[Alternative, ...] = ()

    @property
    def probability(self) -> float:
        """The chosen token's probability, 0 to 1."""
        return math.exp(self.logprob)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time went.

    load_s       seconds that loading the model took, when it was opened
    ttft_s       seconds from the question to the first token
    prefill_tps  prompt tokens read per second, reused ones left out
    decode_tps   tokens written per second, the first left out; 0 below two tokens
    total_s      seconds in all, without loading
    """

    load_s: float
    ttft_s: float
    prefill_tps: float
    decode_tps: float
    total_s: float


@dataclass(frozen=True, slots=True)
class HiddenStates:
    """Final-layer states from the same decode, float32, shape (width,) each.

    prompt       of the prompt's last token
    answer_mean  the mean over the answer's tokens but the last, which is never decoded; None where there is no other
    """

    prompt: "NDArray[np.float32]"
    answer_mean: "NDArray[np.float32] | None"


@dataclass(frozen=True, slots=True)
class Ending:
    """What a stream of tokens returns when it ends.

    reused_tokens    prompt tokens that were still in memory
    prefill_seconds  from the question to the end of reading the prompt
    """

    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    reused_tokens: int
    prefill_seconds: float
    hidden: HiddenStates | None = None


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What the model says when the choices are listed in reverse order.

    probability  of the choice that it had answered, among the letters that it thinks of at all, 0 to 1
    seconds      that the look took
    """

    probability: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Draft:
    """One tier's answer with its evidence; ``second_look`` only where choices were given and one of them answered."""

    text: str
    tokens: tuple[Token, ...]
    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    hidden: HiddenStates | None = None
    second_look: SecondLook | None = None

    @property
    def mean_token_probability(self) -> float | None:
        """The arithmetic mean of the tokens' probabilities, the end token's among them. Not calibrated."""
        return mean_token_probability(self.tokens) if self.tokens else None


def mean_token_probability(tokens: Sequence[Token]) -> float:
    """Return the arithmetic mean of the tokens' probabilities; at least one token."""
    return math.fsum(token.probability for token in tokens) / len(tokens)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Which fitted file was asked, and whether it holds here.

    id       of its content
    verdict  "fresh": with its promise; "stale": p_correct without a promise; "refused": neither
    reason   why
    """

    id: str
    verdict: Literal["fresh", "stale", "refused"]
    reason: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a fitted file says of a draft.

    p_correct  calibrated probability that it is right, 0 to 1; None where the file is refused
    threshold  keep the answer from here on; None where nothing is promised
    promise    the sentence that then holds
    """

    p_correct: float | None
    threshold: float | None
    promise: str | None
    calibration: Calibration | None

    @property
    def kept(self) -> bool:
        """Whether the promise covers this answer."""
        return self.threshold is not None and self.p_correct is not None and self.p_correct >= self.threshold


@dataclass(frozen=True, slots=True)
class Answer:
    """What the user gets: the text, where it came from, and what is known about it.

    p_correct is null without a calibration that holds here: a model's raw probability is never called one.
    """

    id: str
    text: str
    tier: Literal["local", "cloud"]
    model: str
    p_correct: float | None
    threshold: float | None
    promise: str | None
    calibration: Calibration | None
    mean_token_probability: float | None
    reason: str
    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    signals: dict[str, float]
    samples: tuple[Draft, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether a promise covers it."""
        return self.threshold is not None and self.p_correct is not None and self.p_correct >= self.threshold

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values; ``samples`` only where some were asked for."""
        names = [name for name in self.__slots__ if name != "samples"]
        record = {name: getattr(self, name) for name in names}
        record |= {"usage": asdict(self.usage), "timings": asdict(self.timings)}
        record["kept"] = self.kept
        record["calibration"] = asdict(self.calibration) if self.calibration else None
        if self.samples:
            record["samples"] = [
                {
                    "text": sample.text,
                    "mean_token_probability": sample.mean_token_probability,
                    "finish_reason": sample.finish_reason,
                }
                for sample in self.samples
            ]
        return record

    def line(self) -> str:
        """Return the one line under an answer."""
        if self.mean_token_probability is None:
            return f"{self.tier} · {self.model} · no answer was written"
        sure = (
            f"mean token probability {self.mean_token_probability:.2f} (not calibrated)"
            if self.p_correct is None
            else f"p_correct {self.p_correct:.2f}"
        )
        if self.threshold is not None and self.p_correct is not None:
            digits = 2 if f"{self.p_correct:.2f}" != f"{self.threshold:.2f}" else 6
            kept = "kept, from" if self.kept else "not kept, below"
            sure = f"p_correct {self.p_correct:.{digits}f} ({kept} {self.threshold:.{digits}f})"
        parts = [self.tier, self.model, sure, f"{self.timings.decode_tps:.0f} tokens/s"]
        if "agreement" in self.signals:
            parts.append(f"{self.signals['agreement']:.0%} of {len(self.samples)} samples agree")
        return " · ".join(parts)
