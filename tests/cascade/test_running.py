"""One tier's attempt: what a gate stops, what the estimate promises then, and that failures are told, not raised."""

import json
import math
import threading
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgecascade.cascade.calling import Desk
from edgecascade.cascade.gating import Gate, Usual
from edgecascade.cascade.running import Doubt, Tokens, covered, in_cloud, last_looks, on_device
from edgecascade.errors import (
    BudgetError,
    ClosedError,
    CloudError,
    ContextLengthError,
    DeviceError,
    EdgeCascadeError,
)
from edgecascade.evidence import draft
from edgecascade.heads import Inputs, LinearHead
from edgecascade.privacy import Rules
from edgecascade.prompts import choose
from edgecascade.records import (
    Attempt,
    Calibration,
    Ending,
    Estimate,
    Failure,
    FinishReason,
    GateOutcome,
    Message,
    Question,
    Token,
    ToolCall,
)
from edgecascade.store.ledger import Ledger
from edgecascade.testing import ScriptedReply, ScriptedTier

ASKED = Question.of("What is it?")
FITTED = Calibration("f", "fresh", "fitted for exactly this")
NEVER = threading.Event()
SURE, UNSURE = (ScriptedReply("one two three four", p_correct=0.9, threshold=0.6, logprobs=[p] * 4) for p in (-0.1, -3))


def gate(at: int = 2, stop_below: float = -1.0) -> Gate:
    """A gate that stops what begins unsure."""
    return Gate(at, LinearHead(Inputs(("mean_logprob",)), np.ones(1), 0.0), stop_below)


def tier(*replies: str | ScriptedReply, gates: tuple[Gate, ...] = ()) -> ScriptedTier:
    """A tier on the device."""
    return ScriptedTier(*replies, name="small", gates=gates)


class Promising(ScriptedTier):
    """A tier on the device whose fitted file promises something."""

    def __init__(self, *replies: ScriptedReply, promise: str) -> None:
        super().__init__(*replies, name="small")
        self._promise = promise

    def judge(self, question: Question) -> Any:
        """Return a judge with such a certificate."""
        return SimpleNamespace(certificate=SimpleNamespace(promise=self._promise))


def drained(tokens: Tokens) -> tuple[str, Attempt]:
    """What was shown, and the attempt."""
    shown = ""
    while True:
        try:
            shown += next(tokens).text
        except StopIteration as stop:
            return shown, stop.value


def attempted(device: ScriptedTier, *, stopping: bool = True, **options: Any) -> tuple[str, Attempt]:
    """Let a device answer."""
    return drained(on_device(device, ASKED, stopping=stopping, usual=Usual(40.0, 5.0), cancel=NEVER, **options))


def looks(device: ScriptedTier, p: float, *, samples: int = 3, question: Question = ASKED) -> list[GateOutcome]:
    """The last looks at its next answer, which is estimated so, and kept from 0.6."""
    first = draft(device, question)
    estimate = Estimate(p, 0.6, "sentence", FITTED)
    return last_looks(device, question, first, estimate, Doubt(samples), Usual(watts=5.0), NEVER)


# On the device


def test_a_whole_answer_is_estimated() -> None:
    """With the threshold itself among its gates."""
    shown, made = attempted(tier(SURE, gates=(gate(),)))

    assert made.draft and shown == made.draft.text == SURE.text
    assert made.complete and made.estimate.kept
    assert [(look.gate, look.passed) for look in made.gates] == [("G1", True), ("G2", True)]


def test_a_gate_ends_what_will_not_be_kept() -> None:
    """Nothing is estimated; the draft is what had been written."""
    shown, made = attempted(tier(UNSURE, gates=(gate(),)))

    assert made.draft and made.stopped and not made.complete and made.failure is None
    assert made.draft.text.startswith(shown) and made.draft.text == "one two three"
    assert made.estimate.p_correct is None and [look.passed for look in made.gates] == [False]
    assert made.gates[0].tokens_saved == 38.0


def test_a_gate_that_may_not_end_it_takes_the_promise_back() -> None:
    """The certificate is about gates and threshold together: written to its end, it is not kept either."""
    shown, made = attempted(tier(UNSURE, gates=(gate(),)), stopping=False)

    assert shown == UNSURE.text and made.complete
    assert [look.tokens_saved for look in made.gates] == [0.0, 0.0]
    assert made.estimate.p_correct == 0.9 and not made.estimate.kept and made.estimate.promise is None
    assert made.estimate.calibration and made.estimate.calibration.reason.startswith("gate G1 did not let it pass")


