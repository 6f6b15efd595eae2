"""The simulator beside a live run: python bench/simulate.py --model M --questions F --profile this --cloud-delay S.

    1. record  every answer of the device in full, as a calibration does
    2. live    the same questions through a cascade, the cloud a loopback server that waits before it answers
    3. replay  the recorded answers under the device's profile, through the same policy
    4. report  seconds predicted and measured, and how many decisions are equal

Wanted: seconds within 10 %, decisions exactly. The cloud's own seconds are measured beforehand, as a ledger would know
them. A profile that was not measured on this very device predicts its class, not this unit; so the report names it.
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
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any

import numpy as np

from edgecascade import Cascade, Question, evidence, sensors
from edgecascade.cascade.gating import gates_of
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import LocalTier, RemoteTier
from edgecascade.cloud.client import CloudClient
from edgecascade.cloud.specs import cloud_spec
from edgecascade.grading import grade
from edgecascade.judging import Judge, like_those_certified
from edgecascade.labelled import LabelledQuestion
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import open_engine
from edgecascade.profile import Profile, Weights
from edgecascade.profiles import engine_of, profile_here
from edgecascade.prompts import asked
from edgecascade.pull import pull, sha256_of_model, system_of
from edgecascade.records import Draft, Ending, Mode, Sampling, Token
from edgecascade.signals import signals
from edgecascade.simulate.comparing import scene_of
from edgecascade.simulate.playing import CloudFacts, Played, Scene, play
from edgecascade.simulate.rows import Row, looks_of
from edgecascade.store.files import write_whole
from edgecascade.store.gguf import read_gguf
from edgecascade.store.paths import Folders
from edgecascade.store.questions import read_questions
from edgecascade.testing import LoopbackCloud

SEED = 20261122
CLOUD_ALONE = 8
"""Questions that the cloud alone is asked, for its mean seconds."""


class Noted:
    """A tier that takes note of how each of its answers ended: a draft does not say how much was in memory."""

    load_seconds = 0.0

    def __init__(self, tier: LocalTier) -> None:
        self._tier, self.endings = tier, list[Ending]()

    def stream(self, question: Question, **options: Any) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended."""
        ending = yield from self._tier.stream(question, **options)
        self.endings.append(ending)
        return ending


@dataclass(frozen=True, slots=True)
class Live:
    """What the cascade made of one question, live."""

    code: str
    place: str
    seconds: float


# 1. Record


def recorded(tier: LocalTier, judge: Judge, question: LabelledQuestion, put: Question) -> Row:
    """Return one question with the device's whole answer, judged by the functions that serve."""
    noted = Noted(tier)
    draft: Draft = evidence.draft(noted, put, hidden=True)
    file = judge.fitted.file
    return Row(
        id=question.id,
        task=question.task,
        prompt_tokens=draft.usage.prompt_tokens,
        reused=noted.endings[0].reused_tokens,
        tokens=len(draft.tokens),
        ended=like_those_certified(put, draft, file, judge.identity).state == "fresh",
        p=judge.fitted.p_correct(draft, signals(draft)),
        gates=looks_of(gates_of(file), draft),
        local=grade(draft.text, question).score,
        cloud=None,
        turned=draft.second_look is not None,
    )


# 2. Live


def waiting(seconds: float) -> Any:
    """Return a cloud that thinks for so long, and then names the first choice, which is an answer to any question."""

    def answer(messages: Sequence[Mapping[str, str]]) -> Iterator[str]:
        time.sleep(seconds)
        yield from ("A", ".")

    return answer


def live(tier: LocalTier, server: LoopbackCloud, put: Sequence[Question], mode: Mode) -> list[Live]:
    """Return what a cascade makes of each question; the engine stays open behind it."""
    cloud = RemoteTier(CloudClient(cloud_spec(server.spec(model="large"), {})))
    cascade = Cascade([tier, cloud], options=Options(mode=mode))
    found = []
    for question in put:
        started = time.perf_counter()
        answer = cascade.ask(question)
        seconds = time.perf_counter() - started
        found.append(Live(answer.code, "cloud" if answer.tier == "cloud" else "device", seconds))
    cloud.close()
    return found


# 3. Replay


def replayed(rows: Sequence[Row], tier: LocalTier, judge: Judge, profile: Profile, cloud: CloudFacts) -> Scene:
    """Return the cascade that ran live, on the device as its profile has it."""
    return scene_of(
        profile, judge.fitted.file, rows, parameters=tier.parameters, bytes=tier.bytes, cloud=cloud, weights=Weights(),
        epsilon=judge.certificate.epsilon, gated=judge.gated,
    )  # fmt: skip


