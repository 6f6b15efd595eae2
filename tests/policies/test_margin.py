"""The closed form of the gain against its definition."""

import random

import pytest
from scipy.integrate import quad
from scipy.stats import norm

from edgecascade.policies.margin import expected_gain, worth_escalating


def literal(q: float, s: float) -> float:
    """E[max(a, b)] - a, where b - a is normal with mean q and standard deviation s; a = 0.5."""
    a, lowest, highest = 0.5, 0.5 + q - 12 * s, 0.5 + q + 12 * s
    kink = min(max(a, lowest), highest)
    parts = [quad(lambda b: max(a, b) * norm.pdf(b, a + q, s), *ends) for ends in ((lowest, kink), (kink, highest))]
    return float(sum(value for value, _ in parts)) - a


def test_the_closed_form_is_the_definition() -> None:
    """On 200 seeded cases E[max(device, cloud)] - device, by quadrature."""
    dice = random.Random(1)
    for q, s in [(dice.uniform(-1, 1), dice.uniform(0.05, 1)) for _ in range(200)]:
        assert expected_gain(q, s) == pytest.approx(literal(q, s), abs=1e-7)


def test_the_gain_is_at_least_that_of_the_better_mean() -> None:
    """It is never negative, never below q, and tends to max(q, 0) as the spread vanishes."""
    dice = random.Random(2)
    for q, s in [(dice.uniform(-1, 1), 10 ** dice.uniform(-300, 0)) for _ in range(500)]:
        assert expected_gain(q, s) >= max(q, 0.0) - 1e-15
    assert expected_gain(0.4, 1e-200) == expected_gain(0.4, 0.0) == 0.4


def test_the_gain_rises_with_mean_and_spread() -> None:
    """A better cloud is worth more, and so is one that differs more from question to question."""
    dice = random.Random(3)
    for q, s, more in [(dice.uniform(-1, 1), dice.random(), dice.random()) for _ in range(200)]:
        assert expected_gain(q + more, s) >= expected_gain(q, s)
        assert expected_gain(q, s + more) >= expected_gain(q, s)


def test_a_dearer_cloud_is_worth_it_less_often() -> None:
    """Once it is not worth its price, it is not worth a higher one."""
    worth = [worth_escalating(q=0.1, s=0.2, c=cost / 100, lam=1.0) for cost in range(100)]

    assert worth == sorted(worth, reverse=True) and True in worth and False in worth
