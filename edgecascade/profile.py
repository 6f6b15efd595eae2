"""What a device is, how fast, how thirsty and how roomy: its profile; and how it stands at the moment.

Every figure says where it is from: measured on the very device, a literature prior (somebody's published figure of such
a device, not of this unit), or an estimate (worked out from another figure).
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from edgecascade.errors import ProfileError

Mark = Literal["measured", "literature prior", "estimate"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its source, a sentence or an address."""

    value: float
    mark: Mark
    source: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Straight lines through points (x, y) of rising x; before the first as there, behind the last on its slope.

    >>> Curve(((0, 1.0), (10, 2.0)))(5), Curve(((0, 1.0), (10, 2.0)))(20), Curve(((64, 3.0),))(500)
    (1.5, 3.0, 3.0)
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.points or any(one[0] >= other[0] for one, other in pairwise(self.points)):
            raise ProfileError(f"a curve needs points of rising x: found {self.points}, wanted at least one; mend it")

    def __call__(self, x: float) -> float:
        """Return y at x."""
        if len(self.points) == 1 or x <= self.points[0][0]:
            return self.points[0][1]
        at = min(bisect_right(self.points, x, key=lambda point: point[0]), len(self.points) - 1)
        (x0, y0), (x1, y1) = self.points[at - 1], self.points[at]
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0)

    def times(self, factor: float) -> "Curve":
        """Return the curve with every y multiplied."""
        return Curve(tuple((x, y * factor) for x, y in self.points))


