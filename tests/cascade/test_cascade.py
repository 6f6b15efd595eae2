"""One object asked as an app asks it: every mode, what leaves the device, what it may cost, and how it ends."""

import contextlib
import json
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.screen import Show
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import RemoteTier
from edgecascade.cloud.client import CloudClient, CloudPool, Retries, Timeouts
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import (
    ClosedError,
    CloudError,
    ConfigError,
    DeviceError,
    InputError,
    NoAnswerError,
    QuestionError,
)
from edgecascade.privacy import Rules
from edgecascade.records import (
    Answer,
    Delta,
    Done,
    Ending,
    Event,
    Handoff,
    Limits,
    Message,
    Question,
    Sampling,
    Token,
    ToolCall,
)  # fmt: skip
from edgecascade.store.ledger import Cap, Ledger, caps_of
from edgecascade.store.prices import Price
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier, fault

TEXT = fault.TEXT
WHY = Question.of("Why?", sampling=Sampling(max_tokens=50))
SURE = ScriptedReply("It is so.", p_correct=0.9, threshold=0.6, promise="At most 5 % are wrong.")
UNSURE = ScriptedReply("It is Lyon.", p_correct=0.2, threshold=0.6)
GONE = ScriptedReply("", fails=CloudError("no network", code="offline"))
PRICE = Price(input=1.0, output=10.0)
LONG = 20.0
"""Seconds in which what a test waits for has long happened."""


def device(*replies: str | ScriptedReply, **more: Any) -> ScriptedTier:
    """Return a model on the device; it is not sure unless told otherwise."""
    return ScriptedTier(*(replies or (UNSURE,)), name="small", **more)


def scripted(*replies: str | ScriptedReply, **more: Any) -> ScriptedTier:
    """Return a cloud without a network."""
    return ScriptedTier(*(replies or (TEXT,)), name="large", place="cloud", **more)


def remote(cloud: LoopbackCloud, *, tries: int = 1, price: Price | None = PRICE) -> RemoteTier:
    """Return a cloud on loopback, whose time-outs end nothing in a test."""
    pool = CloudPool(
        timeouts=Timeouts(connect=60.0, first_byte=60.0, between=60.0),
        retries=Retries(tries=tries, pace=lambda seconds: 0.0),
    )
    return RemoteTier(CloudClient(cloud_spec(cloud.spec(), cloud.environment), pool), price, pool)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger on disk."""
    with Ledger(tmp_path / "ledger.db", clock=time.time) as opened:
        yield opened


def calls_of(ledger: Ledger) -> list[dict[str, Any]]:
    """Return every call of a ledger."""
    out = BytesIO()
    ledger.export("jsonl", out, table="calls")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def screen(events: list[Event]) -> str:
    """Return what stands on a screen after these events."""
    text = ""
    for event in events:
        if isinstance(event, Handoff):
            text = text.removesuffix(event.replaces)
        elif isinstance(event, Delta):
            text += event.text
    return text


# Who answers.


@pytest.mark.parametrize(
    ("mode", "mine", "theirs", "found"),
    [
        ("prefer_on_device", SURE, TEXT, ("It is so.", "kept", 1, 0)),
        ("prefer_on_device", UNSURE, TEXT, (TEXT, "not_kept", 1, 1)),
        ("prefer_on_device", "Who knows.", TEXT, (TEXT, "no_promise", 1, 1)),
        ("prefer_on_device", UNSURE, GONE, ("It is Lyon.", "offline", 1, 1)),
        ("only_on_device", UNSURE, TEXT, ("It is Lyon.", "mode", 1, 0)),
        ("prefer_in_cloud", SURE, TEXT, (TEXT, "mode", 0, 1)),
        ("prefer_in_cloud", UNSURE, GONE, ("It is Lyon.", "offline", 1, 1)),
        ("only_in_cloud", SURE, TEXT, (TEXT, "mode", 0, 1)),
    ],
)
def test_the_mode_says_who_answers(mode: Any, mine: Any, theirs: Any, found: tuple[str, str, int, int]) -> None:
    """The first that may and can; a place that the mode forbids is not asked at all."""
    here, there = device(mine), scripted(theirs)
    with Cascade([here, there], options=Options(mode=mode)) as cascade:
        answer = cascade.ask("Why?")

    assert (answer.text, answer.code, here.calls, there.calls) == found


@pytest.mark.parametrize("mode", ["only_in_cloud", "prefer_in_cloud", "prefer_on_device"])
def test_no_answer_is_an_error_and_a_row(ledger: Ledger, mode: Any) -> None:
    """Where no tier that may answer could, the error says so, and the ledger has the answer that was none."""
    broken = device(ScriptedReply("", fails=DeviceError("out of memory")))
    with Cascade([broken, scripted(GONE)], options=Options(mode=mode), ledger=ledger) as cascade:
        with pytest.raises(NoAnswerError, match="no network"):
            cascade.ask("Why?")

        assert [row["finish_reason"] for row in ledger.tail(10)] == ["cancelled"]


def test_the_questions_own_mode_goes_first() -> None:
    """A question overrides the cascade's mode."""
    with Cascade([device(), scripted()], options=Options(mode="only_in_cloud")) as cascade:
        answer = cascade.ask(Question(WHY.messages, mode="only_on_device"))

    assert answer.tier == "local"


