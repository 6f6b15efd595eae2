"""What a cascade costs around its tiers, which have a script and take no time: python bench/overhead.py --out R.json

    answers    one at a time: median and 99th percentile around the tiers, kept and escalated in turn
    threads    answers a second from 1 and from 8 threads
    http       the same cloud over HTTP, beside a plain httpx call to the same server, in a process of its own
    hold-back  from the device's last token to the first piece shown and to the end, held back and shown at once
    memory     of the process, while answers are given

The ledger is on disk, privacy on, the question has 200 characters, an answer 20 tokens. Half of the answers are kept,
half escalated, in turn. What the tiers take alone, measured in the same run, is taken off. On a busy machine the
figures are worth little: how many cores others kept busy stands beside them.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import psutil

from edgecascade import Cascade, Delta, Done, Draft, Ending, Estimate, Question, Token, sensors
from edgecascade.cascade.screen import Show
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import RemoteTier
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.store.files import write_whole
from edgecascade.store.ledger import Ledger
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier

ANSWERS, HTTP_ANSWERS, HELD_ANSWERS = 4_000, 500, 1_000
THREADS = 8
MEMORY_AT = (1_000, 10_000, 50_000, 100_000)
TEXT = " ".join(f"word{number}" for number in range(20))
LENGTH = 200
KEPT, ESCALATED = "?", "."
"""The last character of a question that is kept, and of one that is not."""


class Device(ScriptedTier):
    """A device's tier that is sure of questions with a question mark, and notes when its last token was written."""

    last_token = 0.0

    def stream(self, question: Question, **options: Any) -> Generator[Token, None, Ending]:
        """Yield the script's tokens."""
        ending = yield from super().stream(question, **options)
        self.last_token = time.perf_counter()
        return ending

    def estimate(self, question: Question, draft: Draft, measured: Mapping[str, float] | None = None) -> Estimate:
        """Return a p_correct above or below the threshold."""
        p = 0.9 if question.messages[-1].content.endswith(KEPT) else 0.1
        return Estimate(p, 0.6, "scripted", None)


def device() -> Device:
    """Return the device's tier."""
    return Device(ScriptedReply(TEXT), name="device")


def scripted_cloud() -> ScriptedTier:
    """Return a cloud in this process."""
    return ScriptedTier(TEXT, name="cloud", place="cloud")


def asked(end: str) -> Question:
    """Return a question of 200 characters with nothing private in it, as most have nothing."""
    words = "Why does the sea look blue on a clear day although the water in a glass has no colour at all "
    return Question.of((words * 3)[: LENGTH - 1] + end)


QUESTIONS = (asked(KEPT), asked(ESCALATED))


@contextmanager
def cascade(folder: Path, *tiers: Any, show: Show = "hold") -> Iterator[Cascade]:
    """Yield a cascade over these tiers, with a ledger in the folder."""
    ledger = Ledger(folder / f"{time.monotonic_ns()}.db", clock=time.time)
    with Cascade(tiers, options=Options(show=show), ledger=ledger) as made:
        yield made


