"""Draft to named floats: what the model's own probabilities say about its answer.

Gupta et al., "Language Model Cascades: Token-level uncertainty and beyond", arXiv:2404.10136 (sum, mean, quantiles of
token log-probabilities); Ramirez et al., arXiv:2405.02134 (margin of the first token); Fu et al., "Deep Think with
Confidence", arXiv:2508.15260 (worst window). All are taken at temperature 1 before any sampler, from the decode that
wrote the answer. None of them is a probability that the answer is right: that takes a calibration.

Those of ``RUNNING`` mean the same before the answer is complete, so they can stop it early. Those of several drafts of
one question are in ``disagreement``, and in none of the tables below: fitted heads know these by name.
"""

import json
from collections.abc import Callable, Sequence

from edgecascade.records import Draft, Token
from edgecascade.signals.trace import Trace, log_odds, quantile, slope, worst_window

Signal = Callable[[Trace], float]

SURPRISE = -2.3
"""ln 0.1: a token that the model itself gave less than one chance in ten."""
LAST = 8


def _is_json(pieces: Sequence[str]) -> bool:
    text = "".join(pieces).strip()
    if text[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):  # the second: a model that repeats [ for ever
        return False
    return True


RUNNING: dict[str, Signal] = {
    "tokens": len,
    "sum_logprob": lambda trace: trace.logprob.sum(),
    "mean_logprob": lambda trace: trace.logprob.sum() / len(trace),
    "min_logprob": lambda trace: trace.sorted_logprob[0],
    "first_logprob": lambda trace: trace.logprob[0],
    "second_logprob": lambda trace: trace.logprob[min(1, len(trace) - 1)],
    "q05_logprob": lambda trace: quantile(trace.sorted_logprob, 0.05),
    "q10_logprob": lambda trace: quantile(trace.sorted_logprob, 0.10),
    "q25_logprob": lambda trace: quantile(trace.sorted_logprob, 0.25),
    "median_logprob": lambda trace: quantile(trace.sorted_logprob, 0.50),
    "std_logprob": lambda trace: trace.logprob.std(),
    "last_logprob": lambda trace: trace.logprob[-LAST:].sum() / min(LAST, len(trace)),
    "worst_window_logprob": lambda trace: worst_window(trace.logprob),
    "content_logprob": lambda trace: trace.content.sum() / len(trace.content),
    "content_min_logprob": lambda trace: trace.content.min(),
    "span_logprob": lambda trace: trace.span.sum() / len(trace.span),
    "span_min_logprob": lambda trace: trace.span.min(),
    "mean_token_probability": lambda trace: trace.probability.sum() / len(trace),
    "mean_margin": lambda trace: trace.margin.sum() / len(trace),
    "min_margin": lambda trace: trace.margin.min(),
    "first_margin": lambda trace: trace.margin[0],
    "mean_probability_margin": lambda trace: trace.probability_margin.sum() / len(trace),
    "min_probability_margin": lambda trace: trace.probability_margin.min(),
    "first_probability_margin": lambda trace: trace.probability_margin[0],
    "mean_entropy": lambda trace: trace.entropy.sum() / len(trace),
    "max_entropy": lambda trace: trace.entropy.max(),
    "first_entropy": lambda trace: trace.entropy[0],
    "entropy_slope": lambda trace: slope(trace.entropy),
    "mean_top5_mass": lambda trace: trace.top5_mass.sum() / len(trace),
    "first_top5_mass": lambda trace: trace.top5_mass[0],
    "mean_logsumexp": lambda trace: trace.logsumexp.sum() / len(trace),
    "first_logsumexp": lambda trace: trace.logsumexp[0],
    "not_likeliest": lambda trace: (trace.logprob < trace.top_logprob).sum(),
    "surprises": lambda trace: (trace.logprob < SURPRISE).sum(),
    "prompt_tokens": lambda trace: trace.prompt_tokens,
}
"""Signals that can be read after any number of tokens."""

SIGNALS: dict[str, Signal] = RUNNING | {
    "end_logprob": lambda trace: trace.logprob[-1] if trace.ended else 0.0,
    "cut_off": lambda trace: trace.finish_reason == "length",
    "valid_json": lambda trace: _is_json(trace.pieces),
    "second_look": lambda trace: log_odds(trace.second_look),
    "looked_again": lambda trace: trace.second_look is not None,
}
"""Every signal of a complete answer."""

PREFILL = (
    "first_logprob",
    "first_margin",
    "first_probability_margin",
    "first_entropy",
    "first_top5_mass",
    "first_logsumexp",
    "prompt_tokens",
)
"""Those that are known once the prompt was read and one token chosen."""


def signals(draft: Draft) -> dict[str, float]:
    """Return every signal of the draft by name; none for a draft without tokens."""
    if not draft.tokens:
        return {}
    trace = Trace.of_draft(draft)
    return {name: float(signal(trace)) for name, signal in SIGNALS.items()}


def running_signals(tokens: Sequence[Token], prompt_tokens: int) -> dict[str, float]:
    """Return the signals of an answer that is still being written; at least one token."""
    trace = Trace.of(tokens, "cancelled", prompt_tokens)
    return {name: float(signal(trace)) for name, signal in RUNNING.items()}
