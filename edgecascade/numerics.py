"""What one row of logits says, read in one pass over memory that is reused.

All in float32 on the raw temperature-1 logits, before any sampler.

    lse      ln sum exp(x)
    entropy  H = lse - sum p x = ln Z - (1/Z) sum exp(x - max) (x - max), nats
    top      the 8 largest, exact: they can only lie in the 8 blocks with the largest maxima
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]

BLOCK = 256
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
        """ln sum exp of the raw logits."""
        return float(self.largest) + self.log_total

    def logprob(self, logit: np.float32) -> float:
        """Return the log-probability of the token with this raw logit, to the bit that of ``top_logprobs``."""
        return float(logit - self.largest) - self.log_total

    @property
    def margin(self) -> float:
        """ln p(first) - ln p(second), at least 0."""
        return self.top_logprobs[0] - self.top_logprobs[1]

    @property
    def top5_mass(self) -> float:
        """The probability of the five likeliest, 0 to 1."""
        return float(np.exp(self.top_logprobs[:5]).sum())


class LogitMeter:
    """Reads rows of ``vocabulary`` logits; holds the buffers, so one thread at a time.

    >>> reading = LogitMeter(4).read(np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32)))
    >>> reading.top_ids[:2], round(reading.entropy, 4), round(reading.margin, 4)
    ((3, 2), 1.2799, 0.2877)
    """

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary
        blocks = max(-(-vocabulary // BLOCK), TOP)
        self._shifted = np.full(blocks * BLOCK, FAR_BELOW, np.float32)
        self._blocks = self._shifted.reshape(blocks, BLOCK)
        self._exp = np.empty(vocabulary, np.float32)

    def read(self, logits: Row) -> Reading:
        """Return what the row of shape (vocabulary,) says."""
        largest = logits.max()
        shifted = self._shifted[: self._vocabulary]
        np.subtract(logits, largest, out=shifted)
        np.exp(shifted, out=self._exp)
        total = float(self._exp.sum())
        log_total = float(np.log(total))
        ids, values = self._top()
        return Reading(
            largest=largest,
            log_total=log_total,
            entropy=max(log_total - float(self._exp @ shifted) / total, 0.0),
            top_ids=ids,
            top_logprobs=tuple(value - log_total for value in values),
        )

    def _top(self) -> tuple[tuple[int, ...], list[float]]:
        """Return the ids and shifted logits of the 8 largest, largest first."""
        blocks = np.argpartition(self._blocks.max(axis=1), -TOP)[-TOP:]
        candidates = self._blocks[blocks].ravel()
        inside = np.argpartition(candidates, -TOP)[-TOP:]
        ids = blocks[inside // BLOCK] * BLOCK + inside % BLOCK
        order = np.lexsort((ids, -candidates[inside]))
        return tuple(ids[order].tolist()), candidates[inside[order]].tolist()
