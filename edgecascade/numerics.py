"""What one row of logits says, read with few passes over memory that is reused.

All in float32 on the raw temperature-1 logits, before any sampler.

    m        the largest logit
    Z        sum exp(x - m);  ln p(x) = x - m - ln Z
    entropy  H = ln Z + m - (1/Z) sum exp(x - m) x, nats
    top      the 8 largest, exact: none of them is below the 8th largest of the blocks' maxima

After a decode every cache is cold, so a pass over memory costs more than arithmetic: hence one buffer and no sorting of
the vocabulary.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]

BLOCK = 512
TOP = 8
FAR_BELOW = np.float32(-1e30)


@dataclass(frozen=True, slots=True)
class Reading:
    """One distribution over the vocabulary.

    largest        of the raw logits
    log_total      ln sum exp(x - largest)
    entropy        nats
    top_ids        the 8 likeliest token ids, likeliest first (lowest id first among equals)
    top_logprobs   their log-probabilities
    """

    largest: np.float32
    log_total: float
    entropy: float
    top_ids: tuple[int, ...]
    top_logprobs: tuple[float, ...]

    @property
    def logsumexp(self) -> float:
        """The logarithm of the sum of exp of the raw logits."""
        return float(self.largest) + self.log_total

    def logprob(self, logit: np.float32) -> float:
        """Return the log-probability of the token with this raw logit, to the bit that of ``top_logprobs``."""
        return float(logit - self.largest) - self.log_total

    @property
    def margin(self) -> float:
        """The log-odds of the first over the second, ln p - ln p, at least 0."""
        return self.top_logprobs[0] - self.top_logprobs[1]

    @property
    def top5_mass(self) -> float:
        """The probability of the five likeliest, 0 to 1."""
        return float(np.exp(self.top_logprobs[:5]).sum())


class LogitMeter:
    """Reads rows of ``vocabulary`` logits; holds the buffers, so one thread at a time.

    >>> reading = LogitMeter(10).read(np.log(np.arange(1, 11, dtype=np.float32) / 55))
    >>> reading.top_ids[:2], round(reading.entropy, 4), round(reading.margin, 4)
    ((9, 8), 2.1513, 0.1054)
    """

    def __init__(self, vocabulary: int) -> None:
        self._exp = np.empty(vocabulary, np.float32)
        self._hit = np.empty(vocabulary, np.bool_)
        self._blocked = vocabulary // BLOCK * BLOCK if vocabulary >= TOP * BLOCK else 0

    def read(self, logits: Row) -> Reading:
        """Return what the row of shape (vocabulary,) says; at least 8 tokens."""
        ids, values = self._top(logits)
        exp = np.subtract(logits, values[0], out=self._exp)
        np.exp(exp, out=exp)
        total = float(exp.sum())
        with np.errstate(invalid="ignore"):
            mean = _dot(exp, logits) / total
        if math.isnan(mean):  # 0 * -inf: a token that the model rules out altogether
            mean = _dot(exp, np.maximum(logits, FAR_BELOW)) / total
        log_total = math.log(total)
        return Reading(
            largest=values[0],
            log_total=log_total,
            entropy=max(log_total + float(values[0]) - mean, 0.0),
            top_ids=tuple(ids.tolist()),
            top_logprobs=tuple(value - log_total for value in (values - values[0]).tolist()),
        )

    def _top(self, logits: Row) -> tuple[NDArray[np.intp], Row]:
        """Return the ids and logits of the 8 largest, largest first, the lowest id first among equals."""
        if self._blocked:
            maxima = logits[: self._blocked].reshape(-1, BLOCK).max(axis=1)
            floor = np.partition(maxima, -TOP)[-TOP]
            candidates = np.flatnonzero(np.greater_equal(logits, floor, out=self._hit))
        else:
            candidates = np.arange(len(logits))
        values = logits[candidates]
        order = np.argsort(-values, kind="stable")[:TOP]
        return candidates[order], values[order]


def _dot(a: Row, b: Row) -> float:
    """Return a @ b, summed block by block: many small terms lose themselves in one long float32 sum."""
    whole = len(a) // BLOCK * BLOCK
    sums = np.matmul(a[:whole].reshape(-1, 1, BLOCK), b[:whole].reshape(-1, BLOCK, 1))
    return float(sums.sum(dtype=np.float64)) + float(a[whole:] @ b[whole:])
