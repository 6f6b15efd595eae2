"""What comes after an answer: audits for the monitors, both sides of a question for a later fit, one thread for all."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgecascade.calibrate.from_ledger import attempts_of
from edgecascade.cascade.afterwards import same_answer
from edgecascade.cascade.background import MOST_WAITING, Background
from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import LocalTier, RemoteTier
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import CloudError, DeviceError
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import open_engine
from edgecascade.policies import Situation
from edgecascade.policies.fixed import fixed
from edgecascade.privacy import Rules
from edgecascade.records import Decision, HiddenStates, Message, Question, Sampling
from edgecascade.store.ledger import Ledger, caps_of
from edgecascade.store.paths import Folders
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier, fault

SURE = ScriptedReply("Paris.", p_correct=0.9, threshold=0.6)
UNSURE = ScriptedReply("Lyon.", p_correct=0.2, threshold=0.6)
GONE = ScriptedReply("", fails=CloudError("no network", code="offline"))
LONG = 20.0

Draws = Callable[[], float]


class Monitors:
    """What the monitors of a fitted file were told."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, float | None, float]] = []

    def audited(self, *, kept: bool, loss: float | None, probability: float) -> None:
        """Keep it."""
        self.told.append((kept, loss, probability))


class Watched(ScriptedTier):
    """A scripted tier on the device with monitors, as one with a fitted file has them."""

    def __init__(self, *replies: str | ScriptedReply) -> None:
        super().__init__(*replies, name="small")
        self.monitors = Monitors()

    def judge(self, question: Question) -> Any:
        """Return something that has monitors."""
        return SimpleNamespace(watch=self.monitors)

    def run_of(self, question: Question) -> Any:
        """Return what a fit would ask for."""
        return {"identity": {"sha256": "a" * 64}, "system": None, "width": 0}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger on disk."""
    with Ledger(tmp_path / "ledger.db", clock=time.time) as opened:
        yield opened


def always() -> float:
    """Draw every answer."""
    return 0.0


def never() -> float:
    """Draw none."""
    return 0.999


def purposes(ledger: Ledger) -> list[str]:
    """Return what the calls of a ledger were for."""
    out = BytesIO()
    ledger.export("jsonl", out, table="calls")
    return [json.loads(line)["purpose"] for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("mine", "theirs", "draw", "told"),
    [
        (SURE, "paris", always, (True, 0.0, 0.5)),
        (SURE, "Rome.", always, (True, 1.0, 0.5)),
        (SURE, "Rome.", never, (True, None, 0.5)),
        (UNSURE, "Paris.", always, (False, 0.0, 0.5)),
        (SURE, GONE, always, None),
        (SURE, ScriptedReply("Paris.", fails=GONE.fails, fails_after=1), always, None),
        (SURE, ScriptedReply("I cannot say.", finish_reason="filter"), always, None),
        (SURE, "", always, None),
    ],
)
def test_the_monitors_learn_of_every_answer(mine: Any, theirs: Any, draw: Draws, told: Any) -> None:
    """Kept or not, drawn or not; the loss is whether the cloud disagrees, and an audit that fails says nothing."""
    here = Watched(mine)
    with Cascade(
        [here, ScriptedTier(theirs, name="large", place="cloud")], options=Options(audit=0.5), draw=draw
    ) as cascade:
        answer = cascade.ask("What is the capital of France?")
        assert cascade.finish(LONG)

    assert here.monitors.told == ([told] if told else []) and answer.text == ("Paris." if mine is SURE else theirs)


def test_an_audit_is_the_apps_own_comparison_where_it_has_one() -> None:
    """``compare`` is given question and both answers, and says how far they agree."""
    here, seen = Watched(SURE), []

    def compare(question: Question, mine: str, theirs: str) -> float:
        seen.append((question.messages[-1].content, mine, theirs))
        return 0.25

    tiers = [here, ScriptedTier("Rome.", name="large", place="cloud")]
    with Cascade(tiers, options=Options(audit=0.5), compare=compare, draw=always) as cascade:
        cascade.ask("Why?")
        assert cascade.finish(LONG)

    assert here.monitors.told == [(True, 0.75, 0.5)] and seen == [("Why?", "Paris.", "Rome.")]


@pytest.mark.parametrize("options", [{"audit": 1.0}, {"shadow": 1.0}], ids=["audit", "shadow"])
def test_what_comes_after_passes_the_same_gates(ledger: Ledger, options: dict[str, float]) -> None:
    """Nothing private leaves for it, a blocked question not at all, and no budget is passed."""
    private = Question((Message("user", "Is ada@example.org in Paris?"),), Sampling(max_tokens=20), privacy="redact")
    blocked = Question((Message("user", "Is it Paris?"),), privacy="never")
    with LoopbackCloud("Paris.") as cloud:
        tiers = [Watched(SURE), RemoteTier(CloudClient(cloud_spec(cloud.spec(), {})))]
        more = Options(rules=Rules(), caps=caps_of("2calls/day"), **options)  # type: ignore[arg-type]
        with Cascade(tiers, options=more, ledger=ledger, draw=always) as cascade:
            for question in (blocked, private, private, private):
                cascade.ask(question)
            assert cascade.finish(LONG)

            assert len(cloud.requests) == 2 == len(purposes(ledger))
            assert "ada@" not in json.dumps([request.body for request in cloud.requests])


@pytest.mark.parametrize(("mine", "purpose"), [(SURE, "audit"), (UNSURE, "answer")])
def test_a_shadow_has_both_sides(ledger: Ledger, mine: ScriptedReply, purpose: str) -> None:
    """Whoever answered, the device's whole draft and the cloud's are written down, and the answer is what it was."""
    tiers = [Watched(mine), ScriptedTier("Paris.", name="large", place="cloud")]
    with Cascade(tiers, options=Options(shadow=0.5), ledger=ledger, draw=always) as cascade:
        answer = cascade.ask("What is the capital of France?")
        assert cascade.finish(LONG)
        rows = list(ledger.shadows())

        assert [row.answer_id for row in rows] == [answer.id] and purposes(ledger) == [purpose]
        assert answer.text == "Paris." and mine.text in rows[0].row


class Told(Watched):
    """Another model on the device, which tells its hidden states."""

    def stream(self, question: Question, **more: Any) -> Any:
        """Tell them with the end."""
        ending = yield from super().stream(question, **more)
        return replace(ending, hidden=HiddenStates(np.zeros(2, np.float32), None))


def in_turn(situation: Situation, asked: Sequence[str]) -> Decision:
    """Ask these, and give the last one's answer."""
    done = len(situation.attempts)
    return Decision(None, done - 1, "pool", "") if done == len(asked) else Decision(asked[done], None, "pool", "")