def test_the_next_cloud_is_asked_where_one_fails() -> None:
    """Clouds are asked in their order; one that answers ends it."""
    first, second = scripted(GONE), ScriptedTier("Rome.", name="other", place="cloud")
    with Cascade([device(), first, second]) as cascade:
        answer = cascade.ask("Why?")

    assert (answer.text, answer.model, first.calls, second.calls) == ("Rome.", "other", 1, 1)


def test_offline_asks_nobody() -> None:
    """A device that is set to be offline sends nothing."""
    with LoopbackCloud(TEXT) as cloud, Cascade([device(), remote(cloud)], options=Options(offline=True)) as cascade:
        answer = cascade.ask("Why?")

        assert (answer.code, answer.text, cloud.requests) == ("offline", "It is Lyon.", [])


def test_an_open_breaker_asks_nobody_and_shows_the_draft_at_once() -> None:
    """After five failures the cloud is left alone; what cannot be replaced any more is not held back."""
    with LoopbackCloud(fault.status(500)) as cloud, Cascade([device(), remote(cloud)]) as cascade:
        codes = [cascade.ask("Why?").code for _ in range(7)]
        *shown, _ = cascade.stream("Why?")

        assert codes[:4] == 4 * ["cloud_failed"] and codes[5:] == 2 * ["breaker"] and len(cloud.requests) == 5
        assert len(shown) > 1 and all(isinstance(event, Delta) for event in shown)


def test_a_system_message_is_added_once() -> None:
    """The cascade's system message stands before messages that bring none, and before no others."""
    there = scripted()
    with Cascade([there], options=Options(mode="only_in_cloud"), system="Be brief.") as cascade:
        cascade.ask("Why?")
        cascade.ask([{"role": "user", "content": "Why?"}])
        cascade.ask([Message("system", "Be long."), Message("user", "Why?")])

    assert [question.messages[0].content for question in there.asked] == ["Be brief.", "Be brief.", "Be long."]


def test_what_a_cascade_cannot_be_made_of() -> None:
    """No tiers, two of one name, and budgets without a ledger are refused at once."""
    for tiers, options in (([], Options()), ([device(), device()], Options()), ([device()], Options(queue=True))):
        with pytest.raises(ConfigError):
            Cascade(tiers, options=options)


# What leaves the device.