SMALLER = 2 / 3
"""The power of the bytes by which the seconds of a token fall below all rows; in devices/ rows say 0.3 to 1.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast one model runs.

    model    for people                       parameters, bytes  its size; bytes of the weights' file
    prefill  prompt tokens -> seconds to read so many into an empty memory, from (0, 0) on
    decode   tokens in memory -> seconds to write one more, every signal on
    load_s   seconds to load it               threads  that it was measured with; None: unknown
    """

    model: str
    parameters: float
    bytes: float
    prefill: Curve
    decode: Curve
    mark: Mark
    source: str
    load_s: float | None = None
    threads: int | None = None

    def reading(self, prompt_tokens: float, reused: float = 0.0) -> float:
        """Return the seconds to read a prompt, of which ``reused`` tokens are in memory."""
        return max(self.prefill(prompt_tokens) - self.prefill(reused), 0.0)

    def writing(self, tokens: float, depth: float) -> float:
        """Return the seconds to write so many tokens behind ``depth`` others."""
        return tokens * self.decode(depth + tokens / 2)

    def scaled(self, parameters: float, bytes: float, beside: "Speed | None" = None) -> "Speed":
        """Return the estimate for a model of another size; ``beside`` is a row of a third one, if known.

        Reading goes with the parameters. Writing lies on the straight line in bytes through both rows; without another
        row it goes with the bytes of a larger file. Below all rows it falls with the power ``SMALLER`` of the bytes at
        most, because a token has costs that do not shrink with the file. No file is faster than its bytes make it. As
        many bytes are the same file.
        """
        if bytes == self.bytes:  # the same file: manifests round the parameters
            return self
        ratio = times = bytes / self.bytes
        if beside:
            rise = (beside.decode(0) / self.decode(0) - 1) / (beside.bytes / self.bytes - 1)
            times = 1 + rise * (ratio - 1)
        if bytes < min(self.bytes, beside.bytes if beside else self.bytes):
            times = max(times, ratio**SMALLER)
        least, most = sorted((1.0, ratio))
        size = f"{max(ratio, 1 / ratio):.2g} times as {'small' if ratio > 1 else 'large'}"
        return replace(
            self,
            parameters=parameters,
            bytes=bytes,
            prefill=self.prefill.times(parameters / self.parameters),
            decode=self.decode.times(min(max(times, least), most)),
            mark="estimate",
            source=f"scaled from {self.model}, {size}{f', and {beside.model}' if beside else ''} "
            f"({self.mark}: {self.source})",
            load_s=None if self.load_s is None else self.load_s * ratio,
            threads=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Watts of the whole device, or of what ``meter`` sees, not less those at rest; None: unknown.

    meter  what they were read from: "rapl", "ina3221" ...; "wall" of a published figure
    """

    idle: Figure | None = None
    decode: Figure | None = None
    prefill: Figure | None = None
    meter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """Settings of the engine that suit a device; None: the engine's own default."""

    threads: int | None = None
    gpu_layers: int | None = None
    chunk: int | None = None
    context: int | None = None
    kv_type: str | None = None
    flash_attention: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLimits:
    """What a device can hold and stand; None: unknown.

    memory_bytes  in all                     sustained  share of the first minute's speed that is left after ten
    model_bytes   the largest weights' file  celsius    where it begins to throttle
    """

    memory_bytes: float | None = None
    model_bytes: float | None = None
    sustained: Figure | None = None
    celsius: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a user gives for quality, time and energy, in dollars: the one unit that a threshold is worked out in.

    value_usd         what a right answer is worth; None: not said, so quality is weighed by the certificate alone
    usd_per_second    of waiting                  usd_per_joule  of this device's energy
    usd_per_megabyte  of a metered link           seconds        the longest that 95 of 100 answers may take
    usd               the most that an answer may cost on average
    """

    value_usd: float | None = None
    usd_per_second: float = 0.0
    usd_per_joule: float = 0.0
    usd_per_megabyte: float = 0.0
    seconds: float | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which machines a profile is for; everything that is given must hold, texts as regular expressions."""

    system: str | None = None
    arch: str | None = None
    cpu: str | None = None
    board: str | None = None
    gpu: str | None = None
    cores: tuple[int, int] | None = None
    memory_gib: tuple[float, float] | None = None
    virtual: bool | None = None
    battery: bool | None = None
    termux: bool | None = None

    def rules(self, machine: "Machine") -> dict[str, bool | None]:
        """Return how the machine answers each rule that is given; None: it does not say, which does not hold either."""
        found: dict[str, bool | None] = {}
        for name in ("system", "arch", "cpu", "board", "gpu"):
            given = machine.gpus if name == "gpu" else (getattr(machine, name),)
            texts = [text for text in given if text]
            if (pattern := getattr(self, name)) is not None:
                found[name] = any(re.search(pattern, text, re.IGNORECASE) for text in texts) if texts else None
        for name, size in (("cores", machine.cores), ("memory_gib", machine.memory_bytes / 2**30)):
            if (span := getattr(self, name)) is not None:
                found[name] = span[0] <= size <= span[1] if size else None
        for name in ("virtual", "battery", "termux"):
            if (asked := getattr(self, name)) is not None:
                found[name] = None if (says := getattr(machine, name)) is None else says == asked
        return found

    def fits(self, machine: "Machine") -> int | None:
        """Return how many rules hold; None where one does not.

        >>> Match(system="linux", cores=(2, 4)).fits(Machine(system="linux", arch="x86_64", cores=4))
        2
        """
        answers = self.rules(machine).values()
        return len(answers) if all(answers) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this machine says it is; "" and None where it does not say.

    system  linux, darwin, windows            board  name of the board or the product
    arch    x86_64, aarch64, arm64 ...        gpus   names        cores  physical ones that may be used
    """

    system: str
    arch: str
    cpu: str = ""
    board: str = ""
    gpus: tuple[str, ...] = ()
    cores: int = 1
    memory_bytes: int = 0
    virtual: bool | None = None
    battery: bool | None = None
    termux: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One device, or a class of them.

    name     as it is asked for                kind        "single-board computer", "laptop" ...
    title    for people                        provenance  what a measurement noted: library, date, conditions
    engine   settings that suit it             round_trip_s  to the configured cloud
    """

    name: str
    title: str
    kind: str
    match: Match = Match()
    engine: EngineChoice = EngineChoice()
    speeds: tuple[Speed, ...] = ()
    power: Power = Power()
    limits: DeviceLimits = DeviceLimits()
    weights: Weights | None = None
    round_trip_s: Figure | None = None
    provenance: Mapping[str, object] = field(default_factory=dict)
    notes: str = ""

    def speed_of(self, parameters: float, bytes: float) -> Speed | None:
        """Return how fast a model of this size runs: its own row, else an estimate; None where no row is known.

        The estimate begins at the row nearest in size, and goes to the nearest beyond the model's size, or else to
        the nearest of another size.
        """

        def far(row: Speed) -> float:
            return max(row.bytes / bytes, bytes / row.bytes)

        if not self.speeds:
            return None
        nearest = min(self.speeds, key=far)
        others = [row for row in self.speeds if row.bytes != nearest.bytes]
        this_side = nearest.bytes < bytes
        beside = min(others, key=lambda row: ((row.bytes < bytes) == this_side, far(row)), default=None)
        return nearest.scaled(parameters, bytes, beside)

    def threads_of(self, bytes: float) -> int | None:
        """Return the threads for a model's file: those that this very one was measured with, else the device's."""
        own = next((row.threads for row in self.speeds if row.bytes == bytes and row.threads), None)
        return own or self.engine.threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How the device stands now; None: no sensor says.

    on_battery  no charger is plugged in      battery   charge, 0 to 1
    celsius     the hottest part              throttled  it runs slower than it could, for heat or power
    metered     the link costs by volume      network   whether there is one at all
    watts       that it takes now
    """

    on_battery: bool | None = None
    battery: float | None = None
    celsius: float | None = None
    throttled: bool | None = None
    metered: bool | None = None
    network: bool | None = None
    watts: float | None = None
