"""The frozen records that travel down the straight line: question, token, draft, attempt, decision, answer.

Log-probabilities are natural logarithms at temperature 1, before any sampler.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgecascade.errors import QuestionError, SamplingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALLEST = 1e-3
"""Temperatures and penalties below it are not told from 0 in float32."""

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)
FinishReason = Literal["end", "length", "stop", "cancelled", "tool_calls", "filter"]
"""``filter``: the cloud's own filter, or the model itself, refused to answer."""

Mode = Literal["prefer_on_device", "only_on_device", "prefer_in_cloud", "only_in_cloud"]
MODES: tuple[Mode, ...] = get_args(Mode)
Privacy = Literal["allow", "redact", "never"]
PRIVACY: tuple[Privacy, ...] = get_args(Privacy)
"""From the loosest to the strictest: what may leave the device as it is, with placeholders, or not at all."""

Place = Literal["device", "cloud"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may ask the app to call; ``parameters`` is its JSON schema, as text."""

    name: str
    description: str
    parameters: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a function; ``arguments`` is the model's own JSON text and need not be valid."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one answer may take: seconds in all, dollars, calls to a cloud; None for no limit."""

    seconds: float | None = None
    usd: float | None = None
    calls: int | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "usd", "calls"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise QuestionError(f"the limit {name} = {value} cannot be kept; wanted 0 or more, or None for none")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    tool_calls    of an assistant that asked for functions
    tool_call_id  of a tool's result: which call it answers
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise QuestionError(
                f"unknown role {self.role!r}: found in a message, wanted system, user, assistant or tool"
            )
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
    schema   a JSON schema, as text, that the answer must follow
    tools    functions that the model may ask for; only a cloud is asked with them
    mode     who answers; None: as the cascade was opened
    privacy  what may leave the device; None: as the cascade was opened. Rules may be stricter, never looser
    limits   of this answer alone
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    choices: tuple[str, ...] = ()
    turned: tuple[Message, ...] = ()
    schema: str | None = None
    tools: tuple[Tool, ...] = ()
    mode: Mode | None = None
    privacy: Privacy | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        for name, found, wanted in (("mode", self.mode, MODES), ("privacy", self.privacy, PRIVACY)):
            if found is not None and found not in wanted:
                raise QuestionError(f"unknown {name} {found!r}: wanted {', '.join(wanted)}")
        if not self.messages:
            raise QuestionError("a question without messages: nothing to answer; give at least one user message")
        if not self.messages[-1].content.strip():
            raise QuestionError("the question is empty: found no text, wanted at least one word")

    @property
    def goes_on(self) -> bool:
        """Whether it comes after earlier turns."""
        return any(message.role in ("assistant", "tool") for message in self.messages)

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

    A cloud that says nothing of its probabilities streams pieces of text as tokens with ``told`` False.
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

    @classmethod
    def untold(cls, text: str, seconds: float) -> "Token":
        """Return a piece of text whose probabilities are unknown.

        >>> Token.untold("Paris", 0.1).told
        False
        """
        unknown = math.nan
        return cls(-1, text, unknown, unknown, unknown, unknown, unknown, unknown, seconds)

    @property
    def told(self) -> bool:
        """Whether its probabilities are known."""
        return not math.isnan(self.logprob)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written; ``told`` is False where a cloud did not say, and they were counted from the text."""

    prompt_tokens: int
    completion_tokens: int
    told: bool = True


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
    usage_told       False where a cloud did not count its tokens
    tool_calls       functions that the model asks for
    served_by        the model that a cloud says it answered with
    """

    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    reused_tokens: int
    prefill_seconds: float
    hidden: HiddenStates | None = None
    usage_told: bool = True
    tool_calls: tuple[ToolCall, ...] = ()
    served_by: str | None = None


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
    tool_calls: tuple[ToolCall, ...] = ()
    served_by: str | None = None

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


GateName = Literal["G0", "G1", "G2", "G3"]


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """One look at a draft: G0 after the prompt, G1 while it is written, G2 at its end, G3 by further samples.

    at              tokens written when it looked
    value, limit    what it saw, and from where on it lets pass: logits (G0, G1), p_correct (G2), agreement (G3)
    tokens_saved    tokens that need not be written, estimated from earlier answers; negative: spent on looking
    seconds_saved   likewise; ``joules_saved`` is None where the device's power is unknown
    """

    gate: GateName
    at: int
    value: float
    limit: float
    passed: bool
    tokens_saved: float = 0.0
    seconds_saved: float = 0.0
    joules_saved: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a tier gave no answer, or only a part of one.

    code  as in ``CloudError.code``; "budget", "blocked"; on the device "context", "input", "device"; "hedged": the
          cloud was asked at the same time, and was faster
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one tier made of a question.

    draft    None where nothing came           estimate  what a calibration says of it; unknown for a cloud
    failure  why it is no whole answer         gates     the looks that were taken, in order
    usd      what it cost; None: unknown       seconds   that it took
    """

    tier: str
    place: Place
    draft: Draft | None
    estimate: Estimate
    seconds: float
    usd: float | None = 0.0
    gates: tuple[GateOutcome, ...] = ()
    failure: Failure | None = None

    @property
    def complete(self) -> bool:
        """Whether it is a whole answer: not failed, stopped or filtered, and of a cloud more than nothing."""
        if self.draft is None or self.failure is not None or self.draft.finish_reason in ("cancelled", "filter"):
            return False
        return self.place == "device" or bool(self.draft.text or self.draft.tool_calls)

    @property
    def stopped(self) -> bool:
        """Whether it was ended before its own end: by a gate, by a faster cloud, or by the user."""
        return self.draft is not None and self.draft.finish_reason == "cancelled"


Code = Literal[
    "mode", "kept", "not_kept", "no_promise", "gate", "hedged", "margin", "not_worth", "tools", "no_cloud", "no_device",
    "blocked", "offline", "breaker", "budget", "deadline", "cloud_failed", "device_failed", "broken_off", "cancelled",
    "pool",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """Which tier is asked next, or that it ends here.

    run     the tier's name; None: stop
    answer  when it stops: the number of the attempt that is the answer; None where there is none
    code    for programs          reason  for people, one sentence without a full stop
    terms   every number that made it, by name
    also    further tiers that are asked at the same time
    """

    run: str | None
    answer: int | None
    code: Code
    reason: str
    terms: Mapping[str, float | str | None] = field(default_factory=lambda: MappingProxyType({}))
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the user gets: the text, where it came from, and what is known about it.

    p_correct is null without a calibration that holds here: a model's raw probability is never called one.

    code      why this tier, for programs; ``reason`` for people
    blocked   a cloud would have been asked, and privacy forbade it
    queued    it is kept to be asked of the cloud later
    usd       what it cost; None where a price is unknown
    joules    what it took of this device's energy; None where its power is unknown
    trace     the decisions that led to it       attempts  what each tier made of the question
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
    code: Code = "no_cloud"
    blocked: bool = False
    queued: bool = False
    usd: float | None = 0.0
    joules: float | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    trace: tuple[Decision, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether a promise covers it."""
        return self.threshold is not None and self.p_correct is not None and self.p_correct >= self.threshold

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values; ``samples`` only where some were asked for."""
        names = [name for name in self.__slots__ if name not in ("samples", "attempts", "trace", "tool_calls")]
        record = {name: getattr(self, name) for name in names}
        record |= {"usage": asdict(self.usage), "timings": asdict(self.timings)}
        record["kept"] = self.kept
        record["calibration"] = asdict(self.calibration) if self.calibration else None
        record["tool_calls"] = [asdict(call) for call in self.tool_calls]
        record["trace"] = [
            {"run": step.run, "code": step.code, "reason": step.reason, "terms": dict(step.terms)}
            | ({"also": list(step.also)} if step.also else {})
            for step in self.trace
        ]
        record["attempts"] = [
            {
                "tier": attempt.tier,
                "place": attempt.place,
                "seconds": attempt.seconds,
                "usd": attempt.usd,
                "gates": [asdict(gate) for gate in attempt.gates],
                "failure": asdict(attempt.failure) if attempt.failure else None,
            }
            for attempt in self.attempts
        ]
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

    def line(self, *, hint: bool = True) -> str:
        """Return the one line under an answer; ``hint``: without a cloud, how one is set up."""
        sure = [self._why()] if self.tier == "cloud" else [self._sure(), f"{self.timings.decode_tps:.0f} tokens/s"]
        if self.tier == "cloud" and self.text:
            sure += [f"{self.timings.total_s:.1f} s", dollars(self.usd)]
        if self.tier == "local" and not self.text:
            sure = ["no answer was written"]
        parts = [self.tier, self.model, *sure]
        if "agreement" in self.signals:
            parts.append(f"{self.signals['agreement']:.0%} of {len(self.samples)} samples agree")
        if self.tier == "local" and (remark := self._not_asked(hint=hint)):
            parts.append(remark)
        return " · ".join(parts)

    def _sure(self) -> str:
        """Return how sure the device is of its answer."""
        if self.p_correct is None and self.mean_token_probability is None:
            return "nothing is known of its probabilities"
        if self.p_correct is None:
            return f"mean token probability {self.mean_token_probability:.2f} (not calibrated)"
        if self.threshold is None:
            return f"p_correct {self.p_correct:.2f}"
        digits = 2 if f"{self.p_correct:.2f}" != f"{self.threshold:.2f}" else 6
        kept = "kept, from" if self.kept else "not kept, below"
        return f"p_correct {self.p_correct:.{digits}f} ({kept} {self.threshold:.{digits}f})"

    def _why(self) -> str:
        """Return why the answer is the cloud's."""
        if self.queued:
            return f"queued, asked again later: {self.reason}"
        if self.code == "not_worth":
            return f"at once: {self.reason}"
        return self.reason if self.code in ("mode", "cancelled", "deadline", "pool") else f"escalated: {self.reason}"

    def _not_asked(self, *, hint: bool) -> str | None:
        """Return why no cloud was asked for what the device does not keep; None where that is as it should be."""
        if self.code in ("kept", "mode", "cancelled", "pool"):
            return None
        why = self.reason.removeprefix("the device's answer, ").removeprefix("though not ").removeprefix("kept: ")
        if why == "no cloud is set up":
            setting_up = "a cloud would be asked; none is set up (--cloud openai:MODEL, or edgecascade config init)"
            return setting_up if hint else None
        why = why.partition("; ")[0]  # what to do about it stands in the story that `explain` tells
        return f"{self.code.replace('_', ' ')}: {why}{', queued to be asked again' if self.queued else ''}"


def dollars(usd: float | None) -> str:
    """Return dollars with as many digits as a small sum needs.

    >>> dollars(0.0000123), dollars(12.5), dollars(0.0), dollars(None)
    ('$0.000012', '$12.50', '$0', 'price unknown')
    """
    if not usd:
        return "price unknown" if usd is None else "$0"
    return f"${usd:.{max(2, 1 - math.floor(math.log10(usd)))}f}"


@dataclass(frozen=True, slots=True)
class Delta:
    """A further piece of the answer's text."""

    text: str
    tier: str
    place: Place


@dataclass(frozen=True, slots=True)
class Handoff:
    """Another tier goes on.

    replaces  the text shown so far, which is to be taken away; "" where none was shown
    """

    tier: str
    code: Code
    reason: str
    replaces: str


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole."""

    answer: Answer


Event = Delta | Handoff | Done