def test_who_looks_may_end_it() -> None:
    """With a reason of one's own; each gate and each token in between is told."""
    told: list[GateOutcome | None] = []

    def look(outcome: GateOutcome | None) -> Failure | None:
        told.append(outcome)
        return Failure("hedged", "faster") if len(told) == 4 else None

    _, made = attempted(tier(SURE, gates=(gate(),)), look=look)

    assert [outcome is not None for outcome in told] == [False, False, True, False]
    assert made.failure == Failure("hedged", "faster") and made.stopped


@pytest.mark.parametrize("after", [0, 2])
def test_a_device_that_fails_is_told_not_raised(after: int) -> None:
    """With the part that it had written."""
    reply = ScriptedReply("one two three", fails=DeviceError("the device is on fire"), fails_after=after)
    shown, made = attempted(tier(reply))

    assert made.failure == Failure("device", "the device is on fire") and not made.complete
    assert (made.draft.text if made.draft else "") == shown == "one two"[: 7 * bool(after)]


def test_a_bug_of_the_caller_is_raised() -> None:
    """A closed tier is no failure of the device."""
    device = tier("one")
    device.close()

    with pytest.raises(ClosedError):
        attempted(device)


def test_a_stream_that_is_closed_closes_the_tiers() -> None:
    """No thread and no model goes on for nobody."""
    device = tier("one two three")
    tokens = on_device(device, ASKED, stopping=True, usual=Usual(), cancel=NEVER)
    next(tokens)
    tokens.close()

    assert device.calls == 1
    with pytest.raises(StopIteration):
        next(tokens)


# Near the threshold


@pytest.mark.parametrize(
    ("p", "gates"), [(0.59, ["G2"]), (0.6, ["G2", "G3"]), (0.649, ["G2", "G3"]), (0.66, ["G2"]), (0.99, ["G2"])]
)
def test_further_samples_are_drawn_near_the_threshold_only(p: float, gates: list[str]) -> None:
    """Above it, within the band: what is not kept anyway, or surely, costs nothing more."""
    device = tier("Paris.")
    found = looks(device, p)

    assert [look.gate for look in found] == gates
    assert device.calls == (4 if "G3" in gates else 1)
    assert found[0].passed is (p >= 0.6)


@pytest.mark.parametrize(("others", "passed"), [(["paris"] * 2 + ["Lyon"], True), (["Lyon", "Rome", "Paris."], False)])
def test_samples_that_say_otherwise_do_not_let_it_pass(others: list[str], passed: bool) -> None:
    """Half of them must agree, case and full stops aside; what they cost is told as a loss."""
    found = looks(tier("Paris.", *others), 0.61)[1]

    assert found.passed is passed
    assert found.value == pytest.approx(2 / 3 if passed else 1 / 3)
    assert found.tokens_saved == -3 and found.seconds_saved <= 0 and found.joules_saved == 5 * found.seconds_saved


@pytest.mark.parametrize(("promise", "gates"), [("regret", ["G2", "G3"]), ("selective", ["G2"]), ("agreement", ["G2"])])
def test_further_samples_are_drawn_for_regret_only(promise: str, gates: list[str]) -> None:
    """No certificate knows of them: fewer kept answers may not make another promise untrue, so it stands as it is."""
    near = replace(SURE, p_correct=0.61, promise="sentence")
    _, made = attempted(Promising(near, promise=promise), doubt=Doubt(3))

    assert [look.gate for look in made.gates] == gates
    assert made.estimate.kept and made.estimate.promise == "sentence"


def test_choices_agree_by_their_letter() -> None:
    """Whatever else is said."""
    question = choose("Which?", ["a dog", "a stone"])
    found = looks(tier("A. a dog", "the second look", "A", "A.", "B. a stone"), 0.61, question=question)[1]

    assert found.value == pytest.approx(2 / 3)


def test_without_a_promise_there_is_nothing_to_look_at() -> None:
    """Neither a threshold nor samples."""
    device = tier("Paris.")
    first = draft(device, ASKED)

    for estimate in (Estimate(0.9, None, None, FITTED), Estimate(None, 0.6, None, None)):
        assert last_looks(device, ASKED, first, estimate, Doubt(3), Usual(), NEVER) == []
    assert device.calls == 1


