"""The arithmetic below the signals, against its literal definition or numpy's."""

import numpy as np
import pytest

from edgecascade.records import Token
from edgecascade.signals.trace import Trace, quantile, slope, worst_window

SEEDS = range(200)


def values_at(seed: int) -> np.ndarray:
    """From 1 to 100 negative numbers, some of them equal."""
    random = np.random.default_rng(seed)
    return -random.exponential(size=1 + seed % 100).round(1 + seed % 3)


def trace_of(*pieces: str) -> Trace:
    """A trace of tokens with these texts, their log-probabilities -1, -2, ..."""
    tokens = [Token(i, text, -1.0 - i, -0.5, 0.1 * i, 1.0, 0.9, 20.0, 0.25) for i, text in enumerate(pieces)]
    return Trace.of(tokens, "end", 9)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_a_quantile_is_numpys(share: float) -> None:
    """Linear between neighbours, on 200 sorted columns of any length."""
    for seed in SEEDS:
        values = np.sort(values_at(seed))

        assert quantile(values, share) == pytest.approx(np.quantile(values, share), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("width", [1, 2, 8, 200])
def test_the_worst_window_is_the_lowest_mean(width: int) -> None:
    """It equals the least of the means of all windows, taken one by one."""
    for seed in SEEDS:
        values = values_at(seed)
        runs = [values[start : start + width].mean() for start in range(max(len(values) - width + 1, 1))]

        assert worst_window(values, width) == pytest.approx(min(runs), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("first", [2, 10, 64])
def test_a_slope_is_that_of_the_least_squares_line(first: int) -> None:
    """It equals polyfit's over the first tokens, and is 0 for a single one."""
    for seed in SEEDS:
        head = values_at(seed)[:first]
        wanted = np.polyfit(np.arange(len(head)), head, 1)[0] if len(head) > 1 else 0.0

        assert slope(values_at(seed), first) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_a_slope_passes_over_what_comes_later() -> None:
    """Tokens behind the first 64 do not turn the line."""
    values = values_at(99)

    assert slope(values) == slope(np.concatenate([values[:64], [100.0] * 50]))


@pytest.mark.parametrize(
    ("pieces", "content", "span"),
    [
        (("The", " cat", "."), [-1, -2], [-1]),
        ((" a", " cat", "!"), [-1, -2], [-1, -2]),
        (("in", " 19", "84"), [-1, -2, -3], [-2, -3]),
        (("say", ' "', "x"), [-1, -3], [-2]),
        ((".", " ", "-"), [-1, -2, -3], [-1, -2, -3]),
        (('"', "."), [-1, -2], [-1]),
        (("iPhone", "\nRome"), [-1, -2], [-2]),
        (("東京", "。"), [-1], [-1]),
    ],
)
def test_content_and_span(pieces: tuple[str, ...], content: list[float], span: list[float]) -> None:
    """Content has a letter or digit; the span a digit, a quote or a leading capital; what is empty falls back."""
    trace = trace_of(*pieces)

    assert trace.content.tolist() == content and trace.span.tolist() == span


def test_probability_margins_keep_their_digits() -> None:
    """The difference of two nearly equal probabilities is not rounded away."""
    token = Token(1, "a", -0.7, -0.7, 1e-12, 1.0, 0.9, 20.0, 0.25)
    margin = Trace.of([token], "end", 9).probability_margin[0]

    assert margin == pytest.approx(np.exp(-0.7) * 1e-12, rel=1e-9)


def test_a_trace_is_as_long_as_its_tokens() -> None:
    """Columns, texts and the length agree; the end is the last token's."""
    tokens = [
        Token(1, "a", -1.0, -0.5, 0.1, 1.0, 0.9, 20.0, 0.25),
        Token(2, "", -2.0, -0.5, 0.1, 1.0, 0.9, 20.0, 0.25, True),
    ]
    trace = Trace.of(tokens, "end", 9)

    assert len(trace) == len(trace.pieces) == len(trace.entropy) == 2
    assert trace.ended and not Trace.of(tokens[:1], "end", 9).ended
