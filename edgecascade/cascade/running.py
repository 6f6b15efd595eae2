"""One tier's attempt at a question: tokens come out as they are written, the attempt at the end.

    on_device   with the gates that may stop it, its estimate, and more samples near the threshold
    in_cloud    what leaves was cleared before; placeholders become the user's own words again on the way back

A failure is a part of the attempt, never an error: the policy decides what becomes of it.
"""

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from edgecascade import evidence
from edgecascade.cascade.gating import Gate, GateWatch, Usual
from edgecascade.errors import BudgetError, CloudError, ContextLengthError, DeviceError, InputError
from edgecascade.evidence import UNKNOWN
from edgecascade.grading import letter_of
from edgecascade.judging import Judge
from edgecascade.llama.engine import WhenRead
from edgecascade.privacy import Restorer, in_json, restored
from edgecascade.records import (
    Attempt,
    Calibration,
    Draft,
    Ending,
    Estimate,
    Failure,
    GateOutcome,
    Place,
    Question,
    Token,
)
from edgecascade.signals import signals

SAMPLES_TEMPERATURE = 0.7
AGREEMENT = 0.5
"""Of the further samples near the threshold, so many must say what the answer says."""

Tokens = Generator[Token, None, Attempt]
Look = Callable[[GateOutcome | None], Failure | None]
"""Told each gate's outcome, and None at each other token; may name a reason to stop."""


