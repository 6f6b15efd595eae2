"""A cascade at work on questions that nothing was fitted on: python bench/cascade.py QUESTIONS --device A --cloud B ...

    1. pair    a small model's attempts with a large one's at the same questions: its grade is the cloud's score
    2. fit     on all but some, held out at random; what is promised is named before anything of these is seen
    3. play    the held-out ones live: the small model in this process, the large one over HTTP, from a loopback server
    4. report  each way to answer them beside the others, and the promise beside what happened

The arms take turns, some questions each, so that all of them meet the same machine. What the served model has said once
it says again at once; the seconds that it took the first time count for every arm.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecascade import Cascade, Engine, EngineSettings, Question, evidence, sensors
from edgecascade.calibrate.fit import Fit, fit
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import LocalTier, RemoteTier
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.evidence import Tier
from edgecascade.grading import grade
from edgecascade.guarantees.binomial import interval
from edgecascade.guarantees.certificate import Certificate
from edgecascade.labelled import LabelledQuestion
from edgecascade.local import open_engine
from edgecascade.metrics import Interval, bootstrap, paired_gain
from edgecascade.privacy import Rules, clear
from edgecascade.prompts import asked
from edgecascade.pull import pull, sha256_of_model
from edgecascade.records import Answer, Ending, GateOutcome, Message, Mode, Sampling
from edgecascade.store.attempts import Attempts, digest_of, read_attempts
from edgecascade.store.files import write_whole
from edgecascade.store.fitted_files import FittedFile, write_fitted
from edgecascade.store.ledger import Ledger
from edgecascade.store.paths import Folders
from edgecascade.store.questions import read_questions
from edgecascade.testing import LoopbackCloud

SEED = 20261122
DELTA = 0.1
BLOCK = 10
"""Questions that one arm answers before the next arm does: more than one, so that no prompt is still in memory."""

CLOUD, DEVICE, CASCADE, THRESHOLD = "cloud only", "device only", "cascade", "threshold only"
ARMS: dict[str, tuple[Mode, bool]] = {
    CLOUD: ("only_in_cloud", False),
    DEVICE: ("only_on_device", False),
    CASCADE: ("prefer_on_device", True),
    THRESHOLD: ("prefer_on_device", False),
}
"""Mode, and whether gates may stop a draft; the cloud first, so that what it says is there for the others."""

Array = NDArray[np.float64]


# 1. Pair, 2. fit


def paired(device: Attempts, cloud: Attempts) -> Attempts:
    """Return the device's attempts at what both answered, with the other's grade as the cloud's score."""
    system = device.header.system or None
    if system != (cloud.header.system or None):
        raise SystemExit(f"two system messages: {device.header.system!r} and {cloud.header.system!r}; collect with one")
    grades = {row.id: row.grade.score for row in cloud.rows}
    rows = tuple(replace(row, cloud=grades[row.id]) for row in device.rows if row.id in grades)
    header = device.header.model_copy(update={"cloud": cloud.header.identity.model, "system": system})
    return Attempts(header, rows)


def held_out(ids: Sequence[str], count: int, seed: int) -> frozenset[str]:
    """Return so many of the ids, drawn at random: the same ones each time."""
    return frozenset(Random(seed).sample(sorted(ids), count))


# 3. Play


@dataclass(frozen=True, slots=True)
class Call:
    """What one request to the served model took; ``again``: it was said before, and took no time now."""

    tokens: int
    seconds: float
    again: bool


class ServedModel:
    """A model as a loopback cloud's ``answer``; asked the same again it says the same again, at once."""

    def __init__(self, tier: Tier) -> None:
        self.max_tokens = 0
        self.calls: list[Call] = []
        self._tier = tier
        self._said: dict[tuple[Message, ...], tuple[list[str], Call]] = {}

    def begin(self, question: Question) -> None:
        """Take note of the question to come: a loopback server does not pass its longest answer on."""
        self.max_tokens = question.sampling.max_tokens
        self.calls.clear()

    def __call__(self, messages: Sequence[Mapping[str, str]]) -> Iterator[str]:
        """Yield the answer's pieces."""
        said = tuple(Message(each["role"], each["content"]) for each in messages)  # type: ignore[arg-type]
        if said not in self._said:
            yield from self._written(said)
            return
        pieces, call = self._said[said]
        yield from pieces
        self.calls.append(replace(call, again=True))

    def _written(self, messages: tuple[Message, ...]) -> Generator[str, None, None]:
        started, pieces = time.perf_counter(), []
        stream = self._tier.stream(Question(messages, Sampling(max_tokens=self.max_tokens)))
        try:
            while True:
                if text := next(stream).text:
                    pieces.append(text)
                    yield text
        except StopIteration as stop:
            ending: Ending = stop.value
        finally:
            stream.close()
        tokens = ending.prompt_tokens + ending.completion_tokens
        call = Call(tokens, time.perf_counter() - started, again=False)
        self.calls.append(call)
        self._said[messages] = pieces, call


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one arm made of one question; ``holds``: the fitted file is about answers like the device's."""

    text: str
    quality: float
    called: bool
    cloud_tokens: int
    seconds: float
    device_tokens: int
    device_seconds: float
    code: str
    p_correct: float | None
    holds: bool
    gates: tuple[GateOutcome, ...]


