"""Signals are functions of the tokens alone."""

import math

import pytest

from edgecascade.evidence import draft_of
from edgecascade.records import Ending, Token
from edgecascade.signals import SIGNALS, signals


def tokens(*logprobs: float) -> list[Token]:
    """Tokens with these log-probabilities, the second not the likeliest."""
    return [
        Token(i, f"w{i} ", logprob, max(logprob, -0.5), 0.1 * i, 1.0 + i, 0.9, 20.0, 0.25)
        for i, logprob in enumerate(logprobs)
    ]


def test_every_signal_is_a_finite_number() -> None:
    """Each signal of a short draft is finite; an empty draft has none."""
    found = signals(draft_of(tokens(-0.1, -2.0, -0.3), Ending("end", 9, 3, 0, 0.5)))

    assert set(found) == set(SIGNALS)
    assert all(math.isfinite(value) for value in found.values())
    assert signals(draft_of([], Ending("cancelled", 9, 0, 0, 0.5))) == {}


def test_signals_of_log_probabilities_are_their_definitions() -> None:
    """Sum, mean, minimum, the arithmetic mean of probabilities, and how often the likeliest was passed over."""
    found = signals(draft_of(tokens(-0.1, -2.0, -0.3), Ending("end", 9, 3, 0, 0.5)))

    assert found["sum_logprob"] == pytest.approx(-2.4)
    assert found["mean_logprob"] == pytest.approx(-0.8)
    assert found["min_logprob"] == -2.0
    assert found["mean_token_probability"] == pytest.approx(sum(map(math.exp, (-0.1, -2.0, -0.3))) / 3)
    assert found["not_likeliest"] == 1


def test_timings_leave_out_what_is_not_decoding() -> None:
    """tokens/s leaves the first token out, prefill the reused tokens, and the total is the sum."""
    timings = draft_of(tokens(-0.1, -0.2, -0.3), Ending("end", 90, 3, 64, 0.13), load_seconds=2.0).timings

    assert timings.decode_tps == pytest.approx(4.0)
    assert timings.prefill_tps == pytest.approx(26 / 0.13)
    assert (timings.ttft_s, timings.total_s, timings.load_s) == (0.25, 0.75, 2.0)
