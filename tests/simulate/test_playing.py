"""What is played again is decided as live, and takes what the profile says."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from edgecascade import Cascade, Question, evidence
from edgecascade.cascade.gating import Gate
from edgecascade.cascade.setup import Options
from edgecascade.heads import Inputs, LinearHead
from edgecascade.profile import Conditions, Curve, Weights
from edgecascade.records import Answer, Mode
from edgecascade.signals import RUNNING
from edgecascade.simulate.playing import Played, Scene, play
from edgecascade.simulate.rows import Row, looks_of
from edgecascade.store.prices import Price
from edgecascade.testing import ScriptedReply, ScriptedTier

THRESHOLD = 0.6


def decisions(played: tuple[Played, ...]) -> list[tuple[str, str, bool]]:
    """What was decided, without what it took."""
    return [(one.code, one.place, one.kept) for one in played]


# By hand: 20 tokens of prompt at 0.01 s, 11 tokens of answer of which ten take 0.1 s more; the cloud takes 1 s, $0.001.


def test_seconds_joules_and_dollars_by_hand(hand: Any) -> None:
    """Kept: 1.2 s at 5 W. Not kept: the same, then 1 s at 2 W. Stopped behind 8 tokens: 1 s at 5 W, then the cloud."""
    kept, unsure = hand.row(), hand.row(p=0.1)
    stopped = hand.row(gates=((1, 0.0), (8, -1.0)))
    scene = hand.scene((kept, unsure, stopped), gated=True)

    found = [(one.code, one.kept, one.seconds, one.joules, one.usd) for one in play((kept, unsure, stopped), scene)]

    assert found == [
        ("kept", True, pytest.approx(1.2), pytest.approx(6.0), 0.0),
        ("not_kept", False, pytest.approx(2.2), pytest.approx(8.0), 0.001),
        ("gate", False, pytest.approx(0.2 + 0.8 + 1.0), pytest.approx(5.0 + 2.0), 0.001),
    ]


def test_what_is_in_memory_is_not_read_and_a_second_look_reads_again(hand: Any) -> None:
    """Half the prompt reused takes 0.1 s off; a second look puts the reading of the rest on."""
    reused = replace(hand.row(), reused=10)
    whole, turned = play((reused, replace(reused, turned=True)), hand.scene((reused,)))

    assert (whole.seconds, turned.seconds) == (pytest.approx(1.1), pytest.approx(1.2))


@pytest.mark.parametrize(("parts", "seconds"), [({}, 0.3), ({"gated": False}, 1.2), ({"cloud": None}, 1.2)])
def test_a_try_ends_at_the_gate_that_stops_it(hand: Any, parts: dict[str, Any], seconds: float) -> None:
    """After the prompt and one token more; where no gate is used, or no cloud could take over, with the answer."""
    stopped = hand.row(gates=((1, -9.0), (8, 9.0)))

    assert hand.scene((stopped,), **{"gated": True} | parts).tried(stopped) == pytest.approx(seconds)


def test_a_hedged_call_overlaps(hand: Any) -> None:
    """The cloud is called when the gate looks, after 0.3 s; it is there at 1.3 s, sooner than one by one."""
    unsure = hand.row(p=0.1, tokens=9, gates=((1, 0.0),))
    hedged, in_turn = (play((unsure,), hand.scene((unsure,), gated=True, hedge_below=share))[0] for share in (0.6, 0.0))

    assert (hedged.code, hedged.seconds) == ("not_kept", pytest.approx(1.3))
    assert (in_turn.code, in_turn.seconds) == ("not_kept", pytest.approx(2.0))


def test_a_faster_cloud_ends_the_draft_and_a_needless_call_is_paid(hand: Any) -> None:
    """Called at once, a cloud of half a second is there before the device; one of ten seconds is paid for nothing."""
    sure = hand.row()
    fast, slow = (
        play((sure,), hand.scene((sure,), hedge_below=1.0, cloud=hand.cloud(seconds=seconds)))[0]
        for seconds in (0.5, 10.0)
    )

    assert (fast.code, fast.place, fast.seconds) == ("hedged", "cloud", 0.5)
    assert (slow.code, slow.place, slow.seconds, slow.usd) == ("kept", "device", pytest.approx(1.2), 0.001)


def test_a_price_counts_tokens_and_a_curve_the_prompt(hand: Any) -> None:
    """Ten dollars a million tokens of 20 read and 5 written; a second for every ten tokens of the prompt."""
    facts = replace(
        hand.cloud(None), price=Price(input=10.0, output=10.0), tokens=5, seconds=Curve(((0, 0.0), (10, 1.0)))
    )
    (played,) = play((hand.row(),), hand.scene((hand.row(),), cloud=facts, mode="only_in_cloud"))

    assert (played.usd, played.seconds) == (pytest.approx(25 * 10 / 1e6), pytest.approx(2.0))


def test_an_unknown_power_or_price_stays_unknown(hand: Any) -> None:
    """It is never zero."""
    scene = hand.scene((hand.row(p=0.1),), power=hand.power(idle=None), cloud=hand.cloud(None))
    (played,) = play((hand.row(p=0.1),), scene)

    assert played.joules is None and played.usd is None


@pytest.mark.parametrize(
    ("mode", "place"), [("only_on_device", "device"), ("only_in_cloud", "cloud"), ("prefer_in_cloud", "cloud")]
)
def test_modes_are_the_policys_own(hand: Any, rows: tuple[Row, ...], mode: Mode, place: str) -> None:
    """One place answers everything."""
    assert {one.place for one in play(rows, hand.scene(rows, gated=True, mode=mode))} == {place}


def test_without_a_cloud_gates_take_promises_back_and_stop_nothing(hand: Any) -> None:
    """The answer is the device's, whole, and not kept."""
    stopped = hand.row(gates=((1, -9.0),))
    (played,) = play((stopped,), hand.scene((stopped,), gated=True, cloud=None))

    assert (played.place, played.kept, played.seconds) == ("device", False, pytest.approx(1.2))


