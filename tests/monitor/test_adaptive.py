"""The adaptive threshold: never looser than the certificate, and right in the long run whatever comes."""

import json
import math

import numpy as np
import pytest

from edgecascade.errors import FittedFileError, InputError
from edgecascade.monitor import AdaptiveThreshold

RHO = 0.2
EPSILON = 0.05


def drifting(seed: int, questions: int) -> tuple[list[AdaptiveThreshold], list[float], list[float]]:
    """Thresholds, true losses and observed losses of a device that gets much worse half way, audited at random."""
    random = np.random.default_rng(seed)
    threshold = AdaptiveThreshold.of(0.6, EPSILON)
    path, losses, observed = [threshold], [], []
    for question in range(questions):
        p = random.random()
        wrong = random.random() < (1 - p if question < questions / 2 else 1 - p * p * p)
        kept = p >= threshold.current
        loss = float(kept and wrong)
        audited = kept and random.random() < RHO
        threshold = threshold.update(loss if audited else None, RHO)
        path.append(threshold)
        losses.append(loss)
        observed.append(loss / RHO if audited else 0.0)
    return path, losses, observed


@pytest.mark.parametrize("seed", range(5))
def test_the_long_run_loss_is_epsilon_under_drift(seed: int) -> None:
    """The mean observed loss obeys the stated bound, and the mean true loss is within 0.01 of epsilon or below it."""
    path, losses, observed = drifting(seed, 20_000)
    slack = (1 + path[0].gamma / RHO - path[0].current) / (path[0].gamma * 20_000)

    assert np.mean(observed) <= EPSILON + slack + 1e-12
    assert np.mean(losses) <= EPSILON + slack + 0.01


def test_without_adaptation_the_same_drift_breaks_the_promise() -> None:
    """The simulation can fail: at the certified threshold the second half loses well over epsilon."""
    random = np.random.default_rng(0)
    p = random.random(20_000)
    losses = (p >= 0.6) & (random.random(20_000) < 1 - p**3)

    assert losses.mean() > 2 * EPSILON


@pytest.mark.parametrize("seed", range(5))
def test_it_is_never_looser_than_the_certificate(seed: int) -> None:
    """At every step, and never above 1 + gamma / rho."""
    path, _, _ = drifting(seed, 5000)
    highest = 1 + path[0].gamma / RHO

    assert all(0.6 <= threshold.current <= highest for threshold in path)


def test_a_hostile_sequence_obeys_the_bound() -> None:
    """Whatever is kept and audited is wrong: still the mean observed loss is epsilon and the stated slack."""
    threshold = AdaptiveThreshold.of(0.5, EPSILON, gamma=0.02)
    total, rounds = 0.0, 3000
    for _ in range(rounds):
        kept = threshold.current <= 1
        total += 1 / RHO if kept else 0
        threshold = threshold.update(1.0 if kept else None, RHO)

    assert total / rounds <= EPSILON + (1 + 0.02 / RHO - 0.5) / (0.02 * rounds) + 1e-12


def test_it_comes_back_to_the_certificate() -> None:
    """After losses stop, the threshold sinks to the certified one and rests there."""
    threshold = AdaptiveThreshold.of(0.7, EPSILON).update(1.0, RHO)
    raised = threshold.current
    for _ in range(1000):
        threshold = threshold.update(None, RHO)

    assert raised > 0.7
    assert threshold.current == 0.7


def test_nothing_certified_stays_nothing() -> None:
    """An infinite threshold keeps no answer, whatever is observed, and can be stored."""
    threshold = AdaptiveThreshold.of(math.inf, EPSILON).update(0.0, 1.0)

    assert threshold.current == math.inf
    assert AdaptiveThreshold.from_json(json.loads(json.dumps(threshold.as_json(), allow_nan=False))) == threshold


def test_the_threshold_survives_a_restart() -> None:
    """Stored at each step, it ends equal to one that was not."""
    path, _, _ = drifting(3, 200)
    restored = [AdaptiveThreshold.from_json(json.loads(json.dumps(threshold.as_json()))) for threshold in path]

    assert restored == path


@pytest.mark.parametrize(("loss", "rho"), [(1.1, 0.5), (-0.1, 0.5), (math.nan, 0.5), (1.0, 0.0), (None, 1.5)])
def test_an_audit_that_cannot_be_weighed_is_refused(loss: float | None, rho: float) -> None:
    """Losses are 0 to 1, probabilities above 0 and at most 1."""
    with pytest.raises(InputError, match="wanted a loss"):
        AdaptiveThreshold.of(0.5, EPSILON).update(loss, rho)


@pytest.mark.parametrize(
    "values", [(0.5, 0.4, 0.01, 0.05), (0.5, math.nan, 0.01, 0.05), (0.5, 0.5, 0.0, 0.05), (0.5, 0.5, 0.01, 1.0)]
)
def test_a_threshold_that_cannot_adapt_is_refused(values: tuple[float, float, float, float]) -> None:
    """Current below certified, no step, or no promise."""
    with pytest.raises(InputError, match="wanted current at least certified"):
        AdaptiveThreshold(*values)


@pytest.mark.parametrize(
    "change", [{"current": 0.4}, {"current": "0.6"}, {"gamma": 0}, {"epsilon": 2}, {"certified": True}]
)
def test_a_damaged_record_is_refused(change: dict[str, object]) -> None:
    """It is found when it is loaded."""
    with pytest.raises(FittedFileError, match=r"found .*wanted"):
        AdaptiveThreshold.from_json(AdaptiveThreshold.of(0.5, EPSILON).as_json() | change)
