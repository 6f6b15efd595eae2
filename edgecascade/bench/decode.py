"""Our decode against its peers, on one library, with the same settings, in one run, round by round in turn.

llama-bench    llama.cpp's own: decodes random tokens and reads nothing; the ceiling
high-level     llama-cpp-python's ``create_completion(logprobs=5)``, what an application would use otherwise

The JSON carries llama-bench's keys, so that tools that read those files read ours.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from statistics import fmean, median, pstdev
from typing import Any

from edgecascade import evidence, sensors
from edgecascade.bench.facts import facts_of
from edgecascade.bench.rows import Row, llama_bench_name
from edgecascade.bench.tasks import SYSTEM, TASK, prompt_of
from edgecascade.errors import InputError
from edgecascade.llama import native
from edgecascade.llama.baselines import high_level, signal_seconds
from edgecascade.llama.engine import Engine
from edgecascade.llama.settings import EngineSettings
from edgecascade.records import Message, Question, Sampling
from edgecascade.sensors.load import BUSY_SHARE

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

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DecodeBench:
    """What one run found; None where a peer is missing or dies.

    samples_ts        tokens/s of each round, ours with every signal
    llama_bench_ts    the same of llama-bench          high_level_ts  of the high-level path with log-probabilities
    signals_s         seconds a token for the signals
    second_turn       time to first token of a second turn / that of as many new tokens and one chunk
    samples_answer    time of 8 samples of a short answer / of one of them
    samples_story     the same of a story, where every sample goes its own way
    busy_cores        the most that other processes did before, between and after the rounds
    """

    samples_ts: list[float]
    llama_bench_ts: list[float]
    high_level_ts: list[float]
    signals_s: float
    second_turn: float
    samples_answer: float
    samples_story: float
    busy_cores: float
    facts: dict[str, Any]

    @property
    def worthless(self) -> bool:
        """Whether other processes took so much of the machine that the figures mean nothing."""
        return self.busy_cores > BUSY_SHARE * sensors.physical_cores()

    def as_json(self) -> dict[str, Any]:
        """Return the record with llama-bench's keys, then ours."""
        tokens = self.facts["n_gen"]
        nanoseconds = [tokens / speed * 1e9 for speed in self.samples_ts]
        return self.facts | {
            "avg_ns": round(fmean(nanoseconds)),
            "stddev_ns": round(pstdev(nanoseconds)),
            "avg_ts": fmean(self.samples_ts),
            "stddev_ts": pstdev(self.samples_ts),
            "samples_ns": [round(value) for value in nanoseconds],
            "samples_ts": self.samples_ts,
            "llama_bench_samples_ts": self.llama_bench_ts,
            "high_level_samples_ts": self.high_level_ts,
            "ratio_to_llama_bench": _ratio(self.samples_ts, self.llama_bench_ts),
            "ratio_to_high_level": _ratio(self.samples_ts, self.high_level_ts),
            "signals_ms": self.signals_s * 1e3,
            "second_turn_ratio": self.second_turn,
            "samples_of_8_answer_ratio": self.samples_answer,
            "samples_of_8_story_ratio": self.samples_story,
            "busy_cores": self.busy_cores,
            "worthless": self.worthless,
        }

    def rows(self) -> list[Row]:
        """Return the figures as rows; ours bears llama-bench's own name for the test, so that the two compare."""
        tokens, depth = self.facts["n_gen"], self.facts["n_depth"]
        name = llama_bench_name(0, tokens, depth)
        speeds = ((name, self.samples_ts), (f"{name}, llama-bench", self.llama_bench_ts),
                  (f"{name}, high-level API", self.high_level_ts))  # fmt: skip
        shares = (
            ("second turn, of a cold one", self.second_turn),
            ("8 short samples, of one", self.samples_answer),
            ("8 samples of a story, of one", self.samples_story),
        )
        rows = [
            Row(test=test, unit="tokens/s", samples=tuple(found), n_gen=tokens, n_depth=depth, facts=self.facts,
                unknown=None if found else "not found, or it dies here")
            for test, found in speeds
        ]  # fmt: skip
        rows.append(Row(test="signals a token", unit="ms", samples=(self.signals_s * 1e3,), facts=self.facts))
        return rows + [Row(test=test, unit="ratio", samples=(one,), facts=self.facts) for test, one in shares]


