"""The alarm on audited answers: false ones are as rare as promised, true ones come in time."""

import json
import math
from statistics import median

import numpy as np
import pytest

from edgecascade.errors import FittedFileError, InputError
from edgecascade.monitor import AuditState

PROMISE = AuditState(risk=0.05, delta=0.05)


def audits_to_alarm(state: AuditState, losses: np.ndarray) -> float:
    """How many audits it took, infinite where no alarm came."""
    for audit, loss in enumerate(losses.tolist(), 1):
        state = state.update(loss)
        if state.alarm:
            return audit
    return math.inf


def runs(risk: float, most: int, repeats: int) -> list[float]:
    """Audits to the alarm, in seeded runs of 0/1 losses at this risk."""
    random = np.random.default_rng(round(1000 * risk))
    return [audits_to_alarm(PROMISE, (random.random(most) < risk).astype(float)) for _ in range(repeats)]


def test_false_alarms_are_at_most_delta_over_4000_audits() -> None:
    """At exactly the promised risk, the worst that keeps the promise; 3 standard deviations of 150 runs are allowed."""
    false = sum(map(math.isfinite, runs(0.05, 4000, 150)))

    assert false <= 150 * 0.05 + 3 * math.sqrt(150 * 0.05 * 0.95)


@pytest.mark.parametrize(("times", "least", "most"), [(2, 150, 270), (3, 50, 95), (5, 20, 45)])
def test_a_broken_promise_is_found_in_time(times: int, least: int, most: int) -> None:
    """Half of the runs alarm within some 200 audits at twice the promised risk, 70 at three times."""
    assert least <= median(runs(0.05 * times, 2000, 200)) <= most


@pytest.mark.parametrize("seed", range(20))
def test_wealth_is_the_papers_product(seed: int) -> None:
    """Ln of the product of 1 + lam (X - r0), each lam from the losses before it, for graded losses as well."""
    losses = np.random.default_rng(seed).beta(0.3, 2, size=60)
    state, wealth, past = PROMISE, 1.0, [(0.05, 0.05)]
    for loss in losses.tolist():
        mean, second = np.mean(past, axis=0)
        edge = mean - 0.05
        wealth *= 1 + np.clip(edge / (second - mean**2 + edge**2), 0, 0.5 / 0.05) * (loss - 0.05)
        past.append((loss, loss**2))
        state = state.update(loss)

    assert state.wealth == pytest.approx(math.log(wealth), abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_the_bet_is_fair(seed: int) -> None:
    """After any past, a next loss of mean r0 leaves the expected wealth as it is: M is a martingale."""
    state = PROMISE
    for loss in (np.random.default_rng(seed).random(seed) < 0.2).astype(float).tolist():
        state = state.update(loss)
    expected = 0.05 * math.exp(state.update(1.0).wealth) + 0.95 * math.exp(state.update(0.0).wealth)

    assert expected == pytest.approx(math.exp(state.wealth), rel=1e-9)


def test_an_alarm_is_not_taken_back() -> None:
    """A thousand good audits afterwards do not undo it, and the wealth never reaches 0."""
    state = PROMISE
    for loss in [1.0] * 10 + [0.0] * 1000:
        state = state.update(loss)

    assert state.alarm
    assert state.wealth < state.peak
    assert math.isfinite(state.wealth)


def test_no_alarm_without_losses() -> None:
    """Answers that are all right leave the wealth at 1."""
    assert audits_to_alarm(PROMISE, np.zeros(5000)) == math.inf


def test_the_state_survives_a_restart() -> None:
    """Stored after each audit, it ends equal to one that was not."""
    state = restarted = PROMISE
    for loss in np.random.default_rng(6).random(100).tolist():
        state = state.update(loss)
        restarted = AuditState.from_json(json.loads(json.dumps(restarted.update(loss).as_json())))

    assert restarted == state


@pytest.mark.parametrize("loss", [-0.1, 1.1, math.nan, math.inf])
def test_a_loss_out_of_range_is_refused(loss: float) -> None:
    """The bound holds for losses in [0, 1] only."""
    with pytest.raises(InputError, match="wanted 0"):
        PROMISE.update(loss)


@pytest.mark.parametrize(("risk", "delta"), [(0.0, 0.1), (1.0, 0.1), (0.1, 0.0), (0.1, 1.0), (math.nan, 0.1)])
def test_an_empty_promise_is_refused(risk: float, delta: float) -> None:
    """A risk or delta of 0 or 1 promises nothing that could be watched."""
    with pytest.raises(InputError, match="wanted both above 0"):
        AuditState(risk, delta)


@pytest.mark.parametrize(
    "change",
    [
        {"risk": 0.0},
        {"delta": "x"},
        {"audits": -1},
        {"total": 11.0},
        {"wealth": math.nan},
        {"wealth": 1.0},
        {"peak": None},
    ],
)
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    """It is found when it is loaded: also more losses than audits, or a wealth above its peak."""
    with pytest.raises(FittedFileError, match=r"found .*wanted"):
        AuditState.from_json({**PROMISE.as_json(), "audits": 10} | change)