def outcome(answer: Answer, question: LabelledQuestion, calls: Sequence[Call], seconds: float) -> Outcome:
    """Return what an answer was worth and took, the seconds of what was only said again among them."""
    local = [attempt for attempt in answer.attempts if attempt.place == "device"]
    judged = [attempt.estimate for attempt in local]
    return Outcome(
        text=answer.text,
        quality=grade(answer.text, question).score,
        called=bool(calls),
        cloud_tokens=sum(call.tokens for call in calls),
        seconds=seconds + sum(call.seconds for call in calls if call.again),
        device_tokens=sum(attempt.draft.usage.completion_tokens for attempt in local if attempt.draft),
        device_seconds=sum(attempt.seconds for attempt in local),
        code=answer.code,
        p_correct=judged[0].p_correct if judged else None,
        holds=any(one.calibration is not None and one.calibration.verdict == "fresh" for one in judged),
        gates=tuple(gate for attempt in local for gate in attempt.gates),
    )


@dataclass(frozen=True, slots=True)
class Played:
    """The outcomes of each arm, and how many cores others kept busy, looked at between the blocks."""

    arms: dict[str, list[Outcome]]
    busy_cores: list[float]


def play(
    asked_as: Sequence[tuple[LabelledQuestion, Question]], cascades: Mapping[str, Cascade], served: ServedModel
) -> Played:
    """Return what every arm made of every question."""
    played = Played({name: [] for name in cascades}, [])
    for start in range(0, len(asked_as), BLOCK):
        for name, cascade in cascades.items():
            for question, put in asked_as[start : start + BLOCK]:
                served.begin(put)
                started = time.perf_counter()
                answer = cascade.ask(put)
                seconds = time.perf_counter() - started
                played.arms[name].append(outcome(answer, question, served.calls, seconds))
        played.busy_cores.append(sensors.busy_cores())
        say(f"  {min(start + BLOCK, len(asked_as))} of {len(asked_as)}")
    return played


def cascades(
    stack: ExitStack, engine: Engine, file: FittedFile, fitted: Path, server: LoopbackCloud, folder: Path
) -> dict[str, Cascade]:
    """Return a cascade an arm, each with a ledger, monitors and connections of its own."""

    def made(name: str, mode: Mode, gated: bool) -> Cascade:
        own = folder / name.replace(" ", "-")
        device = LocalTier(
            engine, name="device", sha256=file.identity.sha256, folders=Folders.of({"EDGECASCADE_HOME": str(own)}),
            system=file.system, fitted=fitted, gated=gated,
        )  # fmt: skip
        cloud = RemoteTier(CloudClient(cloud_spec(server.spec(model="large"), {})))
        ledger = Ledger(own / "ledger.db", clock=time.time)
        return Cascade([device, cloud], options=Options(mode=mode, gates=gated), ledger=ledger)

    return {name: stack.enter_context(made(name, *arm)) for name, arm in ARMS.items()}


def opened(stack: ExitStack, spec: str, sha256: str, threads: int) -> Engine:
    """Return a model, warm; it must be the one whose attempts were given."""
    folders = Folders.of(os.environ)
    file = pull(
        spec, folders=folders, environment=os.environ, home=Path.home(), progress=lambda done, total, what: None
    )
    if (file.sha256 or sha256_of_model(file.path, folders)) != sha256:
        raise SystemExit(f"{spec} is not the model of its attempts: other weights; name that one")
    engine = stack.enter_context(open_engine(file.path, EngineSettings(threads=threads), folders=folders, notice=say))
    evidence.draft(engine, Question.of("What is the capital of France?", sampling=Sampling(max_tokens=8)))
    return engine


# 4. Report


def column(outcomes: Sequence[Outcome], name: str) -> Array:
    """Return one field of each outcome, shape (n,)."""
    return np.array([getattr(one, name) for one in outcomes], np.float64)


def mean(values: Array) -> float:
    """Return the mean."""
    return float(values.mean())