class DeviceTier(Protocol):
    """A tier whose answers are judged."""

    @property
    def name(self) -> str:
        """What it is called, unique in its cascade."""

    @property
    def place(self) -> Place:
        """Where it answers: "device"."""

    @property
    def load_seconds(self) -> float:
        """What loading took."""

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        when_read: WhenRead | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended."""

    def stream_samples(
        self, question: Question, samples: int, *, cancel: threading.Event | None = None
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Yield (number, token) of several answers, and return how each ended."""

    def estimate(self, question: Question, draft: Draft, measured: Mapping[str, float] | None = None) -> Estimate:
        """Return what a calibration says of a draft."""

    def gates(self, question: Question) -> Sequence[Gate]:
        """Return the gates that may stop its answer to a question."""

    def wants_hidden(self, question: Question) -> bool:
        """Return whether drafts must be written with their hidden states."""

    def judge(self, question: Question) -> Judge | None:
        """Return what judges answers to such a question, with its monitors; None where nothing was fitted."""

    def run_of(self, question: Question) -> dict[str, Any] | None:
        """Return what is recorded of how it runs: identity, system message, width; None where nothing can be."""

    def close(self) -> None:
        """Let go of the model."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """When further samples are drawn: how many, and how far above the threshold p_correct still counts as near."""

    samples: int = 0
    band: float = 0.05


@dataclass(slots=True)
class _Writing:
    """An attempt while it is made."""

    tokens: list[Token] = field(default_factory=list)
    gates: list[GateOutcome] = field(default_factory=list)
    draft: Draft | None = None
    failure: Failure | None = None
    started: float = field(default_factory=time.perf_counter)

    def begun(self, prompt_tokens: int = 0) -> Draft | None:
        """Return what was written before it was stopped; None where nothing was."""
        first = self.tokens[0].seconds if self.tokens else 0.0
        ending = Ending("cancelled", prompt_tokens, len(self.tokens), 0, first, usage_told=False)
        return evidence.draft_of(self.tokens, ending) if self.tokens else None

    def end(self, draft: Draft) -> None:
        """Take a draft that has ended; one that was cancelled before its first token is none."""
        self.draft = draft if self.tokens or draft.finish_reason != "cancelled" else None

    def attempt(self, name: str, place: Place, estimate: Estimate, usd: float | None) -> Attempt:
        """Return the attempt that it was."""
        seconds = time.perf_counter() - self.started
        return Attempt(name, place, self.draft, estimate, seconds, usd, tuple(self.gates), self.failure)


def on_device(
    tier: DeviceTier,
    question: Question,
    *,
    stopping: bool,
    usual: Usual,
    cancel: threading.Event,
    look: Look = lambda outcome: None,
    doubt: Doubt = Doubt(),
    hidden: bool = False,
) -> Tokens:
    """Yield the device's tokens, and return its attempt; ``stopping``: whether a gate may end it.

    What ``look`` names ends it as well. EngineBusyError and ClosedError are the caller's bugs, and are raised.
    """
    writing = _Writing()
    yield from _write(tier, question, writing, stopping, usual, cancel, look, hidden)
    estimate = UNKNOWN
    draft = writing.draft
    if draft and not writing.failure and draft.finish_reason != "cancelled":
        estimate = tier.estimate(question, draft, signals(draft))
        try:
            writing.gates += last_looks(tier, question, draft, estimate, doubt, usual, cancel)
        except (DeviceError, InputError) as error:
            writing.failure = Failure("device", str(error))
        estimate = covered(estimate, writing.gates)
    elif stopping and any(not gate.passed for gate in writing.gates) and (judge := tier.judge(question)):
        judge.stopped(question)
        estimate = replace(UNKNOWN, calibration=Calibration(judge.fitted.file.id, "fresh", "a gate stopped it"))
    return writing.attempt(tier.name, "device", estimate, 0.0)


def _write(
    tier: DeviceTier,
    question: Question,
    writing: _Writing,
    stopping: bool,
    usual: Usual,
    cancel: threading.Event,
    look: Look,
    hidden: bool,
) -> Generator[Token, None, None]:
    """Yield the tokens that pass the gates, and fill in what became of the draft."""
    watch = GateWatch(tier.gates(question), usual)
    hidden = hidden or watch.wants_hidden or tier.wants_hidden(question)
    stream = tier.stream(question, hidden=hidden, cancel=cancel, when_read=watch.read)
    drafting = evidence.drafting(tier, question, stream, cancel=cancel)
    try:
        while True:
            token = next(drafting)
            writing.tokens.append(token)
            outcome = watch.look(writing.tokens)
            if outcome and not stopping:  # what goes on saves nothing
                outcome = _nothing_saved(outcome)
            writing.gates += [outcome] if outcome else []
            writing.failure = look(outcome)
            if writing.failure or (outcome and not outcome.passed and stopping):
                writing.draft = writing.begun(watch.prompt_tokens)
                return
            yield token
    except StopIteration as stop:
        writing.end(stop.value)
    except (DeviceError, InputError) as error:
        writing.failure, writing.draft = Failure(failure_code(error), str(error)), writing.begun(watch.prompt_tokens)
    finally:
        drafting.close()


def _nothing_saved(outcome: GateOutcome) -> GateOutcome:
    joules = None if outcome.joules_saved is None else 0.0
    return replace(outcome, tokens_saved=0.0, seconds_saved=0.0, joules_saved=joules)


def failure_code(error: DeviceError | InputError) -> str:
    """Return what went wrong on the device: the prompt is too long or cannot be used, or the device failed."""
    if isinstance(error, ContextLengthError):
        return "context"
    return "input" if isinstance(error, InputError) else "device"


def last_looks(
    tier: DeviceTier,
    question: Question,
    draft: Draft,
    estimate: Estimate,
    doubt: Doubt,
    usual: Usual,
    cancel: threading.Event,
) -> list[GateOutcome]:
    """Return G2, the certified threshold itself, and near it G3: whether further samples say the same.

    G3 is drawn only where the promise is regret: of the answers kept, the share that is wrong may rise when some right
    ones are let go, and no certificate knows of these samples.
    """
    p, threshold = estimate.p_correct, estimate.threshold
    if p is None or threshold is None:
        return []
    looks = [GateOutcome("G2", len(draft.tokens), p, threshold, p >= threshold)]
    if doubt.samples and threshold <= p < threshold + doubt.band and _about_regret(tier, question):
        started = time.perf_counter()
        warm = replace(question, sampling=replace(question.sampling, temperature=SAMPLES_TEMPERATURE))
        others = evidence.samples(tier, warm, doubt.samples, cancel=cancel)
        share = sum(_says_same(question, draft.text, other.text) for other in others) / len(others)
        spent = sum(len(other.tokens) for other in others)
        seconds = time.perf_counter() - started
        joules = None if usual.watts is None else -seconds * usual.watts
        looks.append(
            GateOutcome("G3", len(draft.tokens), share, AGREEMENT, share >= AGREEMENT, -spent, -seconds, joules)
        )
    return looks


def _says_same(question: Question, text: str, other: str) -> bool:
    if question.choices:
        return letter_of(text, question.choices) == letter_of(other, question.choices)
    return evidence.agreement([text, other]) == 1.0


def _about_regret(tier: DeviceTier, question: Question) -> bool:
    judge = tier.judge(question)
    return judge is None or judge.certificate.promise == "regret"


def covered(estimate: Estimate, gates: Sequence[GateOutcome]) -> Estimate:
    """Return the estimate, its promise taken back where a gate other than the threshold itself did not pass.

    A decode that could not be stopped, for want of a cloud, is judged as if it had been: the promise is about both.
    """
    failed = [gate for gate in gates if not gate.passed and gate.gate != "G2"]
    if not failed or estimate.threshold is None:
        return estimate
    reason = f"gate {failed[0].gate} did not let it pass: {failed[0].value:.2f}, passes from {failed[0].limit:.2f}"
    calibration = estimate.calibration and replace(estimate.calibration, reason=reason)
    return replace(estimate, threshold=None, promise=None, calibration=calibration)


def in_cloud(
    name: str,
    stream: Callable[[], Generator[Token, None, Ending]],
    *,
    originals: Mapping[str, str],
    spent: Callable[[], float | None],
    before: str = "",
    as_json: bool = False,
) -> Tokens:
    """Yield a cloud's tokens with the user's own words put back, and return its attempt.

    stream     begins the call       originals  placeholder -> what it stands for
    spent      what it has cost by now, in dollars; None: unknown
    before     what an earlier, broken answer said already; this one goes on behind it
    as_json    the answer is JSON: originals are spelled as in one, as they always are in the arguments of tool calls
    """
    spelled = in_json(originals)
    writing, restorer = _Writing(), Restorer(spelled if as_json else originals)
    if before:
        writing.tokens.append(Token.untold(before, 0.0))
    asking = stream()
    try:
        while True:
            token = next(asking)
            token = replace(token, text=restorer.feed(token.text))
            writing.tokens.append(token)
            yield token
    except StopIteration as stop:
        if rest := restorer.end():
            writing.tokens.append(Token.untold(rest, 0.0))
            yield writing.tokens[-1]
        calls = tuple(replace(call, arguments=restored(call.arguments, spelled)) for call in stop.value.tool_calls)
        writing.end(evidence.draft_of(writing.tokens, replace(stop.value, tool_calls=calls)))
        writing.failure = _said_nothing(writing.draft)
        if writing.failure and writing.draft and not writing.draft.text:
            writing.draft = None
    except CloudError as error:
        writing.failure, writing.draft = Failure(error.code, str(error)), writing.begun()
    except BudgetError as error:
        writing.failure, writing.draft = Failure("budget", str(error)), writing.begun()
    except (DeviceError, InputError) as error:
        writing.failure, writing.draft = Failure("refused", str(error)), writing.begun()
    finally:
        asking.close()
    return writing.attempt(name, "cloud", UNKNOWN, spent())


def _said_nothing(draft: Draft | None) -> Failure | None:
    """Return why a cloud's answer that has ended is none; None where it is one."""
    if draft is None or draft.finish_reason == "cancelled":
        return None
    if draft.finish_reason == "filter":
        return Failure("refused", "the cloud's filter refused to answer")
    return None if draft.text or draft.tool_calls else Failure("protocol", "the cloud's answer is empty")
