"""What is measured and through what: the model, the clocks, the sensors; and the time that a step may take."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol

from edgecascade.errors import DeviceError
from edgecascade.llama.settings import EngineSettings
from edgecascade.measure.journal import Finding, disturbed
from edgecascade.measure.timing import HELLO, Clock, Timed, Writer, timed
from edgecascade.measure.trial import Trying
from edgecascade.profile import Conditions
from edgecascade.records import Question, Sampling

ROOM = 64
"""Tokens of the context that are left to an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How thorough a measurement is.

    seconds    in all, without ``sustained``    rounds   through what is measured in turns, each there and back
    lengths    of prompts, in tokens            depths   to write at, in tokens
    sustained  seconds to write without a pause; 0: not tried
    """

    name: str
    seconds: float
    rounds: int
    lengths: tuple[int, ...]
    depths: tuple[int, ...]
    sustained: float = 0.0


# Quick ends well before three minutes: Python's own start and the last step's end come on top.
QUICK = Mode(name="quick", seconds=165, rounds=1, lengths=(16, 64, 256), depths=(0, 512))
USUAL = Mode(name="usual", seconds=330, rounds=1, lengths=(16, 64, 256, 1024), depths=(0, 512, 2048))
FULL = Mode(
    name="full", seconds=1200, rounds=3, lengths=(16, 64, 256, 1024), depths=(0, 512, 2048), sustained=600
)  # fmt: skip


class Seen(Protocol):
    """What was seen of the rest of the machine meanwhile."""

    @property
    def worthless(self) -> str | None:
        """Why figures mean nothing; None: they mean something."""

    @property
    def remarks(self) -> Sequence[str]:
        """What should be said of them."""


class Energy(Protocol):
    """What a meter counted; None where it vanished, as ``why`` says."""

    @property
    def joules(self) -> float | None:
        """In all."""

    @property
    def seconds(self) -> float | None:
        """Of time."""

    @property
    def why(self) -> str | None:
        """Why it is not known."""


class Meter(Protocol):
    """A power meter; ``scope``: what it sees."""

    @property
    def name(self) -> str:
        """Of its kind."""

    @property
    def scope(self) -> str:
        """Such as "CPU package"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """What a measurement stands on; a test gives its own.

    settings    to begin with                  layers    of the model, its output included
    cores       physical ones                  offloads  whether the library was built for a GPU
    trial       tries settings in a child      open      opens the model in this process
    metering    counts energy; None: no meter, as ``no_meter`` says
    round_trip  within so many seconds: those to the cloud and to connect to it, or why they are unknown
    """

    settings: EngineSettings
    mode: Mode
    layers: int
    cores: int
    offloads: bool
    clock: Clock
    wait: Callable[[float], None]
    trial: Trying
    open: Callable[[EngineSettings], AbstractContextManager[Writer]]
    watching: Callable[[], AbstractContextManager[Seen]]
    conditions: Callable[[], Conditions]
    round_trip: Callable[[float], tuple[float, float] | str]
    metering: Callable[[], AbstractContextManager[Energy]] | None = None
    meter: Meter | None = None
    no_meter: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """The time of one step: it should end at ``end``, at ``most`` where the least that it needs takes longer.

    What nothing can do without may take until ``last``.
    """

    clock: Clock
    end: float
    last: float
    most: float

    @property
    def left(self) -> float:
        """Seconds until it should end."""
        return self.end - self.clock()

    def for_at_least(self, seconds: float) -> "Box":
        """Return a box that so many seconds fit into, as far as there are so many."""
        return replace(self, end=max(self.end, min(self.clock() + seconds, self.most)))


@dataclass(slots=True)
class Desk:
    """What all steps share: the rig, what was found so far, and the model, opened once it is asked for."""

    rig: Rig
    found: dict[str, Finding] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)
    _writer: Writer | None = None

    def chosen(self) -> EngineSettings:
        """Return the settings that were found to be best so far, of those that are chosen by speed."""
        best = {
            name: finding[name]
            for step, name in (("gpu", "gpu_layers"), ("load", "context"))
            if name in (finding := self.found.get(step, {}))
        }
        return replace(self.rig.settings, **best, threads=adopted_threads(self.found) or self.rig.settings.threads)

    def fitting(self, sizes: Sequence[int]) -> list[int]:
        """Return the prompts' lengths that leave room for an answer in the context that there is."""
        return [tokens for tokens in sizes if tokens + ROOM <= self.found["load"]["context"]]

    def lack(self, tokens: int) -> str:
        """Return why so long a prompt was left out."""
        return "no time" if self.fitting([tokens]) else "no room in the context"

    def writer(self, box: Box) -> Writer:
        """Return the model with them, warm."""
        if self._writer is None:
            self._writer = self._open.enter_context(self.rig.open(self.chosen()))
            self.time(Question.of(HELLO, sampling=Sampling(max_tokens=1)), box.last)
        return self._writer

    def time(self, question: Question, end: float) -> Timed | None:
        """Return how long an answer of the opened model takes."""
        assert self._writer is not None
        return timed(self._writer, question, clock=self.rig.clock, end=end)

    def close(self) -> None:
        """Free the model; whoever asks for it again opens it again."""
        self._open.close()
        self._writer = None

    @property
    def read_s(self) -> float:
        """Seconds to read a token, roughly: as was found last."""
        if points := self.found.get("prefill", {}).get("points"):
            return float(points[-1][1] / points[-1][0])
        return float(self.found.get("threads", {}).get("read_s") or self.found["load"]["read_s"])

    @property
    def write_s(self) -> float:
        """Seconds to write a token, roughly: as was found last."""
        if points := self.found.get("decode", {}).get("points"):
            return float(points[0][1])
        tried = self.found.get("threads", {}).get("write_s", {})
        return float(tried.get(str(self.chosen().threads)) or self.found["load"]["write_s"])

    @property
    def opening_s(self) -> float:
        """Seconds that a trial takes beside reading and writing."""
        return float(self.found.get("threads", {}).get("opening_s") or self.found["load"]["opening_s"])


def adopted_threads(found: Mapping[str, Finding]) -> int | None:
    """Return the threads that were found fastest; None where there was nothing to compare, or others disturbed it."""
    sweep = found.get("threads", {})
    alone = len(sweep.get("write_s", ())) == 1 and sweep.get("left_out")
    return None if alone or disturbed(sweep) else sweep.get("threads")


def too_slow(what: str, mode: Mode) -> DeviceError:
    """Return what is said where not even the least could be measured in time."""
    longer = "measure without --quick, or " if mode.name == "quick" else ""
    return DeviceError(
        f"this model is too slow here to be measured in {mode.seconds:.0f} s: found no time for {what}, wanted a few "
        f"tokens at least; {longer}choose a smaller model (`edgecascade models list`)"
    )


def within(number: float, least: int, most: int) -> int:
    """Return a number cut down to a whole one between two others."""
    return max(least, min(int(number), most))