def times(job: Callable[[int], object], count: int) -> list[float]:
    """Return the milliseconds of each of so many runs, after a tenth as many to warm up."""
    taken = []
    for number in range(-count // 10, count):
        started = time.perf_counter()
        job(number)
        if number >= 0:
            taken.append((time.perf_counter() - started) * 1e3)
    return taken


def spread(milliseconds: Sequence[float], off: float = 0.0) -> dict[str, float]:
    """Return median and 99th percentile, less what is to be taken off."""
    p50, p99 = np.quantile(milliseconds, [0.5, 0.99])
    return {"median_ms": float(p50) - off, "p99_ms": float(p99) - off}


def drained(tier: ScriptedTier, number: int) -> None:
    """Let a tier alone say all it has to say."""
    for _ in tier.stream(QUESTIONS[number % 2]):
        pass


def one_at_a_time(folder: Path) -> dict[str, Any]:
    """Return what an answer takes around the tiers."""
    small, large = device(), scripted_cloud()
    alone = [median(times(partial(drained, tier), ANSWERS)) for tier in (small, large)]
    with cascade(folder, small, large) as made:
        taken = times(lambda number: made.ask(QUESTIONS[number % 2]), ANSWERS)
    kept, escalated = taken[::2], taken[1::2]
    both = [*(one - alone[0] for one in kept), *(one - sum(alone) for one in escalated)]
    return {
        "all": spread(both),
        "kept": spread(kept, alone[0]),
        "escalated": spread(escalated, sum(alone)),
        "tiers_alone_ms": {"device": alone[0], "cloud": alone[1]},
    }


def from_threads(folder: Path, threads: int) -> float:
    """Return answers a second."""
    with cascade(folder, device(), scripted_cloud()) as made:
        each = ANSWERS // threads
        made.ask(QUESTIONS[0])

        def work() -> None:
            for number in range(each):
                made.ask(QUESTIONS[number % 2])

        workers = [threading.Thread(target=work) for _ in range(threads)]
        started = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return threads * each / (time.perf_counter() - started)


def over_http(folder: Path, base_url: str) -> dict[str, Any]:
    """Return what a call over HTTP takes: plain, by our client, by a cascade without a device, and by one with it."""
    question, spec = QUESTIONS[1], cloud_spec(f"{base_url}#loopback", {})
    found: dict[str, Any] = {}
    with httpx.Client() as client:
        found["httpx"] = spread(times(lambda number: plain_call(client, base_url, question), HTTP_ANSWERS))
    with CloudClient(spec) as ours:
        found["our client"] = spread(times(lambda number: ours.answer(question), HTTP_ANSWERS))
    with cascade(folder, RemoteTier(CloudClient(spec))) as made:
        found["cascade, cloud only"] = spread(times(lambda number: made.ask(question), HTTP_ANSWERS))
    with cascade(folder, device(), RemoteTier(CloudClient(spec))) as made:
        found["cascade, escalated"] = spread(times(lambda number: made.ask(question), HTTP_ANSWERS))
    return found


def plain_call(client: httpx.Client, base_url: str, question: Question) -> str:
    """Return a streamed answer, as an application reads it that has nothing but httpx."""
    messages = [{"role": one.role, "content": one.content} for one in question.messages]
    body = {"model": "loopback", "messages": messages, "stream": True, "max_tokens": 512}
    pieces: list[str] = []
    with client.stream("POST", f"{base_url}/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                pieces.append(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
    return "".join(pieces)


def serve(pipe: Connection) -> None:
    """Be the cloud of another process until it hangs up."""
    with LoopbackCloud(TEXT) as cloud:
        pipe.send(cloud.base_url())
        pipe.recv()


@contextmanager
def other_process() -> Iterator[str]:
    """Yield the address of a loopback cloud that has an interpreter to itself."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(there,))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def held_back(folder: Path, show: Show) -> dict[str, Any]:
    """Return what follows the last token of a kept answer: the first piece, and the end; and the whole answer."""
    small, first, end, whole = device(), [], [], []
    with cascade(folder, small, scripted_cloud(), show=show) as made:
        for _ in range(HELD_ANSWERS):
            started, shown = time.perf_counter(), 0.0
            for event in made.stream(QUESTIONS[0]):
                if isinstance(event, Delta) and not shown:
                    shown = time.perf_counter()
                if isinstance(event, Done):
                    done = time.perf_counter()
            first.append((shown - small.last_token) * 1e3)
            end.append((done - small.last_token) * 1e3)
            whole.append((done - started) * 1e3)
    return {"first_piece": spread(first), "end": spread(end), "whole": spread(whole)}


def memory(folder: Path, at: Sequence[int]) -> dict[str, float]:
    """Return MiB of this process after so many answers."""
    found: dict[str, float] = {}
    own = psutil.Process()
    with cascade(folder, device(), scripted_cloud()) as made:
        for number in range(max(at)):
            made.ask(QUESTIONS[number % 2])
            if number + 1 in at:
                found[str(number + 1)] = own.memory_info().rss / 2**20
    return found


def measure(folder: Path, repeats: int) -> dict[str, Any]:
    """Return everything that is measured, each but memory several times, as plain values."""
    busy = [sensors.busy_cores(1.0)]
    runs: list[dict[str, Any]] = []
    with other_process() as base_url:
        for number in range(repeats):
            say(f"run {number + 1} of {repeats}")
            runs.append(
                {
                    "answers": one_at_a_time(folder),
                    "answers_a_second": {str(threads): from_threads(folder, threads) for threads in (1, THREADS)},
                    "http": over_http(folder, base_url),
                    "held_back": {show: held_back(folder, show) for show in ("hold", "draft")},
                }
            )
            busy.append(sensors.busy_cores(1.0))
    say("memory")
    memory_mib = memory(folder, MEMORY_AT)
    busy.append(sensors.busy_cores(1.0))
    return {
        "schema": "edgecascade.bench.overhead/1",
        "runs": runs,
        "memory_mib": memory_mib,
        "busy_cores": busy,
        "machine": {"platform": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "versions": {name: version(name) for name in ("edgecascade", "httpx")} | {"python": platform.python_version()},
    }


def markdown(record: Mapping[str, Any]) -> str:
    """Return a line a figure, a column a run."""
    lines = ["| | " + " | ".join(f"run {number + 1}" for number in range(len(record["runs"]))) + " |"]
    lines.append("| --- " * (len(record["runs"]) + 1) + "|")
    flat = [dict(flattened(run)) for run in record["runs"]]
    lines += [f"| {name} | " + " | ".join(f"{run[name]:.3f}" for run in flat) + " |" for name in flat[0]]
    lines += ["", f"memory, MiB: {record['memory_mib']}", f"cores that others kept busy: {record['busy_cores']}"]
    return "\n".join(lines)


def flattened(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """Yield each figure with the names that lead to it.

    >>> dict(flattened({"a": {"b": 1.0}}))
    {'a b': 1.0}
    """
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", value


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print the table, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the record goes, as JSON")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the ledgers lie meanwhile; a disk, to be like real ones")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        record = measure(Path(folder), given.repeats)
    print(markdown(record))
    write_whole(given.out, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
