"""Questions that wait for a cloud: each is asked until it is answered, and each answer is handed over exactly once."""

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import RemoteTier
from edgecascade.cascade.waiting import (
    FIRST_PAUSE,
    LateAnswer,
    OnLate,
    Queue,
    asked_of_json,
    json_of_asked,
    pause_after,
)
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import CloudError, InputError, NoAnswerError
from edgecascade.privacy import Pattern, Rules
from edgecascade.records import Answer, Limits, Message, Question, Sampling, Tool, ToolCall
from edgecascade.store.ledger import Ledger, caps_of
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier

OFFLINE = ScriptedReply("", fails=CloudError("no network", code="offline"))
BROKEN = ScriptedReply("The capital is Paris.", fails=CloudError("the line broke", code="broken_off"), fails_after=2)
UNSURE = ScriptedReply("It is Lyon.", p_correct=0.2, threshold=0.6)
QUEUEING = Options(queue=True)
LONG = 20.0


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """Return what it shows."""
        return self.now


def cascade_on(path: Path, *replies: str | ScriptedReply, clock: Callable[[], float], **more: Any) -> Cascade:
    """Return a cascade of an unsure device and a cloud with a script, on a ledger's file."""
    tiers = [ScriptedTier(UNSURE, name="small"), ScriptedTier(*replies, name="large", place="cloud")]
    options = more.pop("options", QUEUEING)
    return Cascade(tiers, options=options, ledger=Ledger(path, clock=clock), now=clock, **more)


def caught_up(cascade: Cascade) -> int:
    """Return how many late answers were handed over now."""
    assert cascade.queue is not None
    return cascade.queue.catch_up()


def tell(cascade: Cascade, on_late: OnLate) -> None:
    """Let late answers come here, without the thread that would work on the queue by itself."""
    assert cascade.queue is not None
    cascade.queue._on_late = on_late


def waiting(path: Path) -> int:
    """Return how many questions wait in a ledger."""
    with Ledger(path, clock=time.time) as ledger:
        return ledger.summary().waiting


def test_a_question_comes_back_from_json_as_it_was() -> None:
    """Nothing of a question is lost while it waits."""
    question = Question(
        (
            Message("system", "Be brief."),
            Message("assistant", "", (ToolCall("1", "look", '{"at": "ä"}'),)),
            Message("tool", "42", tool_call_id="1"),
            Message("user", "Why? \u2028 🦆"),
        ),
        Sampling(temperature=0.5, stop=("\n", "END"), seed=3, max_tokens=7),
        choices=("a", "b"),
        turned=(Message("user", "Why not?"),),
        schema='{"type": "object"}',
        tools=(Tool("look", "looks", "{}"),),
        mode="prefer_in_cloud",
        privacy="redact",
        limits=Limits(seconds=3.0, usd=0.5, calls=2),
    )

    rules = Rules("never", {"card": "never"}, (Pattern("case", "c-[0-9]+"),), "DE")

    assert asked_of_json(json_of_asked(question, rules)) == (question, rules)


def test_the_device_answers_now_and_the_cloud_later(tmp_path: Path) -> None:
    """The answer says that it is queued; the late one names it, and comes once."""
    late: list[LateAnswer] = []
    with cascade_on(tmp_path / "l.db", OFFLINE, "Paris.", clock=Clock()) as cascade:
        answer = cascade.ask("Why?")
        tell(cascade, late.append)
        handed = [caught_up(cascade), caught_up(cascade)]

    assert (answer.text, answer.queued, handed) == ("It is Lyon.", True, [1, 0])
    assert [(each.answer_id, each.text, each.model) for each in late] == [(answer.id, "Paris.", "large")]