def at_random(chosen: Array, called: Array, device: Array, cloud: Array) -> float:
    """Return how much better choosing is than calling the cloud as often, but for anybody: in expectation.

    >>> at_random(np.array([1.0, 1.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    0.25
    """
    rate = called.mean()
    return float(chosen.mean() - (rate * cloud.mean() + (1 - rate) * device.mean()))


def spread(seconds: Array, weights: Array | None = None) -> dict[str, float]:
    """Return median, 95th percentile and mean."""
    p50, p95 = np.quantile(seconds, [0.5, 0.95], weights=weights, method="inverted_cdf")
    return {"p50": float(p50), "p95": float(p95), "mean": float(np.average(seconds, weights=weights))}


def arms_of(played: Played) -> dict[str, dict[str, Any]]:
    """Return quality, calls, tokens and seconds of each arm, and of two that are computed from the others."""
    quality = {name: column(rows, "quality") for name, rows in played.arms.items()}
    seconds = {name: column(rows, "seconds") for name, rows in played.arms.items()}
    ours, tokens = quality[CASCADE], column(played.arms[CLOUD], "cloud_tokens")
    called = column(played.arms[CASCADE], "called")
    found = {
        name: {
            "quality": asdict(bootstrap(mean, quality[name])),
            "cascade_better_by": asdict(paired_gain(mean, ours, quality[name])),
            "calls_saved": 1 - mean(column(rows, "called")),
            "cloud_tokens_saved": 1 - float(column(rows, "cloud_tokens").sum() / tokens.sum()),
            "seconds": spread(seconds[name]),
            "device_seconds": mean(column(rows, "device_seconds")),
        }
        for name, rows in played.arms.items()
    }
    rate = mean(called)
    gain = bootstrap(at_random, ours, called, quality[DEVICE], quality[CLOUD])
    found["random at the cascade's rate"] = {
        "quality": {"value": mean(ours) - gain.value},
        "cascade_better_by": asdict(gain),
        "calls_saved": 1 - rate,
        "cloud_tokens_saved": 1 - rate,
        "seconds": spread(
            np.concatenate([seconds[DEVICE], seconds[CLOUD]]), np.repeat([1 - rate, rate], len(ours))
        ),
    }  # fmt: skip
    keeps = quality[DEVICE] >= quality[CLOUD]
    best = np.maximum(quality[DEVICE], quality[CLOUD])
    found["oracle"] = {
        "quality": asdict(bootstrap(mean, best)),
        "cascade_better_by": asdict(paired_gain(mean, ours, best)),
        "calls_saved": float(keeps.mean()),
        "cloud_tokens_saved": float(tokens[keeps].sum() / tokens.sum()),
        "seconds": spread(np.where(keeps, seconds[DEVICE], seconds[CLOUD])),
    }
    return found


def risk(kept: NDArray[np.bool_], device: Array, cloud: Array) -> dict[str, Any]:
    """Return what keeping these answers cost: the mean loss over all, and how many lost, with its exact interval."""
    loss = np.where(kept, np.maximum(cloud - device, 0.0), 0.0)
    lost = int((loss > 0).sum())
    low, high = interval(lost, len(loss), 0.05)
    return {
        "kept": float(kept.mean()),
        "regret": mean(loss),
        "lost": lost,
        "lost_share": asdict(Interval(lost / len(loss), low, high)),
    }


def promises(played: Played, file: FittedFile) -> dict[str, Any]:
    """Return what was promised of the cascade and of the threshold alone, beside what happened."""
    cloud = column(played.arms[CLOUD], "quality")
    found: dict[str, Any] = {}
    for name in (CASCADE, THRESHOLD):
        certificate = certificate_of(file, gated=name == CASCADE)
        kept = ~column(played.arms[name], "called").astype(bool)
        happened = risk(kept, column(played.arms[name], "quality"), cloud)
        found[name] = {"sentence": certificate.sentence(file.created), "kept_expected": certificate.share_kept}
        found[name] |= happened | {"kept_promise": happened["regret"] <= certificate.epsilon}
    return found


def certificate_of(file: FittedFile, *, gated: bool) -> Certificate:
    """Return what is promised of the answers that are kept; gates that leave nothing to promise are not used."""
    plain, composed = (
        next(one for one in map(Certificate.from_json, records) if one.epsilon == file.epsilon)
        for records in (file.certificates, file.composed)
    )
    return composed if gated and file.gates and composed.feasible else plain