def test_samples_that_cannot_be_drawn_are_a_failure() -> None:
    """Told, not raised; the answer is there."""
    near = replace(SURE, p_correct=0.61)
    device = tier(near, ScriptedReply("one", fails=DeviceError("the device is on fire")))
    _, made = attempted(device, doubt=Doubt(2))

    assert made.failure == Failure("device", "the device is on fire") and not made.complete
    assert made.draft and made.draft.text == near.text


# What is left of a promise


def look_of(gate: Any, passed: bool) -> GateOutcome:
    """A look."""
    return GateOutcome(gate, 2, -2.0, -1.0, passed)


@pytest.mark.parametrize("calibration", [FITTED, None])
@pytest.mark.parametrize("gate", ["G0", "G1", "G3"])
def test_a_gate_that_did_not_pass_takes_the_promise_back(gate: str, calibration: Calibration | None) -> None:
    """Whichever it was; p_correct stays."""
    estimate = Estimate(0.9, 0.6, "sentence", calibration)
    left = covered(estimate, [look_of("G1", True), look_of(gate, False)])

    assert estimate.kept and not left.kept
    assert (left.p_correct, left.threshold, left.promise) == (0.9, None, None)
    assert (left.calibration is None) == (calibration is None)


@pytest.mark.parametrize("looks", [[], [look_of("G0", True)], [look_of("G2", False)]])
def test_the_threshold_itself_takes_nothing_back(looks: list[GateOutcome]) -> None:
    """It is a part of the promise."""
    estimate = Estimate(0.5, 0.6, "sentence", FITTED)

    assert covered(estimate, looks) == estimate


def test_what_promised_nothing_keeps_its_reason() -> None:
    """A gate is not the reason why a stale calibration promises nothing."""
    stale = Estimate(0.9, None, None, Calibration("f", "stale", "another quantisation"))

    assert covered(stale, [look_of("G1", False)]) == stale


# In the cloud


def says(
    *pieces: str,
    fails: EdgeCascadeError | None = None,
    finish: FinishReason = "end",
    calls: tuple[ToolCall, ...] = (),
) -> Generator[Token, None, Ending]:
    """A call that says these pieces, and may fail."""
    for piece in pieces:
        yield Token.untold(piece, 0.1)
    if fails:
        raise fails
    return Ending(finish, 9, len(pieces), 0, 0.1, tool_calls=calls, served_by="large-2")


def called(
    *pieces: str,
    fails: EdgeCascadeError | None = None,
    finish: FinishReason = "end",
    calls: tuple[ToolCall, ...] = (),
    **options: Any,
) -> tuple[str, Attempt]:
    """Let a cloud answer."""
    options = {"originals": {}, "spent": lambda: 0.25} | options
    return drained(in_cloud("large", lambda: says(*pieces, fails=fails, finish=finish, calls=calls), **options))


def test_a_clouds_answer_is_shown_as_it_comes() -> None:
    """With what it cost, and who answered."""
    shown, made = called("It", " is", " so.")

    assert made.draft and shown == made.draft.text == "It is so."
    assert (made.place, made.usd, made.draft.served_by, made.complete) == ("cloud", 0.25, "large-2", True)


@pytest.mark.parametrize("cuts", range(1, 12))
def test_placeholders_become_the_users_words(cuts: int) -> None:
    """Wherever the stream is cut; what is shown is what is kept."""
    text = "To [EMAIL_1]!"
    shown, made = called(text[:cuts], text[cuts:], originals={"[EMAIL_1]": "ada@example.org"})

    assert made.draft and shown == made.draft.text == "To ada@example.org!"


@pytest.mark.parametrize("as_json", [True, False])
def test_originals_are_spelled_once_as_json_where_json_is(as_json: bool) -> None:
    """In an answer that follows a schema, and in the arguments of tool calls; elsewhere they stand as they are."""
    secret = 'p"ä-ss\\w0rd'
    call = ToolCall("1", "mail", '{"to": "[SECRET_1]"}')
    _, made = called('{"a": "[SECRET_1]"}', calls=(call,), originals={"[SECRET_1]": secret}, as_json=as_json)

    assert made.draft and json.loads(made.draft.tool_calls[0].arguments) == {"to": secret}
    assert "ä" in made.draft.tool_calls[0].arguments
    assert made.draft.text == (json.dumps({"a": secret}, ensure_ascii=False) if as_json else f'{{"a": "{secret}"}}')


