"""Each suite over a tier with a script: it asks what it says it asks, and its figures are what the script took."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import chain, repeat

import pytest

from edgecascade import Cascade, sensors
from edgecascade.bench import answer as answering
from edgecascade.bench.answer import SAID, answer, never_kept, shipped_questions, through
from edgecascade.bench.energy import energy_by
from edgecascade.bench.memory import memory
from edgecascade.bench.own_cost import ASKS, TEST, own_cost
from edgecascade.bench.prefix import TURNS, prefix
from edgecascade.bench.samples import samples
from edgecascade.bench.sustained import sustained
from edgecascade.bench.tasks import STRANGE
from edgecascade.cascade.tiers import RemoteTier
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import InputError
from edgecascade.llama.settings import EngineSettings
from edgecascade.policies import policy_of
from edgecascade.records import Message, Question, Timings
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier

TIMINGS = Timings(0.0, 0.1, 10.0, 20.0, 1.0)
SETTINGS = EngineSettings(threads=1)


class Ticking:
    """A clock that goes on by one step each time it is read."""

    def __init__(self, step: float = 1.0) -> None:
        self.step, self.now = step, 0.0

    def __call__(self) -> float:
        """Return the time."""
        self.now += self.step
        return self.now


class Scripted(ScriptedTier):
    """A scripted tier that can be asked for a prompt's tokens: its words."""

    def tokens_of(self, messages: Sequence[Message]) -> list[int]:
        """Return a number a word."""
        return list(range(sum(len(message.content.split()) for message in messages)))


@pytest.fixture
def clock() -> Ticking:
    """A clock of whole seconds."""
    return Ticking()


@pytest.fixture
def tier() -> Scripted:
    """Twenty words, each told to take 10 ms."""
    return Scripted(ScriptedReply(" ".join(["word"] * 20), seconds_a_token=0.01))


def by_test(rows: list) -> dict:  # type: ignore[type-arg]
    """The rows by their names."""
    return {row.test: row for row in rows}


# answer


def test_ways_take_turns_and_remember_nothing(clock: Ticking) -> None:
    """Each way answers every question once, behind one that warms up, another way first each time, each one afresh."""
    heard: list[str] = []

    def way(name: str) -> answering.Way:
        def asked(question: Question, told: Callable[[], None]) -> Timings:
            heard.append(name + question.messages[-1].content)
            told()
            return TIMINGS

        return asked

    questions = [Question.of(str(number)) for number in range(3)]
    rows = answer({"a": way("a"), "b": way("b")}, questions, forget=lambda: heard.append("-"), clock=clock)

    assert " ".join(heard) == "a0 b0 - a0 - b0 - b1 - a1 - a2 - b2"
    assert {len(row.samples) for row in rows} == {3}
    assert len({row.facts["questions"] for row in rows}) == 1


@pytest.mark.parametrize(("step", "told"), [(0.001, [4]), (1.0, [2, 4]), (5.0, [1, 2, 3, 4])])
def test_progress_is_told_every_few_seconds(step: float, told: list[int]) -> None:
    """However quick the answers are; the last one always."""
    said: list[str] = []
    questions = [Question.of(str(number)) for number in range(4)]
    answer({"a": lambda question, told: TIMINGS}, questions, forget=str, say=said.append, clock=Ticking(step))

    assert said == [f"answer: {number} of 4 questions" for number in told]


def test_other_questions_are_told_apart(clock: Ticking) -> None:
    """As many of others have another mark, so that two runs are not compared."""
    found = [
        answer({"a": lambda question, told: TIMINGS}, [Question.of(text)], forget=str, clock=clock)[0].facts[
            "questions"
        ]
        for text in ("Why?", "How?", "Why?")
    ]

    assert found[0] == found[2] != found[1]


def test_first_token_comes_before_the_end(clock: Ticking) -> None:
    """First token and end are by the same clock; the time a token is the engine's own."""

    def way(question: Question, told: Callable[[], None]) -> Timings:
        told()
        told()
        return TIMINGS

    rows = by_test(answer({"a": way}, [Question.of("Why?")], forget=str, clock=clock))

    assert rows["first token, a"].samples == (1000.0,)
    assert rows["end to end, a"].samples == (2000.0,)
    assert rows["time per token, a"].samples == (50.0,)


def test_an_answer_of_one_token_has_no_time_a_token(clock: Ticking) -> None:
    """It is unknown, not 0."""
    silent = {"a": lambda question, told: Timings(0, 0, 0, 0, 0)}
    rows = by_test(answer(silent, [Question.of("Why?")], forget=str, clock=clock))

    assert rows["time per token, a"].unknown == "no answer had two tokens"


