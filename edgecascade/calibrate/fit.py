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
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecascade.calibrate import gates as gating
from edgecascade.calibrate.choosing import Choice, Say, choose_calibrator, choose_head
from edgecascade.calibrate.table import Promise, Table, table_of
from edgecascade.calibrate.training import onnx_of
from edgecascade.calibrators import Calibrator
from edgecascade.errors import AttemptsError, ProfileError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.guarantees.ladder import EPSILONS, certify_ladder
from edgecascade.guarantees.needed import must_escalate
from edgecascade.heads import Head, LinearHead, OnnxHead, Vector
from edgecascade.metrics import (
    Interval,
    auroc,
    bootstrap,
    brier,
    deferral_area,
    ece,
    macro_auroc,
    oracle_share,
    prr,
    share_kept,
    smooth_ece,
)
from edgecascade.monitor.psi import Reference
from edgecascade.policies import TierView
from edgecascade.profile import Profile, Weights
from edgecascade.store.attempts import Attempts
from edgecascade.store.fitted_files import FittedFile, GatePart, HeadPart, HeldOut

FIT_SHARE = 0.4
FEWEST_OF_A_KIND = 2
"""Right answers, and wrong ones, among those to fit on: one on each side of a fold."""
REPEATS = 400
ALL_KEPT = 0.995
BREAK_EVEN = 0.05
"""A cascade that keeps a smaller share pays for the local attempts more than it saves."""
BASELINES = ("sum_logprob", "mean_logprob", "min_logprob", "first_probability_margin", "mean_entropy")
RISING_RISK = frozenset({"mean_entropy"})
"""Baselines that grow when the answer is worse."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted file and the head that lies beside it."""

    file: FittedFile
    onnx: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """The device that a fit is for, and what a user gives; a file that was fitted for another one is right as well.

    parameters, bytes  the model's size          cloud_usd, cloud_seconds  an answer of the cloud
    """

    profile: Profile
    weights: Weights
    parameters: float
    bytes: float
    cloud_usd: float
    cloud_seconds: float

    def costs(self, table: Table) -> gating.Costs:
        """Return what answers cost there; ProfileError for a profile that says nothing of speed."""
        speed, power = self.profile.speed_of(self.parameters, self.bytes), self.profile.power
        if speed is None:
            raise ProfileError(
                f"the profile {self.profile.name} says nothing of speed: found no row of speeds, wanted one; run "
                "`edgecascade measure` on that device"
            )
        known = table.cloud[~np.isnan(table.cloud)]
        cloud = TierView(
            "cloud", "cloud", usd=self.cloud_usd, seconds=self.cloud_seconds,
            quality=float(known.mean()) if len(known) else 1.0,
            joules=power.idle.value * self.cloud_seconds if power.idle else 0.0,
        )  # fmt: skip
        return gating.Costs(speed, power.decode.value if power.decode else 0.0, self.weights, cloud)

    def as_json(self) -> dict[str, Any]:
        """Return what the fitted file notes of it."""
        given = {name: value for name, value in asdict(self.weights).items() if value}
        return {"profile": self.profile.name, "cloud_usd": self.cloud_usd, "cloud_seconds": self.cloud_seconds, **given}


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
    gates = gating.fit_gates(fitting, likely, p=guess, costs=target.costs(fitting) if target else None)
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
            "heads": _plain([trial.as_json() for trial in choice.trials]),
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


def ended(table: Table) -> NDArray[np.bool_]:
    """Return which answers ended by themselves, shape (n,): one that was cut off is never kept."""
    return np.array([row.draft.finish_reason == "end" for row in table.attempts])


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


def metrics_of(p: Vector, table: Table) -> dict[str, Any]:
    """Return how good the estimate is on questions that it has not seen, with 95 % bootstrap intervals."""
    y, task = table.y, table.family
    boot = partial(bootstrap, groups=task, repeats=REPEATS)
    found: dict[str, Any] = {
        "accuracy": boot(lambda p, y: float(y.mean()), p, y),
        "auroc": boot(auroc, p, y),
        "auroc_within_tasks": boot(macro_auroc, p, y, task),
        "prr": boot(prr, p, y),
        "smooth_ece": boot(smooth_ece, p, y),
        "ece_10_bins": boot(ece, p, y),
        "brier": boot(brier, p, y),
    }
    if not np.isnan(table.cloud).any():
        found["cloud_accuracy"] = boot(lambda p, cloud: float(cloud.mean()), p, table.cloud)
        found["deferral_area"] = boot(deferral_area, p, table.local, table.cloud)
    for epsilon in (0.01, 0.02, 0.05):
        found[f"share_kept_at_{epsilon:g}"] = boot(partial(share_kept, epsilon=epsilon), p, table.loss)
        found[f"oracle_share_at_{epsilon:g}"] = boot(partial(_oracle_share, epsilon), p, table.loss)
    found["baselines"] = {name: boot(macro_auroc, baseline(table, name), y, task) for name in BASELINES}
    return dict(_plain(found))


def _oracle_share(epsilon: float, p: Vector, loss: Vector) -> float:
    return oracle_share(loss, epsilon)


def baseline(table: Table, name: str) -> Vector:
    """Return a signal as an estimate: higher is surer, shape (n,)."""
    sign = -1.0 if name in RISING_RISK else 1.0
    return sign * np.array([row.signals[name] for row in table.attempts])


def held_out(p: Vector, table: Table, gates: Sequence[gating.Gate] = ()) -> HeldOut:
    """Return the certificate's own questions as columns; what nothing is compared with is rounded."""

    def column(values: NDArray[np.float64], digits: int = 4) -> tuple[float, ...]:
        return tuple(round(float(value), digits) for value in values)

    known = not np.isnan(table.cloud).any()
    return HeldOut(
        task=tuple(int(task) for task in table.task),
        p=column(p),
        local=column(table.local),
        cloud=column(table.cloud) if known else None,
        loss=column(table.loss),
        seconds=column(np.array([row.draft.timings.total_s for row in table.attempts])),
        baselines={name: column(baseline(table, name)) for name in BASELINES},
        exact=tuple(p.tolist()),
        prompt_tokens=tuple(row.draft.usage.prompt_tokens for row in table.attempts),
        tokens=tuple(len(row.draft.tokens) for row in table.attempts),
        ended=tuple(ended(table).tolist()),
        turned=tuple(row.draft.second_look is not None for row in table.attempts),
        looks=tuple(gate.looks(table) for gate in gates),
    )


def _plain(value: Any) -> Any:
    """Return intervals as dictionaries, and a figure that is not defined on these questions as null."""
    if isinstance(value, Interval):
        value = asdict(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
