"""A pool's policy live: it routes, cascades, skips, asks several at once, and keeps to budget, privacy and mode."""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.gating import Gate
from edgecascade.cascade.pooling import COLLAPSE_FROM, PoolRouter
from edgecascade.cascade.setup import Options
from edgecascade.cloud.calls import Settled
from edgecascade.errors import (
    CloudError,
    ConfigError,
    ContextLengthError,
    DeviceError,
    InputError,
    NoAnswerError,
    PolicyError,
)
from edgecascade.explaining import flips, story
from edgecascade.heads import Inputs, LinearHead
from edgecascade.policies import constant, linucb
from edgecascade.policies.pooled import Training
from edgecascade.pool import Array, Beliefs, Mask, Seen, Table
from edgecascade.privacy import Rules
from edgecascade.records import Delta, Done, Handoff, Limits, Place, Question, Tool
from edgecascade.store.ledger import Ledger, caps_of
from edgecascade.store.prices import Price
from edgecascade.testing import ScriptedReply, ScriptedTier

NAMES = ("small", "middle", "large")
GONE = ScriptedReply("", fails=CloudError("no network", code="offline"))
UNSURE = ScriptedReply("It is Lyon.", p_correct=0.2, threshold=0.6, promise="At most 5 % are wrong.")
SURE = ScriptedReply("It is Paris.", p_correct=0.9, threshold=0.6, promise="At most 5 % are wrong.")
PRICE = Price(input=1.0, output=10.0)
LONG = 30.0
"""Seconds in which what a test waits for has long happened."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """A policy without an estimate: these models in these rounds, until an answer's p_correct is enough."""

    rounds: tuple[tuple[int, ...], ...]
    ranking: tuple[float, ...] = (0.1, 0.2, 0.3)
    enough: float = 2.0
    models: tuple[str, ...] = NAMES

    def next(self, seen: Seen) -> Mask:
        """The first round of which nothing has run and something is open."""
        asked = np.zeros(seen.ran.shape, bool)
        for row in np.flatnonzero(~(np.nan_to_num(seen.after) >= self.enough).any(axis=1)):
            places = [
                [m for m in one if seen.open[row, m]] for one in self.rounds if not seen.ran[row, list(one)].any()
            ]
            for model in next(filter(None, places), []):
                asked[row, model] = True
        return asked

    def answer(self, seen: Seen) -> Array:
        """One vote each where all are asked at once; else the last round's alone."""
        weights = seen.ran.astype(float)
        return weights if len(self.rounds) == 1 else weights * 10.0 ** np.arange(len(self.models))

    def worth(self, seen: Seen) -> Array:
        """The ranking as it was given."""
        return np.tile(self.ranking, (len(seen), 1))


def tiers(*replies: str | ScriptedReply, **more: Any) -> list[ScriptedTier]:
    """Return a device and two clouds."""
    places: tuple[Place, ...] = ("device", "cloud", "cloud")
    return [
        ScriptedTier(reply, name=name, place=place, price=None if place == "device" else PRICE, **more.get(name, {}))
        for name, place, reply in zip(NAMES, places, replies or (SURE, "It is Paris.", "It is Paris!"), strict=True)
    ]


def router(*rounds: tuple[int, ...], **more: Any) -> PoolRouter:
    """Return a policy by hand, ready for a cascade."""
    return PoolRouter(policy=ByHand(rounds, **more), name="by hand")


