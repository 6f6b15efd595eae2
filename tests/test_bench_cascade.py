"""The bench of the cascade: what is held out is never fitted on, every arm is asked alike, risks are what they say."""

import importlib.util
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgecascade import Cascade
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import RemoteTier
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.identity import Identity
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.prompts import asked
from edgecascade.records import Draft, Message, Question, Timings, Usage
from edgecascade.store.attempts import Attempt, Attempts, Header
from edgecascade.store.ledger import Ledger
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier

SCRIPT = Path(__file__).parent.parent / "bench" / "cascade.py"
SPEC = importlib.util.spec_from_file_location("bench_cascade", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
bench: Any = importlib.util.module_from_spec(SPEC)
sys.modules["bench_cascade"] = bench
SPEC.loader.exec_module(bench)

IDENTITY = Identity(
    model="Tiny.Q4_K_M", sha256="a" * 64, family="Tiny", quantisation="Q4_K_M", template="0123456789abcdef", sampler={},
    grammar=False, library="0.3.36", backend="cpu", chunk=64, sequences=8, context=2048, kv_type="f16",
    flash_attention="auto", use_extra_bufts=True,
)  # fmt: skip
HEADER = Header(
    identity=IDENTITY, questions="d" * 64, system=None, cloud=None, shard="1/1", created="2026-11-21", width=4,
    fingerprint=(),
)  # fmt: skip
CAPITAL = LabelledQuestion(
    id="q", task="t", messages=(Message("user", "Capital of Peru?"),), metric="exact", gold=("Lima",)
)


def attempts(model: str, **right: bool) -> Attempts:
    """One attempt an id, right or wrong."""
    draft = Draft("A", (), "end", Usage(9, 1), Timings(0, 0, 0, 0, 0.01))
    rows = tuple(Attempt(id, "t", "exact", draft, {}, Grade(float(good))) for id, good in right.items())
    return Attempts(HEADER.model_copy(update={"identity": replace(IDENTITY, model=model)}), rows)


def test_the_clouds_score_is_its_own_grade_on_the_same_question() -> None:
    """Rows are paired by id, and what only one of the two answered is left out."""
    small, large = attempts("small", a=False, b=True, c=True), attempts("large", c=False, a=True, d=True)

    pairs = bench.paired(small, large)

    assert [(row.id, row.grade.score, row.cloud) for row in pairs.rows] == [("a", 0.0, 1.0), ("c", 1.0, 0.0)]
    assert pairs.header.cloud == "large"


def test_the_same_seed_holds_the_same_questions_out() -> None:
    """The draw goes by the ids, not by their order."""
    ids = [f"q{number}" for number in range(40)]

    drawn = bench.held_out(ids, 10, seed=1)

    assert drawn == bench.held_out(ids[::-1], 10, seed=1) != bench.held_out(ids, 10, seed=2)
    assert len(drawn) == 10


def test_a_kept_answer_costs_what_the_clouds_was_worth_more() -> None:
    """Regret counts kept answers alone, over all questions, and never pays for being better than the cloud."""
    kept = np.array([True, True, True, False])
    device, cloud = np.array([0.0, 1.0, 0.25, 0.0]), np.array([1.0, 0.0, 0.75, 1.0])

    found = bench.risk(kept, device, cloud)

    assert (found["kept"], found["regret"], found["lost"]) == (0.75, (1.0 + 0.5) / 4, 2)
    assert found["lost_share"]["low"] < found["lost_share"]["value"] == 0.5 < found["lost_share"]["high"]


def test_a_served_model_says_the_same_again_and_counts_the_first_seconds() -> None:
    """An answer is written once; what it took then is told each time it is asked for."""
    tier = ScriptedTier("Lima, as far as I know.", "Never said.")
    served = bench.ServedModel(tier)
    served.begin(Question.of("Capital of Peru?"))

    texts = ["".join(served([{"role": "user", "content": "Capital of Peru?"}])) for _ in range(2)]

    assert (texts[0], tier.calls) == (texts[1], 1)
    assert [call.again for call in served.calls] == [False, True]
    assert served.calls[0].seconds == served.calls[1].seconds > 0
    assert served.calls[0].tokens == 3 + 6


def test_every_arm_is_asked_over_the_same_wire(tmp_path: Path) -> None:
    """The cascade keeps what its device is sure of, and what it is not sure of is answered by the served model."""
    sure, unsure = (ScriptedReply("Cusco", p_correct=p, threshold=0.5, promise="x") for p in (0.9, 0.1))
    served = bench.ServedModel(ScriptedTier("Lima"))
    with ExitStack() as stack:
        server = stack.enter_context(LoopbackCloud(answer=served))

        def arm(name: str, mode: Any) -> Cascade:
            cloud = RemoteTier(CloudClient(cloud_spec(server.spec(), {})))
            ledger = Ledger(tmp_path / f"{name}.db", clock=time.time)
            tiers = [ScriptedTier(sure if name == "sure" else unsure), cloud]
            return stack.enter_context(Cascade(tiers, options=Options(mode=mode), ledger=ledger))

        arms = {"cloud": arm("cloud", "only_in_cloud"), "device": arm("device", "only_on_device")}
        arms |= {name: arm(name, "prefer_on_device") for name in ("sure", "unsure")}

        played = bench.play([(CAPITAL, asked(CAPITAL))], arms, served).arms

    found = {name: (row.quality, row.called, row.device_tokens) for name, (row,) in played.items()}
    assert found == {
        "cloud": (1.0, True, 0),
        "device": (0.0, False, 1),
        "sure": (0.0, False, 1),
        "unsure": (1.0, True, 1),
    }
    assert played["unsure"][0].cloud_tokens == played["cloud"][0].cloud_tokens == 4


def test_choosing_no_better_than_at_random_gains_nothing() -> None:
    """Against as many calls spread evenly, a choice by a coin is worth nothing, in the long run."""
    random = np.random.default_rng(0)
    device, cloud, called = ((random.random(50_000) < share).astype(float) for share in (0.3, 0.8, 0.6))

    gain = bench.at_random(np.where(called == 1, cloud, device), called, device, cloud)

    assert abs(gain) < 0.01
