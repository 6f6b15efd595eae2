"""Device profiles side by side: the same recorded answers replayed on each, the best first, and what is said of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgecascade.errors import ConfigError, ProfileError
from edgecascade.profile import Conditions, Figure, Profile, Weights
from edgecascade.records import dollars
from edgecascade.simulate.comparing import Compared, Outcome, Verdict, compared
from edgecascade.simulate.playing import CloudFacts
from edgecascade.simulate.rows import Row
from edgecascade.store.fitted_files import FittedFile

PRIORS = "literature priors: not measured on your unit; `edgecascade measure` replaces them"
ALWAYS_RIGHT = "the cloud is taken to be always right; --cloud-quality says otherwise"
NO_VALUE = "a right answer counts nothing here; --value-usd says what it is worth"
VERDICTS: dict[Verdict, str] = {"use": "use", "unknown": "not known", "never": "never"}
"""In the order of the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Profiles beside each other, and under what.

    model  for people                                   fitted  id of the fitted file
    rows   one a profile, in the order that is shown    here    name of the profile that is in use on this machine
    left_out  profiles, each with the reason
    """

    model: str
    fitted: str
    cloud: CloudFacts | None
    weights: Weights
    conditions: Conditions
    rows: tuple[Compared, ...]
    here: str | None = None
    left_out: tuple[tuple[str, str], ...] = ()

    def sentence(self) -> str:
        """Return what was compared, at which weights."""
        beside = f"beside {self.cloud.name}" if self.cloud else "without a cloud"
        return f"{self.model} on {_profiles(len(self.rows))} {beside}, where {weights_said(self.weights)}."

    @property
    def with_priors(self) -> bool:
        """Whether a figure was not measured on the device itself."""
        return any(row.speed.mark != "measured" for row in self.rows)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be said of all of it."""
        return (
            *([f"taken to be {said}"] if (said := conditions_said(self.conditions)) else []),
            *(f"left out: {name}: {why}" for name, why in self.left_out),
            *([ALWAYS_RIGHT] if self.cloud and self.cloud.quality == 1 else []),
            *([PRIORS] if self.with_priors else []),
            *([NO_VALUE] if self.cloud and self.weights.value_usd is None else []),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the records as plain values."""
        return asdict(self)


def side_by_side(
    profiles: Sequence[Profile],
    file: FittedFile,
    *,
    parameters: float,
    bytes: float,
    cloud: CloudFacts | None,
    weights: Weights,
    conditions: Conditions,
    rows: Sequence[Row] | None = None,
    here: str | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Return profiles compared; one without a speed, or that cannot keep a ceiling, is left out.

    Raises what ``compared`` raises, where that leaves none.
    """
    found, left_out = list[Compared](), list[tuple[str, ProfileError | ConfigError]]()
    for done, profile in enumerate(profiles):
        tell(done, len(profiles))
        try:
            found.append(
                compared(profile, file, parameters=parameters, bytes=bytes, cloud=cloud, weights=weights,
                         conditions=conditions, rows=rows)
            )  # fmt: skip
        except (ProfileError, ConfigError) as error:
            left_out.append((profile.name, error))
    tell(len(profiles), len(profiles))
    if left_out and not found:
        raise left_out[0][1]
    return Comparison(
        model=file.identity.model,
        fitted=file.id,
        cloud=cloud,
        weights=weights,
        conditions=conditions,
        rows=in_order(found),
        here=here,
        left_out=tuple((name, str(error)) for name, error in left_out),
    )


def in_order(rows: Sequence[Compared]) -> tuple[Compared, ...]:
    """Return those to use first, the fastest first; those never to use last."""
    verdicts = list(VERDICTS)
    return tuple(
        sorted(rows, key=lambda row: (verdicts.index(row.verdict), row.cascade.seconds_mean, row.profile.name))
    )


def weights_said(weights: Weights) -> str:
    """Return the weights in words.

    >>> weights_said(Weights(value_usd=0.01, usd_per_second=0.001))
    'a right answer is worth $0.010, a second of waiting costs $0.0010'
    """
    said = [f"a right answer is worth {dollars(weights.value_usd)}"] if weights.value_usd is not None else []
    prices = (
        (weights.usd_per_second, "a second of waiting"),
        (weights.usd_per_joule, "a joule"),
        (weights.usd_per_megabyte, "a megabyte"),
    )
    said += [f"{what} costs {dollars(price)}" for price, what in prices if price]
    said += [f"95 of 100 answers take at most {weights.seconds:g} s"] if weights.seconds is not None else []
    said += [f"an answer may cost {dollars(weights.usd)} on average"] if weights.usd is not None else []
    return ", ".join(said) or "only dollars count: time and energy are free"


def conditions_said(conditions: Conditions) -> str:
    """Return how the devices are taken to stand, in words; "" where nothing is said.

    >>> conditions_said(Conditions(on_battery=True, battery=0.15, metered=True))
    'on battery at 15 %, on a metered link'
    """
    level = "" if conditions.battery is None else f" at {100 * conditions.battery:.0f} %"
    said = [f"on battery{level}"] if conditions.on_battery else []
    said += ["hot"] if conditions.throttled else []
    said += ["on a metered link"] if conditions.metered else []
    return ", ".join(said)


def figures_of(profile: Profile) -> list[tuple[str, Figure, str]]:
    """Return a profile's single figures: what each is, the figure, its unit."""
    named = (
        ("power at rest", profile.power.idle, "W"),
        ("power while writing", profile.power.decode, "W"),
        ("power while reading", profile.power.prefill, "W"),
        ("speed left after ten minutes", profile.limits.sustained, "of the first"),
        ("round trip to the cloud", profile.round_trip_s, "s"),
    )
    return [(name, figure, unit) for name, figure, unit in named if figure is not None]


def seconds_said(outcome: Outcome) -> str:
    """Return the median and the 95th of 100 in seconds."""
    return f"{outcome.seconds_p50:.2f} to {outcome.seconds_p95:.2f} s"


def _profiles(count: int) -> str:
    return f"{count} device profile{'' if count == 1 else 's'}"