def calls(asked: list[ScriptedTier]) -> list[int]:
    """Return how often each tier was asked."""
    return [tier.calls for tier in asked]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger on disk."""
    with Ledger(tmp_path / "ledger.db", clock=time.time) as opened:
        yield opened


# Who is asked.


@pytest.mark.parametrize(
    ("rounds", "first", "found"),
    [
        (((2,),), SURE, ("It is Paris!", [0, 0, 1])),  # straight to the third
        (((0,), (1,), (2,)), UNSURE, ("It is Paris!", [1, 1, 1])),  # a cascade
        (((0,), (2,)), UNSURE, ("It is Paris!", [1, 0, 1])),  # one is skipped
        (((0,), (2,)), SURE, ("It is Paris.", [1, 0, 0])),  # sure enough
    ],
)
def test_a_policy_routes_cascades_and_skips(rounds: Any, first: ScriptedReply, found: tuple[str, list[int]]) -> None:
    """Any number of tiers, in any order that the policy says, and none beside them."""
    asked = tiers(first, "It is Rome.", "It is Paris!")
    with Cascade(asked, policy=router(*rounds, enough=0.8)) as cascade:
        answer = cascade.ask("What is the capital of France?")

    assert (answer.text, calls(asked)) == found
    assert answer.code == "pool"


def test_several_at_once_are_asked_and_vote() -> None:
    """Two of three that say the same outvote the third, and what is shown is theirs alone."""
    asked = tiers("It is Lyon.", "It is Paris.", "it is paris")
    with Cascade(asked, policy=router((0, 1, 2))) as cascade:
        events = list(cascade.stream("What is the capital of France?"))

    *shown, done = events
    assert isinstance(done, Done)
    assert calls(asked) == [1, 1, 1]
    assert "".join(event.text for event in shown if isinstance(event, Delta)) == done.answer.text == "It is Paris."
    assert all(isinstance(event, Delta) for event in shown)
    assert done.answer.trace[0].also == ("middle", "small")
    assert "67% of the weight of 3 votes" in done.answer.reason


@pytest.mark.parametrize(
    ("more", "replies"),
    [
        ({"choices": ("Paris", "Lyon")}, ("B", "B. Lyon", "A")),
        ({"schema": '{"type": "object"}'}, ('{"a": 1, "b": 2}', '{"b":2,"a":1}', '{"a": 2}')),
    ],
)
def test_equal_answers_are_equal_however_they_are_spelled(more: Any, replies: tuple[str, ...]) -> None:
    """The letter of a choice, JSON in another order: two outvote the third, though its model is worth most."""
    with Cascade(tiers(*replies), policy=router((0, 1, 2))) as cascade:
        answer = cascade.ask(replace(Question.of("Which?"), **more))

    assert answer.text in replies[:2]
    assert "67% of the weight of 3 votes" in answer.reason


def test_clouds_that_are_asked_beside_the_device_count_as_asked(ledger: Ledger) -> None:
    """Though the first of those at the same time is the device, whose answer is given."""
    with Cascade(tiers(), policy=router((0, 1, 2), ranking=(0.3, 0.2, 0.1)), ledger=ledger) as cascade:
        answer = cascade.ask("What is the capital of France?")
        summary = ledger.summary()

    assert (answer.tier, answer.trace[0].run, summary.escalated, summary.saved_calls) == ("local", "small", 1, 0)


def test_the_ranking_stands_in_every_decision() -> None:
    """Worth of each tier in numbers, and the best of the others in the reason."""
    with Cascade(tiers(), policy=router((2,))) as cascade:
        answer = cascade.ask("Why?")

    assert answer.trace[0].terms == {"worth_small": 0.1, "worth_middle": 0.2, "worth_large": 0.3}
    assert answer.trace[0].reason == "by hand: large ranks first at 0.3, then middle at 0.2"


def test_only_what_may_still_be_asked_is_ranked() -> None:
    """A tier that has run, or is down, has no worth to show; one that is asked before a better one has none either."""
    asked = tiers(UNSURE, "It is Rome.", "It is Paris!", large={"out": "down"})
    with Cascade(asked, policy=router((0,), (1,), ranking=(0.1, 0.2, 0.05))) as cascade:
        answer = cascade.ask("Why?")

    assert [step.terms for step in answer.trace] == [
        {"worth_small": 0.1, "worth_middle": 0.2},
        {"worth_middle": 0.2},
        {"vote_small": 1.0, "vote_middle": 10.0},
    ]
    assert [step.reason for step in answer.trace[:2]] == [
        "by hand: small is asked",
        "by hand: middle ranks next at 0.2",
    ]


# What may be asked.


@pytest.mark.parametrize(
    ("third", "limits", "found"),
    [
        ({"out": "down"}, Limits(), [0, 1, 0]),  # not even asked, and the next is
        ({"out": "down"}, Limits(usd=1e-9), [1, 0, 0]),  # the next is over the budget, and so the one behind it
        ({}, Limits(calls=1), [1, 0, 1]),  # it fails, and a second call is one too many
        ({}, Limits(), [0, 1, 1]),
    ],
)
def test_the_next_of_the_ranking_is_taken_within_its_limits(third: Any, limits: Limits, found: list[int]) -> None:
    """A tier that is down or fails is passed over, and the budget of the next is looked at again."""
    asked = tiers(SURE, "It is Paris.", GONE, large=third)
    question = replace(Question.of("What is the capital of France?"), limits=limits)
    with Cascade(asked, policy=router((2,))) as cascade:
        answer = cascade.ask(question)

    assert calls(asked) == found
    assert answer.text == "It is Paris."


def test_the_ledgers_budget_is_looked_at_again(ledger: Ledger) -> None:
    """Where a failed call has used the budget up, the next cloud is passed over too."""
    asked = tiers(SURE, "It is Paris.", ScriptedReply("x", fails=CloudError("broke", code="server")))
    options = Options(caps=caps_of("1calls/day"))
    with Cascade(asked, policy=router((2,)), options=options, ledger=ledger) as cascade:
        answer = cascade.ask("What is the capital of France?")

    assert calls(asked) == [1, 0, 1]
    assert answer.trace[1].code == "cloud_failed"
    assert answer.trace[1].run == "small"


def test_a_limit_of_calls_holds_for_several_at_once() -> None:
    """Of three that would be asked at the same time only one cloud is, where one call is allowed."""
    asked = tiers()
    question = replace(Question.of("Why?"), limits=Limits(calls=1))
    with Cascade(asked, policy=router((0, 1, 2))) as cascade:
        answer = cascade.ask(question)

    assert calls(asked) == [1, 0, 1]
    assert not any(attempt.failure for attempt in answer.attempts)  # the other is not even begun


@pytest.mark.parametrize(
    ("options", "wanted", "found"),
    [
        (Options(rules=Rules(default="never")), 2, [1, 0, 0]),
        (Options(mode="only_on_device"), 2, [1, 0, 0]),
        (Options(mode="only_in_cloud"), 0, [0, 0, 1]),
        (Options(mode="prefer_in_cloud"), 2, [0, 1, 0]),  # no policy is asked: the first cloud
        (Options(offline=True), 2, [1, 0, 0]),
    ],
)
def test_privacy_and_mode_close_tiers(options: Options, wanted: int, found: list[int]) -> None:
    """What may not be asked is not asked, whatever the policy thinks of it."""
    asked = tiers()
    with Cascade(asked, policy=router((wanted,)), options=options) as cascade:
        answer = cascade.ask("What is the capital of France?")

    assert calls(asked) == found
    assert answer.text


def test_a_ranking_of_nothing_opens_no_tier() -> None:
    """A policy whose worths are NaN asks one that may be asked, though another stands first."""

    @dataclass(frozen=True, slots=True)
    class Lost(ByHand):
        def worth(self, seen: Seen) -> Array:
            return np.full(seen.ran.shape, np.nan)

    asked = tiers()
    pool = PoolRouter(policy=Lost((), models=("large", "middle", "small")), name="by hand")
    with Cascade(asked, policy=pool, options=Options(mode="only_on_device")) as cascade:
        answer = cascade.ask("Why?")

    assert calls(asked) == [1, 0, 0]
    assert answer.trace[0].reason == "by hand: small is asked"


class Retrying(ScriptedTier):
    """A cloud whose first request fails, and is made again."""

    def stream(self, question: Question, *, meter: Any = None, **more: Any) -> Any:
        """Book both."""
        meter(self._outgoing(question))(Settled("server", None, None, 0.0, 500, False))
        return super().stream(question, meter=meter, **more)


@pytest.mark.parametrize("rounds", [((1, 2),), ((1,), (2,))])
def test_retries_count_in_a_questions_own_limit_without_a_ledger(rounds: Any) -> None:
    """Of all its calls together, at the same time or one after another."""
    clouds = [Retrying("a", name=name, place="cloud", price=PRICE) for name in NAMES[1:]]
    question = replace(Question.of("Why?"), limits=Limits(calls=3))
    with Cascade([ScriptedTier("b", name="small"), *clouds], policy=router(*rounds)) as cascade:
        answer = cascade.ask(question)

    assert sum(tier.calls for tier in clouds) == 1
    assert [one.failure.code for one in answer.attempts if one.failure] == ["budget"]


def test_a_question_with_tools_goes_to_a_cloud() -> None:
    """The device's model calls none, so that it is passed over while a cloud is there."""
    asked = tiers()
    question = replace(Question.of("Why?"), tools=(Tool("look", "looks", "{}"),))
    with Cascade(asked, policy=router((0,))) as cascade:
        cascade.ask(question)

    assert calls(asked) == [0, 0, 1]


