"""A threshold that follows the observed loss, and is never looser than the certificate.

Gibbs, Candes, "Adaptive conformal inference under distribution shift", arXiv:2106.00170, for a threshold in place of a
level, and with audits in place of labels for every answer:

    t <- max(certified, t + gamma (observed - epsilon))      observed = loss / rho if audited, else 0

An answer is kept while p_correct >= t. ``observed`` is right on average when a kept answer is audited with probability
rho. The maximum only ever raises t, so that for every sequence whatsoever, drifting or hostile, after T questions

    mean observed  <=  epsilon + (t_T - t_0) / (gamma T)

and since nothing is kept, and nothing observed, while t > 1, t never passes 1 + gamma / rho.

Different from the paper: the floor. There is no matching lower bound: where the certificate keeps less than epsilon
would allow, so does this.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgecascade.errors import InputError
from edgecascade.monitor.stored import stored_number

GAMMA = 0.005


@dataclass(frozen=True, slots=True)
class AdaptiveThreshold:
    """The threshold in use.

    certified  the certificate's threshold on p_correct; infinite where nothing could be certified
    current    the one in use, at least ``certified``
    gamma      how far one question moves it
    epsilon    the promised mean loss over all questions, those not kept counted as 0

    >>> AdaptiveThreshold(certified=0.75, current=0.75, gamma=0.25, epsilon=0.5).update(1.0, 0.5).current
    1.125
    """

    certified: float
    current: float
    gamma: float
    epsilon: float

    def __post_init__(self) -> None:
        if not self.current >= self.certified or not 0 < self.gamma < math.inf or not 0 < self.epsilon < 1:
            raise InputError(
                f"a threshold that cannot adapt: found certified {self.certified}, current {self.current}, gamma "
                f"{self.gamma}, epsilon {self.epsilon}, wanted current at least certified, gamma above 0, and epsilon "
                "above 0 and below 1; start from the certificate"
            )

    @classmethod
    def of(cls, certified: float, epsilon: float, *, gamma: float = GAMMA) -> "AdaptiveThreshold":
        """Return one that starts at the certificate's threshold."""
        return cls(certified, certified, gamma, epsilon)

    def update(self, loss: float | None, audited_probability: float) -> "AdaptiveThreshold":
        """Return the threshold after one more question, kept or not.

        loss is None where nothing was audited, also where the answer was not kept; audited_probability is rho, above
        0. InputError for a loss outside 0 to 1.
        """
        if not 0 < audited_probability <= 1 or not (loss is None or 0 <= loss <= 1):
            raise InputError(
                f"an audit that cannot be weighed: found loss {loss} at probability {audited_probability}, wanted a "
                "loss from 0 to 1, or None, at a probability above 0; pass the share of kept answers that is audited"
            )
        observed = 0.0 if loss is None else loss / audited_probability
        moved = self.current + self.gamma * (observed - self.epsilon)
        return replace(self, current=max(self.certified, moved))

    def as_json(self) -> dict[str, Any]:
        """Return the fields; null for an infinite threshold."""
        names = ("certified", "current", "gamma", "epsilon")
        values = {name: float(getattr(self, name)) for name in names}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "AdaptiveThreshold":
        """Return what was stored; FittedFileError for a damaged record."""
        certified, current = (
            math.inf if name in record and record[name] is None else stored_number(record, name, least=-1e9)
            for name in ("certified", "current")
        )
        if current < certified:
            stored_number(record, "current", least=certified)
        gamma = stored_number(record, "gamma", least=1e-12)
        return cls(certified, current, gamma, stored_number(record, "epsilon", least=1e-9, most=1 - 1e-9))
