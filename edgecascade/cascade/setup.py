"""What all questions of a cascade share: its tiers, how they answer, and how long they take."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Self

from edgecascade.cascade.calling import AnyTier, CloudTier, Desk, is_cloud
from edgecascade.cascade.pooling import Routing
from edgecascade.cascade.running import DeviceTier, Doubt
from edgecascade.cascade.screen import Show
from edgecascade.errors import ConfigError
from edgecascade.policies import OnBreak, Policy
from edgecascade.privacy import Rules
from edgecascade.profile import Conditions, Figure, Profile, Weights
from edgecascade.records import Attempt, Mode
from edgecascade.store.config.settings import LARGEST
from edgecascade.store.ledger import Cap, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a cascade answers; what a question says itself goes before.

    mode         who answers                      rules        what may leave the device
    show         what of a draft is shown         on_break     when a cloud's answer breaks off
    caps         budgets, held by the ledger      deadline     seconds for one answer; None: none
    gates        whether a decode that will not be kept is stopped
    doubt        further samples near the threshold
    hedge_below  the cloud is called already while the device writes, where a gate gives the draft a smaller
                 probability; 1: always, 0: never; None: where the weights say that it pays, and so never without them
    audit        share of kept answers that the cloud is asked as well, for the monitors
    shadow       share of questions that both are asked, for a later fit; texts are kept for it
    queue        ask again later what no cloud could be asked
    content      keep texts in the ledger         watts        the device's power while it writes; None: the profile's
    offline      ask no cloud at all              quality      of the cloud: expected share of right answers
    """

    mode: Mode = "prefer_on_device"
    rules: Rules = field(default_factory=Rules)
    show: Show = "hold"
    on_break: OnBreak = "retry"
    caps: tuple[Cap, ...] = ()
    deadline: float | None = None
    gates: bool = True
    doubt: Doubt = field(default_factory=Doubt)
    hedge_below: float | None = None
    audit: float = 0.0
    shadow: float = 0.0
    queue: bool = False
    content: bool = False
    watts: float | None = None
    offline: bool = False
    quality: float = 1.0

    def __post_init__(self) -> None:
        for name in ("hedge_below", "audit", "shadow", "quality"):
            if not 0 <= (getattr(self, name) or 0.0) <= 1:
                raise ConfigError(f"{name} = {getattr(self, name)} cannot be used; wanted a share from 0 to 1")
        for name in ("deadline", "watts"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{name} = {value} cannot be used; wanted more than 0, or None")


class Pace:
    """Running means of a tier's answers.

    tokens, seconds  of whole ones: what an answer takes that nobody stops
    tries            seconds of all that were begun, those among them that a gate or a faster cloud ended
    """

    WEIGHT = 0.05

    def __init__(self, tokens: float | None = None, seconds: float | None = None, tries: float | None = None) -> None:
        """The means of earlier answers, where they are known."""
        self.tokens, self.seconds, self.tries = tokens, seconds, tries
        self._asked, self._guard = 0, threading.Lock()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Count a question that the tier answers, or that waits for it, while the block runs."""
        with self._guard:
            self._asked += 1
        try:
            yield
        finally:
            with self._guard:
                self._asked -= 1

    @property
    def wait(self) -> float:
        """Seconds until a tier that answers one question after another has answered those that it was asked."""
        return self._asked * (self.seconds or 0.0)

    @classmethod
    def of(cls, tier: str, ledger: Ledger | None) -> Self:
        """Return a tier's pace, as far as the ledger knows of earlier answers: of whole ones."""
        return cls(ledger.usual_tokens(tier), ledger.usual_seconds(tier)) if ledger else cls()

    def saw(self, attempt: Attempt, *, expected: float = 0.0) -> None:
        """Take note of an answer; one that failed, or that the user stopped, says nothing.

        expected  seconds that it was thought to take, which count for those of earlier tries where none is known
        """
        if attempt.draft is not None and attempt.complete:
            self.tokens = self._mean(self.tokens, attempt.draft.usage.completion_tokens)
            self.seconds = self._mean(self.seconds, attempt.seconds)
        if attempt.complete or _given_up(attempt):
            self.tries = self._mean(self.tries or expected or None, attempt.seconds)

    def _mean(self, before: float | None, value: float) -> float:
        return value if before is None else before + self.WEIGHT * (value - before)


def _given_up(attempt: Attempt) -> bool:
    """Return whether the cascade itself ended it: at a gate, or because a cloud was faster."""
    if attempt.failure is not None:
        return attempt.failure.code == "hedged"
    return attempt.stopped and not all(gate.passed for gate in attempt.gates)


@dataclass(frozen=True, slots=True)
class Setup:
    """What all questions of a cascade share.

    weights  of time, energy and quality; None: the certificate alone decides
    profile  of this device; None: unknown        sense  says how the device stands now
    """

    tiers: tuple[AnyTier, ...]
    policy: Policy | Routing
    options: Options
    desk: Desk
    paces: Mapping[str, Pace]
    weights: Weights | None = None
    profile: Profile | None = None
    sense: Callable[[], Conditions] = Conditions

    def __post_init__(self) -> None:
        for name, value in asdict(self.weights).items() if self.weights else ():
            least = 0.0 if name.startswith("usd_per_") else math.ulp(0.0)
            if value is not None and not least <= value <= LARGEST:
                wanted = f"{'more than 0' if least else '0'} to {LARGEST:g}{', or None' if least else ''}"
                raise ConfigError(f"the weight {name} = {value} cannot be used; wanted {wanted}")

    @property
    def watts(self) -> float | None:
        """The device's power while it writes; None: unknown."""
        return self.options.watts if self.options.watts is not None else _value(self.profile, "decode")

    @property
    def idle_watts(self) -> float | None:
        """Its power while it waits; None: unknown."""
        return _value(self.profile, "idle")

    @property
    def powers(self) -> bool:
        """Whether its power is known, at work and at rest."""
        return self.watts is not None and self.idle_watts is not None

    def tier(self, name: str) -> AnyTier:
        """Return a tier by its name."""
        return next(tier for tier in self.tiers if tier.name == name)

    @property
    def clouds(self) -> list[CloudTier]:
        """The tiers that are asked over the network."""
        return [tier for tier in self.tiers if is_cloud(tier)]

    @property
    def devices(self) -> list[DeviceTier]:
        """The tiers on this device."""
        return [tier for tier in self.tiers if not is_cloud(tier)]


def _value(profile: Profile | None, name: str) -> float | None:
    figure: Figure | None = getattr(profile.power, name) if profile else None
    return figure.value if figure else None
