"""A fitted file at work: p_correct of a draft, the promise that holds for it here, and which file is taken."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.calibrate.training import onnx_of
from edgecascade.calibrators import calibrator_from_json
from edgecascade.errors import AttemptsError, FittedFileError
from edgecascade.fitted import Fitted, find_fitted
from edgecascade.guarantees.certificate import Certificate
from edgecascade.heads import Inputs, LinearHead, OnnxHead
from edgecascade.judging import REMEMBERED, Judge
from edgecascade.monitor.psi import Reference
from edgecascade.prompts import choose
from edgecascade.records import Draft, Estimate, HiddenStates, Message, Question, Timings, Token, Tool, Usage
from edgecascade.signals import signals
from edgecascade.store.fitted_files import (
    FittedFile,
    GatePart,
    HeadPart,
    HeldOut,
    onnx_beside,
    user_fitted,
    write_fitted,
)
from edgecascade.store.paths import Folders, shipped
from edgecascade.testing import TINY_IDENTITY as IDENTITY

OTHER_QUANTISATION: dict[str, Any] = {"sha256": "b" * 64, "quantisation": "Q8_0"}
OTHER_TEMPLATE: dict[str, Any] = {"template": "f" * 16}
LADDER = {0.01: math.inf, 0.05: 0.6, 0.1: 0.3}
"""The threshold at each risk; nothing can be promised at the first."""
PLAIN = LinearHead(Inputs(("mean_logprob", "tokens")), np.array([2.0, -0.125]), 1.0)
SEEING = LinearHead(Inputs(("mean_logprob",), ("prompt",), 2), np.array([2.0, 1.0, -1.0]), 0.5)


def certificate(epsilon: float, threshold: float) -> dict[str, Any]:
    """One rung of the ladder."""
    feasible = math.isfinite(threshold)
    return Certificate(
        promise="regret",
        epsilon=epsilon,
        delta=0.1,
        n=500,
        threshold=threshold,
        kept=200 if feasible else 0,
        losses=0.0,
        bound=epsilon if feasible else 1.0,
        reason="" if feasible else "500 questions are too few",
        needed=None if feasible else 900,
        method="exact",
    ).as_json()


def fitted_file(head: LinearHead = PLAIN, **changes: Any) -> tuple[FittedFile, bytes]:
    """A file with this head, signed, and the head as ONNX."""
    onnx = onnx_of(head)
    values: dict[str, Any] = {
        "created": "2026-11-21",
        "identity": IDENTITY,
        "system": None,
        "cloud": "big",
        "promise": "regret",
        "epsilon": 0.05,
        "delta": 0.1,
        "verdict": "certified",
        "advice": "",
        "head": HeadPart(
            name="linear",
            kind="linear",
            signals=head.inputs.signals,
            hidden=head.inputs.hidden,
            width=head.inputs.width,
            weights=tuple(head.weights.tolist()),
            intercept=head.intercept,
            sha256=hashlib.sha256(onnx).hexdigest(),
        ),
        "calibrator": {"kind": "platt", "slope": 1.5, "intercept": 0.25},
        "certificates": tuple(certificate(*rung) for rung in LADDER.items()),
        "composed": (),
        "gates": (),
        "reference": Reference.of([number / 100 for number in range(100)]).as_json(),
        "fingerprint": (),
        "tasks": ("a",),
        "longest": 400,
        "selection": {},
        "metrics": {},
        "provenance": {},
        "held_out": HeldOut(task=(), p=(), local=(), cloud=None, loss=(), seconds=(), baselines={}),
    }
    file = FittedFile(id="", **values | changes)
    return file.model_copy(update={"id": file.digest()}), onnx


def written(path: Path, head: LinearHead = PLAIN, **changes: Any) -> Path:
    """Write such a file, and return where."""
    write_fitted(path, *fitted_file(head, **changes))
    return path


def draft(logprob: float = -0.1, *, hidden: bool = False) -> Draft:
    """An answer of four equally sure tokens."""
    token = Token(1, "word", logprob, logprob, 1.0, 0.5, 0.9, 20.0, 0.1)
    states = HiddenStates(np.array([0.5, 0.25], np.float32), None) if hidden else None
    return Draft("word", (token,) * 4, "end", Usage(9, 4), Timings(0, 0, 0, 0, 0.4), states)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A user without anything."""
    return Folders.of({"EDGECASCADE_HOME": str(tmp_path / "home")})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A fitted file."""
    return written(tmp_path / "tiny.json")


# p_correct


def test_p_correct_is_the_calibrated_logit_of_the_signals(path: Path) -> None:
    """Signals, head, calibrator, one behind the other."""
    fitted = Fitted(path)
    logit = PLAIN(PLAIN.inputs.matrix([(signals(draft()), None)]))[0]

    assert fitted.p_correct(draft()) == calibrator_from_json(fitted.file.calibrator)(float(logit))
    assert fitted.p_correct(draft(-0.1)) > fitted.p_correct(draft(-1.0))


def test_both_runtimes_give_the_same_estimate(path: Path) -> None:
    """The weights in the file, and the ONNX file beside it, to 1e-6."""
    plain, onnx = Fitted(path), Fitted(path, onnx=True)

    assert (type(plain.head), type(onnx.head)) == (LinearHead, OnnxHead)
    for logprob in (-0.01, -0.3, -2.0):
        assert onnx.p_correct(draft(logprob)) == pytest.approx(plain.p_correct(draft(logprob)), abs=1e-6)


def test_a_draft_without_tokens_is_not_right(path: Path) -> None:
    """Nothing was said, so nothing is estimated."""
    assert Fitted(path).p_correct(replace(draft(), tokens=())) == 0.0


def test_a_head_on_states_asks_for_them(tmp_path: Path) -> None:
    """It says so beforehand, reads them where they are, and refuses a draft without them."""
    fitted = Fitted(written(tmp_path / "seeing.json", SEEING))
    logit = 2 * -math.log(1.1) + 0.5 - 0.25 + 0.5

    assert fitted.wants_hidden
    assert fitted.p_correct(draft(hidden=True)) == pytest.approx(1 / (1 + math.exp(-1.5 * logit - 0.25)))
    with pytest.raises(AttemptsError, match="hidden=True"):
        fitted.p_correct(draft())


# The file


@pytest.mark.parametrize("onnx", [False, True])
def test_a_tampered_head_is_refused(path: Path, onnx: bool) -> None:
    """By its digest, whether it would be run or only lies beside the weights."""
    onnx_beside(path).write_bytes(onnx_beside(path).read_bytes() + b"\0")

    with pytest.raises(FittedFileError, match="is not the one that was fitted"):
        Fitted(path, onnx=onnx)


def test_a_linear_head_needs_no_file_beside_it(path: Path) -> None:
    """Its weights stand in the fitted file; only who wants onnxruntime needs the other."""
    onnx_beside(path).unlink()

    assert Fitted(path).p_correct(draft()) > 0
    with pytest.raises(FittedFileError, match=r"tiny\.onnx cannot be read"):
        Fitted(path, onnx=True)


def test_trees_need_their_file(tmp_path: Path) -> None:
    """A head that stands nowhere else is opened at once, and refused where it is missing."""
    path = written(tmp_path / "trees.json")
    file = Fitted(path).file
    trees = file.model_copy(update={"head": file.head.model_copy(update={"kind": "onnx", "weights": ()})})
    write_fitted(path, trees.model_copy(update={"id": trees.digest()}), onnx_beside(path).read_bytes())

    assert isinstance(Fitted(path).head, OnnxHead)
    onnx_beside(path).unlink()
    with pytest.raises(FittedFileError, match=r"trees\.onnx cannot be read"):
        Fitted(path)


def test_a_signal_that_is_not_known_is_refused(tmp_path: Path) -> None:
    """A file of a newer version names what this one cannot measure."""
    newer = LinearHead(Inputs(("tokens", "telepathy")), np.ones(2), 0.0)

    with pytest.raises(FittedFileError, match="found telepathy; install the version that fitted it"):
        Fitted(written(tmp_path / "newer.json", newer))


def test_a_risk_that_is_not_on_the_ladder_is_refused(path: Path, folders: Folders) -> None:
    """With all those that are; without a name the file's own is taken."""
    fitted = Fitted(path)

    assert fitted.certificate().epsilon == 0.05 and fitted.certificate(0.1).threshold == 0.3
    with pytest.raises(FittedFileError, match=r"epsilon 0\.03: found 0\.01, 0\.05, 0\.1; choose one of them"):
        fitted.certificate(0.03)
    with pytest.raises(FittedFileError, match=r"epsilon 0\.03"):
        Judge(fitted, IDENTITY, folders, epsilon=0.03)


