"""Attempts to a fitted file: head, calibrator, gates, certificates, and what is known of each.

    1. split     two fifths of the attempts fit, three fifths certify; the certificate's own are never fitted on
    2. head      chosen by nested cross-validation (``choosing``), fitted on the first part
    3. calibrator  fitted on the cross-fitted logits of the first part, so on other rows than the head that gave them
    4. gates     fitted on the first part
    5. certificates, metrics and drift references from the second part

Exchangeability is all that the promise needs: questions to come must be drawn like those that it was certified on.
"""

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from edgecascade.calibrate import gates as gating
from edgecascade.calibrate.choosing import Choice, Say, choose_calibrator, choose_head
from edgecascade.calibrate.figures import held_out, metrics_of, plain
from edgecascade.calibrate.table import Promise, Table, ended, table_of
from edgecascade.calibrate.target import Target
from edgecascade.calibrate.training import onnx_of
from edgecascade.calibrators import Calibrator
from edgecascade.errors import AttemptsError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.guarantees.ladder import EPSILONS, certify_ladder
from edgecascade.guarantees.needed import must_escalate
from edgecascade.heads import Head, LinearHead, OnnxHead, Vector
from edgecascade.monitor.psi import Reference
from edgecascade.store.attempts import Attempts
from edgecascade.store.fitted_files import FittedFile, GatePart, HeadPart

FIT_SHARE = 0.4
FEWEST_OF_A_KIND = 2
"""Right answers, and wrong ones, among those to fit on: one on each side of a fold."""
ALL_KEPT = 0.995
BREAK_EVEN = 0.05
"""A cascade that keeps a smaller share pays for the local attempts more than it saves."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted file and the head that lies beside it."""

    file: FittedFile
    onnx: bytes


def fit(
    attempts: Attempts,
    *,
    promise: Promise,
    epsilon: float,
    delta: float,
    today: str,
    seed: int = 0,
    say: Say = lambda line: None,
    target: Target | None = None,
) -> Fit:
    """Return what attempts allow to promise; an infeasible promise is a result, not an error.

    promise  regret, selective or agreement      epsilon, delta  the risk allowed, and how often the fit may miss it
    target   the device whose costs choose the gates; None: they are chosen by what they would stop

    Runs on one thread: the matrices are small, and threads that wait for a busy core make it slower, not faster. Raises
    AttemptsError for attempts that cannot be fitted.
    """
    import sklearn.linear_model  # noqa: F401 - loads the libraries whose threads are to be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return _fit(attempts, promise, epsilon, delta, today, seed, say, target)


def _fit(
    attempts: Attempts,
    promise: Promise,
    epsilon: float,
    delta: float,
    today: str,
    seed: int,
    say: Say,
    target: Target | None,
) -> Fit:
    table = table_of(attempts, promise)
    fitting, certifying = split(table, seed)
    _check_both_kinds(fitting)
    costs = target.costs(fitting) if target else None
    choice = choose_head(fitting, say=say)
    say("calibrator")
    calibrator_name, calibrator, losses = choose_calibrator(choice.logits, fitting.y)
    head = choice.candidate(fitting)
    onnx = onnx_of(head)
    p = estimates(served(head, onnx), calibrator, certifying)
    complete = np.where(ended(certifying), p, -np.inf)
    say("gates")
    guess = calibrator(choice.logits)
    likely = guess >= likely_threshold(guess, fitting.loss, promise, epsilon)
    gates = gating.fit_gates(fitting, likely, p=guess, costs=costs)
    say("certificates")
    ladder = tuple(sorted({*EPSILONS, epsilon}))
    certificates = certify_ladder(complete, certifying.loss, delta=delta, promise=promise, epsilons=ladder)
    certificates = tuple(to_collect(certificate, len(table)) for certificate in certificates)
    chosen = certificates[ladder.index(epsilon)]
    gate_results, stopped = gating.measured(gates, certifying, complete >= chosen.threshold)
    behind = np.where(stopped, -np.inf, complete)
    composed = certify_ladder(behind, certifying.loss, delta=delta, promise=promise, epsilons=ladder)
    say("metrics")
    header = attempts.header
    file = FittedFile(
        id="",
        created=today,
        identity=header.identity,
        system=header.system,
        cloud=header.cloud,
        promise=promise,
        epsilon=epsilon,
        delta=delta,
        verdict="certified" if chosen.feasible else "infeasible",
        advice=advice_of(chosen, certifying),
        head=_head_part(choice, head, onnx),
        calibrator=calibrator.as_json(),
        certificates=tuple(certificate.as_json() for certificate in certificates),
        composed=tuple(certificate.as_json() for certificate in composed),
        gates=tuple(_gate_part(gate, result) for gate, result in zip(gates, gate_results, strict=True)),
        reference=reference_of(p).as_json(),
        fingerprint=header.fingerprint,
        tasks=table.tasks,
        longest=max(len(row.draft.tokens) for row in certifying.attempts),
        fitted_on=tuple(sorted(id_digest(row.id) for row in fitting.attempts)),
        selection={
            "head": choice.name,
            "heads": plain([trial.as_json() for trial in choice.trials]),
            "calibrator": calibrator_name,
            "calibrator_log_loss": losses,
        },
        metrics=metrics_of(p, certifying),
        provenance={
            "questions": header.questions,
            "conversations": header.conversations,
            "mean_tokens": float(np.mean([len(row.draft.tokens) for row in certifying.attempts])),
            "mean_prompt_tokens": float(np.mean([row.draft.usage.prompt_tokens for row in certifying.attempts])),
            "collected": header.created,
            "attempts": len(table),
            "fitted_on": len(fitting),
            "certified_on": len(certifying),
            "unparsed": sum(not row.grade.parsed for row in table.attempts),
            "metrics": dict(Counter(row.metric for row in table.attempts)),
            "seed": seed,
            "versions": {name: version(name) for name in ("edgecascade", "numpy", "scikit-learn", "skl2onnx")},
            **({"target": target.as_json()} if target else {}),
        },
        held_out=held_out(p, certifying, gates),
    )
    return Fit(file.model_copy(update={"id": file.digest()}), onnx)


