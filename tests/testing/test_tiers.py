"""A scripted tier behaves as a tier: in order, cancelled where a real one is, and settled whatever happens."""

import contextlib
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from edgecascade import evidence
from edgecascade.cloud.calls import Outgoing, Settled
from edgecascade.errors import BudgetError, ClosedError, CloudError, NativeLibraryError
from edgecascade.records import Draft, Ending, Question, Token, ToolCall
from edgecascade.testing import ScriptedReply, ScriptedTier

ASK = Question.of("What is the capital of France?")


class Book:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.outgoing: list[Outgoing] = []
        self.settled: list[Settled] = []

    def __call__(self, outgoing: Outgoing) -> Callable[[Settled], None]:
        """Note a request."""
        self.outgoing.append(outgoing)
        return self.settled.append


def drained(stream: Generator[Token, None, Ending]) -> tuple[list[Token], Ending]:
    """Every token, and the ending."""
    tokens: list[Token] = []
    while True:
        try:
            tokens.append(next(stream))
        except StopIteration as stop:
            return tokens, stop.value


def test_replies_come_in_order_and_the_last_for_ever() -> None:
    """The script is followed, and the questions are kept in their order."""
    tier = ScriptedTier("It is Paris.", ScriptedReply("Rome."))
    questions = [Question.of(text) for text in ("one", "two", "three")]
    drafts = [evidence.draft(tier, question) for question in questions]

    assert [draft.text for draft in drafts] == ["It is Paris.", "Rome.", "Rome."]
    assert tier.asked == questions and tier.calls == 3


def test_a_tier_needs_something_to_say() -> None:
    """An empty script is refused when it is made."""
    with pytest.raises(ValueError, match="nothing to say"):
        ScriptedTier()


@pytest.mark.parametrize(
    ("place", "logprobs", "told"), [("device", None, -0.1), ("cloud", None, None), ("cloud", (-0.5,), -0.5)]
)
def test_a_device_tells_probabilities_and_a_cloud_does_not(place: Any, logprobs: Any, told: float | None) -> None:
    """Unless the script says otherwise."""
    tier = ScriptedTier(ScriptedReply("Paris.", logprobs=logprobs), place=place)
    (token,), _ = drained(tier.stream(ASK))

    assert token.told == (told is not None)
    assert told is None or token.logprob == told


def test_the_ending_is_scripted() -> None:
    """Reason, tool calls and seconds are those of the reply; tokens are counted, words for the prompt."""
    call = ToolCall("1", "look_up", "{}")
    reply = ScriptedReply("abcd", tokens=2, finish_reason="length", seconds_a_token=0.5, tool_calls=(call,))
    tokens, ending = drained(ScriptedTier(reply).stream(ASK))

    assert ending == Ending("length", 6, 2, 0, 0.5, tool_calls=(call,))
    assert [(token.text, token.seconds) for token in tokens] == [("ab", 0.5), ("cd", 0.5)]


def test_the_estimate_is_that_of_the_draft() -> None:
    """It is found by the draft's text, however many answers came since; another text is unknown."""
    sure, unsure = ScriptedReply(" Paris. ", p_correct=0.9, threshold=0.8, promise="so"), ScriptedReply("Rome.")
    tier = ScriptedTier(sure, unsure)
    drafts: list[Draft] = [evidence.draft(tier, ASK) for _ in range(2)]
    found = [tier.estimate(ASK, draft) for draft in drafts]

    assert (found[0].p_correct, found[0].threshold, found[0].promise, found[0].kept) == (0.9, 0.8, "so", True)
    assert found[0].calibration and found[0].calibration.verdict == "fresh" and found[1] == evidence.UNKNOWN


def test_cancel_ends_it_between_tokens() -> None:
    """What was said before stays, the ending says that it was cancelled."""
    cancel, tier = threading.Event(), ScriptedTier("one two three")
    stream = tier.stream(ASK, cancel=cancel)
    first = next(stream)
    cancel.set()
    rest, ending = drained(stream)

    assert (first.text, rest, ending.finish_reason, ending.completion_tokens) == ("one", [], "cancelled", 1)


def test_cancel_ends_the_waiting() -> None:
    """A tier that waits for an event does not wait any longer once it is cancelled."""
    cancel, tier = threading.Event(), ScriptedTier(ScriptedReply("one", wait=threading.Event()))
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(lambda: drained(tier.stream(ASK, cancel=cancel)))
        cancel.set()

    assert ended.result(10)[1].finish_reason == "cancelled"


