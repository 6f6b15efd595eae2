"""The bench of the estimate: what it fits never sees what it is tried on, and its thresholds are what they claim."""

import importlib.util
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.calibrate.table import Table, table_of
from edgecascade.guarantees.certificate import Promise
from edgecascade.identity import Identity
from edgecascade.labelled import Grade
from edgecascade.metrics import auroc
from edgecascade.records import Draft, HiddenStates, SecondLook, Timings, Token, Usage
from edgecascade.signals import signals
from edgecascade.store.attempts import Attempt, Attempts, Header

SCRIPT = Path(__file__).parent.parent / "bench" / "estimate.py"
SPEC = importlib.util.spec_from_file_location("bench_estimate", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
estimate: Any = importlib.util.module_from_spec(SPEC)
sys.modules["bench_estimate"] = estimate
SPEC.loader.exec_module(estimate)

IDENTITY = Identity(
    model="Tiny.Q4_K_M", sha256="a" * 64, family="Tiny", quantisation="Q4_K_M", template="0123456789abcdef", sampler={},
    grammar=False, library="0.3.36", backend="cpu", chunk=64, sequences=8, context=2048, kv_type="f16",
    flash_attention="auto", use_extra_bufts=True,
)  # fmt: skip
HEADER = Header(
    identity=IDENTITY, questions="d" * 64, system=None, cloud="big", shard="1/1", created="2026-11-21", width=4,
    fingerprint=((5, -0.25),),
)  # fmt: skip
TASKS = ("exam/history", "exam/law", "riddles")


def attempts(count: int = 120) -> Attempts:
    """Short answers, right the more often the likelier their token."""
    random = np.random.default_rng(4)
    rows = []
    for number in range(count):
        chance = float(random.uniform(0.1, 0.95))
        token = Token(-1, "A", math.log(chance), math.log(chance), chance, 1 - chance, 0.9, 20.0, 0.01, True)
        draft = Draft(
            "A", (token,), "end", Usage(9, 0), Timings(0, 0, 0, 0, 0.01),
            HiddenStates(random.normal(size=4).astype(np.float32), None), SecondLook(chance, 0.01),
        )  # fmt: skip
        grade, cloud = Grade(float(random.random() < chance)), float(random.random() < 0.9)
        rows.append(Attempt(f"q{number}", TASKS[number % 3], "exact", draft, signals(draft), grade, cloud))
    return Attempts(HEADER, tuple(rows))


@pytest.fixture(scope="module")
def table() -> Table:
    """The attempts as columns."""
    return table_of(attempts(), "regret")


def test_nothing_is_scored_by_what_has_seen_it(table: Table) -> None:
    """A fitter that remembers its rows never meets one of them again, and every row is scored."""

    def remember(rest: Table) -> Any:
        known = {row.id for row in rest.attempts}
        return lambda held: np.array([row.id in known for row in held.attempts])

    seen = estimate.crossed(table, remember, estimate.folds(table))

    assert seen.tolist() == [0.0] * len(table)


def test_subjects_of_one_exam_are_one_task(table: Table) -> None:
    """What stands before the slash groups the rows."""
    bench = estimate.Bench.of(table)

    assert bench.names == ("exam", "riddles")
    assert [bench.names[group] for group in bench.group] == [row.task.split("/")[0] for row in table.attempts]


def test_without_the_second_look_only_that_is_gone(table: Table) -> None:
    """Both of its signals are 0, and all others are what they were."""
    before, after = table.attempts[0].signals, estimate.without_look(table).attempts[0].signals

    assert [after[name] for name in estimate.LOOK] == [0.0, 0.0]
    assert {name for name in after if after[name] != before[name]} == set(estimate.LOOK)


@pytest.mark.parametrize("promise", ["regret", "selective"])
def test_the_plug_in_threshold_is_the_loosest_possible(promise: Promise) -> None:
    """On its own rows it keeps the risk, and no threshold that does keeps more."""
    random = np.random.default_rng(8)
    for _ in range(50):
        p, loss = random.integers(0, 9, 40) / 10, (random.random(40) < 0.2).astype(float)

        found = estimate.outcome(p, loss, estimate.plug_in(p, loss, 0.1, promise), promise)

        others = [estimate.outcome(p, loss, threshold, promise) for threshold in np.unique(p)]
        assert found.risk <= 0.1 + 1e-9
        assert found.share == max((one.share for one in others if one.risk <= 0.1 + 1e-9), default=0.0)


def test_certificates_hold_and_naive_thresholds_do_not() -> None:
    """Where the truth is known exactly, certificates fail at most delta of the time, and plug-in ones about half."""
    random = np.random.default_rng(5)
    p = random.random(3000)
    loss = (random.random(3000) > p).astype(float)

    found = estimate.resplit(p, loss, "regret", (0.1,), n=400, resplits=100)["0.1"]

    assert found["violations_redrawn"]["low"] <= estimate.DELTA
    assert found["naive_violations_redrawn"]["value"] > 0.3
    assert found["sure_violations"]["value"] <= found["violations"]["value"]
    assert 0 < found["ratio"] < 1


def test_a_violation_is_sure_only_beyond_noise() -> None:
    """Eleven of a hundred do not show a risk above a tenth; thirty do."""
    close, far = estimate.Outcome(0.11, 11.0, 100, 1.0), estimate.Outcome(0.3, 30.0, 100, 1.0)

    assert close.violates(0.1) and not close.surely_violates(0.1)
    assert far.surely_violates(0.1)


def test_an_estimate_that_knows_the_answers_is_perfect(table: Table) -> None:
    """Its AUROC is 1, it gains over chance, and the record goes into JSON and tables."""
    bench, y = estimate.Bench.of(table), table.y
    known = {estimate.OURS: estimate.Estimate(y, y), "random": estimate.Estimate(*[estimate.chance(table)] * 2)}

    found = estimate.part_a(bench, known)

    assert found["estimates"][estimate.OURS]["auroc_within_tasks"].value == 1.0
    assert found["gains"]["random"].low > 0
    assert found["best_baseline"] == "random"
    json.dumps(estimate.plain(found))


def test_perplexity_ranks_like_the_mean_log_probability(table: Table) -> None:
    """A monotone map keeps the AUROC."""
    mean = auroc(estimate.SCORES["mean log-probability"](table), table.y)

    assert auroc(estimate.SCORES["perplexity"](table), table.y) == mean


def test_repeated_attempts_are_new_but_alike() -> None:
    """The first are the originals, the others differ from them by little."""
    few = attempts(60)

    many = estimate.repeated(few, 100)

    assert many.rows[:60] == few.rows and len(many.rows) == 100
    again, first = many.rows[60], many.rows[0]
    assert again.id != first.id and again.signals != first.signals
    assert again.signals["mean_logprob"] == pytest.approx(first.signals["mean_logprob"], abs=0.5)


def test_a_device_without_a_cloud_is_measured_against_one_that_is_right() -> None:
    """Only where no score was recorded at all."""
    rows = attempts(60)
    alone = Attempts(HEADER, tuple(estimate.replace(row, cloud=None) for row in rows.rows))

    found, name = estimate.with_cloud(alone)

    assert {row.cloud for row in found.rows} == {1.0} and "right" in name
    assert estimate.with_cloud(rows) == (rows, "big")
