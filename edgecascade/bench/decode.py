"""Our decode against its peers, on one library, with the same settings, in one run, round by round in turn.

llama-bench    llama.cpp's own: decodes random tokens and reads nothing; the ceiling
high-level     llama-cpp-python's ``create_completion(logprobs=5)``, what an application would use otherwise
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from operator import truediv
from pathlib import Path
from typing import Any

from edgecascade import evidence
from edgecascade.bench.facts import facts_of
from edgecascade.bench.rows import Row, Unit, llama_bench_name
from edgecascade.bench.tasks import SYSTEM, TASK, check_written, prompt_of
from edgecascade.errors import InputError
from edgecascade.llama import native
from edgecascade.llama.baselines import high_level, signal_seconds
from edgecascade.llama.engine import Engine
from edgecascade.llama.settings import EngineSettings
from edgecascade.records import Message, Question, Sampling

BRIEF = "You are a helpful assistant. Answer in one short sentence."
QUESTIONS = (
    "What is the capital of France?",
    "Who wrote Romeo and Juliet?",
    "How many days are in a leap year?",
    "What is the chemical symbol of gold?",
    "Why is the sky blue?",
    "Name a fruit that is red.",
)
TURN_WORDS = 220
BATCH = 8
FEWEST_TOKENS = 16
MISSING = "not found, or it dies here"

Say = Callable[[str], None]


def decode(
    path: Path,
    settings: EngineSettings,
    *,
    tokens: int,
    rounds: int,
    llama_bench: Path | None,
    say: Say = lambda line: None,
) -> list[Row]:
    """Return ours and its peers, a sample a round, and what reuse and batches cost; unknown without the peer.

    The rounds of ours and the peers alternate, so that drift hits all alike: the ratios are of one round each.
    """
    ours: list[float] = []
    records: list[dict[str, Any]] = []
    peers: list[float] = []
    with Engine(path, settings) as engine:
        question = Question.of(TASK, system=SYSTEM, sampling=Sampling(max_tokens=tokens))
        prompt = engine.tokens_of(question.messages)
        evidence.draft(engine, question)
        for number in range(1, rounds + 1):
            say(f"decode: round {number} of {rounds}")
            ours.append(_speed(engine, question))
            if llama_bench:
                records.append(_llama_bench(llama_bench, path, settings, tokens=tokens, depth=len(prompt)))
            peers += high_level(path, settings, prompt=prompt, tokens=tokens, rounds=1)
        say("decode: second turn")
        second = [_second_turn(engine) for _ in range(rounds)]
        say(f"decode: {BATCH} samples in one batch")
        short = [_batch_cost(engine, task, system=BRIEF, tokens=tokens) for _ in range(rounds) for task in QUESTIONS]
        story = [_batch_cost(engine, TASK, system=SYSTEM, tokens=tokens // 2) for _ in range(rounds)]
    say("decode: signals")
    signals = signal_seconds(path, settings, prompt=prompt, tokens=tokens)
    return rows_of(
        ours,
        llama_bench=[record["avg_ts"] for record in records],
        high_level=peers,
        others={
            ("signals a token", "ms"): [signals * 1e3],
            ("second turn, of a cold one", "ratio"): second,
            (f"{BATCH} short samples, of one", "ratio"): short,
            (f"{BATCH} samples of a story, of one", "ratio"): story,
        },
        tokens=tokens,
        depth=len(prompt),
        facts=facts_of(path, settings, peer=records[0] if records else {}),
    )


def rows_of(
    ours: Sequence[float],
    *,
    llama_bench: Sequence[float],
    high_level: Sequence[float],
    others: dict[tuple[str, Unit], list[float]],
    tokens: int,
    depth: int,
    facts: dict[str, Any],
) -> list[Row]:
    """Return the figures as rows; ours bears llama-bench's own name for the test, so that the two compare."""
    name = llama_bench_name(0, tokens, depth)
    speeds = ((name, ours), (f"{name}, llama-bench", llama_bench), (f"{name}, high-level API", high_level))
    ratios = (("of llama-bench", llama_bench), ("of the high-level API", high_level))
    rows = [
        Row(test=test, unit="tokens/s", samples=tuple(found), n_gen=tokens, n_depth=depth, facts=facts,
            unknown=None if found else MISSING)
        for test, found in speeds
    ]  # fmt: skip
    for test, found in ratios:
        shares = tuple(map(truediv, ours, found)) if len(found) == len(ours) else ()
        rows.append(Row(test=test, unit="ratio", samples=shares, facts=facts, unknown=None if shares else MISSING))
    return rows + [
        Row(test=test, unit=unit, samples=tuple(found), facts=facts) for (test, unit), found in others.items()
    ]