def test_the_event_lets_it_go_on() -> None:
    """Nothing is said before it is set, everything after."""
    go, tier = threading.Event(), ScriptedTier(ScriptedReply("one", wait=(event := threading.Event())))
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(lambda: (drained(tier.stream(ASK)), go.is_set()))
        go.set()
        event.set()

    assert ended.result(10)[1] and ended.result()[0][1].finish_reason == "end"


def test_a_deadline_ends_the_waiting() -> None:
    """A cloud that does not answer in time is a time-out."""
    tier = ScriptedTier(ScriptedReply("one", wait=threading.Event()), place="cloud")
    with pytest.raises(CloudError) as caught:
        drained(tier.stream(ASK, deadline=0.0))

    assert caught.value.code == "timeout"


@pytest.mark.parametrize("fails_after", [0, 1, 2, 9])
@pytest.mark.parametrize("error", [CloudError("gone", code="broken_off"), NativeLibraryError("gone")])
def test_it_fails_after_so_many_tokens(fails_after: int, error: Exception) -> None:
    """The tokens before the failure are said; the error is one of its own each time, with its code."""
    tier = ScriptedTier(ScriptedReply("one two", fails=error, fails_after=fails_after))
    stream, tokens = tier.stream(ASK), []
    with pytest.raises(type(error)) as caught:
        tokens.extend(iter(lambda: next(stream), None))

    assert len(tokens) == min(fails_after, 2)
    assert caught.value is not error and getattr(caught.value, "code", "") == getattr(error, "code", "")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (ScriptedReply("one two"), "ok"),
        (ScriptedReply("one two", fails=CloudError("no", code="server")), "server"),
        (ScriptedReply("one two", fails=CloudError("no", code="broken_off"), fails_after=1), "broken_off"),
    ],
)
def test_the_meter_is_told_once_each(reply: ScriptedReply, outcome: str) -> None:
    """Before the answer, and when it has ended, whatever it came to."""
    book, tier = Book(), ScriptedTier(reply, place="cloud", name="far")
    with contextlib.suppress(CloudError):
        drained(tier.stream(ASK, meter=book))

    (outgoing,), (settled,) = book.outgoing, book.settled
    assert (outgoing.model, outgoing.prompt_bytes) == ("far", len(ASK.messages[0].content))
    assert settled.outcome == outcome and settled.prompt_tokens == 6


def test_leaving_in_the_middle_settles() -> None:
    """A closed stream is settled as cancelled, with the tokens so far."""
    book, tier = Book(), ScriptedTier("one two three", place="cloud")
    stream = tier.stream(ASK, meter=book)
    next(stream)
    stream.close()

    assert [(settled.outcome, settled.completion_tokens) for settled in book.settled] == [("cancelled", 1)]


def test_what_the_meter_forbids_is_not_asked() -> None:
    """Its error reaches the caller, and the script stays where it was."""

    def poor(outgoing: Outgoing) -> Callable[[Settled], None]:
        raise BudgetError("no money: found 0, wanted more; wait")

    tier = ScriptedTier("one", "two", place="cloud")
    with pytest.raises(BudgetError):
        drained(tier.stream(ASK, meter=poor))

    assert tier.calls == 0 and evidence.draft(tier, ASK).text == "one"


def test_samples_are_the_next_replies() -> None:
    """Several answers to one question take a reply each."""
    drafts = evidence.samples(ScriptedTier("Paris.", "Rome.", "Paris."), ASK, 3)

    assert [draft.text for draft in drafts] == ["Paris.", "Rome.", "Paris."]


def test_a_closed_tier_answers_no_more() -> None:
    """As an engine does: the error is the caller's bug."""
    tier = ScriptedTier("one")
    tier.close()

    with pytest.raises(ClosedError):
        drained(tier.stream(ASK))


def test_what_a_cascade_asks_of_a_tier_is_there() -> None:
    """No gates, no hidden states, no fitted file, and a reason why a cloud is out only where one is given."""
    tier, out = ScriptedTier("one"), ScriptedTier("one", place="cloud", out="the breaker is open")

    assert (tier.gates(ASK), tier.wants_hidden(ASK), tier.judge(ASK), tier.run_of(ASK)) == ((), False, None, None)
    assert tier.down() is None and tier.price is None and out.down() == "the breaker is open"


def test_the_prompt_is_told_when_it_was_read() -> None:
    """As an engine tells its gates: the length, before the first token."""
    told: list[Any] = []
    stream = ScriptedTier("one").stream(ASK, when_read=lambda *read: told.append(read))
    next(stream)

    assert told == [(6, None)]


def test_threads_share_the_script() -> None:
    """Each reply is given exactly once."""
    texts = [str(number) for number in range(200)]
    tier = ScriptedTier(*texts)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: evidence.draft(tier, ASK).text, texts))

    assert sorted(found) == sorted(texts)