SECRETS = ("ada@example.org", "GB33BUKB20201555555555", "4111 1111 1111 1111", "+44 20 7946 0958")
LEAKY = Question(
    (
        Message("system", "You answer for ada@example.org."),
        Message("user", "My IBAN is GB33BUKB20201555555555."),
        Message("assistant", "", tool_calls=(ToolCall("1", "pay", '{"card": "4111 1111 1111 1111"}'),)),
        Message("tool", "Paid; call +44 20 7946 0958.", tool_call_id="1"),
        Message("user", "Who paid, and from which account, GB33BUKB20201555555555?"),
    ),
    Sampling(max_tokens=50),
    privacy="redact",
)


def bytes_of(cloud: LoopbackCloud) -> str:
    """Return all that a server was sent: addresses, headers, bodies."""
    return json.dumps([(request.path, dict(request.headers), request.body) for request in cloud.requests])


@pytest.mark.parametrize("hedge", [0.0, 1.0])
@pytest.mark.parametrize("on_break", ["retry", "continue"])
def test_nothing_private_is_sent(on_break: Any, hedge: float) -> None:
    """No message, old or new, no tool's result, and no answer that is gone on with brings a private word out."""
    echo = "From [IBAN_1] by [EMAIL_1], I think, who paid it."
    with LoopbackCloud(fault.closes(4, echo), echo) as cloud:
        with Cascade([device(), remote(cloud)], options=Options(on_break=on_break, hedge_below=hedge)) as cascade:
            answer = cascade.ask(LEAKY)
        sent = bytes_of(cloud)

    assert len(cloud.requests) == 2 and not [secret for secret in SECRETS if secret in sent]
    assert "GB33BUKB20201555555555" in answer.text and "ada@example.org" in answer.text


def test_never_is_a_local_answer_that_says_so() -> None:
    """What may not leave is answered on the device, marked, whatever it is worth; nothing is sent."""
    with LoopbackCloud(TEXT) as cloud, Cascade([device(), remote(cloud)], options=Options(hedge_below=1.0)) as cascade:
        own = cascade.ask(Question(WHY.messages, privacy="never"))
        kept = cascade.ask(WHY)

        assert (own.text, own.code, own.blocked) == ("It is Lyon.", "blocked", True)
        assert not kept.blocked and len(cloud.requests) == 1


def test_a_rule_can_only_be_stricter() -> None:
    """A kind that the rules never let out blocks a question that would allow everything."""
    rules = Rules(default="allow", kinds={"email": "never"})
    with LoopbackCloud(TEXT) as cloud, Cascade([device(), remote(cloud)], options=Options(rules=rules)) as cascade:
        answer = cascade.ask(Question((Message("user", "Is ada@example.org known?"),), privacy="allow"))

        assert answer.blocked and cloud.requests == []


def test_a_placeholder_is_restored_wherever_a_stream_is_cut() -> None:
    """The user's own words come back, however the cloud cuts its pieces, and nobody sees a half placeholder."""
    said, meant = "Write to [EMAIL_1], now.", "Write to ada@example.org, now."
    question = Question((Message("user", "Who is ada@example.org?"),), privacy="redact", mode="only_in_cloud")
    for pieces in range(1, len(said) + 1):
        with Cascade([scripted(ScriptedReply(said, tokens=pieces))]) as cascade:
            *events, last = cascade.stream(question)

        assert isinstance(last, Done) and screen(events) == last.answer.text == meant
        assert not any("EMAIL" in event.text for event in events if isinstance(event, Delta))


# What it may cost.


@pytest.mark.parametrize(
    ("budget", "requests"),
    [("0usd/day", 0), ("0calls/hour", 0), ("2calls/request", 2), ("2calls/day", 2), ("0.0000001usd/request", 0)],
)
def test_a_budget_holds_at_every_retry(ledger: Ledger, budget: str, requests: int) -> None:
    """So many requests leave as it allows, retries too, and then the device answers."""
    with LoopbackCloud(fault.status(500)) as cloud:
        options = Options(caps=caps_of(budget))
        with Cascade([device(), remote(cloud, tries=5)], options=options, ledger=ledger) as cascade:
            answer = cascade.ask(WHY)

            assert (answer.code, answer.text, len(cloud.requests)) == ("budget", "It is Lyon.", requests)
            assert len(calls_of(ledger)) == requests


