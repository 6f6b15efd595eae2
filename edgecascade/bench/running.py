"""Suites one after another, each watched for what others do meanwhile.

Each ends with the cascade's own cost, and with work that is none of ours, done before it and behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgecascade import sensors
from edgecascade.bench.answer import answer, shipped_questions, ways_of
from edgecascade.bench.decode import decode
from edgecascade.bench.energy import energy
from edgecascade.bench.fixed_work import TEST, fixed_work
from edgecascade.bench.memory import in_child, memory
from edgecascade.bench.own_cost import own_cost
from edgecascade.bench.prefix import prefix
from edgecascade.bench.rows import Row
from edgecascade.bench.samples import samples
from edgecascade.bench.sustained import sustained
from edgecascade.bench.tasks import forget, story
from edgecascade.llama.engine import Engine
from edgecascade.llama.settings import EngineSettings
from edgecascade.sensors.heat import hottest

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, and for how long.

    path, name, sha256, system  of the model   settings  known to work here
    rounds, tokens  of each test               limit     questions          minutes  on end
    llama_bench     llama.cpp's own tool; None: there is none
    """

    path: Path
    name: str
    sha256: str
    settings: EngineSettings
    system: str | None = None
    rounds: int = 5
    tokens: int = 128
    limit: int = 30
    minutes: float = 10.0
    llama_bench: Path | None = None
    say: Say = lambda line: None


Suite = Callable[[Plan], Sequence[Row]]
Watching = Callable[[], AbstractContextManager[sensors.Seen]]


def measured(
    suites: Mapping[str, Suite],
    plan: Plan,
    *,
    facts: Callable[[], Mapping[str, Any]],
    keep: Callable[[Sequence[Row]], None] = lambda rows: None,
    idle: Callable[[], sensors.Seen] = sensors.idle,
    watching: Watching = sensors.watching,
    cost: Callable[[], Row] = own_cost,
    work: Callable[[], tuple[float, ...]] = fixed_work,
) -> list[Row]:
    """Return the rows of all suites; ``keep`` is given all that is whole behind each: Ctrl-C loses one suite.

    That others compute is said before anything is measured; whether they still did, by each suite's own watch.
    """
    rows: list[Row] = []
    if idle().worthless:
        plan.say("others are at work: figures of now would be worthless")
    for name, suite in suites.items():
        with watching() as seen:
            before = work()
            found = [*suite(plan), cost()]
            found.append(Row(test=TEST, unit="ms", samples=(*before, *work())))
        plan.say(f"{name}: done")
        known = facts()
        rows += [_seen(row, name, known, seen) for row in found]
        keep(rows)
    return rows


def _seen(row: Row, suite: str, facts: Mapping[str, Any], seen: sensors.Seen) -> Row:
    return replace(
        row,
        suite=suite,
        facts={**facts, **row.facts},
        busy_cores=seen.busy_cores,
        worthless=seen.worthless,
        remarks=(*row.remarks, *seen.remarks),
    )


# The suites on an engine of their own.


def decode_suite(plan: Plan) -> Sequence[Row]:
    """Our decode and its peers."""
    return decode(
        plan.path, plan.settings, tokens=plan.tokens, rounds=plan.rounds, llama_bench=plan.llama_bench, say=plan.say
    )


def answer_suite(plan: Plan) -> Sequence[Row]:
    """Real questions, three ways."""
    questions = shipped_questions(plan.limit, plan.system)
    with (
        Engine(plan.path, plan.settings) as engine,
        ways_of(engine, name=plan.name, sha256=plan.sha256, system=plan.system) as ways,
    ):
        return answer(ways, questions, forget=partial(forget, engine), say=plan.say)


def prefix_suite(plan: Plan) -> Sequence[Row]:
    """The turns of a chat."""
    with Engine(plan.path, plan.settings) as engine:
        return prefix(engine, rounds=plan.rounds, say=plan.say)


def samples_suite(plan: Plan) -> Sequence[Row]:
    """Answers side by side, as many as have room in the context."""
    with Engine(plan.path, plan.settings) as engine:
        prompt = engine.tokens_of(story(plan.tokens).messages)
        room = (engine.context_length - len(prompt)) // plan.tokens
        most = max(1, min(plan.settings.sequences, room))
        return samples(engine, tokens=plan.tokens, rounds=plan.rounds, most=most, say=plan.say)


def energy_suite(plan: Plan) -> Sequence[Row]:
    """Joules a token."""
    with Engine(plan.path, plan.settings) as engine:
        return energy(engine, tokens=plan.tokens, rounds=plan.rounds, say=plan.say)


def sustained_suite(plan: Plan) -> Sequence[Row]:
    """Minutes on end."""
    with Engine(plan.path, plan.settings) as engine:
        return sustained(engine, minutes=plan.minutes, say=plan.say, celsius=partial(hottest, Path("/")))


def memory_suite(plan: Plan) -> Sequence[Row]:
    """Memory, in processes of their own."""
    return memory(partial(in_child, plan.path), plan.settings, rounds=plan.rounds, say=plan.say)


SUITES: Mapping[str, Suite] = {
    "decode": decode_suite,
    "answer": answer_suite,
    "prefix": prefix_suite,
    "samples": samples_suite,
    "energy": energy_suite,
    "memory": memory_suite,
    "sustained": sustained_suite,
}
QUICK = tuple(name for name in SUITES if name != "sustained")