def split(table: Table, seed: int) -> tuple[Table, Table]:
    """Return the rows to fit on and the rows to certify on, each task in both in the same proportion."""
    random = np.random.default_rng(seed)
    fits = np.zeros(len(table), bool)
    owed = 0.0  # so that tasks of a few questions do not all round the same way
    for task in random.permutation(len(table.tasks)):
        rows = random.permutation(np.flatnonzero(table.task == task))
        owed += FIT_SHARE * len(rows)
        take = min(len(rows), round(owed))
        fits[rows[:take]] = True
        owed -= take
    return table.take(fits), table.take(~fits)


def _check_both_kinds(table: Table) -> None:
    right = int(table.y.sum())
    for found, kind, add in ((right, "right", "easier"), (len(table) - right, "wrong", "harder")):
        if found < FEWEST_OF_A_KIND:
            raise AttemptsError(
                f"too few {kind} answers to learn from: found {found} of {len(table)} to fit on, wanted at least "
                f"{FEWEST_OF_A_KIND}; add {add} questions"
            )


def served(head: Head, onnx: bytes) -> Head:
    """Return the head as it will be run: numpy for a linear one, the exported ONNX for any other."""
    return head if isinstance(head, LinearHead) else OnnxHead.of(onnx, head.inputs)


def id_digest(id: str) -> str:
    """Return what stands for a question in a fitted file."""
    return hashlib.sha256(id.encode()).hexdigest()[:10]


def estimates(head: Head, calibrator: Calibrator, table: Table) -> Vector:
    """Return p_correct of every row, shape (n,)."""
    return calibrator(head(table.matrix(head.inputs)))


def to_collect(certificate: Certificate, attempts: int) -> Certificate:
    """Return a certificate whose ``needed`` counts the questions that fit as well as those that certify."""
    if certificate.needed is None:
        return certificate
    return replace(certificate, needed=max(math.ceil(certificate.needed / (1 - FIT_SHARE)), attempts + 1))


def likely_threshold(p: Vector, loss: Vector, promise: Promise, epsilon: float) -> float:
    """Return about where a certificate will put the threshold: the loosest with an observed risk of at most epsilon.

    It certifies nothing; the gates only need to know which answers are likely to be kept.
    """
    order = np.argsort(-p)
    kept = len(p) if promise == "regret" else np.arange(1, len(p) + 1)
    good = np.flatnonzero(np.cumsum(loss[order]) / kept <= epsilon)
    return float(p[order[good[-1]]]) if len(good) else math.inf


def reference_of(p: Vector) -> Reference:
    """Return what drift is measured against; an estimate that is always the same keeps to one bin of two."""
    if np.allclose(p, p[0], rtol=1e-9, atol=0):
        return Reference(edges=(float(1 + p[0]) / 2,), shares=(1.0, 0.0), count=len(p))
    return Reference.of(p.tolist())


def advice_of(certificate: Certificate, table: Table) -> str:
    """Return what a person should do about the result, in a sentence or two."""
    kept, alone = f"{certificate.share_kept:.0%} of the answers", certificate.promise == "selective"
    regret = certificate.promise == "regret"
    if not certificate.feasible:
        more = f" About {certificate.needed:,} questions would be needed." if certificate.needed else ""
        least = must_escalate(float(table.loss.mean()), certificate.epsilon)
        why = f" At least {least:.0%} could not be kept by the best of estimates." if not regret and least > 0 else ""
        return (
            f"DO NOT CASCADE yet: {certificate.reason}. The device is wrong on {1 - table.y.mean():.0%} of these "
            f"questions.{why}{more} Until then no answer is kept."
        )
    if not alone and certificate.share_kept >= ALL_KEPT:
        return "No cloud is needed: the device alone keeps the promise on questions like these."
    if certificate.share_kept < BREAK_EVEN:
        return (
            f"DO NOT CASCADE: only {certificate.share_kept:.1%} of the answers can be kept, which does not pay for the "
            "local attempts at the rest, unless such an attempt costs less than that share of a cloud call."
        )
    right = f"{1 - certificate.losses / certificate.kept:.0%} of them were right here, {table.y.mean():.0%} of all."
    if alone:
        return f"{kept} can be kept: {right}"
    return f"{kept} can be kept. That pays where a local attempt costs less than that share of a cloud call."


def _head_part(choice: Choice, head: Head, onnx: bytes) -> HeadPart:
    linear = isinstance(head, LinearHead)
    return HeadPart(
        name=choice.name,
        kind="linear" if linear else "onnx",
        signals=head.inputs.signals,
        hidden=head.inputs.hidden,
        width=head.inputs.width,
        weights=tuple(head.weights.tolist()) if isinstance(head, LinearHead) else (),
        intercept=head.intercept if isinstance(head, LinearHead) else 0.0,
        sha256=hashlib.sha256(onnx).hexdigest(),
    )


def _gate_part(gate: gating.Gate, result: gating.Measured) -> GatePart:
    inputs = gate.head.inputs
    return GatePart(
        at=gate.at,
        signals=inputs.signals,
        hidden=inputs.hidden,
        width=inputs.width,
        weights=tuple(gate.head.weights.tolist()),
        intercept=gate.head.intercept,
        stop_below=gate.stop_below,
        stops=result.stops,
        tokens_saved=result.tokens_saved,
        false_alarms=result.false_alarms,
    )