def bench_decode(
    path: Path,
    settings: EngineSettings,
    *,
    tokens: int = 128,
    rounds: int = 5,
    llama_bench: Path | None = None,
    say: Say,
) -> DecodeBench:
    """Measure; ``say`` is told each step. The rounds of ours and the peers alternate, so that drift hits all alike."""
    busy = sensors.busy_cores(1.0)
    if busy > BUSY_SHARE * sensors.physical_cores():
        say(f"other processes use {busy:.1f} cores: these figures are worthless; try again on an idle machine")
    llama_bench = llama_bench or find_llama_bench()
    ours: list[float] = []
    ceiling: list[dict[str, Any]] = []
    peers: list[float] = []
    with Engine(path, settings) as engine:
        question = Question.of(TASK, system=SYSTEM, sampling=Sampling(max_tokens=tokens))
        prompt = engine.tokens_of(question.messages)
        evidence.draft(engine, question)
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}")
            busy = max(busy, sensors.busy_cores(0.2))
            ours.append(_decode_speed(engine, question))
            if llama_bench:
                ceiling.append(_llama_bench(llama_bench, path, settings, tokens=tokens, depth=len(prompt)))
            peers += high_level(path, settings, prompt=prompt, tokens=tokens, rounds=1)
        say("second turn")
        second = median(_second_turn(engine) for _ in range(rounds))
        say(f"{BATCH} samples in one batch")
        answer = median(
            _samples_cost(engine, task, system=BRIEF, tokens=tokens) for _ in range(rounds) for task in QUESTIONS
        )
        story = median(_samples_cost(engine, TASK, system=SYSTEM, tokens=tokens // 2) for _ in range(rounds))
    say("signals")
    signals = signal_seconds(path, settings, prompt=prompt, tokens=tokens)
    return DecodeBench(
        samples_ts=ours,
        llama_bench_ts=[row["avg_ts"] for row in ceiling],
        high_level_ts=peers,
        signals_s=signals,
        second_turn=second,
        samples_answer=answer,
        samples_story=story,
        busy_cores=max(busy, sensors.busy_cores(1.0)),
        facts=facts_of(path, settings, peer=ceiling[0] if ceiling else {})
        | {"n_prompt": 0, "n_gen": tokens, "n_depth": len(prompt)},
    )


def find_llama_bench() -> Path | None:
    """Return llama.cpp's llama-bench where it is found: ``EDGECASCADE_LLAMA_BENCH``, then the search path."""
    found = os.environ.get("EDGECASCADE_LLAMA_BENCH") or shutil.which("llama-bench")
    return Path(found) if found and Path(found).is_file() else None


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Return the median ratio, round by round; None without a peer that finished each."""
    return median(map(truediv, ours, theirs)) if len(theirs) == len(ours) else None


def _decode_speed(engine: Engine, question: Question) -> float:
    """Return tokens/s between the first and the last token, as a caller sees them."""
    arrivals = [time.perf_counter() for _ in engine.stream(question)]
    if len(arrivals) < FEWEST_TOKENS:
        raise InputError(
            f"the model ended its story after {len(arrivals)} tokens, too few to time; wanted {FEWEST_TOKENS} or more: "
            "use an instruct model"
        )
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def _llama_bench(program: Path, path: Path, settings: EngineSettings, *, tokens: int, depth: int) -> dict[str, Any]:
    """Return llama-bench's own record of one repetition, on the library that we run on."""
    folder = str(native.library_folder())
    environment = os.environ | {"LD_LIBRARY_PATH": folder, "DYLD_LIBRARY_PATH": folder}
    options = {
        "-m": path, "-p": 0, "-n": tokens, "-d": depth, "-r": 1, "-o": "json", "-t": settings.threads,
        "-ngl": settings.gpu_layers, "-fa": settings.flash_attention, "-ctk": settings.kv_type,
        "-ctv": settings.kv_type, "--repack": int(settings.use_extra_bufts),
    }  # fmt: skip
    command = [str(program), *(str(word) for option in options.items() for word in option)]
    advice = "build it from the sources of the installed llama-cpp-python (bench/README.md)"
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = done.stderr.strip()[-300:]
            raise InputError(f"{program} failed with exit code {done.returncode}: {reason}; {advice}")
        record: dict[str, Any] = json.loads(done.stdout)[0]
    except (OSError, ValueError, LookupError) as error:
        raise InputError(f"{program} is not llama-bench: {error}; wanted its JSON; {advice}") from error
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


def _samples_cost(engine: Engine, task: str, *, system: str, tokens: int) -> float:
    """Return the time that 8 samples take to write together over the time that one of them takes alone."""
    question = Question.of(task, system=system, sampling=Sampling(max_tokens=tokens, temperature=0.7, seed=1))
    arrivals = [time.perf_counter() for _ in engine.stream_samples(question, BATCH)]
    alone = evidence.draft(engine, question)
    if len(arrivals) <= BATCH or not alone.timings.decode_tps:
        raise InputError(f"the model answers {task!r} with one token, too few to time; use an instruct model")
    seconds_a_token = 1 / alone.timings.decode_tps
    return (arrivals[-1] - arrivals[0]) / (seconds_a_token * (len(arrivals) / BATCH - 1))