@pytest.mark.parametrize(
    ("options", "queued"),
    [
        (Options(queue=True, offline=True), True),
        (Options(queue=True, caps=caps_of("0calls/day")), True),
        (Options(queue=True, mode="only_on_device"), False),
        (Options(), False),
    ],
)
def test_what_is_worth_waiting_for(tmp_path: Path, options: Options, queued: bool) -> None:
    """What a cloud would have answered is queued; what none should answer is not."""
    with cascade_on(tmp_path / "l.db", "Paris.", clock=Clock(), options=options) as cascade:
        answer = cascade.ask("Why?")

    assert answer.queued is queued and waiting(tmp_path / "l.db") == queued


def test_what_may_not_leave_does_not_wait(tmp_path: Path) -> None:
    """A question that privacy keeps on the device is not sent later either, and its text does not lie in a queue."""
    with cascade_on(tmp_path / "l.db", "Paris.", clock=Clock()) as cascade:
        answer = cascade.ask(Question((Message("user", "Why?"),), privacy="never"))

    assert answer.blocked and not answer.queued and waiting(tmp_path / "l.db") == 0


def test_without_a_device_the_answer_is_empty_and_waits(tmp_path: Path) -> None:
    """Where nobody can answer now, that is no error: the answer says that it comes later."""
    options = Options(queue=True, mode="only_in_cloud")
    with cascade_on(tmp_path / "l.db", OFFLINE, "Paris.", clock=Clock(), options=options) as cascade:
        answer = cascade.ask("Why?")

        assert (answer.text, answer.queued, caught_up(cascade)) == ("", True, 1)


@pytest.mark.parametrize("reply", [OFFLINE, BROKEN], ids=["none", "a part"])
def test_what_fails_again_waits_for_longer(tmp_path: Path, reply: ScriptedReply) -> None:
    """Each time the pause doubles; a part of an answer is none, and is not asked for again at once."""
    clock = Clock()
    with cascade_on(tmp_path / "l.db", OFFLINE, *[reply] * 4, "Paris.", clock=clock) as cascade:
        cascade.ask("Why?")
        tier, handed = cascade.setup.tiers[1], []
        for pause in (0.0, FIRST_PAUSE - 1, 2.0, 2 * FIRST_PAUSE - 1, 2.0):
            clock.now += pause
            handed.append((caught_up(cascade), tier.calls - 1))  # type: ignore[union-attr]

    each = 2 if reply is BROKEN else 1
    assert handed[:3] == [(0, each), (0, each), (0, 2 * each)]
    assert handed[3][1] == 2 * each and handed[4][1] > 2 * each


def test_the_pause_is_bounded() -> None:
    """It grows from the first to the longest, and never beyond, however often a question was tried."""
    pauses = [pause_after(tries) for tries in range(1, 5000)]

    assert pauses == sorted(pauses) and pauses[0] == FIRST_PAUSE and pauses[-1] == 3600.0


def test_a_question_that_can_never_be_answered_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is the question's own fault does not come back for ever, and does not stop the others."""
    asked: list[str] = []

    def ask(question: Question, rules: Rules, cancel: threading.Event) -> Answer:
        asked.append(question.messages[0].content)
        raise InputError("too long") if len(asked) == 1 else NoAnswerError("not now")

    with Ledger(tmp_path / "l.db", clock=Clock()) as ledger, caplog.at_level(logging.WARNING, "edgecascade"):
        for number in range(2):
            ledger.enqueue(str(number), json_of_asked(Question.of(f"Why {number}?"), Rules()))
        Queue(ledger, ask, lambda late: None, now=Clock()).catch_up()

        assert asked == ["Why 0?", "Why 1?"] and ledger.summary().waiting == 1
    assert "given up: InputError" in caplog.text


@pytest.mark.parametrize("processes", [1, 2])
def test_a_new_cascade_takes_up_what_was_left(tmp_path: Path, processes: int) -> None:
    """After a restart each question is answered and handed over once, also where two work on the same file."""
    path, clock, late, all_there = tmp_path / "l.db", Clock(), [], threading.Event()
    with cascade_on(path, OFFLINE, clock=clock) as cascade:
        ids = {cascade.ask("Why?").id for _ in range(40)}

    def take(answer: LateAnswer) -> None:
        late.append(answer.answer_id)
        if len(late) >= len(ids):
            all_there.set()

    cascades = [cascade_on(path, "Paris.", clock=clock, on_late=take) for _ in range(processes)]
    there = all_there.wait(LONG)
    for each in cascades:
        each.close()

    assert there and sorted(late) == sorted(ids) and waiting(path) == 0