@pytest.mark.parametrize("limits", [Limits(calls=1), Limits(usd=0.0007)])
def test_a_questions_own_limit_holds_at_every_retry(ledger: Ledger, limits: Limits) -> None:
    """The limits of a question are held as exactly as budgets are: a retry is a further call."""
    with LoopbackCloud(fault.hangs(1, "word " * 400), fault.closes(), TEXT) as cloud:
        pool = CloudPool(timeouts=Timeouts(60.0, 0.2, 0.2), retries=Retries(tries=5, pace=lambda seconds: 0.0))
        tier = RemoteTier(CloudClient(cloud_spec(cloud.spec(), {}), pool), Price(input=0.0, output=10.0), pool)
        with Cascade([device(), tier], ledger=ledger) as cascade:
            answer = cascade.ask(Question(WHY.messages, WHY.sampling, limits=limits))

            assert answer.tier == "local" and answer.usd is not None and answer.usd <= (limits.usd or 1.0)
            assert limits.calls is None or len(cloud.requests) == 1


@pytest.mark.parametrize(
    ("budget", "limits"),
    [("1calls/request", Limits()), ("1calls/day", Limits()), ("0.001usd/day", Limits()), ("", Limits(calls=1))],
)
def test_a_hedge_is_not_refused_for_its_own_reservation(ledger: Ledger, budget: str, limits: Limits) -> None:
    """A budget for one call is used by the call beside the draft, and its answer is taken."""
    written, question = threading.Event(), Question(WHY.messages, WHY.sampling, limits=limits)
    here = device(ScriptedReply("It is Lyon.", p_correct=0.2, threshold=0.6, wait=written))
    options = Options(hedge_below=1.0, caps=caps_of(budget))
    with (
        LoopbackCloud(fault.hangs(2)) as cloud,
        ThreadPoolExecutor(1) as other,
        Cascade([here, remote(cloud)], options=options, ledger=ledger) as cascade,
    ):
        asked = other.submit(cascade.ask, question)
        assert cloud.wait_until_held(LONG)
        written.set()
        cloud.release()

        assert asked.result(LONG).text == TEXT and len(cloud.requests) == 1


def test_an_unknown_price_is_unknown_and_passes_no_budget_in_dollars(ledger: Ledger) -> None:
    """What cannot be counted is never 0: neither in the answer nor against a budget."""
    with LoopbackCloud(TEXT) as cloud, Cascade([device(), remote(cloud, price=None)], ledger=ledger) as cascade:
        free, capped = cascade.ask(WHY), cascade.ask(Question(WHY.messages, WHY.sampling, limits=Limits(usd=1.0)))

        assert free.usd is None and calls_of(ledger)[0]["usd"] is None
        assert (capped.code, len(cloud.requests)) == ("budget", 1)


@pytest.mark.parametrize("price", [PRICE, None])
def test_an_answer_costs_the_same_without_a_ledger(ledger: Ledger, price: Price | None) -> None:
    """Whether it is written down or not, the answer says what it cost."""
    with LoopbackCloud(TEXT) as cloud:
        with Cascade([device(), remote(cloud, price=price)], ledger=ledger) as cascade:
            written = cascade.ask(WHY).usd
        with Cascade([device(), remote(cloud, price=price)]) as cascade:
            unwritten = cascade.ask(WHY).usd

    assert written == unwritten and (unwritten is None) == (price is None) and unwritten != 0.0


# How it ends early.