@pytest.mark.parametrize(("asked", "calls"), [(["other"], 1), (["small", "other"], 2)])
def test_of_several_models_on_the_device_each_has_its_own_monitors(
    ledger: Ledger, asked: list[str], calls: int
) -> None:
    """Those of the model that answered hear of it, and no draft is written down under another model's name."""
    first, other, cloud = Watched(SURE), Told(SURE), ScriptedTier("Rome.", name="large", place="cloud")
    other.name, options = "other", Options(audit=0.5, shadow=0.5)
    policy = partial(in_turn, asked=asked)
    with Cascade([first, other, cloud], policy=policy, options=options, ledger=ledger, draw=always) as cascade:
        answer = cascade.ask("What is the capital of France?")
        assert cascade.finish(LONG)

    assert answer.model == "other" and first.calls == calls
    assert (first.monitors.told, other.monitors.told) == ([], [(True, 1.0, 0.5)])


def test_an_audit_and_a_shadow_of_one_answer_cost_one_call(ledger: Ledger) -> None:
    """The cloud's answer to a question is used for both."""
    here, there = Watched(SURE), ScriptedTier("Paris.", name="large", place="cloud")
    options = Options(shadow=0.5, audit=0.5)
    with Cascade([here, there], options=options, ledger=ledger, draw=always) as cascade:
        cascade.ask("What is the capital of France?")
        assert cascade.finish(LONG)

        assert there.calls == len(here.monitors.told) == len(list(ledger.shadows())) == 1


@pytest.mark.parametrize("theirs", [GONE, ScriptedReply("Paris is it.", fails=GONE.fails, fails_after=1)])
def test_half_a_shadow_is_none(ledger: Ledger, theirs: ScriptedReply) -> None:
    """Where the cloud gives no whole answer, nothing is written down."""
    tiers = [Watched(UNSURE), ScriptedTier(theirs, name="large", place="cloud")]
    with Cascade(tiers, options=Options(shadow=0.5), ledger=ledger, draw=always) as cascade:
        cascade.ask("Why?")
        assert cascade.finish(LONG)

        assert list(ledger.shadows()) == []