def test_what_was_answered_before_a_crash_is_handed_over_after_it(tmp_path: Path) -> None:
    """A process that is killed between the answer and the callback loses nothing, and nobody is asked twice."""
    path, clock, late = tmp_path / "l.db", Clock(), threading.Event()
    with cascade_on(path, OFFLINE, clock=clock) as cascade:
        answer = cascade.ask("Why?")
    with Ledger(path, clock=clock) as killed:
        assert killed.claim(600.0) is not None
        killed.finish(answer.id, json.dumps({"answer_id": answer.id, "text": "P.", "model": "large", "usd": None}))
    texts: list[str] = []

    def take(given: LateAnswer) -> None:
        texts.append(given.text)
        late.set()

    with cascade_on(path, "Paris.", clock=clock, on_late=take) as cascade:
        assert late.wait(LONG) and texts == ["P."] and cascade.setup.tiers[1].calls == 0  # type: ignore[union-attr]


def test_a_claim_of_a_killed_process_ends_with_its_lease(tmp_path: Path) -> None:
    """Nobody else asks before that; afterwards the question is asked."""
    path, clock = tmp_path / "l.db", Clock()
    with cascade_on(path, OFFLINE, clock=clock) as cascade:
        cascade.ask("Why?")
        with Ledger(path, clock=clock) as killed:
            assert killed.claim(600.0) is not None
    with cascade_on(path, "Paris.", clock=clock) as cascade:
        before = caught_up(cascade)
        clock.now += 601.0

        assert (before, caught_up(cascade)) == (0, 1)


def test_two_threads_hand_over_once(tmp_path: Path) -> None:
    """However many catch up at the same time, each answer comes once."""
    late: list[str] = []
    with cascade_on(tmp_path / "l.db", *[OFFLINE] * 30, "Paris.", clock=Clock()) as cascade:
        ids = [cascade.ask("Why?").id for _ in range(30)]
        tell(cascade, lambda given: late.append(given.answer_id))
        with ThreadPoolExecutor(6) as threads:
            handed = list(threads.map(lambda _: caught_up(cascade), range(6)))

    assert sum(handed) == 30 and sorted(late) == sorted(ids)


def test_a_deadline_does_not_stop_the_queue(tmp_path: Path) -> None:
    """A late question whose time runs out is tried again later, and the others are still asked."""
    clock, hangs = Clock(), ScriptedReply("", wait=threading.Event())
    with cascade_on(tmp_path / "l.db", OFFLINE, OFFLINE, hangs, "Paris.", clock=clock) as cascade:
        for _ in range(2):
            cascade.ask(Question((Message("user", "Why?"),), limits=Limits(seconds=0.2)))

        assert caught_up(cascade) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_callback_costs_one_answer(tmp_path: Path) -> None:
    """It keeps its traceback, and the other answers are handed over all the same."""
    before, late, all_there = threading.enumerate(), [], threading.Event()

    def take(given: LateAnswer) -> None:
        late.append(given.answer_id)
        if len(late) == 3:
            all_there.set()
        if len(late) == 1:
            raise ZeroDivisionError

    with Ledger(tmp_path / "l.db", clock=Clock()) as ledger:
        for number in "123":
            ledger.enqueue(number, json_of_asked(Question.of("Why?"), Rules()))
            ledger.finish(number, json.dumps({"answer_id": number, "text": "P.", "model": "large", "usd": None}))
        queue = Queue(ledger, lambda question, cancel: pytest.fail("it was answered"), take, pause=0.01)
        queue.begin()
        there = all_there.wait(LONG)
        queue.close()
        for thread in set(threading.enumerate()) - set(before):
            thread.join(LONG)

    assert there and late == ["1", "2", "3"]