@pytest.mark.parametrize("after", [None, 0, 2], ids=["before headers", "before text", "in the middle"])
@pytest.mark.parametrize("hedge", [0.0, 1.0])
def test_cancel_ends_a_call_at_every_stage(ledger: Ledger, after: int | None, hedge: float) -> None:
    """The device's answer comes at once, the line is closed, the call is booked as cancelled, the answer has a row."""
    cancel = threading.Event()
    options = Options(hedge_below=hedge)
    with (
        LoopbackCloud(fault.hangs(after)) as cloud,
        ThreadPoolExecutor(1) as other,
        Cascade([device(), remote(cloud)], options=options, ledger=ledger) as cascade,
    ):
        asked = other.submit(cascade.ask, WHY, cancel=cancel)
        assert cloud.wait_until_held(LONG)
        cancel.set()
        answer = asked.result(LONG)
        assert cloud.wait_closed(LONG)

        assert (answer.code, answer.text) == ("cancelled", "It is Lyon.")
        assert [call["outcome"] for call in calls_of(ledger)] == ["cancelled"] and len(ledger.tail(5)) == 1


def test_cancel_before_the_first_token_is_an_answer_without_words(ledger: Ledger) -> None:
    """Neither tier is asked, and no error is raised: the user wanted it so."""
    here, there, cancel = device(), scripted(), threading.Event()
    cancel.set()
    with Cascade([here, there], ledger=ledger) as cascade:
        answer = cascade.ask("Why?", cancel=cancel)

        assert (answer.text, answer.code, here.calls, there.calls) == ("", "cancelled", 0, 0)
        assert len(ledger.tail(5)) == 1


def test_cancel_while_the_device_writes_keeps_the_part() -> None:
    """What was written by then is the answer."""
    cancel = threading.Event()
    with Cascade([device()]) as cascade:
        events = cascade.stream("Why?", cancel=cancel)
        first = next(events)
        cancel.set()
        *rest, last = events

    assert isinstance(last, Done) and last.answer.finish_reason == "cancelled"
    assert screen([first, *rest]) == last.answer.text and "It is Lyon.".startswith(last.answer.text)


def test_an_event_is_the_users_alone() -> None:
    """A deadline that has passed leaves the event unset, so that it can be used for the next question."""
    never, cancel = ScriptedReply("", wait=threading.Event()), threading.Event()
    with Cascade([device(never, SURE)]) as cascade:
        with pytest.raises(NoAnswerError, match="no time left"):
            cascade.ask(Question(WHY.messages, limits=Limits(seconds=0.05)), cancel=cancel)
        answer = cascade.ask("Why?", cancel=cancel)

    assert not cancel.is_set() and answer.code == "kept"


class Waits(ScriptedTier):
    """A tier that waits for the event that ends it, and looks at nothing else."""

    def __init__(self) -> None:
        super().__init__("", name="slow")
        self.waits = threading.Event()

    def stream(self, question: Question, *, cancel: threading.Event, **_: Any) -> Generator[Token, None, Ending]:
        """Say a word, and then nothing until the end."""
        yield Token.untold("Well", 0.0)
        assert not cancel.wait(0.0)
        self.waits.set()
        assert cancel.wait() and cancel.is_set()
        return Ending("cancelled", 1, 1, 0, 0.0)


@pytest.mark.parametrize("by", ["user", "deadline"])
def test_a_tier_may_wait_for_its_end(by: str) -> None:
    """Whoever ends an answer, user or deadline, wakes a tier that waits; what it had said is the answer."""
    cancel, tier = threading.Event(), Waits()
    question = Question(WHY.messages, limits=Limits(seconds=None if by == "user" else 0.5))
    with Cascade([tier]) as cascade, ThreadPoolExecutor(1) as other:
        asked = other.submit(cascade.ask, question, cancel=cancel)
        assert tier.waits.wait(LONG)
        if by == "user":
            cancel.set()
        answer = asked.result(LONG)

    assert (answer.text, answer.code) == ("Well", "cancelled" if by == "user" else "deadline")


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_stream_that_is_closed_leaves_nothing_open(ledger: Ledger, taken: int) -> None:
    """Whoever stops listening gets no answer and no row; the call is booked as cancelled, its line is closed."""
    before = threading.enumerate()
    with LoopbackCloud(fault.hangs(2)) as cloud:
        options = Options(show="draft", mode="prefer_in_cloud")
        with Cascade([device(), remote(cloud)], options=options, ledger=ledger) as cascade:
            events = cascade.stream(WHY)
            seen = [next(events) for _ in range(taken)]
            events.close()
            assert cloud.wait_closed(LONG)

            assert len(seen) == taken and ledger.tail(5) == []
            assert [call["outcome"] for call in calls_of(ledger)] == (["cancelled"] if taken else [])
    assert threading.enumerate() == before