def test_escalating_drafts_on_the_device_first() -> None:
    """However sure the device is, the cloud's answer is the one, and the device has written its own."""
    device, cloud = ScriptedTier(ScriptedReply("Lima.", p_correct=0.99, threshold=0.1), name="d"), "Cusco."
    with Cascade([device, ScriptedTier(cloud, name="c", place="cloud")], policy=policy_of(never_kept)) as cascade:
        answered = cascade.ask("Capital of Peru?")

    assert (answered.text, answered.tier, device.calls) == ("Cusco.", "cloud", 1)


def test_what_is_shown_through_a_cascade_is_heard() -> None:
    """Its first piece and what it was at the end, over a real server."""
    told: list[None] = []
    with LoopbackCloud(SAID) as server, Cascade([RemoteTier(CloudClient(cloud_spec(server.spec(), {})))]) as cascade:
        timings = through(cascade)(Question.of("Why?"), lambda: told.append(None))

    assert told
    assert timings.total_s > 0


def test_questions_are_of_all_tasks() -> None:
    """A few of the shipped questions are spread over the tasks, not the first of one."""
    few = shipped_questions(20, "Be brief.")

    assert len(few) == len({one.messages[-1].content for one in few}) == 20
    assert {one.messages[0].content for one in few} == {"Be brief."}


# prefix


def test_a_turn_is_read_anew_and_behind_the_one_before(tier: Scripted) -> None:
    """Before a turn is read anew comes a prompt like no other; before it is reused, the turn before it."""
    rows = by_test(prefix(tier, rounds=2))
    asked = [question for question in tier.asked if question.sampling.max_tokens == 1]

    assert len(rows) == 2 * len(TURNS) - 1
    assert all(row.samples == pytest.approx((10.0, 10.0)) for row in rows.values())
    fourth = next(at for at, one in enumerate(asked) if one.messages[-1].content == TURNS[3])
    before = [one.messages[-1].content for one in asked[fourth - 1 : fourth + 4]]
    assert before == [STRANGE.messages[-1].content, TURNS[3], STRANGE.messages[-1].content, TURNS[2], TURNS[3]]


# samples


def test_a_batch_is_held_against_as_many_alone(tier: Scripted) -> None:
    """A batch whose answers take no longer than one writes k times as many tokens a second."""
    rows = by_test(samples(tier, tokens=16, rounds=3, most=4))

    assert set(rows) == {f"{k} x tg16, {way}" for k in (1, 2, 4) for way in ("one batch", "one after another")}
    for k in (1, 2, 4):
        assert rows[f"{k} x tg16, one batch"].samples == pytest.approx((100.0 * k,) * 3)
        assert rows[f"{k} x tg16, one after another"].samples == pytest.approx((100.0,) * 3)


def test_answers_of_one_token_cannot_be_timed() -> None:
    """A model that says a word and ends is refused where its speed is asked for, never divided by."""
    curt = Scripted("Once.")

    for suite in (partial(samples, curt, most=2), partial(energy_by, curt, metering_of([(1.0, 1.0)]), rest=id)):
        with pytest.raises(InputError, match="too short to time: found 1 tokens, wanted 2"):
            suite(tokens=16, rounds=1)


# energy


def metering_of(spans: list[tuple[float | None, float]]) -> Callable[[], AbstractContextManager[sensors.Energy]]:
    """A meter that saw these joules and seconds, one span after another, the last for ever."""
    seen = chain(spans, repeat(spans[-1]))

    @contextmanager
    def metering() -> Iterator[sensors.Energy]:
        energy = sensors.Energy()
        yield energy
        energy.joules, energy.seconds = next(seen)
        energy.why = "the meter went away" if energy.joules is None else None

    return metering


def test_energy_above_rest_is_gross_less_watts_times_seconds(tier: Scripted) -> None:
    """Reading and writing apart, by their own tokens."""
    rows = by_test(energy_by(tier, metering_of([(10.0, 10.0), (40.0, 4.0), (60.0, 3.0)]), tokens=20, rounds=1, rest=id))

    read, wrote = 1 / rows["prefill, gross"].samples[0] * 40, 19
    assert rows["prefill, above rest"].samples == pytest.approx(((40 - 4) / read,))
    assert rows["decode, gross"].samples == pytest.approx((60 / wrote,))
    assert rows["decode, above rest"].samples == pytest.approx(((60 - 3) / wrote,))