# What it says here


ASKED = Question.of("What is it?")


def judged(path: Path, folders: Folders, *, epsilon: float | None = None, **changes: Any) -> tuple[Judge, Estimate]:
    """Judge one draft on an engine that differs from the fitted one in these fields."""
    judge = Judge(Fitted(path), replace(IDENTITY, **changes), folders, epsilon=epsilon)
    return judge, judge(ASKED, draft())


def test_fresh_is_an_estimate_with_its_promise(path: Path, folders: Folders) -> None:
    """Threshold and sentence are the certificate's, and the draft is kept if it reaches them."""
    judge, estimate = judged(path, folders)

    assert estimate.p_correct == judge.fitted.p_correct(draft())
    assert (estimate.threshold, estimate.promise) == (0.6, judge.fitted.certificate().sentence("2026-11-21"))
    assert estimate.calibration and estimate.calibration.verdict == "fresh"
    assert estimate.kept and not judge(ASKED, draft(-3.0)).kept


def test_a_risk_of_the_ladder_may_be_chosen(path: Path, folders: Folders) -> None:
    """Its own threshold, its own sentence."""
    _, estimate = judged(path, folders, epsilon=0.1)

    assert estimate.threshold == 0.3 and estimate.promise and "10 %" in estimate.promise


def test_stale_is_an_estimate_without_a_promise(path: Path, folders: Folders) -> None:
    """Of another quantisation the ranking survives, and the reason says how to mend it."""
    judge, estimate = judged(path, folders, **OTHER_QUANTISATION)

    assert estimate.p_correct == judge.fitted.p_correct(draft())
    assert estimate.threshold is estimate.promise is None and not estimate.kept
    assert estimate.calibration and estimate.calibration.verdict == "stale"
    assert "refit with 30 or more labelled questions" in estimate.calibration.reason