def test_a_closed_stream_ends_its_hedge(ledger: Ledger) -> None:
    """The call that began beside the draft is cancelled as well."""
    with LoopbackCloud(fault.hangs()) as cloud:
        options = Options(show="draft", hedge_below=1.0)
        with Cascade([device(), remote(cloud)], options=options, ledger=ledger) as cascade:
            events = cascade.stream(WHY)
            next(events)
            assert cloud.wait_until_held(LONG)
            events.close()

            assert cloud.wait_closed(LONG) and [call["outcome"] for call in calls_of(ledger)] == ["cancelled"]


@pytest.mark.parametrize("hedge", [0.0, 1.0])
def test_close_while_it_is_asked(tmp_path: Path, hedge: float) -> None:
    """It does not wait for a cloud that hangs; what was asked ends on the device, call and answer written down."""
    before, path, options = threading.enumerate(), tmp_path / "ledger.db", Options(hedge_below=hedge)
    with LoopbackCloud(fault.hangs()) as cloud, ThreadPoolExecutor(1) as other:
        cascade = Cascade([device(), remote(cloud)], options=options, ledger=Ledger(path, clock=time.time))
        asked = other.submit(cascade.ask, WHY)
        assert cloud.wait_until_held(LONG)
        cascade.close()
        cascade.close()

        assert asked.result(LONG).text == "It is Lyon." and cloud.wait_closed(LONG)
        with pytest.raises(ClosedError):
            cascade.ask("Why?")
    with Ledger(path, clock=time.time) as ledger:
        assert len(ledger.tail(5)) == 1 and [call["outcome"] for call in calls_of(ledger)] == ["cancelled"]
    assert threading.enumerate() == before


def test_close_while_a_stream_stands_still(tmp_path: Path) -> None:
    """Nobody waits for a stream that is not read on; read on, it ends, and its row is there."""
    path = tmp_path / "ledger.db"
    cascade = Cascade([device(SURE)], ledger=Ledger(path, clock=time.time))
    events = cascade.stream("Why?")
    next(events)
    cascade.close()
    *_, last = events

    assert isinstance(last, Done) and last.answer.text == "It is so."
    with Ledger(path, clock=time.time) as ledger, pytest.raises(ClosedError):
        assert [row["id"] for row in ledger.tail(5)] == [last.answer.id]
        assert cascade.ledger is not None
        cascade.ledger.tail(1)


# When a cloud breaks off.


@pytest.mark.parametrize(
    ("on_break", "script", "text", "requests"),
    [
        ("retry", (fault.closes(2), TEXT), TEXT, 2),
        ("continue", (fault.closes(2), " of France is Paris."), TEXT, 2),
        ("local", (fault.closes(2), TEXT), "It is Lyon.", 1),
        ("retry", (fault.closes(2),), "It is Lyon.", 2),
        ("continue", (fault.closes(2),), "It is Lyon.", 2),
    ],
)
@pytest.mark.parametrize("hedge", [0.0, 1.0])
def test_a_broken_answer(on_break: Any, script: Any, text: str, requests: int, hedge: float) -> None:
    """It is asked for again, gone on with, or given up for the device's; a second break ends it."""
    with LoopbackCloud(*script) as cloud:
        options = Options(on_break=on_break, hedge_below=hedge, show="draft")
        with Cascade([device(), remote(cloud)], options=options) as cascade:
            *events, last = cascade.stream(WHY)

    assert isinstance(last, Done) and screen(events) == last.answer.text == text
    assert len(cloud.requests) == requests
    turns = cloud.requests[-1].body["messages"]
    assert (turns[-1]["role"] == "assistant") == (on_break == "continue")
    assert on_break != "continue" or "The capital".startswith(turns[-1]["content"].strip())


