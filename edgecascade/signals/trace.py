"""A draft's tokens as columns, so that a signal is one line of arithmetic."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edgecascade.records import Draft, FinishReason, Token

Column = NDArray[np.float64]

WORD = re.compile(r"\w")
SPAN = re.compile(r"[\d\"]|^\s*[A-Z]")
"""What answers are made of: numbers, quoted values, and words that begin with a capital letter."""


@dataclass(frozen=True)
class Trace:
    """The columns of a draft, one value a token; at least one token.

    logprob, top_logprob, margin, entropy, top5_mass, logsumexp   as in ``records.Token``
    pieces         the tokens' texts
    ended          whether the last token is the model's own end
    finish_reason  how the answer ended
    prompt_tokens  the length of the prompt
    second_look    probability of the same choice when they are turned round; None where there was no look
    """

    logprob: Column
    top_logprob: Column
    margin: Column
    entropy: Column
    top5_mass: Column
    logsumexp: Column
    pieces: tuple[str, ...]
    ended: bool
    finish_reason: FinishReason
    prompt_tokens: int
    second_look: float | None = None

    @classmethod
    def of(
        cls,
        tokens: Sequence[Token],
        finish_reason: FinishReason,
        prompt_tokens: int,
        second_look: float | None = None,
    ) -> "Trace":
        """Return the tokens as columns."""
        rows = [
            (token.logprob, token.top_logprob, token.margin, token.entropy, token.top5_mass, token.logsumexp)
            for token in tokens
        ]
        logprob, top_logprob, margin, entropy, top5_mass, logsumexp = np.array(rows, np.float64).T
        return cls(
            logprob=logprob,
            top_logprob=top_logprob,
            margin=margin,
            entropy=entropy,
            top5_mass=top5_mass,
            logsumexp=logsumexp,
            pieces=tuple([token.text for token in tokens]),
            ended=tokens[-1].end,
            finish_reason=finish_reason,
            prompt_tokens=prompt_tokens,
            second_look=second_look,
        )

    @classmethod
    def of_draft(cls, draft: Draft) -> "Trace":
        """Return a draft's tokens as columns."""
        look = draft.second_look
        return cls.of(draft.tokens, draft.finish_reason, draft.usage.prompt_tokens, look.probability if look else None)

    def __len__(self) -> int:
        return len(self.logprob)

    @cached_property
    def sorted_logprob(self) -> Column:
        """Ascending: the least likely token first."""
        return np.sort(self.logprob)

    @cached_property
    def probability(self) -> Column:
        """Of the chosen tokens, 0 to 1."""
        return np.exp(self.logprob)

    @cached_property
    def probability_margin(self) -> Column:
        """p(likeliest) - p(second), 0 to 1."""
        top: Column = np.exp(self.top_logprob)
        gap: Column = top * -np.expm1(-self.margin)
        return gap

    @cached_property
    def content(self) -> Column:
        """Log-probabilities of the tokens with a letter or digit; of all where there is none."""
        return self._where(WORD)

    @cached_property
    def span(self) -> Column:
        """Log-probabilities of the tokens that look like the answer itself; of all content where none does."""
        return self._where(SPAN, otherwise=self.content)

    def _where(self, pattern: re.Pattern[str], otherwise: Column | None = None) -> Column:
        keep = [number for number, piece in enumerate(self.pieces) if pattern.search(piece)]
        if keep:
            return self.logprob[keep]
        return self.logprob if otherwise is None else otherwise


def log_odds(probability: float | None, largest: float = 6.0) -> float:
    """Return ln p / (1 - p), at most ``largest`` either way; 0 where nothing is known.

    >>> log_odds(0.5), log_odds(1.0), log_odds(None)
    (0.0, 6.0, 0.0)
    """
    if probability is None:
        return 0.0
    least = 1 / (1 + math.exp(largest))
    within = min(max(probability, least), 1 - least)
    return max(-largest, min(largest, math.log(within / (1 - within))))


def quantile(ascending: Column, share: float) -> float:
    """Return the value below which this share lies, linear between neighbours.

    >>> quantile(np.array([1.0, 2.0, 4.0]), 0.75)
    3.0
    """
    place = share * (len(ascending) - 1)
    below = int(place)
    above = min(below + 1, len(ascending) - 1)
    return float(ascending[below] + (place - below) * (ascending[above] - ascending[below]))


def worst_window(values: Column, width: int = 8) -> float:
    """Return the lowest mean over any ``width`` neighbours; of all where there are fewer.

    >>> worst_window(np.array([0.0, -4.0, 0.0, 0.0]), width=2)
    -2.0
    """
    if len(values) <= width:
        return float(values.sum()) / len(values)
    total = values.cumsum()
    sums = total[width - 1 :].copy()
    sums[1:] -= total[:-width]
    return float(sums.min()) / width


def slope(values: Column, first: int = 64) -> float:
    """Return the least-squares change a token over the first tokens; 0 for one.

    >>> round(slope(np.array([1.0, 3.0, 5.0])), 6)
    2.0
    """
    head = values[:first]
    if len(head) < 2:
        return 0.0
    time = np.arange(len(head)) - (len(head) - 1) / 2
    return float(time @ head / (time @ time))
