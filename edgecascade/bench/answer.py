"""Whole answers to real questions, three ways in turn: without the cascade, with it, and on to a cloud on loopback.

    cascade off    the engine's own answer
    cascade on     the same through the cascade, on this device only
    escalating     the device's draft is never kept: a cloud that takes no time answers behind it. What a real one and
                   its network take comes on top

Before each answer the engine's memory is made one of another prompt: no way gains by what an earlier one has read.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgecascade import evidence
from edgecascade.bench.rows import Row, Unit
from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import LocalTier, RemoteTier
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.llama.engine import Engine
from edgecascade.policies import Situation, policy_of
from edgecascade.policies.situation import best_left, run, stop
from edgecascade.prompts import asked
from edgecascade.records import Decision, Delta, Done, Mode, Question, Timings
from edgecascade.store.ledger import Ledger
from edgecascade.store.paths import Folders, shipped
from edgecascade.store.questions import read_questions
from edgecascade.testing import LoopbackCloud

OFF, ON, ESCALATING = "cascade off", "cascade on", "escalating"
SAID = " ".join(f"word{number}" for number in range(20))
TOLD_EVERY = 5.0
"""Seconds."""

Told = Callable[[], None]
Way = Callable[[Question, Told], Timings]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody who waits for an answer notices, in milliseconds; ``a_token`` is None of a one-token answer."""

    first: float
    a_token: float | None
    whole: float


def heard(way: Way, question: Question, clock: Callable[[], float]) -> Heard:
    """Return what one answer was like."""
    shown: list[float] = []
    started = clock()
    timings = way(question, lambda: None if shown else shown.append(clock()))
    ended = clock()
    first = shown[0] if shown else ended
    a_token = 1e3 / timings.decode_tps if timings.decode_tps else None
    return Heard((first - started) * 1e3, a_token, (ended - started) * 1e3)


def answer(
    ways: Mapping[str, Way],
    questions: Sequence[Question],
    *,
    forget: Callable[[], object],
    say: Say = lambda line: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Row]:
    """Return first token, time a token and end to end of each way, over all questions.

    ``forget`` is called before each answer. The first question warms each way up.
    """
    found: dict[str, list[Heard]] = {name: [] for name in ways}
    for way in ways.values():
        heard(way, questions[0], clock)
    order, told = list(ways), clock()
    for number, question in enumerate(questions, 1):
        for name in order:
            forget()
            found[name].append(heard(ways[name], question, clock))
        order = order[1:] + order[:1]
        if (now := clock()) - told >= TOLD_EVERY or number == len(questions):
            told = now
            say(f"answer: {number} of {len(questions)} questions")
    facts = {"questions": f"{len(questions)} ({_digest(questions)})"}
    return [row for name, all_heard in found.items() for row in _rows(name, all_heard, facts)]


def _rows(way: str, found: Sequence[Heard], facts: Mapping[str, str]) -> list[Row]:
    tokens = tuple(one.a_token for one in found if one.a_token is not None)
    unit: Unit = "ms"
    return [
        Row(test=f"first token, {way}", unit=unit, samples=tuple(one.first for one in found), facts=facts),
        Row(test=f"time per token, {way}", unit=unit, samples=tokens, facts=facts,
            unknown=None if tokens else "no answer had two tokens"),
        Row(test=f"end to end, {way}", unit=unit, samples=tuple(one.whole for one in found), facts=facts),
    ]  # fmt: skip


def _digest(questions: Sequence[Question]) -> str:
    said = "\0".join(message.content for question in questions for message in question.messages)
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def shipped_questions(limit: int, system: str | None) -> list[Question]:
    """Return so many of the shipped questions, spread evenly over all tasks."""
    every = read_questions(shipped("calibration/questions")).questions
    step = max(1, len(every) // limit)
    return [asked(question, system=system) for question in every[::step][:limit]]


@contextmanager
def ways_of(engine: Engine, *, name: str, sha256: str, system: str | None) -> Iterator[dict[str, Way]]:
    """Yield the three ways of one engine; ledgers and monitors lie in a folder that is removed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folders = Folders.of({"EDGECASCADE_HOME": str(folder)})
        cloud = cloud_spec(stack.enter_context(LoopbackCloud(SAID)).spec(), {})

        def cascade(mode: Mode, clouds: Sequence[RemoteTier]) -> Cascade:
            device = LocalTier(engine, name=name, sha256=sha256, folders=folders, system=system)
            ledger = Ledger(folder / f"{mode}.db", clock=time.time)
            options, policy = Options(mode=mode), policy_of(never_kept)
            return stack.enter_context(Cascade([device, *clouds], policy=policy, options=options, ledger=ledger))

        yield {
            OFF: lambda question, told: evidence.draft(engine, question, show=lambda token: told()).timings,
            ON: through(cascade("only_on_device", ())),
            ESCALATING: through(cascade("prefer_on_device", [RemoteTier(CloudClient(cloud))])),
        }


def through(cascade: Cascade) -> Way:
    """Return the way of a cascade: what it shows is heard, and what it was at the end."""

    def way(question: Question, told: Told) -> Timings:
        for event in cascade.stream(question):
            if isinstance(event, Delta):
                told()
        assert isinstance(event, Done)
        return event.answer.timings

    return way


def never_kept(situation: Situation) -> Decision:
    """Return the decision to draft on the device, and to ask the cloud whatever came of it."""
    answered = situation.last("cloud", complete=True)
    device, cloud = situation.open("device"), situation.open("cloud")
    if answered is not None:
        return stop(situation, answered, "not_kept", "never kept")
    if situation.last("device") is None and device is not None:
        return run(device, "mode", "the device first")
    return run(cloud, "not_kept", "never kept") if cloud is not None else best_left(situation)