def test_shadows_of_the_real_model_can_be_fitted(model_path: Path, tmp_path: Path) -> None:
    """What was written down comes back with its hidden states, and the user's verdict goes before the cloud's."""
    folders = Folders.of(os.environ | {"EDGECASCADE_HOME": str(tmp_path)})
    engine = open_engine(model_path, EngineSettings(context=512), folders=Folders.of(os.environ))
    tiers = [LocalTier(engine, "small", "a" * 64, folders), ScriptedTier("Paris.", name="large", place="cloud")]
    options, hello = Options(shadow=0.5), Question.of("Hi!", sampling=Sampling(max_tokens=4))
    path = tmp_path / "ledger.db"
    policy = partial(fixed, place="device")
    with Cascade(tiers, policy=policy, options=options, ledger=Ledger(path, clock=time.time), draw=always) as cascade:
        answers = [cascade.ask(hello) for _ in range(2)]
        cascade.feedback(answers[0].id, correct=True)
        assert cascade.finish(LONG)
    with Ledger(path, clock=time.time) as ledger:
        found, others = attempts_of(ledger, sha256="aaaa", today="2026-01-01", fingerprint=())

    assert [row.id for row in found.rows] == [answer.id for answer in answers] and others == 0
    assert [row.cloud_text for row in found.rows] == ["Paris.", "Paris."]
    assert found.rows[0].grade.score == 1.0 and found.rows[0].draft.hidden is not None


@pytest.mark.parametrize(
    "kept_here", [Options(mode="only_on_device"), Options(offline=True), Options(rules=Rules("never"))]
)
def test_what_stays_here_is_neither_audited_nor_shadowed(ledger: Ledger, kept_here: Options) -> None:
    """Not a byte for the monitors where the user allows none for the answer."""
    cloud = ScriptedTier("Paris.", name="large", place="cloud")
    options = replace(kept_here, audit=1.0, shadow=1.0)
    with Cascade(
        [Watched(SURE), cloud], options=options, ledger=Ledger(ledger.path, clock=time.time), draw=always
    ) as asked:
        asked.ask("Why?")
        assert asked.finish(LONG)

    assert cloud.calls == 0 and purposes(ledger) == []


def test_closing_does_not_wait_for_an_audit(ledger: Ledger) -> None:
    """A cloud that hangs is given up, its line closed, and its call booked."""
    before = threading.enumerate()
    with LoopbackCloud(fault.hangs()) as cloud:
        tiers = [Watched(SURE), RemoteTier(CloudClient(cloud_spec(cloud.spec(), {})))]
        cascade = Cascade(tiers, options=Options(audit=1.0), ledger=Ledger(ledger.path, clock=time.time), draw=always)
        cascade.ask("Why?")
        assert cloud.wait_until_held(LONG) and not cascade.finish(0.0)
        cascade.close()

        assert cloud.wait_closed(LONG) and purposes(ledger) == ["audit"]
    assert threading.enumerate() == before


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [("Paris.", "paris", 1.0), ("Paris.", "Rome.", 0.0), ("It is Paris.", "Paris", 1.0), ("", "Paris.", 0.0)],
)
def test_the_same_answer(mine: str, theirs: str, same: float) -> None:
    """Case, points and the form of a number do not count; no answer is never the same."""
    assert same_answer(Question.of("Why?"), mine, theirs) == same


# One thread for all of it.


def test_work_is_done_in_order() -> None:
    """Nothing runs before it is submitted, nothing is done twice, and the thread ends."""
    before, done, background = threading.enumerate(), [], Background()
    assert background.finish() and threading.enumerate() == before
    for number in range(50):
        background.submit(lambda stopping, number=number: done.append(number))
    assert background.finish(LONG)
    background.close()

    assert done == list(range(50)) and threading.enumerate() == before
    assert not background.submit(lambda stopping: done.append(50))


def test_too_much_work_is_let_go_and_still_waited_for() -> None:
    """What waits is bounded; ``finish`` waits for all that was taken up, also where nothing more is."""
    gate, done, background = threading.Event(), [], Background()
    background.submit(lambda stopping: done.append(gate.wait(LONG)))
    taken = [background.submit(lambda stopping: done.append(True)) for _ in range(3 * MOST_WAITING)]
    early = background.finish(0.0)
    gate.set()
    assert background.finish(LONG)
    background.close()

    assert not early and sum(taken) + 1 == len(done) <= MOST_WAITING + 2


def test_work_that_fails_is_told_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """What went wrong is logged, and the next piece is done."""
    done, background = [], Background()

    def fail(stopping: threading.Event) -> None:
        raise DeviceError("the disk is full")

    with caplog.at_level(logging.WARNING, "edgecascade"):
        background.submit(fail)
        background.submit(lambda stopping: done.append(1))
        assert background.finish(LONG)
        background.close()

    assert done == [1] and "the disk is full" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_some_work_does_not_stop_the_rest() -> None:
    """It keeps its traceback, and the others are done."""
    before, done, background = threading.enumerate(), [], Background()
    background.submit(lambda stopping: done.append(1 // 0))
    background.submit(lambda stopping: done.append(1))
    assert background.finish(LONG)
    background.close()
    for thread in set(threading.enumerate()) - set(before):
        thread.join(LONG)

    assert done == [1]