@pytest.mark.parametrize(
    ("question", "changes", "named"),
    [
        (
            Question.of("What is it?", system="Answer as a pirate."),
            {},
            "another system message than the one it was fitted with",
        ),
        (
            Question((*ASKED.messages, Message("assistant", "Ice."), *ASKED.messages[-1:])),
            {},
            "goes on with a conversation",
        ),
        (replace(ASKED, tools=(Tool("mail", "Mails.", "{}"),)), {}, "brings tools"),
        (choose("Which?", ["a dog", "a stone"]), {"text": "A. a dog\nB. a stone"}, "names none of the choices"),
        (ASKED, {"finish_reason": "length"}, "did not end by itself: found 'length'"),
        (ASKED, {"finish_reason": "cancelled"}, "did not end by itself"),
        (ASKED, {"tokens": draft().tokens * 500}, "longer than any answer that was certified"),
    ],
)
def test_an_answer_like_none_that_was_certified_has_no_promise(
    path: Path, folders: Folders, question: Question, changes: dict[str, Any], named: str
) -> None:
    """Asked in another way, cut off, or longer: an estimate, but no promise, and the monitors do not count it."""
    judge, _ = judged(path, folders)
    seen = judge.watch.state.drift.count
    estimate = judge(question, replace(draft(), **changes))

    assert estimate.p_correct is not None and estimate.promise is None and not estimate.kept
    assert estimate.calibration and estimate.calibration.verdict == "stale"
    assert named in estimate.calibration.reason and "pirate" not in estimate.calibration.reason
    assert judge.watch.state.drift.count == seen


