"""Draft to named floats: what the model's own probabilities say about its answer.

Gupta et al., "Language Model Cascades: Token-level uncertainty and beyond", arXiv:2404.10136 (sum, mean, quantile of
token log-probabilities); Ramirez et al., arXiv:2405.02134 (margin of the first token). None of these is a probability
that the answer is right: that takes a calibration.
"""

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from edgecascade.records import Draft, Token, mean_token_probability

Signal = Callable[[Sequence[Token]], float]

SIGNALS: dict[str, Signal] = {
    "tokens": len,
    "sum_logprob": lambda tokens: math.fsum(token.logprob for token in tokens),
    "mean_logprob": lambda tokens: fmean(token.logprob for token in tokens),
    "min_logprob": lambda tokens: min(token.logprob for token in tokens),
    "first_logprob": lambda tokens: tokens[0].logprob,
    "mean_token_probability": mean_token_probability,
    "mean_margin": lambda tokens: fmean(token.margin for token in tokens),
    "min_margin": lambda tokens: min(token.margin for token in tokens),
    "first_margin": lambda tokens: tokens[0].margin,
    "mean_entropy": lambda tokens: fmean(token.entropy for token in tokens),
    "max_entropy": lambda tokens: max(token.entropy for token in tokens),
    "first_entropy": lambda tokens: tokens[0].entropy,
    "mean_top5_mass": lambda tokens: fmean(token.top5_mass for token in tokens),
    "not_likeliest": lambda tokens: sum(token.logprob < token.top_logprob for token in tokens),
}


def signals(draft: Draft) -> dict[str, float]:
    """Return every signal of the draft by name; none for a draft without tokens."""
    return {name: float(signal(draft.tokens)) for name, signal in SIGNALS.items()} if draft.tokens else {}