@pytest.mark.parametrize(("on_break", "found"), [("retry", [0, 1, 2]), ("local", [0, 1, 1])])
def test_an_answer_that_breaks_off_is_asked_for_twice_at_most(on_break: Any, found: list[int]) -> None:
    """Then the next in the ranking answers, and what was begun is taken away."""
    broken = ScriptedReply("It is far too", fails=CloudError("gone", code="broken_off"), fails_after=2)
    asked = tiers(UNSURE, "It is Paris.", broken)
    with Cascade(asked, policy=router((2,)), options=Options(on_break=on_break)) as cascade:
        events = list(cascade.stream("What is the capital of France?"))

    screen = ""
    for event in events:
        screen = screen.removesuffix(event.replaces) if isinstance(event, Handoff) else screen
        screen += event.text if isinstance(event, Delta) else ""
    assert (calls(asked), screen) == (found, "It is Paris.")


def test_no_tier_left_is_an_error() -> None:
    """All failed: the error says how."""
    asked = tiers(ScriptedReply("", fails=DeviceError("out of memory")), GONE, GONE)
    with Cascade(asked, policy=router((2,))) as cascade, pytest.raises(NoAnswerError, match="no network"):
        cascade.ask("Why?")

    assert calls(asked) == [1, 1, 1]