def _speed(engine: Engine, question: Question) -> float:
    """Return tokens/s between the first and the last token, as a caller sees them."""
    arrivals = [time.perf_counter() for _ in engine.stream(question)]
    check_written(len(arrivals), FEWEST_TOKENS)
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def _llama_bench(program: Path, path: Path, settings: EngineSettings, *, tokens: int, depth: int) -> dict[str, Any]:
    """Return llama-bench's own record of one repetition, on the library that we run on."""
    folder = str(native.library_folder())
    searched = {
        name: os.pathsep.join(part for part in (folder, os.environ.get(name)) if part)
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    }
    options = {
        "-m": path, "-p": 0, "-n": tokens, "-d": depth, "-r": 1, "-o": "json", "-t": settings.threads,
        "-ngl": settings.gpu_layers, "-fa": settings.flash_attention, "-ctk": settings.kv_type,
        "-ctv": settings.kv_type, "--repack": int(settings.use_extra_bufts),
    }  # fmt: skip
    command = [str(program), *(str(word) for option in options.items() for word in option)]
    advice = "build it from the sources of the installed llama-cpp-python (bench/README.md)"
    try:
        done = subprocess.run(
            command, env=os.environ | searched, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if done.returncode:
            raise InputError(
                f"{program} failed: found exit code {done.returncode}, wanted 0: {done.stderr.strip()[-300:]}; {advice}"
            )
        record: dict[str, Any] = json.loads(done.stdout)[0]
        if not float(record["avg_ts"]) > 0:
            raise ValueError(f"a speed of {record['avg_ts']}")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{program} is not llama-bench: found {error}, wanted its JSON; {advice}") from error
    return record


def _second_turn(engine: Engine) -> float:
    """Return the time to first token of a second turn over that of as many new tokens and one chunk, both cold."""
    words = " ".join(f"{number}" for number in range(TURN_WORDS))
    first = (Message("system", SYSTEM), Message("user", f"Remember these numbers: {words}"))
    short = Sampling(max_tokens=24)
    answer = evidence.draft(engine, Question(first, short))
    second = (*first, Message("assistant", answer.text), Message("user", "Which number came first, and which last?"))
    new = len(engine.tokens_of(second)) - len(engine.tokens_of(first))
    took = evidence.draft(engine, Question(second, Sampling(max_tokens=1))).timings.ttft_s
    alone = prompt_of(engine, new + engine.settings.chunk)
    return took / evidence.draft(engine, Question(alone, Sampling(max_tokens=1))).timings.ttft_s


def _batch_cost(engine: Engine, task: str, *, system: str, tokens: int) -> float:
    """Return the time that 8 samples take to write together over the time that one of them takes alone."""
    question = Question.of(task, system=system, sampling=Sampling(max_tokens=tokens, temperature=0.7, seed=1))
    arrivals = [time.perf_counter() for _ in engine.stream_samples(question, BATCH)]
    alone = evidence.draft(engine, question)
    check_written(min(len(arrivals) - BATCH + 1, len(alone.tokens)))
    seconds_a_token = 1 / alone.timings.decode_tps
    return (arrivals[-1] - arrivals[0]) / (seconds_a_token * (len(arrivals) / BATCH - 1))
