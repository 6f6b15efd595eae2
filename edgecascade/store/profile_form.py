"""The form of a profile's file: its tables, and what may stand in them.

Keys carry their units. Published speeds (``prefill_tps``, ``decode_tps``) become the curves that a measurement gives.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from edgecascade.profile import (
    Curve,
    DeviceLimits,
    EngineChoice,
    Figure,
    Mark,
    Match,
    Power,
    Profile,
    Speed,
    Weights,
)

GIB = 2**30
FASTEST_MEMORY = 1e13
"""Bytes a second; every weight is read once a token, so nothing writes faster than memory carries the file."""
SLOWEST, FASTEST = 0.001, 100_000
"""Tokens a second."""
COOLEST = 30
"""Degrees; a device that throttles in a warm room was meant in another unit."""
MOST_WATTS = 1000
PROMPT = 512
"""The prompt that published reading speeds are taken at."""
NO_READING = "reading: not published, taken as no faster than writing"

Number = TypeVar("Number")
Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
Dollars = Annotated[float, Field(ge=0)]
Watts = Annotated[float, Field(gt=0, le=MOST_WATTS)]
Share = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
PerSecond = Annotated[float, Field(ge=SLOWEST, le=FASTEST)]
Gib = Annotated[float, Field(gt=0, le=65536)]
Threads = Annotated[int, Field(ge=1, le=512)]
Point = Annotated[tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]], Field(strict=False)]
Points = Annotated[tuple[Point, ...], Field(strict=False, min_length=1)]


def _regular(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"found {text!r}, wanted a regular expression ({error})") from error
    return text


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"found {list(span)}, wanted the smaller first")
    return span


Pattern = Annotated[Text, AfterValidator(_regular)]
Cores = Annotated[
    tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], Field(strict=False), AfterValidator(_ordered)
]
Memory = Annotated[
    tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]], Field(strict=False), AfterValidator(_ordered)
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Figure(_Table, Generic[Number]):
    value: Number
    mark: Mark
    source: Text


class _Match(_Table):
    system: Pattern | None = None
    arch: Pattern | None = None
    cpu: Pattern | None = None
    board: Pattern | None = None
    gpu: Pattern | None = None
    cores: Cores | None = None
    memory_gib: Memory | None = None
    virtual: bool | None = None
    battery: bool | None = None
    termux: bool | None = None


class _Engine(_Table):
    """What EngineSettings takes, within its limits."""

    threads: Threads | None = None
    gpu_layers: int | None = Field(default=None, ge=-1, le=10_000)
    chunk: int | None = Field(default=None, ge=1, le=4096)
    context: int | None = Field(default=None, ge=16)
    kv_type: Literal["f32", "f16", "q8_0", "q4_0"] | None = None
    flash_attention: Literal["auto", "on", "off"] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.flash_attention == "off" and self.kv_type in ("q8_0", "q4_0"):
            raise ValueError(
                f"found kv_type {self.kv_type!r} with flash_attention 'off', wanted auto or on, or kv_type 'f16'"
            )
        return self


class _Limits(_Table):
    memory_gib: Gib | None = None
    model_gib: Gib | None = None
    celsius: float | None = Field(default=None, ge=COOLEST, le=130)
    sustained: _Figure[Share] | None = None


class _Power(_Table):
    meter: Text | None = None
    idle_watts: _Figure[Watts] | None = None
    decode_watts: _Figure[Watts] | None = None
    prefill_watts: _Figure[Watts] | None = None

    @model_validator(mode="after")
    def _above_rest(self) -> Self:
        rest = self.idle_watts
        for name, figure in (("decode_watts", self.decode_watts), ("prefill_watts", self.prefill_watts)):
            if rest and figure and figure.value < rest.value:
                raise ValueError(
                    f"found {name} {figure.value:g} below idle_watts {rest.value:g}, "
                    "wanted the whole power while it computes, rest included"
                )
        return self


class _Speed(_Table):
    """Published: prefill_tps and decode_tps; measured: the curves prefill and decode, [tokens, seconds] each."""

    model: Text
    parameters: Positive
    bytes: Positive
    prefill_tps: PerSecond | None = None
    decode_tps: PerSecond | None = None
    prefill: Points | None = None
    decode: Points | None = None
    load_s: Seconds | None = None
    threads: Threads | None = None
    mark: Mark
    source: Text

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self._said_once()
        if not 0.1 <= self.bytes / self.parameters <= 8:
            raise ValueError(
                f"found {self.bytes:g} bytes for {self.parameters:g} parameters, wanted 0.1 to 8 bytes a parameter"
            )
        for name, points in (("prefill", self._prefill), ("decode", self._decode)):
            _check_curve(name, points)
        tps = 1 / min(seconds for _, seconds in self._decode)
        if tps > FASTEST or tps * self.bytes > FASTEST_MEMORY:
            raise ValueError(
                f"found decode at {tps:g} tokens a second, wanted {min(FASTEST, FASTEST_MEMORY / self.bytes):.4g} at "
                f"most: no memory carries {self.bytes:g} bytes faster"
            )
        return self

    def _said_once(self) -> None:
        if (self.decode is None) == (self.decode_tps is None):
            raise ValueError("found both or neither of decode and decode_tps, wanted one of them")
        if self.prefill is not None and self.prefill_tps is not None:
            raise ValueError("found both prefill and prefill_tps, wanted one of them")

    @property
    def _decode(self) -> tuple[tuple[float, float], ...]:
        return self.decode or ((0.0, 1 / (self.decode_tps or 1.0)),)

    @property
    def _prefill(self) -> tuple[tuple[float, float], ...]:
        each = 1 / self.prefill_tps if self.prefill_tps else self._decode[0][1]
        return self.prefill or ((0.0, 0.0), (float(PROMPT), PROMPT * each))

    def speed(self) -> Speed:
        """Return the curves."""
        guessed = self.prefill is None and self.prefill_tps is None
        return Speed(
            model=self.model,
            parameters=self.parameters,
            bytes=self.bytes,
            prefill=Curve(self._prefill),
            decode=Curve(self._decode),
            mark="estimate" if guessed else self.mark,
            source=f"{self.source}; {NO_READING}" if guessed else self.source,
            load_s=self.load_s,
            threads=self.threads,
        )


class _Weights(_Table):
    value_usd: Positive | None = None
    usd_per_second: Dollars = 0.0
    usd_per_joule: Dollars = 0.0
    usd_per_megabyte: Dollars = 0.0
    seconds: Positive | None = None
    usd: Dollars | None = None


class _Network(_Table):
    round_trip_s: _Figure[Annotated[float, Field(gt=0, le=60)]] | None = None


class ProfileForm(_Table):
    """The whole file."""

    schema_version: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: Text
    kind: Text
    notes: str = ""
    match: _Match = _Match()
    engine: _Engine = _Engine()
    limits: _Limits = _Limits()
    power: _Power = _Power()
    speeds: Annotated[tuple[_Speed, ...], Field(strict=False)] = ()
    weights: _Weights | None = None
    network: _Network = _Network()
    provenance: Mapping[str, Any] = {}

    def profile(self) -> Profile:
        """Return the value that the rest of the package knows."""
        power, limits = self.power, self.limits
        return Profile(
            name=self.name,
            title=self.title,
            kind=self.kind,
            notes=self.notes,
            match=Match(**self.match.model_dump()),
            engine=EngineChoice(**self.engine.model_dump()),
            speeds=tuple(row.speed() for row in self.speeds),
            power=Power(
                idle=_figure(power.idle_watts),
                decode=_figure(power.decode_watts),
                prefill=_figure(power.prefill_watts),
                meter=power.meter,
            ),
            limits=DeviceLimits(
                memory_bytes=None if limits.memory_gib is None else limits.memory_gib * GIB,
                model_bytes=None if limits.model_gib is None else limits.model_gib * GIB,
                sustained=_figure(limits.sustained),
                celsius=limits.celsius,
            ),
            weights=None if self.weights is None else Weights(**self.weights.model_dump()),
            round_trip_s=_figure(self.network.round_trip_s),
            provenance=dict(self.provenance),
        )


def _figure(part: "_Figure[float] | None") -> Figure | None:
    return None if part is None else Figure(part.value, part.mark, part.source)


def _check_curve(name: str, points: tuple[tuple[float, float], ...]) -> None:
    """Raise ValueError where the points of a curve are not what a device can do."""
    if any(one[0] >= other[0] for one, other in pairwise(points)):
        raise ValueError(f"found {name} at {[tokens for tokens, _ in points]} tokens, wanted rising ones")
    if any(one[1] > other[1] for one, other in pairwise(points)):
        raise ValueError(f"found {name} that takes less time for more tokens, wanted seconds that do not fall")
    if name == "prefill" and (points[0] != (0, 0) or len(points) == 1):
        raise ValueError(
            f"found prefill of {[list(point) for point in points[:2]]}, wanted [0, 0] and at least one more"
        )
    if any(tokens > FASTEST * seconds for tokens, seconds in points) and name == "prefill":
        raise ValueError(f"found prefill faster than {FASTEST} tokens a second, wanted seconds for so many tokens")
    if name == "decode" and any(seconds == 0 for _, seconds in points):
        raise ValueError("found decode in 0 seconds, wanted the seconds of one token")


_TABLES: Mapping[str, type[BaseModel]] = {
    "match": _Match,
    "engine": _Engine,
    "limits": _Limits,
    "power": _Power,
    "speeds": _Speed,
    "weights": _Weights,
    "network": _Network,
}


def keys_at(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that may stand where the one at this place of a file stands."""
    tables = [part for part in loc[:-1] if isinstance(part, str)]
    return [*(ProfileForm if not tables else _Figure if len(tables) > 1 else _TABLES[tables[0]]).model_fields]