# As live.


def scripted(count: int = 120) -> Iterator[ScriptedReply]:
    """Answers of every length, surer and less sure ones, some of them cut off."""
    random = np.random.default_rng(7)
    for number in range(count):
        length, cut = int(random.integers(1, 30)), bool(random.random() < 0.1)
        yield ScriptedReply(
            " ".join([f"a{number}", *["word"] * (length - 1)]),
            p_correct=float(random.random()),
            threshold=None if cut else THRESHOLD,
            logprobs=[float(value) for value in -random.exponential(0.5, size=length)],
            tokens=length,
            finish_reason="length" if cut else "end",
        )


def gates() -> tuple[Gate, ...]:
    """Two that stop about a third of these."""
    inputs = Inputs(tuple(RUNNING))
    weights = np.array([1.0 if name == "mean_logprob" else 0.0 for name in RUNNING])
    return (Gate(2, LinearHead(inputs, weights, 0.0), -0.55), Gate(8, LinearHead(inputs, weights, 0.0), -0.45))


def live(replies: list[ScriptedReply], options: Options) -> list[Answer]:
    """What a cascade makes of each question."""
    device = ScriptedTier(*replies, name="device", gates=gates())
    with Cascade([device, ScriptedTier("Paris.", name="big", place="cloud")], options=options) as cascade:
        return [cascade.ask("What is the capital of France?") for _ in replies]


def recorded(replies: list[ScriptedReply]) -> tuple[Row, ...]:
    """The same answers in full, as rows."""
    tier = ScriptedTier(*replies)
    drafts = [evidence.draft(tier, Question.of("What is the capital of France?")) for _ in replies]
    return tuple(
        Row(
            str(number), "task", 6, 0, len(draft.tokens), draft.finish_reason == "end", reply.p_correct or 0.0,
            looks_of(gates(), draft), 1.0, 1.0,
        )
        for number, (reply, draft) in enumerate(zip(replies, drafts, strict=True))
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["prefer_on_device", "only_on_device", "only_in_cloud"])
def test_decisions_are_those_of_a_live_cascade(hand: Any, mode: Mode) -> None:
    """The same answers, the same p_correct, the same gates: the same codes, places and keeps."""
    replies = list(scripted())
    rows, answers = recorded(replies), live(replies, Options(mode=mode))
    stops = tuple((gate.at, gate.stop_below) for gate in gates())
    scene = Scene(speed=hand.speed(), cloud=hand.cloud(), threshold=THRESHOLD, gates=stops, mode=mode)

    played = play(rows, scene)

    assert [(one.code, one.place) for one in played] == [(one.code, one.attempts[-1].place) for one in answers]
    if mode == "prefer_on_device":
        assert {"kept", "not_kept", "gate", "no_promise"} == {one.code for one in played}


# Invariants.


@pytest.mark.parametrize("gated", [True, False])
def test_a_faster_device_is_never_slower(hand: Any, rows: tuple[Row, ...], gated: bool) -> None:
    """Twice the speed, at most the time, for every single answer; the decisions are the same without weights."""
    slow, fast = (
        play(rows, hand.scene(rows, gated=gated, speed=hand.speed(prefill=0.01 / times, decode=0.1 / times)))
        for times in (1, 2)
    )

    assert decisions(slow) == decisions(fast)
    assert all(one.seconds <= other.seconds for one, other in zip(fast, slow, strict=True))


def test_a_dearer_second_never_lengthens_the_mean(hand: Any, rows: tuple[Row, ...]) -> None:
    """The Lagrangian argument: whoever weighs each answer takes less time on average where time costs more."""
    for value in (None, 0.01):
        means = []
        for price in (0.0, 1e-5, 1e-4, 3e-4, 1e-3, 1e-2, 1.0):
            weights = Weights(value_usd=value, usd_per_second=price)
            scene = hand.scene(rows, weights=weights, hedge_below=0.0, speed=hand.speed(decode=0.01))
            means.append(np.mean([one.seconds for one in play(rows, scene)]))

        assert all(later <= earlier + 1e-12 for earlier, later in pairwise(means))
        assert means[-1] < means[0]


def test_weights_never_keep_what_the_certificate_does_not(hand: Any, rows: tuple[Row, ...]) -> None:
    """Whatever time, energy and quality are worth, what is kept is a part of what is kept without weights."""
    alone = {one.row.id for one in play(rows, hand.scene(rows, gated=True)) if one.kept}
    random = np.random.default_rng(3)
    for _ in range(20):
        value, second, joule = (float(one) for one in 10 ** random.uniform(-6, 0, size=3))
        weights = Weights(value_usd=value, usd_per_second=second, usd_per_joule=joule)
        played = play(rows, hand.scene(rows, gated=True, weights=weights, hedge_below=0.0))

        assert {one.row.id for one in played if one.kept} <= alone


def test_conditions_move_what_is_decided(hand: Any, rows: tuple[Row, ...]) -> None:
    """A device that pays just so is left alone on a low battery."""
    weights = Weights(usd_per_joule=1e-5)
    full, low = (
        play(rows, hand.scene(rows, weights=weights, conditions=conditions))
        for conditions in (Conditions(), Conditions(on_battery=True, battery=0.1))
    )

    assert {one.place for one in full} == {"device", "cloud"} and {one.code for one in low} == {"not_worth"}