def test_a_tier_that_is_no_model_of_the_pool_answers_last() -> None:
    """Only where none of the pool can."""
    asked = tiers(SURE, GONE, GONE)
    pool = PoolRouter(policy=ByHand(((1,),), models=("middle", "large"), ranking=(0.2, 0.1)))
    with Cascade(asked, policy=pool) as cascade:
        answer = cascade.ask("Why?")

    assert (answer.text, calls(asked)) == ("It is Paris.", [1, 1, 1])


# What is promised, and what is shown.


@pytest.mark.parametrize(("first", "promised"), [(SURE, True), (UNSURE, False)])
def test_only_the_devices_own_certificate_promises(first: ScriptedReply, promised: bool) -> None:
    """A policy that gives the device's answer, though its certificate does not cover it, has nothing to promise."""
    with Cascade(tiers(first, "a", "b"), policy=router((0,))) as cascade:
        answer = cascade.ask("Why?")

    assert answer.tier == "local"
    assert (answer.promise is not None) is promised


def test_no_gate_stops_an_answer_and_no_call_is_begun_early() -> None:
    """The policy was fitted on whole answers, and on what they cost."""
    never = Gate(1, LinearHead(Inputs(("mean_logprob",)), np.ones(1), 0.0), stop_below=9.0)
    asked = tiers(SURE, "a", "b", small={"gates": (never,)})
    with Cascade(asked, policy=router((0,), (2,), enough=0.8), options=Options(hedge_below=1.0)) as cascade:
        answer = cascade.ask("What is the capital of France?")

    assert (answer.text, calls(asked)) == ("It is Paris.", [1, 0, 0])


