"""What a promise says where fewer answers are kept than its certificate covers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecascade.guarantees.certificate import Certificate, Promise
from edgecascade.guarantees.regret import certify_regret
from edgecascade.guarantees.selective import certify_selective

EPSILON, DELTA = 0.1, 0.1
SUREST = 0.95
"""Of all answers, by how sure they are, this share is given up for something else than the certificate."""


def risk(rank: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chance to be wrong where the surest of all are wrong more often: small but at both ends."""
    return np.where(rank < 0.5, 0.5, np.where(rank < SUREST, 0.02, 0.35))


def mean_risk(least: float) -> float:
    """The chance to be wrong of an answer of at least this rank."""
    return float(risk(np.linspace(least, 1, 20001)).mean())


def rank_of(p: float) -> float:
    """The rank of an estimate, 0 to 1."""
    return 1 - float(np.sqrt((1 - p) / 0.3))


def drawn(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A thousand estimates and losses."""
    random = np.random.default_rng(seed)
    rank = random.random(1000)
    return 1 - 0.3 * (1 - rank) ** 2, (random.random(1000) < risk(rank)).astype(np.float64)


def test_a_share_holds_of_all_that_may_be_kept_and_not_of_any_part() -> None:
    """Where the surest are wrong more often, those that are left break what holds of all of them; regret never does."""
    made, false, false_of_fewer, false_regret = 0, 0, 0, 0
    for seed in range(100):
        p, losses = drawn(seed)
        share = certify_selective(p, losses, epsilon=EPSILON, delta=DELTA)
        cost = certify_regret(p, losses, epsilon=EPSILON, delta=DELTA)
        if share.feasible:
            made += 1
            false += mean_risk(rank_of(share.threshold)) > EPSILON
            false_of_fewer += mean_risk(max(rank_of(share.threshold), SUREST)) > EPSILON
        false_regret += cost.feasible and (1 - SUREST) * mean_risk(SUREST) > EPSILON

    assert made > 80 and false <= 15
    assert false_of_fewer == made and false_regret == 0


@pytest.mark.parametrize(
    ("promise", "said"),
    [
        ("regret", "Keeping answers on this device costs at most 10 % of questions"),
        ("selective", "Of the answers that this device may keep at most 10 % are wrong, with 90 % confidence"),
        ("agreement", "Of the answers that this device may keep at most 10 % differ from the cloud's, with 90 %"),
    ],
)
def test_of_fewer_it_says_what_was_tested(promise: Promise, said: str) -> None:
    """And that those which are left were not; regret stays as it is."""
    certificate = Certificate(
        promise=promise, epsilon=EPSILON, delta=DELTA, n=600, threshold=0.5, kept=300, losses=21.0, bound=0.095,
        reason="", needed=None, method="by hand",
    )  # fmt: skip
    plain, fewer = certificate.sentence("2026-11-22"), certificate.sentence("2026-11-22", fewer=True)

    assert fewer.startswith(said) and (fewer == plain) is (promise == "regret")
    assert fewer.endswith("; here fewer may be kept, and no test was of those alone.") is (promise != "regret")