def ladder(played: Played, file: FittedFile) -> dict[str, Any]:
    """Return the same for every risk of the ladder, from the estimates of the threshold alone."""
    rows = played.arms[THRESHOLD]
    cloud, device = column(played.arms[CLOUD], "quality"), column(played.arms[DEVICE], "quality")
    p = np.array([one.p_correct if one.holds and one.p_correct is not None else -np.inf for one in rows])
    return {
        f"{certificate.epsilon:g}": {"kept_expected": certificate.share_kept, "threshold": certificate.threshold}
        | risk(p >= certificate.threshold, device, cloud)
        for certificate in map(Certificate.from_json, file.certificates)
    }


def gates(played: Played) -> dict[str, Any]:
    """Return what each gate stopped and saved: as it said itself, and against the same questions without gates.

    G2 is the threshold at the end, where nothing is left to save.
    """
    found: dict[str, Any] = {}
    pairs = list(zip(played.arms[CASCADE], played.arms[THRESHOLD], strict=True))
    for name in ("G0", "G1"):
        looks = [(gate, with_, without) for with_, without in pairs for gate in with_.gates if gate.gate == name]
        stopped = [look for look in looks if not look[0].passed]
        found[name] = {
            "looks": len(looks),
            "stopped": len(stopped),
            "would_have_been_kept": sum(not without.called for _, _, without in stopped),
            "tokens_saved_said": sum(gate.tokens_saved for gate, _, _ in stopped),
            "tokens_saved": sum(without.device_tokens - with_.device_tokens for _, with_, without in stopped),
            "seconds_saved_said": sum(gate.seconds_saved for gate, _, _ in stopped),
            "seconds_saved": sum(without.device_seconds - with_.device_seconds for _, with_, without in stopped),
        }
    return found


def bench(
    questions: Mapping[str, LabelledQuestion], device: Attempts, cloud: Attempts, given: argparse.Namespace
) -> dict[str, Any]:
    """Return everything that is measured, as plain values."""
    started = time.perf_counter()
    pairs = paired(device, cloud)
    pairs = replace(pairs, rows=tuple(row for row in pairs.rows if row.id in questions))
    known = [row for row in (*device.rows, *cloud.rows) if row.question and row.id in questions]
    changed = [row.id for row in known if row.question != digest_of(questions[row.id])]
    if changed:
        raise SystemExit(
            f"{len(changed)} questions are not those of the attempts, {changed[0]!r} first; name that file"
        )
    test = held_out([row.id for row in pairs.rows], given.test, given.seed)
    rest = replace(pairs, rows=tuple(row for row in pairs.rows if row.id not in test))
    say(f"fit on {len(rest.rows)}, {len(test)} held out")
    made = fit(rest, promise="regret", epsilon=given.epsilon, delta=DELTA, today=date.today().isoformat())
    say(made.file.advice)
    header = pairs.header
    chosen = Random(given.seed).sample([questions[id] for id in sorted(test)], len(test))
    put = [(one, asked(one, system=header.system, max_tokens=header.max_tokens)) for one in chosen]
    played = played_live(put, made, device, cloud, given)
    return report(put, made.file, played, device, cloud) | {
        "pairs": len(pairs.rows),
        "seed": given.seed,
        "threads": given.threads,
        "seconds": time.perf_counter() - started,
    }


def played_live(
    put: Sequence[tuple[LabelledQuestion, Question]],
    made: Fit,
    device: Attempts,
    cloud: Attempts,
    given: argparse.Namespace,
) -> Played:
    """Return what every arm made of every question, with both models loaded."""
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        fitted = Path(temporary) / "fitted.json"
        write_fitted(fitted, made.file, made.onnx)
        small = opened(stack, given.device_model, device.header.identity.sha256, given.threads)
        served = ServedModel(opened(stack, given.cloud_model, cloud.header.identity.sha256, given.threads))
        server = stack.enter_context(LoopbackCloud(answer=served))
        return play(put, cascades(stack, small, made.file, fitted, server, Path(temporary)), served)