def test_an_answer_that_ends_it_is_shown_as_it_is_written() -> None:
    """Where the policy stops behind a tier whatever it says, nothing is held back; where it may go on, all of it is."""
    long = "It is Paris, as everybody knows."
    shown = []
    for rounds in (((0,),), ((0,), (2,))):
        sure = ScriptedReply(long, p_correct=0.9)
        with Cascade(tiers(sure, "a", "b"), policy=router(*rounds, enough=0.8)) as cascade:
            events = list(cascade.stream("What is the capital of France?"))
        shown.append([event.text for event in events if isinstance(event, Delta)])

    assert len(shown[0]) > 1
    assert shown[1] == [long]


def test_an_answer_is_held_where_what_it_shows_decides() -> None:
    """Whether another follows one that is neither sure nor hopeless, or says the same; and whose answer is given."""

    @dataclass(frozen=True, slots=True)
    class Doubting(ByHand):
        def next(self, seen: Seen) -> Mask:
            between = (seen.after > 0.3) & (seen.after < 0.7) & seen.ran
            same = [[bool(row[0]) and row[0] == row[1]] for row in seen.answers or ()]
            go_on = between.any(axis=1, keepdims=True) if len(self.rounds) == 1 else np.array(same)
            more = np.array([[False, False, True]]) & go_on & ~seen.ran & seen.open
            return ByHand.next(ByHand(self.rounds), seen) | more

    held = []
    for rounds in (((0,),), ((0,), (1,))):
        long = "It is Paris, as everybody knows."
        asked = tiers(ScriptedReply(long, p_correct=0.5), long, "It is Rome.")
        with Cascade(asked, policy=PoolRouter(policy=Doubting(rounds))) as cascade:
            held.append([event for event in cascade.stream("Why?") if isinstance(event, Handoff) and event.replaces])

    assert held == [[], []]


def test_cancel_ends_all_that_run_at_the_same_time() -> None:
    """No thread goes on, and the vote is taken among those that were whole by then."""
    never, cancel, before = threading.Event(), threading.Event(), threading.active_count()
    slow = ScriptedReply("It is Rome.", wait=never)
    with (
        Cascade(tiers("It is Paris.", slow, slow), policy=router((0, 1, 2))) as cascade,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(cascade.ask, "Why?", cancel=cancel)
        while not all(tier.asked for tier in cascade.setup.tiers if isinstance(tier, ScriptedTier)):
            assert not asked.done()
        cancel.set()
        answer = asked.result(LONG)

    assert (answer.code, answer.text) == ("cancelled", "It is Paris.")
    assert threading.active_count() == before


def test_threads_ask_the_same_policy() -> None:
    """Each question has its own way."""
    asked = tiers(UNSURE, "It is Paris.", "It is Paris!")
    with Cascade(asked, policy=router((0,), (1, 2), enough=0.8)) as cascade, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(cascade.ask, [f"Question {number}?" for number in range(12)]))

    assert calls(asked) == [12, 12, 12]
    assert {answer.text for answer in answers} <= {"It is Paris.", "It is Paris!"}


# Features.


def test_features_are_gathered_once_a_question() -> None:
    """However many decisions it takes; in mode ``prefer_in_cloud`` not at all."""
    asked: list[str] = []

    def features(question: Question) -> Array:
        asked.append(question.messages[-1].content)
        return np.zeros(3)

    pool = PoolRouter(policy=ByHand(((0,), (1,), (2,))), features=features)
    with Cascade(tiers(UNSURE, "a", "b"), policy=pool) as cascade:
        cascade.ask("One?")
        cascade.ask(replace(Question.of("Two?"), mode="prefer_in_cloud"))

    assert asked == ["One?"]


