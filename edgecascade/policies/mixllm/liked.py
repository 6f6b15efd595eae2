"""What users make of answers when all they say is yes or no: one small network for all models.

    f(e, l)   three layers; the query's e and a vector of model l go in, one number comes out: 0 before any feedback
    d         sigmoid(logit(quality) + f): the chance that the user is content with l, "dynamic feedback score"
    r         1 content, 0 not

Policy gradient, as MixLLM learns from such feedback (arXiv:2502.18482, section on continual training, eta_3 = 0.001).
The action is "send it to l", a coin of the chance that is believed, which is the baseline too:

    f's weights move by   eta (r - believed) d/dw log believed  =  eta (r - believed) (1 - believed) d/dw f

Believed is quality and d mixed by the inverse of their variances, each taken as 1 / (1 + answers / weights): the
regression's by graded answers over its p weights, the network's by yes-or-no answers over WIDTH.

Different from the paper: its eq. 15-22 are known to us only in outline (a shared network, policy gradient, a mix by
inverse variance). The coin for an action, the baseline, these variances and a gradient that takes believed for d are
ours; the weights come to rest where what is believed is true. It is not the default: ``mixllm`` says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from zlib import crc32

import numpy as np

from edgecascade.calibrators.logistic import logit, sigmoid
from edgecascade.estimators.stored import arrays
from edgecascade.pool import Array

WIDTH = 32
RATE = 0.001
NEAREST = 0.01
"""Quality is kept so far from 0 and 1, that feedback can still move it."""


@dataclass(frozen=True, slots=True, eq=False)
class Liked:
    """The network: ``inputs`` (WIDTH, p) of e, ``own`` (WIDTH, k) of the models, ``middle`` (WIDTH, WIDTH), ``last``.

    scale  by which e is multiplied, so that its numbers are about 1
    """

    inputs: Array
    own: Array
    middle: Array
    last: Array
    scale: float

    def __call__(self, rows: Array) -> Array:
        """Return f of each e (n, p) and model (n, k)."""
        first = ((rows * self.scale) @ self.inputs.T)[:, None, :] + self.own.T
        return np.asarray(np.maximum(np.maximum(first, 0.0) @ self.middle.T, 0.0) @ self.last)

    def learn(self, row: Array, model: int, push: float) -> "Liked":
        """Return the network whose f(e, model) has moved along its gradient by ``RATE`` times ``push``."""
        given = row * self.scale
        first = np.maximum(self.inputs @ given + self.own[:, model], 0.0)
        second = np.maximum(self.middle @ first, 0.0)
        back = self.last * (second > 0)
        further = (self.middle.T @ back) * (first > 0)
        step, own = RATE * push, self.own.copy()
        own[:, model] += step * further
        return replace(
            self,
            inputs=self.inputs + step * np.outer(further, given),
            own=own,
            middle=self.middle + step * np.outer(back, first),
            last=self.last + step * second,
        )

    def added(self, name: str) -> "Liked":
        """Return the network with one more model behind the others."""
        return replace(self, own=np.hstack([self.own, _own(name)]))

    def removed(self, model: int) -> "Liked":
        """Return the network without a model."""
        return replace(self, own=np.delete(self.own, model, axis=1))

    def as_json(self) -> dict[str, Any]:
        """Return the weights."""
        return {name: getattr(self, name) for name in ("inputs", "own", "middle", "last", "scale")}

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        inputs, own, middle, last = arrays(record, inputs="wp", own="wk", middle="ww", last="w")
        return cls(inputs, own, middle, last, float(record["scale"]))


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """Mixes quality with d; ``graded`` and ``liked`` answers of each model (k,)."""

    network: Liked
    graded: Array
    liked: Array

    def __call__(self, quality: Array, rows: Array) -> Array:
        """Return what is believed (n, k) where the regressions predict ``quality`` (n, k) of e (n, p)."""
        if not self.liked.any():
            return quality
        inside = np.clip(quality, NEAREST, 1 - NEAREST)
        settled, told = 1 + self.graded / rows.shape[1], 1 + self.liked / WIDTH
        found = sigmoid(logit(inside) + self.network(rows)) - inside
        return np.asarray(quality + told / (told + settled) * found)


def new_liked(rows: Array, models: tuple[str, ...], *, seed: int) -> Liked:
    """Return a network that says 0 of everything; rows are e of training questions (n, p)."""
    random = np.random.default_rng(seed)
    size = float((rows**2).sum(axis=1).mean()) if rows.size else 0.0
    scale = float(np.sqrt(rows.shape[1] / size)) if size > 0 else 1.0
    inputs = random.normal(0.0, np.sqrt(2 / max(rows.shape[1], 1)), (WIDTH, rows.shape[1]))
    middle = random.normal(0.0, np.sqrt(2 / WIDTH), (WIDTH, WIDTH))
    return Liked(inputs, np.hstack([_own(name) for name in models]), middle, np.zeros(WIDTH), scale)


def _own(name: str) -> Array:
    """Return the vector of a model (WIDTH, 1): by its name, so that no other model has a part in it."""
    return np.random.default_rng(crc32(name.encode())).normal(0.0, 1.0, (WIDTH, 1))