@pytest.mark.parametrize("show", ["hold", "gate", "draft"])
@pytest.mark.parametrize("mine", [SURE, UNSURE])
@pytest.mark.parametrize("theirs", [TEXT, GONE, ScriptedReply(TEXT, fails=GONE.fails, fails_after=3)])
def test_what_is_shown_is_the_answer(show: Show, mine: ScriptedReply, theirs: Any) -> None:
    """Whatever is shown and taken back, a client that follows the events ends with the answer's text."""
    with Cascade([device(mine), scripted(theirs)], options=Options(show=show)) as cascade:
        *events, last = cascade.stream("Why?")

    assert isinstance(last, Done) and screen(events) == last.answer.text
    taken_back = [event.replaces for event in events if isinstance(event, Handoff) and event.replaces]
    assert show == "draft" or not [text for text in taken_back if text in mine.text]


# Many at once, and for long.


def test_many_threads_lose_no_row(ledger: Ledger) -> None:
    """Eight threads ask a hundred questions each: every answer is there, with an id and a row of its own."""
    with Cascade([device(SURE, UNSURE), scripted()], options=Options(caps=(Cap("day", "calls", 10_000),)),
                 ledger=ledger) as cascade:  # fmt: skip
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(cascade.ask, ["Why?"] * 800))

        rows = {row["id"]: row["code"] for row in ledger.tail(1000)}
        assert rows == {answer.id: answer.code for answer in answers} and len(rows) == 800
        assert len(calls_of(ledger)) == sum(answer.tier == "cloud" for answer in answers) == 799


def test_threads_share_a_budget_exactly(ledger: Ledger) -> None:
    """However many ask at once, no call more is made than the budget allows, and none fewer."""
    there = scripted()
    options = Options(caps=(Cap("day", "calls", 37),), mode="prefer_in_cloud")
    with Cascade([device(), there], options=options, ledger=ledger) as cascade:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(cascade.ask, ["Why?"] * 120))

        assert sum(answer.tier == "cloud" for answer in answers) == len(calls_of(ledger)) == there.calls == 37
        assert {answer.code for answer in answers if answer.tier == "local"} == {"budget"}


def test_thousands_of_answers_leave_nothing_behind(ledger: Ledger) -> None:
    """Neither threads nor open files grow with the answers, hedged or not, with deadlines or without."""
    process, question = psutil.Process(), Question(WHY.messages, limits=Limits(seconds=60.0))
    with Cascade([device(), scripted()], options=Options(hedge_below=1.0), ledger=ledger) as cascade:
        for _ in range(200):  # by then the ledger has opened all of its files
            cascade.ask(question)
        files, threads = process.num_fds(), threading.active_count()
        for _ in range(1000):
            cascade.ask(question)
            cascade.ask("Why?")

        assert (process.num_fds(), threading.active_count()) == (files, threads)


# What the ledger keeps.


def test_feedback_is_of_an_answer(ledger: Ledger) -> None:
    """It is kept with the answer; one that nobody gave cannot be judged, and nothing can without a ledger."""
    with Cascade([device()], ledger=ledger) as cascade:
        answer = cascade.ask("Why?")
        cascade.feedback(answer.id, correct=False)
        with pytest.raises(InputError):
            cascade.feedback("nobody", correct=True)

        assert ledger.answer(answer.id)["feedback"] is False
    with Cascade([device()]) as cascade, pytest.raises(ConfigError):
        cascade.feedback(answer.id, correct=True)


