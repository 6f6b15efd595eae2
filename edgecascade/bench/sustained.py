"""Minutes on end of writing, in windows: what heat and power limits leave of the first minute's speed."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from statistics import fmean

from edgecascade import evidence
from edgecascade.bench.rows import Row
from edgecascade.bench.tasks import story
from edgecascade.records import Ending, Token

WINDOW = 15.0
MINUTE = 60.0
TOKENS = 256
NOTHING = "no answer had two tokens"

Say = Callable[[str], None]


@dataclass(slots=True)
class Windows:
    """Tokens and the seconds that they took, by window, reading prompts left out; and the heat at each end."""

    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    celsius: list[float] = field(default_factory=list)

    def saw(self, token: Token, number: int) -> None:
        """Take note of a token that came in a window."""
        while len(self.tokens) <= number:
            self.tokens.append(0)
            self.seconds.append(0.0)
        self.tokens[number] += 1
        self.seconds[number] += token.seconds

    def speeds(self) -> list[float]:
        """Return tokens/s of each window in which something was written."""
        return [count / seconds for count, seconds in zip(self.tokens, self.seconds, strict=True) if seconds > 0]


def sustained(
    engine: evidence.Tier,
    *,
    minutes: float,
    say: Say = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
    celsius: Callable[[], float | None] = lambda: None,
) -> list[Row]:
    """Return tokens/s by window, the share of the first minute's that is left, and the heat; Ctrl-C ends it early.

    What was measured until then is a whole result, marked with its length.
    """
    windows, started = Windows(), clock()
    remarks: tuple[str, ...] = ()
    try:
        _write(engine, windows, started, minutes, say, clock, celsius)
    except KeyboardInterrupt:
        remarks = (f"interrupted after {(clock() - started) / MINUTE:.1f} of {minutes:g} minutes",)
        say(remarks[0])
    speeds, heat = windows.speeds(), tuple(windows.celsius)
    return [
        replace(row, remarks=remarks, facts={"minutes": minutes})
        for row in (
            Row(test="decode by 15 s window", unit="tokens/s", samples=tuple(speeds),
                unknown=None if speeds else "interrupted before the first token" if remarks else NOTHING),
            _left(speeds),
            Row(test="hottest part", unit="°C", samples=heat, unknown=None if heat else "no sensor says"),
        )
    ]  # fmt: skip


def _write(
    engine: evidence.Tier,
    windows: Windows,
    started: float,
    minutes: float,
    say: Say,
    clock: Callable[[], float],
    celsius: Callable[[], float | None],
) -> None:
    number = 0
    while clock() < started + minutes * MINUTE:
        stream = engine.stream(story(TOKENS))
        try:
            for token in _behind_the_first(stream):
                if (elapsed := clock() - started) >= minutes * MINUTE:
                    break
                if int(elapsed // WINDOW) > number:
                    number = int(elapsed // WINDOW)
                    _note(windows, celsius(), say, elapsed)
                windows.saw(token, number)
        finally:
            stream.close()
    _note(windows, celsius(), say, minutes * MINUTE)


def _behind_the_first(stream: Generator[Token, None, Ending]) -> Generator[Token, None, None]:
    """Yield a stream's tokens but the first, which waits for the prompt."""
    next(stream, None)
    yield from stream


def _note(windows: Windows, celsius: float | None, say: Say, elapsed: float) -> None:
    if celsius is not None:
        windows.celsius.append(celsius)
    speed = windows.speeds()[-1] if windows.speeds() else 0.0
    heat = f", {celsius:.0f} °C" if celsius is not None else ""
    say(f"sustained: {elapsed / MINUTE:.2f} minutes, {speed:.1f} tokens/s{heat}")


def _left(speeds: list[float]) -> Row:
    """Return the share of the first minute's speed that the last minute had."""
    minute = int(MINUTE / WINDOW)
    test = "last minute, of the first"
    if len(speeds) < 2 * minute:
        return Row(test=test, unit="ratio", unknown="shorter than two minutes")
    share = fmean(speeds[-minute:]) / fmean(speeds[:minute])
    return Row(test=test, unit="ratio", samples=(share,))
