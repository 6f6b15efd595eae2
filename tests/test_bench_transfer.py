"""The bench of transfer: a question is the same row in every form, and a form that changes nothing breaks nothing."""

import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.calibrate.table import Table
from edgecascade.calibrators import Platt
from edgecascade.heads import Inputs
from edgecascade.identity import Identity
from edgecascade.labelled import Grade
from edgecascade.records import Draft, Timings, Token, Usage
from edgecascade.signals import signals
from edgecascade.store.attempts import Attempt, Attempts, Header

SCRIPT = Path(__file__).parent.parent / "bench" / "transfer.py"
SPEC = importlib.util.spec_from_file_location("bench_transfer", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
transfer: Any = importlib.util.module_from_spec(SPEC)
sys.modules["bench_transfer"] = transfer
SPEC.loader.exec_module(transfer)

IDENTITY = Identity(
    model="Tiny.Q4_K_M", sha256="a" * 64, family="Tiny", quantisation="Q4_K_M", template="0123456789abcdef", sampler={},
    grammar=False, library="0.3.36", backend="cpu", chunk=64, sequences=8, context=2048, kv_type="f16",
    flash_attention="auto", use_extra_bufts=True,
)  # fmt: skip
HEADER = Header(
    identity=IDENTITY, questions="d" * 64, system=None, cloud=None, shard="1/1", created="2026-11-21", width=4,
    fingerprint=((5, -0.25), (6, -0.5)),
)  # fmt: skip


def attempts(count: int) -> Attempts:
    """Short answers, right the more often the likelier their token."""
    random = np.random.default_rng(4)
    rows = []
    for number in range(count):
        chance = float(random.uniform(0.1, 0.95))
        token = Token(-1, "A", math.log(chance), math.log(chance), chance, 1 - chance, 0.9, 20.0, 0.01, True)
        draft = Draft(f"A{number}", (token,), "end", Usage(9, 1), Timings(0, 0, 0, 0, 0.01))
        rows.append(
            Attempt(f"q{number}", "t", "exact", draft, signals(draft), Grade(float(random.random() < chance)), None)
        )
    return Attempts(HEADER, tuple(rows))


BASE = attempts(300)


class Known:
    """A fit that is known: the logit is the mean log-probability, whatever it is fitted on."""

    calibrator = Platt(slope=2.0, intercept=1.0)
    inputs = Inputs(("mean_logprob",))

    def logits(self, table: Table) -> Any:
        """Return the logits, shape (n,)."""
        return self(table.matrix(self.inputs))

    def __call__(self, matrix: Any) -> Any:
        """Return the only column."""
        return matrix[:, 0]

    def anew(self, table: Table) -> tuple[Any, Platt]:
        """Return the same fit."""
        return self, self.calibrator


def test_a_question_is_the_same_row_in_every_form() -> None:
    """Whatever the order in which a form's attempts were written down: halves never share a question."""
    ids, backwards = {row.id for row in BASE.rows[:100]}, replace(BASE, rows=BASE.rows[::-1])

    tables = [transfer.common(form, ids, {"q10": 0.0}) for form in (BASE, backwards)]

    assert [row.id for row in tables[0].attempts] == [row.id for row in tables[1].attempts] == sorted(ids)
    assert [row.cloud for row in tables[1].attempts][1:4] == [1.0, 0.0, 1.0]
    assert transfer.same_text(*tables) == 1.0


def test_a_form_that_changes_nothing_breaks_nothing_more() -> None:
    """The base against itself: nothing apart, and a transferred threshold breaks as often as one without transfer."""
    table = transfer.common(BASE, {row.id for row in BASE.rows}, {})

    found = transfer.apart(Known(), table, table, BASE, BASE) | {
        "promises": transfer.tried(Known(), table, table, resplits=3)
    }

    assert (found["identity"], found["fingerprint_nats"], found["rms_mean_logprob"]) == ("fresh", 0.0, 0.0)
    assert all(ways["transferred"] == ways["own"] for ways in found["promises"].values())
    assert "| same | fresh | 0.000 |" in transfer.markdown({"variants": {"same": found}})


def test_a_broken_promise_is_counted_with_its_interval() -> None:
    """Two of four runs above epsilon are a half, and the interval holds it; epsilon itself is kept."""
    found = transfer.summary([(0.1, 0.5), (0.1001, 0.5), (0.2, 0.5), (0.0, 0.0)], 0.1)

    assert found["low"] < found["violations"] == 0.5 < found["high"]
    assert (found["kept"], found["nothing_kept"]) == (0.375, 0.25)


def test_fingerprints_are_compared_by_the_tokens_that_both_name() -> None:
    """Root mean square; None where most of the likeliest tokens are others, or none were noted."""
    near, far = (replace(BASE, header=HEADER.model_copy(update={"fingerprint": marks})) for marks in (
        ((5, -0.25), (6, -0.8)), ((7, -0.25), (8, -0.5)),
    ))  # fmt: skip

    assert transfer.nats(BASE, near) == pytest.approx(0.3 / math.sqrt(2))
    assert transfer.nats(BASE, far) is None


@pytest.mark.parametrize(("common", "said"), [(100, "found 100 questions that BASE and every"), (300, "BASE alone")])
def test_too_little_to_measure_with_is_said(common: int, said: str) -> None:
    """What was found, what is wanted, and what to do."""
    with pytest.raises(SystemExit, match=f"too few .*{said}.*collect more"):
        transfer.measure(BASE, {"few": replace(BASE, rows=BASE.rows[:common])}, None, 1)