def too_long(question: Question) -> Array:
    """Fail as a model whose context holds less than the prompt."""
    raise ContextLengthError(f"too long: {question.messages[-1].content}")


@pytest.mark.parametrize(
    ("features", "why"),
    [(too_long, "its prompt is too long for their model"), (lambda question: [1.0, np.nan], "they hold NaN")],
)
def test_without_features_the_tiers_are_asked_in_their_order(features: Any, why: str, ledger: Ledger) -> None:
    """The question is answered all the same; the reason says why, and quotes nothing of it."""
    asked = tiers(ScriptedReply("", fails=DeviceError("out of memory")), "It is Paris.", "b")
    pool = PoolRouter(policy=ByHand(((2,),)), features=features)
    with Cascade(asked, policy=pool, ledger=ledger) as cascade:
        answer = cascade.ask("Why?")
        row = ledger.answer(answer.id)

    assert (answer.text, calls(asked)) == ("It is Paris.", [1, 1, 0])
    assert f"features cannot be had: {why}" in answer.reason
    assert "Why?" not in str(row)


def test_the_same_situation_twice_is_the_same_decision() -> None:
    """What is mixed at random is decided by the question's id, not by how often the policy is asked."""
    seen: list[Seen] = []

    @dataclass(frozen=True, slots=True)
    class Watching(ByHand):
        def next(self, now: Seen) -> Mask:
            seen.append(now)
            return ByHand.next(self, now)

    with Cascade(tiers(UNSURE, "a", "b"), policy=PoolRouter(policy=Watching(((0,), (1,), (2,))))) as cascade:
        cascade.ask("Why?")

    assert len({float(now.draw[0]) for now in seen}) == 1
    assert 0 <= seen[0].draw[0] < 1


def test_a_policy_sees_what_tiers_that_ran_have_shown() -> None:
    """p_correct and margin of the device's answer, texts of all; nothing of a tier that has not run."""
    seen: list[Seen] = []

    @dataclass(frozen=True, slots=True)
    class Watching(ByHand):
        def answer(self, now: Seen) -> Array:
            seen.append(now)
            return ByHand.answer(self, now)

    with Cascade(tiers(UNSURE, "a", "b"), policy=PoolRouter(policy=Watching(((0,), (2,))))) as cascade:
        cascade.ask("Why?")

    assert seen[-1].ran.tolist() == [[True, False, True]]
    np.testing.assert_array_equal(seen[-1].after, [[0.2, np.nan, np.nan]])
    np.testing.assert_array_equal(seen[-1].margin, [[2.0, np.nan, np.nan]])
    assert seen[-1].answers == ((("It is Lyon.",), (), ("b",)),)


def test_a_policy_sees_how_long_each_tier_would_let_it_wait() -> None:
    """The device answers one after another: who asks while it writes waits for that; the clouds are not busy."""
    seen: list[Seen] = []

    @dataclass(frozen=True, slots=True)
    class Watching(ByHand):
        def next(self, now: Seen) -> Mask:
            seen.append(now)
            return ByHand.next(ByHand(((int(now.features[0, 0]),),)), now)

    go_on = threading.Event()
    device = ScriptedTier(SURE, ScriptedReply("It is Paris.", wait=go_on), name="small")
    pool = PoolRouter(
        policy=Watching(()), features=lambda question: [0.0 if question.messages[-1].content == "Device?" else 2.0]
    )
    with Cascade([device, *tiers()[1:]], policy=pool) as cascade, ThreadPoolExecutor(1) as beside:
        cascade.ask("Device?")
        slow = beside.submit(cascade.ask, "Device?")
        while device.calls < 2:
            assert not slow.done()
        cascade.ask("Cloud?")
        go_on.set()
        slow.result(LONG)

    before, busy = seen[0].waits, max((now.waits for now in seen), key=lambda waits: waits[0])
    assert before.tolist() == [0.0, 0.0, 0.0]
    assert busy[0] > 0
    assert busy[1:].tolist() == [0.0, 0.0]


