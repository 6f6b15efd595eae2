"""Another quantisation of a fitted model: its intercept moved by a few labels, its promise earned anew.

Ranking survives another quantisation, the operating point does not. So head and calibrator are kept and only shifted
(``calibrators.shifted``), from half of the new attempts; the certificates are computed on the other half, and are as
strong as so few questions allow. The full promise takes a full fit.
"""

import numpy as np

from edgecascade.calibrate.fit import Fit, advice_of, held_out, metrics_of
from edgecascade.calibrate.table import table_of
from edgecascade.calibrators import refit_intercept
from edgecascade.errors import AttemptsError
from edgecascade.fitted import Fitted
from edgecascade.guarantees.ladder import certify_ladder
from edgecascade.identity import verdict
from edgecascade.monitor.psi import Reference
from edgecascade.store.attempts import Attempts
from edgecascade.store.fitted_files import onnx_beside

SHIFT_SHARE = 0.5


def refit(fitted: Fitted, attempts: Attempts, *, today: str, seed: int = 0) -> Fit:
    """Return a fitted file for the model that made the attempts, from one that was fitted for its sibling.

    Raises AttemptsError for attempts of another model altogether, and for fewer than 50.
    """
    old, header = fitted.file, attempts.header
    holds = verdict(old.identity, header.identity)
    if holds.state == "refused":
        raise AttemptsError(f"these attempts cannot refit {fitted.path}: {holds.reason}; fit anew with calibrate fit")
    table = table_of(attempts, old.promise)
    order = np.random.default_rng(seed).permutation(len(table))
    cut = round(SHIFT_SHARE * len(table))
    shifting, certifying = table.take(order[:cut]), table.take(order[cut:])
    calibrator = refit_intercept(fitted.calibrator, fitted.head(shifting.matrix(fitted.head.inputs)), shifting.y)
    p = calibrator(fitted.head(certifying.matrix(fitted.head.inputs)))
    ladder = tuple(certificate["epsilon"] for certificate in old.certificates)
    certificates = certify_ladder(p, certifying.loss, delta=old.delta, promise=old.promise, epsilons=ladder)
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
            "reference": Reference.of(p.tolist()).as_json(),
            "fingerprint": header.fingerprint,
            "tasks": table.tasks,
            "metrics": metrics_of(p, certifying),
            "provenance": old.provenance
            | {"refitted_from": old.id, "refitted_on": len(shifting), "certified_on": len(certifying)},
            "held_out": held_out(p, certifying),
        }
    )
    return Fit(file.model_copy(update={"id": file.digest()}), onnx_beside(fitted.path).read_bytes())