# 4. Report


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return mean, median and 95th percentile; nothing of nothing."""
    if not seconds:
        return {}
    p50, p95 = np.quantile(seconds, [0.5, 0.95], method="inverted_cdf")
    return {"mean": fmean(seconds), "p50": float(p50), "p95": float(p95)}


def report(played: Sequence[Played], lived: Sequence[Live]) -> dict[str, Any]:
    """Return what was predicted beside what was measured, in all and by who answered."""
    pairs = list(zip(played, lived, strict=True))
    equal = [one.code == other.code and one.place == other.place for one, other in pairs]
    found: dict[str, Any] = {
        "answers": len(pairs),
        "decisions_equal": sum(equal),
        "codes_live": dict(Counter(other.code for _, other in pairs)),
        "unequal": [
            {"id": one.row.id, "predicted": one.code, "live": other.code}
            for (one, other), same in zip(pairs, equal, strict=True)
            if not same
        ],
    }
    for name, among in (
        ("all", pairs),
        *((code, [pair for pair in pairs if pair[1].code == code]) for code in sorted(found["codes_live"])),
    ):
        predicted, measured = spread([one.seconds for one, _ in among]), spread([other.seconds for _, other in among])
        ratio = {key: predicted[key] / measured[key] for key in predicted}
        found[name] = {"answers": len(among), "predicted": predicted, "live": measured, "ratio": ratio}
    return found


def markdown(record: Mapping[str, Any]) -> str:
    """Return the record as a table."""
    lines = ["| | answers | seconds predicted mean / p50 / p95 | live | ratio |", "| --- | --- | --- | --- | --- |"]
    for name in ("all", *sorted(record["codes_live"])):
        part = record[name]
        cells = [" / ".join(f"{value:.3f}" for value in part[key].values()) for key in ("predicted", "live", "ratio")]
        lines.append(f"| {name} | {part['answers']} | {' | '.join(cells)} |")
    lines += ["", f"decisions equal: {record['decisions_equal']} of {record['answers']}"]
    return "\n".join(lines)


def bench(given: argparse.Namespace, stack: ExitStack) -> dict[str, Any]:
    """Return everything that is measured, as plain values."""
    folders = Folders.of(os.environ)
    chosen = None if given.profile == "this" else given.profile
    profile = profile_here(folders, chosen=chosen, machine=sensors.machine())
    if profile is None:
        raise SystemExit("no profile fits this device; run `edgecascade measure`, or name one with --profile")
    own = Folders.of({"EDGECASCADE_HOME": stack.enter_context(tempfile.TemporaryDirectory())})
    tier = opened(stack, given, profile, folders, own)
    questions = list(read_questions(given.questions).questions)
    questions = Random(SEED).sample(questions, min(given.limit, len(questions)))
    put = [asked(one, system=tier.system) for one in questions]
    judge = tier.judge(put[0])
    if judge is None:
        raise SystemExit(f"no fitted file for {given.model}; name one with --fitted")
    busy = [sensors.busy_cores()]
    say(f"{profile.name}; {judge.identity.state}: {judge.identity.reason}; recording {len(put)} answers")
    evidence.draft(tier, Question.of("What is the capital of France?", sampling=Sampling(max_tokens=8)))
    rows = tuple(recorded(tier, judge, one, each) for one, each in zip(questions, put, strict=True))
    busy.append(sensors.busy_cores())
    server = stack.enter_context(LoopbackCloud(answer=waiting(given.cloud_delay)))
    alone = live(tier, server, put[:CLOUD_ALONE], "only_in_cloud")
    cloud = CloudFacts("large", seconds=median(one.seconds for one in alone))
    say("live")
    lived = live(tier, server, put, "prefer_on_device")
    busy.append(sensors.busy_cores())
    scene = replayed(rows, tier, judge, profile, cloud)
    started = time.perf_counter()
    played = play(rows, scene)
    took = time.perf_counter() - started
    return {
        "schema": "edgecascade.bench.simulate/1",
        "model": tier.name,
        "profile": profile.name,
        "speed": {"mark": scene.speed.mark, "source": scene.speed.source},
        "fitted": judge.fitted.file.id,
        "cloud_delay": given.cloud_delay,
        "cloud_seconds": cloud.seconds,
        "tokens": {name: fmean(getattr(row, name) for row in rows) for name in ("prompt_tokens", "reused", "tokens")},
        "rows_a_second": len(rows) / took,
        "busy_cores": busy,
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        **report(played, lived),
    }


def opened(stack: ExitStack, given: argparse.Namespace, profile: Profile, folders: Folders, own: Folders) -> LocalTier:
    """Return the model as the profile has it run, with monitors of its own."""
    file = pull(
        given.model, folders=folders, environment=os.environ, home=Path.home(), progress=lambda done, total, what: None
    )
    settings = EngineSettings(**engine_of(profile))  # type: ignore[arg-type]
    if given.threads:
        settings = replace(settings, threads=given.threads)
    header = read_gguf(file.path)
    engine = stack.enter_context(open_engine(file.path, settings, folders=folders, notice=say))
    fitted = given.fitted and given.fitted.absolute()
    return LocalTier(
        engine, name="device", sha256=file.sha256 or sha256_of_model(file.path, folders), folders=own,
        system=system_of(file, folders), fitted=fitted, parameters=header.parameters, bytes=header.bytes,
    )  # fmt: skip


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def main() -> None:
    """Record, run, replay, print the table, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="the device's model; as `edgecascade ask --model` takes it")
    parser.add_argument("--questions", type=Path, required=True, help="a question file, or a folder of them")
    parser.add_argument("--limit", type=int, default=200, help="so many of them, drawn at random")
    parser.add_argument("--profile", default="this", help="a profile's name or file; this: the one in use here")
    parser.add_argument("--cloud-delay", type=float, default=0.5, help="seconds that the cloud thinks")
    parser.add_argument("--fitted", type=Path, help="a fitted file; else the one that `ask` would use")
    parser.add_argument("--threads", type=int, help="of the model; else as the profile has it")
    parser.add_argument("--out", type=Path, help="where the record goes, as JSON")
    given = parser.parse_args()
    with ExitStack() as stack:
        record = bench(given, stack)
    print(markdown(record))
    if given.out:
        write_whole(given.out, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
