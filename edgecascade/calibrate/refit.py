"""Another quantisation of a fitted model: its intercept moved by a few labels, its promise earned anew.

Ranking survives another quantisation, the operating point does not. So head and calibrator are kept and only shifted
(``calibrators.shifted``). Questions that the head was once fitted on may move the shift but never certify, whichever
model answers them; without such ones half of the attempts move it. The certificates are as strong as the few questions
that are left allow; the full promise takes a full fit.
"""

import numpy as np

from edgecascade.calibrate.figures import held_out, metrics_of
from edgecascade.calibrate.fit import Fit, advice_of, id_digest, reference_of
from edgecascade.calibrate.table import Table, ended, table_of
from edgecascade.calibrators import refit_intercept
from edgecascade.errors import AttemptsError
from edgecascade.fitted import Fitted
from edgecascade.guarantees.ladder import certify_ladder
from edgecascade.identity import verdict
from edgecascade.store.attempts import Attempts
from edgecascade.store.fitted_files import onnx_beside

FEWEST = 30
SHIFT_SHARE = 0.5
LEFT = 10
"""Questions that must be left to certify on, and to move the shift by."""


def refit(fitted: Fitted, attempts: Attempts, *, today: str, seed: int = 0) -> Fit:
    """Return a fitted file for the model that made the attempts, from one that was fitted for its sibling.

    Raises AttemptsError for attempts of another model altogether, for fewer than 30, and where nearly all of them are
    at questions that the head was fitted on.
    """
    old, header = fitted.file, attempts.header
    holds = verdict(old.identity, header.identity)
    if holds.state == "refused":
        raise AttemptsError(f"these attempts cannot refit {fitted.path}: {holds.reason}; fit anew with calibrate fit")
    table = table_of(attempts, old.promise, fewest=FEWEST)
    shifting, certifying = parts(table, frozenset(old.fitted_on), seed)
    calibrator = refit_intercept(fitted.calibrator, fitted.head(shifting.matrix(fitted.head.inputs)), shifting.y)
    p = calibrator(fitted.head(certifying.matrix(fitted.head.inputs)))
    complete = np.where(ended(certifying), p, -np.inf)
    ladder = tuple(certificate["epsilon"] for certificate in old.certificates)
    certificates = certify_ladder(complete, certifying.loss, delta=old.delta, promise=old.promise, epsilons=ladder)
    chosen = certificates[ladder.index(old.epsilon)]
    file = old.model_copy(
        update={
            "created": today,
            "identity": header.identity,
            "system": header.system,
            "cloud": header.cloud,
            "verdict": "certified" if chosen.feasible else "infeasible",
            "advice": advice_of(chosen, certifying),
            "calibrator": calibrator.as_json(),
            "certificates": tuple(certificate.as_json() for certificate in certificates),
            "composed": (),
            "gates": (),
            "reference": reference_of(p).as_json(),
            "fingerprint": header.fingerprint,
            "tasks": table.tasks,
            "longest": max(len(row.draft.tokens) for row in certifying.attempts),
            "fitted_on": tuple(sorted({*old.fitted_on, *(id_digest(row.id) for row in shifting.attempts)})),
            "metrics": metrics_of(p, certifying),
            "provenance": {name: value for name, value in old.provenance.items() if name != "target"}  # it has no gates
            | {"refitted_from": old.id, "refitted_on": len(shifting), "certified_on": len(certifying)},
            "held_out": held_out(p, certifying),
        }
    )
    return Fit(file.model_copy(update={"id": file.digest()}), onnx_beside(fitted.path).read_bytes())


def parts(table: Table, fitted_on: frozenset[str], seed: int) -> tuple[Table, Table]:
    """Return the rows that move the shift and the rows that certify; the head has seen none of the latter."""
    seen = np.array([id_digest(row.id) in fitted_on for row in table.attempts])
    if not seen.any():
        seen = np.random.default_rng(seed).permutation(len(table)) < SHIFT_SHARE * len(table)
    if seen.sum() < LEFT or (~seen).sum() < LEFT:
        raise AttemptsError(
            f"these attempts cannot be split: found {int(seen.sum())} of {len(table)} at questions that the head was "
            f"fitted on, wanted at least {LEFT} of these and {LEFT} others; collect other questions, or all of the old"
        )
    return table.take(seen), table.take(~seen)
