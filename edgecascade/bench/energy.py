"""Joules a token, of reading and of writing apart: all that the meter saw, and what lay above rest.

Above rest: less the watts at rest, measured just before, times the seconds. A meter sees what it sees: a package, a
board, a battery; the row says which.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from edgecascade import evidence, sensors
from edgecascade.bench.rows import Row
from edgecascade.bench.tasks import Answering, check_written, forget, prompt_of, story
from edgecascade.records import Question, Sampling

REST_SECONDS = 10.0
PROMPT_TOKENS = 512
PHASES = ("prefill", "decode")

Metering = Callable[[], AbstractContextManager[sensors.Energy]]
Say = Callable[[str], None]


def energy(engine: Answering, *, tokens: int, rounds: int, say: Say = lambda line: None) -> list[Row]:
    """Return joules a token where this device has a meter, else one row that says why not."""
    meter = sensors.power_meter()
    if meter is None:
        return [Row(test="energy", unit="J/token", unknown=sensors.why_no_meter())]
    rows = energy_by(engine, lambda: sensors.metering(meter), tokens=tokens, rounds=rounds, say=say)
    return [_named(row, f"{meter.name} ({meter.mark}) sees the {meter.scope}") for row in rows]


def energy_by(
    engine: Answering,
    metering: Metering,
    *,
    tokens: int,
    rounds: int,
    say: Say = lambda line: None,
    rest: Callable[[float], None] = time.sleep,
) -> list[Row]:
    """Return gross joules a token and those above rest; ``rest`` does nothing for so many seconds."""
    say(f"energy: {REST_SECONDS:.0f} s of rest")
    with metering() as resting:
        rest(REST_SECONDS)
    if resting.joules is None or not resting.seconds:
        return [Row(test="energy", unit="J/token", unknown=resting.why or "the meter vanished")]
    watts = resting.joules / resting.seconds
    gross: dict[str, list[float]] = {phase: [] for phase in PHASES}
    above: dict[str, list[float]] = {phase: [] for phase in PHASES}
    lost: str | None = None
    prompt = Question(prompt_of(engine, PROMPT_TOKENS), Sampling(max_tokens=1))
    for number in range(1, rounds + 1):
        say(f"energy: round {number} of {rounds}")
        for phase, (seen, count) in (
            ("prefill", _reading(engine, prompt, metering)),
            ("decode", _writing(engine, tokens, metering)),
        ):
            if seen.joules is None:
                lost = seen.why or "the meter vanished"
                continue
            gross[phase].append(seen.joules / count)
            above[phase].append((seen.joules - watts * seen.seconds) / count)
    return [
        Row(test=f"{phase}, {what}", unit="J/token", samples=tuple(found[phase]),
            unknown=None if found[phase] else lost)
        for phase in PHASES
        for what, found in (("gross", gross), ("above rest", above))
    ]  # fmt: skip


def _reading(engine: Answering, prompt: Question, metering: Metering) -> tuple[sensors.Energy, int]:
    forget(engine)
    with metering() as seen:
        draft = evidence.draft(engine, prompt)
    return seen, draft.usage.prompt_tokens


def _writing(engine: Answering, tokens: int, metering: Metering) -> tuple[sensors.Energy, int]:
    """Return what the tokens behind the first took: its stream stands where reading ends."""
    stream = engine.stream(story(tokens))
    next(stream, None)
    with metering() as seen:
        count = sum(1 for _ in stream)
    check_written(count + 1)
    return seen, count


def _named(row: Row, remark: str) -> Row:
    return replace(row, remarks=(*row.remarks, remark))