def test_a_judge_that_lives_long_withdraws_what_no_longer_holds(path: Path, folders: Folders) -> None:
    """Drift is noticed by the very judge that sees it, not only by the next process."""
    judge, before = judged(path, folders)
    for number in range(300):
        judge(Question.of(f"What is {number}?"), draft(-5.0))
    after = judge(ASKED, draft())

    assert before.promise and not after.promise
    assert after.calibration and "drift" in after.calibration.reason


def test_one_question_over_and_over_is_no_drift(path: Path, folders: Folders) -> None:
    """The monitors see it once, however often it is asked, and so long as it is among the last thousand."""
    judge, _ = judged(path, folders)
    kept = [judge(ASKED, draft(-5.0)).promise for _ in range(300)]
    judge.stopped(ASKED)
    once, judge.watch.write_every = judge.watch.state.drift.count, 10 * REMEMBERED
    for number in range(REMEMBERED):
        judge.stopped(Question.of(f"What is {number}?"))
    forgotten = judge.watch.state
    judge.stopped(ASKED)

    assert all(kept) and once == pytest.approx(1.0)
    assert judge.watch.state != forgotten


def test_refused_is_nothing_but_its_reason(tmp_path: Path, folders: Folders) -> None:
    """Other probabilities altogether: no estimate, and no states are asked for."""
    judge, estimate = judged(written(tmp_path / "seeing.json", SEEING), folders, **OTHER_TEMPLATE)

    assert estimate.p_correct is estimate.threshold is estimate.promise is None
    assert estimate.calibration and estimate.calibration.verdict == "refused"
    assert "another chat template" in estimate.calibration.reason and not judge.wants_hidden


def test_infeasible_is_an_estimate_that_keeps_nothing(path: Path, folders: Folders) -> None:
    """The reason says why nothing was certified, however sure the draft."""
    judge, estimate = judged(path, folders, epsilon=0.01)

    assert estimate.p_correct and estimate.threshold is estimate.promise is None
    assert not judge(ASKED, draft(0.0)).kept
    assert estimate.calibration and estimate.calibration.reason == "nothing certified: 500 questions are too few"


# With gates


def gate_part() -> GatePart:
    """A gate that stops what begins unsure."""
    return GatePart(
        at=2, signals=("mean_logprob",), weights=(1.0,), intercept=0.0, stop_below=-1.0,
        stops=0.3, tokens_saved=0.2, false_alarms=(0.01, 0.0, 0.03),
    )  # fmt: skip


def gated_file(path: Path, composed: dict[float, float]) -> Path:
    """A file with a gate, and certificates of what passes it."""
    return written(path, gates=(gate_part(),), composed=tuple(certificate(*rung) for rung in composed.items()))


@pytest.mark.parametrize(
    ("composed", "epsilon", "gated"),
    [({0.05: 0.7}, None, True), ({0.05: 0.7}, 0.1, False), ({0.05: math.inf}, None, False), ({}, None, False)],
)
def test_gates_are_used_where_something_is_promised_behind_them(
    tmp_path: Path, folders: Folders, composed: dict[float, float], epsilon: float | None, gated: bool
) -> None:
    """Elsewhere the promise, and the threshold, is that of the complete answer alone."""
    fitted = Fitted(gated_file(tmp_path / "gated.json", composed))
    judge = Judge(fitted, IDENTITY, folders, epsilon=epsilon, gated=True)

    assert fitted.gated(epsilon) is judge.gated is gated
    assert judge.certificate.threshold == (0.7 if gated else {None: 0.6, 0.1: 0.3}[epsilon])