@pytest.mark.parametrize(
    ("pieces", "finish", "code"),
    [
        ((), "filter", "refused"),
        (("I cannot",), "filter", "refused"),
        ((), "end", "protocol"),
        ((" ",), "end", "protocol"),
    ],
)
def test_a_cloud_that_says_nothing_has_failed(pieces: tuple[str, ...], finish: FinishReason, code: str) -> None:
    """As one whose filter refused: the policy falls back, and no draft is ended for it."""
    _, made = called(*pieces, finish=finish)

    assert made.failure and made.failure.code == code and not made.complete
    assert (made.draft.text if made.draft else "") == "".join(pieces).strip()


def test_only_what_was_taken_out_is_noted_of_a_call(tmp_path: Path) -> None:
    """A kind that may go as it is was found, and sent."""
    rules = Rules("allow", kinds={"card": "redact"})
    asked = Question((Message("user", "Mail ada@example.org that 4111 1111 1111 1111 was paid."),))
    with Ledger(tmp_path / "ledger.db", clock=time.time) as ledger:
        cloud = ScriptedTier("Done.", name="large", place="cloud")
        drained(Desk(rules, ledger).call(cloud, asked, "answer", "answer", cancel=NEVER))
        kinds = dict(ledger.summary().kinds)

    assert kinds == {"card": 1}


def test_a_tool_call_is_an_answer() -> None:
    """Without a word beside it."""
    _, made = called(calls=(ToolCall("1", "mail", "{}"),), finish="tool_calls")

    assert made.complete


PICK = choose("Which is alive?", ["a dog", "a stone"])
SCHEMA = replace(ASKED, schema='{"type": "object", "required": ["a"]}')
UNKNOWN_KEYWORD = replace(ASKED, schema='{"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}')


@pytest.mark.parametrize(
    ("question", "text", "named"),
    [
        (PICK, "A. a dog", None),
        (PICK, "I would rather not say.", "none of the choices"),
        (SCHEMA, '{"a": 1}', None),
        (SCHEMA, '{"b": 1}', "follows the schema"),
        (SCHEMA, '{"a":', "follows the schema"),
        (UNKNOWN_KEYWORD, '{"b": 1}', None),
        (UNKNOWN_KEYWORD, "none", "follows the schema"),
    ],
)
def test_an_answer_to_another_question_is_a_failure(question: Question, text: str, named: str | None) -> None:
    """One of none of the choices, or not as the schema wants it; what was said is kept in its draft."""
    cloud = ScriptedTier(text, name="large", place="cloud")
    _, made = drained(Desk().call(cloud, question, "answer", "answer", cancel=NEVER))

    assert made.draft and made.draft.text == text and made.complete is (named is None)
    assert named is None or (made.failure and made.failure.code == "protocol" and named in made.failure.detail)


def test_a_tool_call_need_not_follow_the_schema() -> None:
    """It is asked for before the answer."""
    reply = ScriptedReply("", finish_reason="tool_calls", tool_calls=(ToolCall("1", "mail", "{}"),))
    _, made = drained(
        Desk().call(ScriptedTier(reply, name="large", place="cloud"), SCHEMA, "answer", "answer", cancel=NEVER)
    )

    assert made.complete


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CloudError("no network", code="offline"), "offline"),
        (CloudError("the line broke", code="broken_off"), "broken_off"),
        (BudgetError("nothing is left"), "budget"),
        (ContextLengthError("too long"), "refused"),
    ],
)
@pytest.mark.parametrize("pieces", [(), ("It", " is")])
def test_a_cloud_that_fails_is_told_not_raised(error: EdgeCascadeError, code: str, pieces: tuple[str, ...]) -> None:
    """With its code, the part that came, and what it cost."""
    shown, made = called(*pieces, fails=error)

    assert made.failure == Failure(code, str(error)) and made.usd == 0.25
    assert shown == "".join(pieces)
    assert (made.draft.text if made.draft else "") == shown


def test_a_closed_cloud_is_a_bug_of_the_caller() -> None:
    """As a closed device is."""
    with pytest.raises(ClosedError):
        called(fails=ClosedError("closed"))


def test_an_answer_goes_on_behind_a_broken_one() -> None:
    """Its draft is both, its tokens only the new ones."""
    shown, made = called(" so.", before="It is")

    assert made.draft and (shown, made.draft.text) == (" so.", "It is so.")
    assert math.isfinite(made.seconds)