def test_a_meter_that_vanishes_leaves_unknown_figures(tier: Scripted) -> None:
    """At rest or in the middle: never a guess, and the reason."""
    at_rest = energy_by(tier, metering_of([(None, 1.0)]), tokens=20, rounds=1, rest=id)
    later = energy_by(tier, metering_of([(10.0, 10.0), (None, 1.0)]), tokens=20, rounds=1, rest=id)

    assert [row.unknown for row in at_rest] == ["the meter went away"]
    assert {row.unknown for row in later} == {"the meter went away"}


# sustained


def test_what_heat_leaves_is_seen(clock: Ticking) -> None:
    """A tier that writes at half its speed after the first minute has half of it left, window by window."""
    fast, slow = (ScriptedReply(" ".join(["w"] * 20), seconds_a_token=one) for one in (0.01, 0.02))
    heat = iter(range(40, 100))

    rows = by_test(sustained(Scripted(*[fast] * 4, slow), minutes=4, clock=clock, celsius=lambda: float(next(heat))))

    speeds = rows["decode by 15 s window"].samples
    assert speeds[0] == pytest.approx(100)
    assert speeds[-1] == pytest.approx(50)
    assert rows["last minute, of the first"].samples == pytest.approx((0.5,))
    assert sorted(rows["hottest part"].samples) == list(rows["hottest part"].samples)


def test_ctrl_c_leaves_a_whole_result(tier: Scripted) -> None:
    """What was measured until then is there, and says how long it was."""
    times = iter(range(200))

    def clock() -> float:
        if (now := float(next(times))) == 150:
            raise KeyboardInterrupt
        return now

    rows = by_test(sustained(tier, minutes=10, clock=clock))

    assert len(rows["decode by 15 s window"].samples) == 10
    assert rows["last minute, of the first"].samples == pytest.approx((1.0,))
    assert all("interrupted after 2.5 of 10 minutes" in row.remarks for row in rows.values())
    assert rows["hottest part"].unknown == "no sensor says"


def test_a_short_run_has_no_share(tier: Scripted, clock: Ticking) -> None:
    """Less than two minutes cannot say what is left of the first."""
    rows = by_test(sustained(tier, minutes=1, clock=clock))

    assert rows["last minute, of the first"].unknown == "shorter than two minutes"


def test_a_model_that_writes_nothing_has_no_speed(clock: Ticking) -> None:
    """It says that no answer had two tokens, not that somebody interrupted it."""
    rows = by_test(sustained(Scripted("Once."), minutes=0.1, clock=clock))

    assert rows["decode by 15 s window"].unknown == "no answer had two tokens"


# memory


def test_memory_a_context_is_the_slope() -> None:
    """Bytes that grow by 3 KiB a token are 3000 KiB for 1k; every figure is of a child of its own."""
    asked: list[int] = []

    def child(settings: EngineSettings) -> dict[str, float | None]:
        asked.append(settings.context)
        size = 100 * 2**20 + 3 * 1024 * settings.context
        return {"before": 2**20, "loaded": 90 * 2**20, "answered": size, "peak": None, "context": settings.context}

    rows = by_test(memory(child, SETTINGS, rounds=2, contexts=(512, 1024)))

    assert asked == [512, 1024, 512, 1024]
    assert rows["per 1k context"].samples == pytest.approx((3000 / 1024,) * 2)
    assert rows["before load"].samples == (1.0, 1.0)
    assert rows["peak while answering"].unknown == "this system does not say"


def test_a_model_of_a_short_context_is_measured_at_its_own() -> None:
    """What was trained on 1,500 tokens has no row of 2,048, nor one of 4,096."""

    def child(settings: EngineSettings) -> dict[str, float | None]:
        context = min(settings.context, 1500)
        return {"before": 1.0, "loaded": 1.0, "answered": 2.0**20 * context, "peak": 1.0, "context": context}

    rows = by_test(memory(child, SETTINGS, rounds=2))

    assert [test for test in rows if "context of" in test] == ["context of 512", "context of 1024", "context of 1500"]
    assert rows["context of 1500"].samples == (1500.0, 1500.0)
    assert rows["per 1k context"].samples == (1000.0, 1000.0)


# own cost


def test_own_cost_times_each_ask(clock: Ticking) -> None:
    """200 answers behind the warm-ups, by the clock that is given, in milliseconds."""
    row = own_cost(clock=clock, warm_ups=1)

    assert (row.test, row.unit) == (TEST, "ms")
    assert row.samples == (1000.0,) * ASKS
