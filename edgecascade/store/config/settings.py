"""Every setting, with its default and what it may be. A key of a cloud is none: keys stand nowhere in a config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edgecascade.records import Mode, Privacy
from edgecascade.store.prices import Price

Share = Annotated[float, Field(ge=0, le=1)]
LARGEST = 1e12
"""Of dollars, seconds and the like: larger ones overflow where they are multiplied."""
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PatternSettings(_Table):
    """What the user wants found besides the known kinds."""

    name: str = Field(min_length=1)
    regex: str = Field(min_length=1)


class PrivacySettings(_Table):
    """What may leave the device.

    default  where nothing stricter is said    kinds   stricter for a kind of finding
    region   a country, for telephone numbers without one
    """

    default: Privacy = "redact"
    kinds: Mapping[str, Privacy] = {}
    patterns: Annotated[tuple[PatternSettings, ...], Field(strict=False)] = ()
    region: str | None = Field(default=None, pattern="^[A-Z]{2}$")


class StreamSettings(_Table):
    """What is shown before an answer is certain, and what happens when a cloud's stream breaks off.

    show      "hold" until it is known who answers; "gate": until the draft has passed a first look; "draft": at once
    on_break  ask again from the start; let the cloud continue; return the local answer
    """

    show: Literal["hold", "gate", "draft"] = "hold"
    on_break: Literal["retry", "continue", "local"] = "retry"


class PolicySettings(_Table):
    """Who answers.

    value_usd    what a right answer is worth; None: the promise alone weighs quality
    usd_per_second, usd_per_joule, usd_per_megabyte  what waiting, this device's energy and a metered link are worth
    seconds      the longest that 95 of 100 answers may take, turned into a price of a second
    usd          the most that an answer may cost on average: value_usd is lowered until it does
    cloud_quality  how often the cloud is right; None: as it was when it was fitted against, else always
    gates        whether to look at a draft before it is written
    samples      further drafts to compare near the threshold, as many as an engine writes side by side; 0: none
    band         how near, in p_correct
    hedge_below  below this p_correct so far the cloud is asked while the device still writes; 0: never; None: where it
                 pays at these weights, and so never without them

    A weight that is None is the profile's. With any of them set the cost of an answer is weighed.
    """

    name: Literal["threshold"] = "threshold"
    value_usd: Positive | None = None
    usd_per_second: NotNegative | None = None
    usd_per_joule: NotNegative | None = None
    usd_per_megabyte: NotNegative | None = None
    seconds: Positive | None = None
    usd: Positive | None = None
    cloud_quality: Share | None = None
    gates: bool = True
    samples: int = Field(default=0, ge=0, le=8)
    band: Share = 0.05
    hedge_below: Share | None = None


class TimeoutSettings(_Table):
    """Seconds to wait for a cloud: until it is reached, until its first byte, between two of them."""

    connect: Positive = 5.0
    first_byte: Positive = 60.0
    between: Positive = 30.0


class Settings(_Table):
    """Everything that can be set.

    model     which model answers on the device      cloud    who is asked when it is not trusted
    budget    the most that clouds may cost, such as "1usd/day,100calls/hour"
    epsilon   the promise to keep                    fitted   the fitted file that makes it
    audit     share of kept answers that the cloud is asked as well, to watch the promise
    shadow    share of all questions that both sides answer, to calibrate with
    queue     whether a question is kept until the network is back
    content   whether the ledger keeps texts         offline  no cloud is asked
    deadline  seconds for an answer                  watts    what the device takes while it writes; None: its profile's
    profile   name or path of the device's profile; None: the one that matches this machine
    prices    USD per million tokens, by the name of a cloud, instead of the shipped ones
    """

    schema_version: Literal[1] = Field(default=1, exclude=True)
    model: str | None = Field(default=None, min_length=1)
    cloud: str | None = Field(default=None, min_length=1)
    mode: Mode = "prefer_on_device"
    privacy: PrivacySettings = PrivacySettings()
    budget: str | None = Field(default=None, min_length=1)
    epsilon: Annotated[float, Field(gt=0, lt=1)] | None = None
    fitted: Annotated[Path, Field(strict=False)] | None = None
    stream: StreamSettings = StreamSettings()
    policy: PolicySettings = PolicySettings()
    audit: Share = 0.0
    shadow: Share = 0.0
    queue: bool = False
    content: bool = False
    offline: bool = False
    deadline: Positive | None = None
    watts: Positive | None = None
    profile: str | None = Field(default=None, min_length=1)
    timeouts: TimeoutSettings = TimeoutSettings()
    prices: Mapping[str, Price] = {}


def field_at(parts: tuple[str, ...], table: type[BaseModel] = Settings) -> Any:
    """Return the type of the setting at these keys; None where there is none, ``str`` for a name of the user's own."""
    if not parts or (field := table.model_fields.get(parts[0])) is None:
        return None
    found: Any = field.annotation
    if len(parts) == 1:
        return found
    if _is_table(found):
        return field_at(parts[1:], found)
    return str if parts[0] in ("kinds", "prices") else None


def names_at(parts: tuple[str, ...]) -> list[str]:
    """Return the names of the settings in the table at these keys; a price and a pattern are tables, too.

    >>> names_at(("privacy", "patterns"))
    ['name', 'regex']
    """
    if parts[:1] == ("prices",):
        return [*Price.__dataclass_fields__] if len(parts) == 2 else []
    table = PatternSettings if parts == ("privacy", "patterns") else field_at(parts) if parts else Settings
    return [*table.model_fields] if _is_table(table) else []


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