@pytest.mark.parametrize("content", [False, True])
def test_texts_are_kept_only_where_the_user_wants_them(tmp_path: Path, content: bool) -> None:
    """Neither question nor answer stands anywhere in the ledger's files unless it is turned on."""
    path = tmp_path / "ledger.db"
    ledger = Ledger(path, clock=time.time, content=content)
    with Cascade([device(), scripted("Zanzibar.")], options=Options(content=content), ledger=ledger) as cascade:
        answer: Answer = cascade.ask("Where is Quuxville?")
        assert answer.tier == "cloud"
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert answer.id.encode() in kept
    assert [word in kept for word in (b"Quuxville", b"Zanzibar", b"Lyon")] == [content, content, content]


def test_a_servers_words_are_not_kept_either(tmp_path: Path) -> None:
    """A refusal may quote the question: the user sees it, the ledger's files do not have it."""
    with LoopbackCloud(fault.status(400, "bad prompt: Quuxville")) as cloud:
        ledger = Ledger(tmp_path / "ledger.db", clock=time.time)
        with Cascade([device(), remote(cloud)], ledger=ledger) as cascade:
            answer = cascade.ask("Where is Quuxville?")

    assert "Quuxville" in answer.reason
    assert not any(b"Quuxville" in file.read_bytes() for file in tmp_path.iterdir())


def test_a_forgotten_stream_is_closed(ledger: Ledger) -> None:
    """A generator that nobody holds any more ends its call."""
    with LoopbackCloud(fault.hangs(2)) as cloud, contextlib.ExitStack() as stack:
        cascade = stack.enter_context(Cascade([remote(cloud)], options=Options(mode="only_in_cloud"), ledger=ledger))
        next(cascade.stream(WHY))

        assert cloud.wait_closed(LONG) and [call["outcome"] for call in calls_of(ledger)] == ["cancelled"]


def test_time_is_kept_back_for_the_device() -> None:
    """A cloud that hangs does not use up the whole deadline: the device's answer still comes within it."""
    device = ScriptedTier("local", name="small")
    with LoopbackCloud(fault.hangs()) as cloud:
        tiers = [device, RemoteTier(CloudClient(cloud_spec(cloud.spec(), {})))]
        with Cascade(tiers, options=Options(mode="prefer_in_cloud", deadline=1.5)) as cascade:
            answer = cascade.ask("Why?")

    assert (answer.text, answer.tier, answer.code) == ("local", "local", "deadline")


@pytest.mark.parametrize(
    "asked", [None, 3, [{"role": "user"}, {"content": "x"}], [{"role": "user", "content": [1]}], [7]]
)
def test_what_is_no_question_is_refused_in_words(asked: Any) -> None:
    """Found, wanted, and what to do."""
    with Cascade([ScriptedTier("local")]) as cascade, pytest.raises(QuestionError, match=r"found .*wanted"):
        cascade.ask(asked)


def test_messages_as_chat_completions_have_them() -> None:
    """Calls and their results come along, and every way of asking gets the cascade's system message."""
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    said = [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]
    with Cascade([ScriptedTier("local")], system="Be brief.") as cascade:
        first, *rest = cascade.question(said).messages
        plain = cascade.question(Question.of("Why?"))

    assert first == plain.messages[0] == Message("system", "Be brief.")
    assert rest[1].tool_calls == (ToolCall("1", "look", "{}"),) and rest[2].tool_call_id == "1"


@pytest.mark.parametrize(("answer_id", "correct"), [("x", "no"), ("x", None), ("x", 2), (3, True)])
def test_feedback_is_true_or_false(tmp_path: Path, answer_id: Any, correct: Any) -> None:
    """Nothing else is written down."""
    ledger = Ledger(tmp_path / "ledger.db", clock=time.time)
    with Cascade([ScriptedTier("local")], ledger=ledger) as cascade, pytest.raises(InputError, match="wanted"):
        cascade.feedback(answer_id, correct=correct)