def test_closing_ends_a_late_question_at_once(tmp_path: Path) -> None:
    """It is not lost: the next cascade asks it without waiting for a lease."""
    path, clock, begun = tmp_path / "l.db", Clock(), threading.Event()
    hangs = ScriptedReply("", wait=threading.Event())
    with cascade_on(path, OFFLINE, clock=clock) as cascade:
        cascade.ask("Why?")
    cascade = cascade_on(path, hangs, clock=clock, on_late=lambda late: None)
    while not cascade.setup.tiers[1].calls:  # type: ignore[union-attr]
        begun.wait(0.01)
    cascade.close()
    with cascade_on(path, "Paris.", clock=clock) as cascade:
        assert caught_up(cascade) == 1


def test_late_calls_are_booked_as_such_and_nothing_private_is_in_them(tmp_path: Path) -> None:
    """A question that waited passes the same rules and the same ledger as any other."""
    question = Question((Message("user", "Is ada@example.org known?"),), privacy="redact")
    with LoopbackCloud("Yes: [EMAIL_1].") as cloud, Ledger(tmp_path / "l.db", clock=time.time) as ledger:
        tiers = [RemoteTier(CloudClient(cloud_spec(cloud.spec(), {})))]
        late: list[str] = []
        ledger.enqueue("first", json_of_asked(question, Rules()))
        with Cascade(tiers, options=QUEUEING, ledger=ledger) as cascade:
            tell(cascade, lambda given: late.append(given.text))
            caught_up(cascade)
            out = BytesIO()
            ledger.export("jsonl", out, table="calls")

        assert late == ["Yes: ada@example.org."] and "ada@" not in json.dumps(cloud.requests[0].body)
        assert [json.loads(line)["purpose"] for line in out.getvalue().splitlines()] == ["queue"]


def test_what_waits_is_asked_under_the_rules_it_was_asked_under(tmp_path: Path) -> None:
    """Whoever works on the queue with looser rules sends no more than the one who asked allowed."""
    path = tmp_path / "ledger.db"
    device = ScriptedReply("local", p_correct=0.2, threshold=0.6)
    away = ScriptedTier("x", name="large", place="cloud", out="no network")
    with Cascade(
        [ScriptedTier(device), away], options=Options(queue=True), ledger=Ledger(path, clock=time.time)
    ) as asked:
        queued = asked.ask("Write to ada@example.org?").queued
    back = ScriptedTier("Yes.", name="large", place="cloud")
    loose = Options(queue=True, rules=Rules("allow"))
    with Cascade([ScriptedTier(device), back], options=loose, ledger=Ledger(path, clock=time.time)) as later:
        assert later.queue and later.queue.catch_up() == 1

    assert queued and [question.messages[-1].content for question in back.asked] == ["Write to [EMAIL_1]?"]


@pytest.mark.parametrize("kept_here", [{"mode": "only_on_device"}, {"privacy": "never"}])
def test_what_may_not_leave_does_not_wait_to(tmp_path: Path, kept_here: dict[str, Any]) -> None:
    """A deadline or a dead network queues nothing that no cloud may be asked."""
    device, cloud = ScriptedTier("local"), ScriptedTier("x", name="large", place="cloud", out="no network")
    options = Options(queue=True, shadow=1.0, audit=1.0)
    question = Question((Message("user", "Dear diary?"),), limits=Limits(seconds=0.0), **kept_here)
    with Cascade([device, cloud], options=options, ledger=Ledger(tmp_path / "ledger.db", clock=time.time)) as cascade:
        with suppress(NoAnswerError):
            assert not cascade.ask(question).queued
        assert cascade.finish(30.0) and cascade.queue and cascade.queue.catch_up() == 0

    assert cloud.calls == 0