def test_the_story_tells_the_ranking_and_what_would_have_turned_it(ledger: Ledger) -> None:
    """With a worth above the one that is told, the other tier is asked first; nothing where worth did not decide."""
    with Cascade(tiers(), policy=router((2,)), ledger=ledger) as cascade:
        row = ledger.answer(cascade.ask("Why?").id)
    told = " ".join(line.text for part in story(row) for line in part.lines)

    assert "ask large [pool] by hand: large ranks first at 0.3, then middle at 0.2 (worth_small 0.1" in told
    assert flips(row) == ["a worth above 0.3 for middle would have asked it first"]
    row["record"]["trace"][0]["terms"]["worth_middle"] = 0.4
    assert flips(row) == []


# Names and ledger.


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"names": {"huge": "large"}}, "names of no model: found huge, wanted some of small, middle, large"),
        ({"names": {"large": "huge"}}, "are not this cascade's tiers: found huge"),
        ({"names": {"large": "small"}}, "each once"),
        ({"learn": True}, "needs a fitted policy"),
        ({"names": {"large": 3}}, "names: found {'large': 3}, wanted the tier's name of each model"),
        ({"names": "large"}, "names: found 'large', wanted the tier's name of each model"),
        ({"budget": float("nan")}, "budget: found nan, wanted 0 to below"),
        ({"budget": "x"}, "budget: found 'x', wanted 0 to below"),
        ({"budget": 1e300}, "budget: found 1e\\+300, wanted 0 to below"),
        ({"budget": 10**400}, "budget: found 1000000000000000000000000000000000000000, wanted 0 to below"),
        ({"budget": -1}, "budget: found -1, wanted 0 to below"),
        ({"confidence": 1.0}, "confidence: found 1.0, wanted 0.5 to below 1"),
    ],
)
def test_what_does_not_fit_is_refused(more: Any, message: str) -> None:
    """When the cascade is opened, not when it is asked."""
    with pytest.raises((ConfigError, PolicyError), match=message):
        Cascade(tiers(), policy=PoolRouter(policy=ByHand(((0,),)), **more))


def test_a_policy_that_gives_all_to_one_tier_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Once, in the log and in the decision; a mode that leaves no choice is not the policy's doing."""
    with caplog.at_level(logging.WARNING, "edgecascade"), Cascade(tiers(), policy=router((2,))) as cascade:
        for _ in range(3):
            cascade.ask(replace(Question.of("Why?"), mode="only_on_device"))
        answers = [cascade.ask("Why?") for _ in range(COLLAPSE_FROM + 3)]

    told = [answer.trace[-1].terms["collapsed"] for answer in answers if "collapsed" in answer.trace[-1].terms]
    assert told == ["50 of 50 questions went to large: there may be nothing to route, or a wrong budget"]
    assert [record.message for record in caplog.records].count(
        f"the policy by hand sends nearly everything to one tier: {told[0]}"
    ) == 1


# Learning.


def bandit(width: int = 2) -> linucb.LinUCB:
    """Return a fitted learner for which both models are as good, and the first costs less."""
    table = Table.of(np.ones((40, 2)), np.tile([1e-4, 2e-4], (40, 1)), models=("small", "large"))
    beliefs = Beliefs(
        means=np.ones((40, 1, 2)), state=np.zeros(4, np.intp), covariances=np.zeros((1, 2, 2)), cost=table.cost
    )
    features = np.random.default_rng(0).normal(size=(40, width))
    return linucb.fit(Training(table=table, features=features, estimator=None, beliefs=beliefs))  # type: ignore[arg-type]


def learning(**more: Any) -> PoolRouter:
    """Return the learner, ready for a cascade."""
    return PoolRouter(policy=bandit(), features=lambda question: np.ones(2), learn=True, **more)


def pair() -> list[ScriptedTier]:
    """Return a device and a cloud."""
    return [ScriptedTier("No.", name="small"), ScriptedTier("Yes.", name="large", place="cloud", price=PRICE)]