def test_without_gates_none_are_used(path: Path, folders: Folders) -> None:
    """And nobody uses gates who did not ask for them."""
    asked, unasked = Judge(Fitted(path), IDENTITY, folders, gated=True), Judge(Fitted(path), IDENTITY, folders)

    assert not asked.gated and not unasked.gated
    assert asked.certificate == unasked.certificate


def test_the_monitors_see_what_a_gate_stopped(tmp_path: Path, folders: Folders) -> None:
    """Of questions like those certified only: not of another system message, a later turn, tools, or another engine."""
    fitted = Fitted(gated_file(tmp_path / "gated.json", {0.05: 0.7}))
    judge, other = (
        Judge(fitted, replace(IDENTITY, **changes), folders, gated=True) for changes in ({}, OTHER_QUANTISATION)
    )
    judge.stopped(Question.of("What is it?", system="Answer as a pirate."))
    judge.stopped(Question((*ASKED.messages, Message("assistant", "Ice."), *ASKED.messages)))
    judge.stopped(replace(ASKED, tools=(Tool("mail", "Mails.", "{}"),)))
    other.stopped(ASKED)
    before = judge.watch.state.drift.count
    judge.stopped(ASKED)

    assert (before, judge.watch.state.drift.count) == (0.0, pytest.approx(1.0))


# Which file is taken


def test_nothing_is_found_where_nothing_is(folders: Folders) -> None:
    """A model that nobody fitted."""
    assert find_fitted(replace(IDENTITY, family="nobody's"), folders) is None


def test_the_named_file_is_taken(path: Path, folders: Folders) -> None:
    """Before the user's own, and whatever it was fitted for."""
    written(user_fitted(folders, IDENTITY.sha256))
    found = find_fitted(replace(IDENTITY, family="another"), folders, explicit=path)

    assert found and found.path == path


def test_the_users_own_is_taken(folders: Folders) -> None:
    """Of several, the one for this very file of weights."""
    own = written(user_fitted(folders, IDENTITY.sha256))
    written(user_fitted(folders, "0" * 64), identity=replace(IDENTITY, sha256="0" * 64, quantisation="Q8_0"))
    found = find_fitted(IDENTITY, folders)

    assert found and found.path == own


@pytest.mark.parametrize(
    ("there", "best"),
    [
        ({"0": OTHER_TEMPLATE, "1": OTHER_QUANTISATION, "2": {}}, "2"),
        ({"0": OTHER_TEMPLATE, "1": OTHER_QUANTISATION}, "1"),
        ({"0": OTHER_TEMPLATE, "1": {"family": "another"}}, "0"),
        ({"1": {"family": "another"}}, None),
    ],
)
def test_the_one_that_holds_best_is_taken(folders: Folders, there: dict[str, Any], best: str | None) -> None:
    """Fresh before stale before refused; another model's never."""
    for name, changes in there.items():
        written(folders.data / "fitted" / f"{name}.json", identity=replace(IDENTITY, **changes))
    found = find_fitted(IDENTITY, folders)

    assert (found.path.stem if found else None) == best


@pytest.mark.parametrize("path", sorted(shipped("calibration/fitted").glob("*.json")), ids=lambda path: path.stem)
def test_a_shipped_file_serves_who_has_none(path: Path, folders: Folders) -> None:
    """The shipped one is found for its own model, until the user has a fitted file for it."""
    here = Fitted(path).file.identity
    first = find_fitted(here, folders)
    own = written(user_fitted(folders, here.sha256), identity=here)
    second = find_fitted(here, folders)

    assert first and first.path == path
    assert second and second.path == own