def report(
    put: Sequence[tuple[LabelledQuestion, Question]],
    file: FittedFile,
    played: Played,
    device: Attempts,
    cloud: Attempts,
) -> dict[str, Any]:
    """Return what was played, as plain values."""
    cleared = [clear(question, Rules()) for _, question in put]
    recorded = {DEVICE: device, CLOUD: cloud}

    def same(name: str) -> list[bool]:
        texts = {row.id: row.draft.text for row in recorded[name].rows}
        return [one.text == texts[asked.id] for one, (asked, _) in zip(played.arms[name], put, strict=True)]

    return {
        "schema": "edgecascade.bench.cascade/1",
        "device": file.identity.as_json(),
        "cloud": cloud.header.identity.as_json(),
        "fitted_on": file.provenance["attempts"],
        "test": len(put),
        "tasks": dict(Counter(question.task for question, _ in put)),
        "epsilon": file.epsilon,
        "delta": file.delta,
        "verdict": file.verdict,
        "advice": file.advice,
        "head": file.head.name,
        "fitted_metrics": {name: value for name, value in file.metrics.items() if name != "baselines"},
        "gates_fitted": [
            {"at": gate.at, "stops": gate.stops, "tokens_saved": gate.tokens_saved} for gate in file.gates
        ],
        "arms": arms_of(played),
        "promises": promises(played, file),
        "ladder": ladder(played, file),
        "gates": gates(played),
        "codes": {name: dict(Counter(one.code for one in rows)) for name, rows in played.arms.items()},
        "private_things_found_in": sum(bool(one.kinds) for one in cleared),
        "changed_by_redaction": sum(bool(one.restore) for one in cleared),
        "same_text_as_recorded": {name: fmean(same(name)) for name in recorded},
        "busy_cores": {"median": median(played.busy_cores), "most": max(played.busy_cores)},
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "versions": {name: version(name) for name in ("edgecascade", "numpy", "llama-cpp-python")},
        "rows": rows_of(put, played),
    }  # fmt: skip


def rows_of(put: Sequence[tuple[LabelledQuestion, Question]], played: Played) -> dict[str, Any]:
    """Return every outcome in columns, texts and gates left out."""
    names = ("quality", "called", "cloud_tokens", "seconds", "device_tokens", "device_seconds", "code", "p_correct")
    columns = {arm: {name: [getattr(one, name) for one in rows] for name in names} for arm, rows in played.arms.items()}
    return {"id": [question.id for question, _ in put], **columns}


def markdown(record: Mapping[str, Any]) -> str:
    """Return the record as tables."""
    lines = ["| | quality | cascade better by | calls saved | cloud tokens saved | seconds p50 / p95 / mean |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for name, arm in record["arms"].items():
        saved = f"{arm['calls_saved']:.1%} | {arm['cloud_tokens_saved']:.1%}"
        took = " / ".join(f"{arm['seconds'][at]:.2f}" for at in ("p50", "p95", "mean"))
        lines.append(f"| {name} | {cell(arm['quality'])} | {cell(arm['cascade_better_by'])} | {saved} | {took} |")
    lines += ["", "| promise | kept, expected | kept | regret | lost |", "| --- | --- | --- | --- | --- |"]
    rows = {**record["promises"], **{f"threshold at {name}": row for name, row in record["ladder"].items()}}
    for name, row in rows.items():
        lost = f"{row['lost']}: {cell(row['lost_share'])}"
        lines.append(f"| {name} | {row['kept_expected']:.1%} | {row['kept']:.1%} | {row['regret']:.4f} | {lost} |")
    names = list(record["gates"]["G0"])
    lines += ["", f"| gate | {' | '.join(names).replace('_', ' ')} |", "| --- " * (len(names) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(f"{row[one]:.4g}" for one in names) + " |" for name, row in record["gates"].items()
    ]
    return "\n".join(lines)


def cell(value: Mapping[str, float]) -> str:
    """Return a figure, with its interval where it has one."""
    if "low" not in value:
        return f"{value['value']:.3f}"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def plain(value: Any) -> Any:
    """Return a record that JSON can hold: what is no number as null."""
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 5) if np.isfinite(value) else None
    return value


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def main() -> None:
    """Fit, play, print the tables, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path, help="the question file or folder of both collections")
    parser.add_argument("--device", type=Path, required=True, help="the small model's attempts")
    parser.add_argument("--cloud", type=Path, required=True, help="the large model's attempts at the same questions")
    parser.add_argument("--device-model", required=True, help="the small model; as `edgecascade ask --model` takes it")
    parser.add_argument("--cloud-model", required=True, help="the large model, likewise")
    parser.add_argument("--epsilon", type=float, default=0.1, help="the regret that is promised")
    parser.add_argument("--test", type=int, default=300, help="questions held out and asked live")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=1, help="of each model; they never write at the same time")
    parser.add_argument("--out", type=Path, required=True, help="where the record goes, as JSON")
    given = parser.parse_args()
    questions = {question.id: question for question in read_questions(given.questions).questions}
    record = bench(questions, read_attempts([given.device]), read_attempts([given.cloud]), given)
    print(markdown(record))
    write_whole(given.out, json.dumps(plain(record), indent=1) + "\n")
    say(f"{given.out} written after {record['seconds']:.0f} s")


if __name__ == "__main__":
    main()
