"""A device that does not exist: its own clock, its own speeds, and nothing that waits."""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from edgecascade.errors import ContextLengthError
from edgecascade.llama.settings import EngineSettings
from edgecascade.measure.rig import Mode, Rig
from edgecascade.measure.trial import Trial
from edgecascade.profile import Conditions
from edgecascade.records import Ending, Message, Question, Token

TINY = Mode(name="tiny", seconds=200, rounds=1, lengths=(16, 64, 256), depths=(0, 512))


@dataclass
class Saw:
    """What was seen of others, and what a meter counted."""

    worthless: str | None = None
    remarks: Sequence[str] = ()
    joules: float | None = None
    seconds: float | None = None
    why: str | None = None


@dataclass
class Meter:
    """A meter by name."""

    name: str = "rapl"
    scope: str = "CPU package"


@dataclass
class Device:
    """Reads and writes at set speeds, in its own time; others compute for so many of the looks at it.

    load_s, read_s, write_s  to load; to read a token; to write one on one thread, in an empty memory
    deep_s                   more to write a token for each token in memory
    spinning                 beyond so many threads each more costs a tenth
    context                  tokens that its memory holds at most
    """

    load_s: float = 1.0
    read_s: float = 0.01
    write_s: float = 0.1
    deep_s: float = 1e-5
    spinning: int = 4
    watts: tuple[float, float, float] = (2.0, 6.0, 8.0)
    disturbed: int = 0
    now: float = 0.0
    joules: float = 0.0
    ends_after: int = 10_000
    context: int = 10_000
    tried: list[EngineSettings] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    settings: EngineSettings = field(default_factory=lambda: EngineSettings(threads=1))
    open_models: int = 0

    def clock(self) -> float:
        """Its time."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass at rest."""
        self.waited.append(seconds)
        self.passes(seconds, self.watts[0])

    def passes(self, seconds: float, watts: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.joules += seconds * watts

    def a_token(self, settings: EngineSettings, depth: int) -> float:
        """Seconds to write a token."""
        threads = settings.threads or 1
        each = self.write_s / min(threads, self.spinning) * 1.1 ** max(threads - self.spinning, 0)
        return (each + self.deep_s * depth) * (0.8 if settings.kv_type == "q8_0" else 1.0)

    def tokens_of(self, messages: Sequence[Message]) -> list[int]:
        """A token a word."""
        return list(range(sum(len(message.content.split()) for message in messages)))

    def stream(
        self,
        question: Question,
        *,
        cancel: threading.Event | None = None,
        when_read: Callable[[int, Any], None] | None = None,
    ) -> Generator[Token, None, Ending]:
        """Read, then write as many tokens as may be, unless the time is over."""
        prompt = len(self.tokens_of(question.messages))
        if prompt >= self.context:
            raise ContextLengthError(f"the prompt has {prompt} tokens")
        for _ in range(prompt):
            if cancel and cancel.is_set():
                return Ending("cancelled", prompt, 0, 0, 0.0)
            self.passes(self.read_s, self.watts[2])
        if when_read:
            when_read(prompt, None)
        written = 0
        while written < min(question.sampling.max_tokens, self.ends_after) and not (cancel and cancel.is_set()):
            self.passes(self.a_token(self.settings, prompt + written), self.watts[1])
            written += 1
            yield Token.untold("w", 0.0)
        return Ending("length", prompt, written, 0, 0.0)

    @contextmanager
    def opened(self, settings: EngineSettings) -> Iterator["Device"]:
        """Open the model with these settings."""
        self.passes(self.load_s, self.watts[0])
        self.settings, self.open_models = settings, self.open_models + 1
        yield self
        self.open_models -= 1

    def trial(self, settings: EngineSettings, read: int, write: int, seconds: float) -> Trial | str:
        """Try settings as a child would."""
        self.tried.append(settings)
        if read >= (context := min(settings.context, self.context)):
            return f"the prompt has {read} tokens"
        reading, writing = self.read_s * read, self.a_token(settings, read)
        if self.load_s + reading + 2 * writing > seconds:
            self.passes(seconds, self.watts[0])
            return f"no time: within {seconds:.0f} s"
        write = min(write, int((seconds - self.load_s - reading) / writing))
        self.passes(self.load_s + reading + write * writing, self.watts[0])
        size = 100_000_000 + 20_000 * context
        return Trial(
            load_s=self.load_s,
            bytes=size,
            context=context,
            read=read,
            read_s=reading,
            written=write,
            write_s=writing,
        )

    @contextmanager
    def watched(self) -> Iterator[Saw]:
        """See others compute for a while."""
        saw = Saw()
        yield saw
        saw.worthless = "1.3 cores busy, wanted 0.4: close them" if self.disturbed > 0 else None
        self.disturbed -= 1

    @contextmanager
    def metered(self) -> Iterator[Saw]:
        """Count energy."""
        counted, began = Saw(), (self.now, self.joules)
        yield counted
        counted.seconds, counted.joules = self.now - began[0], self.joules - began[1]

    def rig(self, mode: Mode = TINY, **changes: Any) -> Rig:
        """Return what measures this device."""
        rig = Rig(
            settings=EngineSettings(threads=4),
            mode=mode,
            layers=30,
            cores=4,
            offloads=False,
            clock=self.clock,
            wait=self.wait,
            trial=self.trial,
            open=self.opened,
            watching=self.watched,
            conditions=lambda: Conditions(celsius=50.0),
            round_trip=lambda seconds: (0.05, 0.1),
            metering=self.metered,
            meter=Meter(),
        )
        return replace(rig, **changes)


@pytest.fixture
def device() -> Device:
    """A device of a small board's speed."""
    return Device()


@pytest.fixture
def make_device() -> type[Device]:
    """What makes a device with other speeds."""
    return Device
