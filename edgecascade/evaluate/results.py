"""What an evaluation comes to: a record a policy and a baseline, and a plain sentence on each.

``as_json`` is the last line of ``edgecascade evaluate --json``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from edgecascade.evaluate.comparing import Gain
from edgecascade.evaluate.streaming import Arrivals, Stream
from edgecascade.page.markup import significant
from edgecascade.pool import Unit

RIVALS: Mapping[str, str] = MappingProxyType(
    {"random_mix": "the random mix of single models", "threshold": "the threshold cascade"}
)
Point = tuple[float, float, float]
"""Of a curve: budget, cost, quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Means over the splits of one policy; every figure is None where it could not run, and ``reason`` says why.

    interval  of the quality, 95 %               calls  of each model, a question
    auc       mean height of the curve of quality by cost between the cheapest and the dearest single model
    against   gain on each of ``RIVALS`` at equal cost            areas  gain of ``auc`` on each, of two splits or more
    fit_seconds         of the policy itself and of setting its budget; the shared estimator's are apart
    decide_microseconds  median of a first decision on one question
    seconds   of the models' answers, a question: a round's models asked at once, and all in turn; None: not recorded
    promised  SMART's: how often its answer is the reference's, at least         stream  the same questions as a stream
    """

    name: str
    quality: float | None = None
    cost: float | None = None
    interval: tuple[float, float] | None = None
    calls: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    fit_seconds: float | None = None
    decide_microseconds: float | None = None
    auc: float | None = None
    against: Mapping[str, Gain] = field(default_factory=lambda: MappingProxyType({}))
    areas: Mapping[str, Gain] = field(default_factory=lambda: MappingProxyType({}))
    curve: tuple[Point, ...] = ()
    seconds: tuple[float, float] | None = None
    promised: float | None = None
    stream: Stream | None = None
    reason: str | None = None

    def as_json(self, *, curve: bool) -> dict[str, Any]:
        """Return the record as plain values; "beats_constant" is by the random mix, of which it is a part."""
        plain = ("quality", "cost", "fit_seconds", "decide_microseconds", "auc")
        seconds = self.seconds and dict(zip(("parallel", "sequence"), self.seconds, strict=True))
        known = {"seconds": seconds, "promised": self.promised, "stream": self.stream and self.stream._asdict()}
        beats = {"beats_constant": "random_mix", "beats_threshold": "threshold"}
        return {
            **{name: getattr(self, name) for name in plain},
            "calls": dict(self.calls),
            "interval": list(self.interval) if self.interval else None,
            **{name: self.against[rival].verdict == "better" for name, rival in beats.items() if rival in self.against},
            "against": {name: one.as_json() for name, one in self.against.items()},
            "auc_against": {name: one.as_json() for name, one in self.areas.items()},
            **{name: one for name, one in known.items() if one is not None},
            **({"curve": [list(point) for point in self.curve]} if curve and self.curve else {}),
            **({"reason": self.reason} if self.reason else {}),
        }

    def sentence(self) -> str:
        """Return in words whether it beats what anyone can do without it."""
        if self.reason:
            return f"{self.name} is not available: {self.reason}"
        said = f"{self.name} {' and '.join(_said(name, gain) for name, gain in self.against.items())}, at equal cost."
        areas = " and ".join(_said(name, gain) for name, gain in self.areas.items())
        return f"{said} Over all budgets it {areas}, by area." if areas else said


def _said(rival: str, gain: Gain) -> str:
    verb = {"better": "beats", "worse": "loses to", "neither": "does not beat"}[gain.verdict]
    return f"{verb} {RIVALS[rival]} ({points(gain.value)}, {points(gain.low)} to {points(gain.high)} points)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Policies beside the baselines, and how they came about.

    source    the table, for people                   features, feature_source  what was known of a question
    n_train, n_test  questions of each split          budget  a question, the mean over the splits
    estimate_seconds  that the shared features and estimator took to fit
    budget_stated  or that of the best single model   sweep   whether curves are printed
    arrivals  of the stream, if there was one         notices what must be said of it
    """

    source: str
    policies: tuple[Result, ...]
    baselines: tuple[Result, ...]
    models: tuple[str, ...]
    unit: Unit
    features: str
    feature_source: str
    n_train: int
    n_test: int
    splits: int
    seed: int
    budget: float
    confidence: float | None
    estimate_seconds: float
    budget_stated: bool = True
    sweep: bool = False
    arrivals: Arrivals | None = None
    notices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the records as plain values."""
        plain = ("n_train", "n_test", "unit", "splits", "seed", "budget", "confidence", "estimate_seconds")
        return {
            "policies": {one.name: one.as_json(curve=self.sweep) for one in self.policies},
            "baselines": {one.name: one.as_json(curve=self.sweep) for one in self.baselines},
            **{name: getattr(self, name) for name in plain},
            "models": list(self.models),
            "features": {"kind": self.features, "source": self.feature_source},
            "notices": list(self.notices),
            **({"stream": asdict(self.arrivals)} if self.arrivals else {}),
        }

    @property
    def ran(self) -> list[Result]:
        """The policies that could be played."""
        return [one for one in self.policies if one.reason is None]

    def sentence(self) -> str:
        """Return what was done."""
        splits = "one split" if self.splits == 1 else f"{self.splits} splits"
        means = ", the mean over the splits" if self.splits > 1 else ""
        best = "" if self.budget_stated else f" (what the best single model costs on the training part{means})"
        return (
            f"{len(self.models)} models on {self.source}: {self.n_train} questions to fit on and {self.n_test} to "
            f"play, {splits}, at most {money(self.budget, self.unit)} a question{best}."
        )

    def winner(self) -> tuple[Result, str]:
        """Return the policy that gained most on the random mix, and where: over all budgets, or at the one stated."""
        by_area = not self.budget_stated and any(one.areas for one in self.ran)
        gains = [((one.areas if by_area else one.against)["random_mix"], one) for one in self.ran]
        gain, best = max(gains, key=lambda pair: pair[0].value)
        where = "over all budgets, by area" if by_area else "at the budget"
        span = f"{points(gain.value)}, {points(gain.low)} to {points(gain.high)} points"
        return best, f"it gained most on {RIVALS['random_mix']} {where} ({span})"


def points(share: float) -> str:
    """Return a difference of quality in hundredths.

    >>> points(0.0123), points(-0.004)
    ('+1.2', '-0.4')
    """
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def money(cost: float | None, unit: Unit) -> str:
    """Return a cost in its unit.

    >>> money(0.000214, "usd"), money(1.5, "calls")
    ('$0.000214', '1.50 calls')
    """
    return f"${significant(cost)}" if unit == "usd" else f"{significant(cost)} calls"
