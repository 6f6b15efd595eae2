"""What one row of logits says, read with few passes over memory that is reused.

All in float32 on the raw temperature-1 logits, before any sampler.

    Z        sum exp(x);  ln p(x) = x - ln Z
    entropy  H = ln Z - (1/Z) sum exp(x) x, nats
    top      the 8 largest, exact: none of them is below the 8th largest of the blocks' maxima

After a decode every cache is cold: a pass over memory, and each numpy function met for the first time, costs more than
arithmetic. Hence one buffer, no sorting of the vocabulary, ufunc methods without their wrappers, and the exponential
taken without subtracting the maximum first wherever float32 allows it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import NativeLibraryError

Row = NDArray[np.float32]

TOP = 8
BLOCK = 512
SLICES = 8
"""The dot product is summed in as many parts: in one, float32 loses 1e-4 nats of the entropy; in 8, 5e-6."""
SAFE = (-40.0, 80.0)
"""Where the largest logit may lie for exp and its sum to stay within float32."""
FAR_BELOW = np.float32(-1e30)


@dataclass(frozen=True, slots=True)
class Reading:
    """One distribution over the vocabulary.

    logsumexp      of the raw logits
    entropy        nats
    top_ids        the 8 likeliest token ids, likeliest first (lowest id first among equals)
    top_logprobs   their log-probabilities
    """

    logsumexp: float
    entropy: float
    top_ids: tuple[int, ...]
    top_logprobs: tuple[float, ...]

    def logprob(self, logit: float) -> float:
        """Return the log-probability of the token with this raw logit, to the bit that of ``top_logprobs``."""
        return float(logit) - self.logsumexp

    @property
    def margin(self) -> float:
        """The log-odds of the first over the second, ln p - ln p, at least 0."""
        return self.top_logprobs[0] - self.top_logprobs[1]

    @property
    def top5_mass(self) -> float:
        """The probability of the five likeliest, 0 to 1."""
        return sum(map(math.exp, self.top_logprobs[:5]))


class LogitMeter:
    """Reads rows of ``vocabulary`` logits; holds the buffers, so one thread at a time.

    >>> reading = LogitMeter(10).read(np.log(np.arange(1, 11, dtype=np.float32) / 55))
    >>> reading.top_ids[:2], round(reading.entropy, 4), round(reading.margin, 4)
    ((9, 8), 2.1513, 0.1054)
    """

    def __init__(self, vocabulary: int) -> None:
        self._exp = np.empty(vocabulary, np.float32)
        self._hit = np.empty(vocabulary, np.bool_)
        self._rules_out: bool | None = None  # some models give a few tokens minus infinity, always the same ones
        self._blocked = vocabulary // BLOCK * BLOCK if vocabulary >= TOP * BLOCK else 0
        step = -(-vocabulary // SLICES)
        self._slices = [slice(start, start + step) for start in range(0, vocabulary, step)]

    def read(self, logits: Row) -> Reading:
        """Return what the row of shape (vocabulary,) says; at least 8 tokens."""
        ids, values = self._top(logits)
        if not ids or math.isnan(values[0]):
            raise NativeLibraryError(
                "the model computes NaN: found no largest logit, wanted one; its weights are damaged, fetch it again"
            )
        largest = values[0]
        if SAFE[0] < largest < SAFE[1]:
            offset, exp = 0.0, np.exp(logits, out=self._exp)
        else:
            offset, exp = largest, np.exp(np.subtract(logits, largest, out=self._exp), out=self._exp)
        total = float(np.add.reduce(exp))
        logsumexp = math.log(total) + offset
        if self._rules_out is None:
            self._rules_out = bool(np.isneginf(logits).any())
        mean = self._dot(exp, np.maximum(logits, FAR_BELOW) if self._rules_out else logits) / total
        return Reading(
            logsumexp, max(logsumexp - mean, 0.0), tuple(ids), tuple([value - logsumexp for value in values])
        )

    def _top(self, logits: Row) -> tuple[list[int], list[float]]:
        """Return the ids and logits of the 8 largest, largest first, the lowest id first among equals."""
        if self._blocked:
            maxima = np.maximum.reduce(logits[: self._blocked].reshape(-1, BLOCK), axis=1)
            maxima.partition(-TOP)
            candidates = np.greater_equal(logits, maxima[-TOP], out=self._hit).nonzero()[0]
        else:
            candidates = np.arange(len(logits))
        values = logits[candidates]
        order = (-values).argsort(kind="stable")[:TOP]
        return candidates[order].tolist(), values[order].tolist()

    def _dot(self, a: Row, b: Row) -> float:
        return sum([float(a[part].dot(b[part])) for part in self._slices])
