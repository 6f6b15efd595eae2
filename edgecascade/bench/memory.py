"""Memory: before loading, loaded, at several context sizes, and at the peak while answering. A fresh process each time.

Weights are mapped from the file, and count as far as they were touched; so a context is measured behind one answer.
What lies in a GPU's own memory is not seen.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgecascade import evidence, sensors
from edgecascade.bench.rows import Row
from edgecascade.bench.tasks import story
from edgecascade.errors import DeviceError
from edgecascade.llama import native
from edgecascade.llama.engine import Engine
from edgecascade.llama.probe import no_core_dump
from edgecascade.llama.settings import EngineSettings

CONTEXTS = (512, 1024, 2048, 4096)
ANSWER_TOKENS = 64
MIB = 2**20

Figures = Mapping[str, float | None]
Child = Callable[[EngineSettings], Figures]


def memory(
    child: Child,
    settings: EngineSettings,
    *,
    rounds: int,
    contexts: Sequence[int] = CONTEXTS,
    say: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """Return MiB of the figures of ``child``, which measures one engine in a process of its own, and per 1k context.

    A model that was trained on fewer tokens is measured at those instead, and called so.
    """
    found: dict[int, list[Figures]] = {}
    for number in range(1, rounds + 1):
        say(f"memory: round {number} of {rounds}")
        for context, figures in _round(child, settings, contexts).items():
            found.setdefault(context, []).append(figures)
    least, most = min(found), max(found)
    slopes = [_per_1k(low, high) for low, high in zip(found[least], found[most], strict=True)]
    return [
        _row("before load", [one["before"] for one in found[most]]),
        _row("after load", [one["loaded"] for one in found[most]]),
        *(_row(f"context of {context}", [one["answered"] for one in found[context]]) for context in sorted(found)),
        _row("peak while answering", [one["peak"] for one in found[most]]),
        _row("per 1k context", slopes),
    ]


def _round(child: Child, settings: EngineSettings, contexts: Sequence[int]) -> dict[int, Figures]:
    """Return figures by the context that they are of, up to the longest that the model can have."""
    found: dict[int, Figures] = {}
    for context in contexts:
        figures = child(replace(settings, context=context))
        found[int(figures["context"] or context)] = figures
        if context not in found:
            break
    return found


def _row(test: str, figures: Sequence[float | None]) -> Row:
    known = tuple(one / MIB for one in figures if one is not None)
    return Row(test=test, unit="MiB", samples=known, unknown=None if known else "this system does not say")


def _per_1k(low: Figures, high: Figures) -> float | None:
    tokens = (high["context"] or 0) - (low["context"] or 0)
    small, large = low["answered"], high["answered"]
    return None if small is None or large is None or tokens <= 0 else (large - small) / tokens * 1000


def in_child(path: Path, settings: EngineSettings) -> Figures:
    """Return the figures of one engine, in bytes, from a process that does nothing else; DeviceError where it dies."""
    order = json.dumps({"path": str(path), "settings": asdict(settings)})
    command = [sys.executable, "-m", "edgecascade.bench.memory"]
    done = subprocess.run(command, input=order, capture_output=True, encoding="utf-8", errors="replace", check=False)
    try:
        figures: Figures = json.loads(done.stdout.splitlines()[-1])  # a library may have printed before
    except (ValueError, LookupError) as error:
        raise DeviceError(
            f"memory could not be measured at a context of {settings.context}: the process ended with exit code "
            f"{done.returncode}, wanted figures: {done.stderr.strip()[-300:]}; try a smaller model"
        ) from error
    return figures


def _child(order: Mapping[str, Any]) -> Figures:
    no_core_dump()
    native.load()
    before = sensors.own_memory()
    with Engine(Path(order["path"]), EngineSettings(**order["settings"])) as engine:
        loaded = sensors.own_memory()
        evidence.draft(engine, story(ANSWER_TOKENS))
        return {
            "before": before,
            "loaded": loaded,
            "answered": sensors.own_memory(),
            "peak": sensors.peak_memory(),
            "context": engine.context_length,
        }


if __name__ == "__main__":
    print(json.dumps(_child(json.load(sys.stdin))))
