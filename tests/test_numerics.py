"""A row of logits, against its literal definition in float64."""

import numpy as np
import pytest

from edgecascade.numerics import LogitMeter


@pytest.mark.parametrize("size", [8, 9, 300, 4095, 4096, 4097, 49_152, 50_001])
@pytest.mark.parametrize("spread", [0.1, 3.0, 40.0])
def test_a_reading_is_the_literal_definition(size: int, spread: float) -> None:
    """Log-sum-exp, entropy, the top 8 and their mass agree with float64 on random rows of any size and spread."""
    random = np.random.default_rng(size)
    meter = LogitMeter(size)
    for _ in range(10):
        row = (random.normal(size=size) * spread + 20).astype(np.float32)
        reading = meter.read(row)

        exact = row.astype(np.float64)
        logsumexp = float(np.log(np.exp(exact - exact.max()).sum()) + exact.max())
        logprobs = exact - logsumexp
        order = np.argsort(-exact, kind="stable")[:8]
        assert reading.logsumexp == pytest.approx(logsumexp, abs=1e-4)
        assert reading.entropy == pytest.approx(-float(np.exp(logprobs) @ logprobs), abs=2e-4)
        assert reading.top_ids == tuple(order)
        assert reading.top_logprobs == pytest.approx(logprobs[order], abs=1e-4)
        assert reading.margin == pytest.approx(logprobs[order[0]] - logprobs[order[1]], abs=1e-4)
        assert reading.top5_mass == pytest.approx(np.exp(logprobs[order[:5]]).sum(), abs=1e-5)


def test_equal_logits_are_ordered_by_id() -> None:
    """Among equals the lowest id comes first, so that greedy is the same everywhere."""
    reading = LogitMeter(10_000).read(np.zeros(10_000, np.float32))

    assert reading.top_ids == tuple(range(8))
    assert reading.entropy == pytest.approx(np.log(10_000), abs=1e-4)


def test_a_ruled_out_token_does_not_spoil_the_entropy() -> None:
    """Minus infinity in a row is a probability of 0, not NaN."""
    row = np.array([1.0] * 8 + [-np.inf] * 8, np.float32)
    reading = LogitMeter(16).read(row)

    assert reading.entropy == pytest.approx(np.log(8), abs=1e-6)


def test_the_chosen_token_and_the_likeliest_are_measured_alike() -> None:
    """The log-probability of the largest logit equals the first of the top to the last bit."""
    row = np.random.default_rng(3).normal(size=5000).astype(np.float32)
    reading = LogitMeter(5000).read(row)

    assert [reading.logprob(row[i]) for i in reading.top_ids] == list(reading.top_logprobs)
