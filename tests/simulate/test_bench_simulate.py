"""The bench of the simulator: what it runs live is what it replays, and it says where the two part."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from edgecascade import Question
from edgecascade.simulate.playing import play
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier

SCRIPT = Path(__file__).parents[2] / "bench" / "simulate.py"
SPEC = importlib.util.spec_from_file_location("bench_simulate", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
bench: Any = importlib.util.module_from_spec(SPEC)
sys.modules["bench_simulate"] = bench
SPEC.loader.exec_module(bench)


def test_live_and_replay_decide_alike(hand: Any) -> None:
    """A kept answer and one that is not, over a real server on loopback, and again from their rows."""
    replies = [ScriptedReply(f"a{number} is it", p_correct=p, threshold=0.6) for number, p in enumerate((0.9, 0.1))]
    rows = tuple(hand.row(p=reply.p_correct, tokens=3) for reply in replies)
    with LoopbackCloud(answer=bench.waiting(0.0)) as server:
        put = [Question.of("Which?")] * len(replies)
        lived = bench.live(ScriptedTier(*replies, name="device"), server, put, "prefer_on_device")

    record = bench.report(play(rows, hand.scene(rows)), lived)

    assert record["decisions_equal"] == 2 and record["codes_live"] == {"kept": 1, "not_kept": 1}
    assert record["unequal"] == [] and "decisions equal: 2 of 2" in bench.markdown(record)


def test_what_differs_is_named_and_seconds_are_compared(hand: Any) -> None:
    """1.2 s predicted and one measured are a ratio of 1.2; another code is not equal."""
    rows = (hand.row(),)
    record = bench.report(play(rows, hand.scene(rows)), [bench.Live("gate", "cloud", 1.0)])

    assert record["all"]["ratio"] == pytest.approx({"mean": 1.2, "p50": 1.2, "p95": 1.2})
    assert record["unequal"] == [{"id": "q", "predicted": "kept", "live": "gate"}]