def first_tier(cascade: Cascade) -> str:
    """Return whose answer is given now."""
    return cascade.ask("Why?").model


def test_feedback_changes_the_next_decision(ledger: Ledger) -> None:
    """Told often enough that the one's answers are wrong, the policy asks the other."""
    with Cascade(pair(), policy=learning(), ledger=ledger) as cascade:
        before = first_tier(cascade)
        for _ in range(100):
            answer = cascade.ask("Why?")
            cascade.feedback(answer.id, correct=answer.model == "large")
        after = first_tier(cascade)

    assert (before, after) == ("small", "large")


def test_a_restart_goes_on_with_what_was_learned(tmp_path: Path) -> None:
    """Also with feedback on an answer of before the restart, and with that of another process."""

    def opened() -> Cascade:
        return Cascade(pair(), policy=learning(), ledger=Ledger(tmp_path / "ledger.db", clock=time.time))

    with opened() as cascade:
        early = [cascade.ask("Why?").id for _ in range(100)]
    with opened() as one, opened() as other:
        for number, answer in enumerate(early):
            (one, other)[number % 2].feedback(answer, correct=False)
    with opened() as cascade:
        after = first_tier(cascade)

    assert after == "large"


def test_only_the_first_word_teaches(ledger: Ledger) -> None:
    """A second one changes what the ledger says of the answer, and not what was learned."""
    with Cascade(pair(), policy=learning(), ledger=ledger) as cascade:
        answer = cascade.ask("Why?")
        cascade.feedback(answer.id, liked=True)
        cascade.feedback(answer.id, correct=False)
        (lesson,) = ledger.lessons(cascade.setup.policy.learner.key)  # type: ignore[union-attr]

    assert (lesson.correct, lesson.liked) == (None, True)
    assert ledger.path.exists()


def test_a_policy_that_never_learns_is_not_asked_to() -> None:
    """It says so, and which ones learn, before any features are kept."""
    table = Table.of(np.ones((2, 2)), models=("small", "large"))
    never = constant.fit(Training(table=table, features=np.ones((2, 1)), estimator=None, beliefs=None))  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match=r"does not learn: .* mixllm or linucb alone"):
        PoolRouter(policy=never, learn=True)


def test_a_policy_that_does_not_learn_keeps_no_features(ledger: Ledger) -> None:
    """Only ``learn=True`` writes numbers made of the question's text."""
    with Cascade(pair(), policy=replace(learning(), learn=False), ledger=ledger) as cascade:
        answer = cascade.ask("Why?")
        cascade.feedback(answer.id, correct=False)

        assert list(ledger.lessons("")) == []


def test_a_policy_that_was_not_saved_takes_its_own_lessons_alone(ledger: Ledger) -> None:
    """Fitted again, on other features, it begins anew."""
    with Cascade(pair(), policy=learning(), ledger=ledger) as cascade:
        cascade.feedback(cascade.ask("Why?").id, correct=False)
        key = cascade.setup.policy.learner.key  # type: ignore[union-attr]
    wider = PoolRouter(policy=bandit(3), features=lambda question: np.ones(3), learn=True)
    with Ledger(ledger.path, clock=time.time) as again, Cascade(pair(), policy=wider, ledger=again) as cascade:
        found = cascade.setup.policy.learner.key, cascade.ask("Why?").model  # type: ignore[union-attr]

    assert found[0] != key and found[1] == "small"


def test_feedback_on_what_is_no_id_is_refused(ledger: Ledger) -> None:
    """Also where it is no text that can be written."""
    with Cascade(pair(), ledger=ledger) as cascade, pytest.raises(InputError, match="no feedback"):
        cascade.feedback("\ud800", correct=True)


def test_learning_needs_a_ledger() -> None:
    """It says so when the cascade is opened."""
    with pytest.raises(ConfigError, match="learns from the ledger: found none"):
        Cascade(pair(), policy=learning())
