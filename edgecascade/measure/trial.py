"""One model opened with some settings in a child process, and one answer of it timed there.

A child, because a setting may kill the process that tries it, because only a fresh process shows what a model takes of
memory and of time to load, and because a child can be stopped when its time is over.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecascade.errors import EdgeCascadeError
from edgecascade.llama.settings import EngineSettings

GRACE_SECONDS = 3.0
"""Beyond its own deadline, which a child keeps by itself once the model is loaded."""
REFUSED = 3
NO_TIME = "no time"
"""How the reason begins where a child was too slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a child found.

    load_s   to load the weights            read, read_s     tokens of the prompt, and seconds to read them
    bytes    of memory that model, context and one answer took
    context  tokens that it was opened with   written, write_s  tokens, and seconds a token; None below two tokens
    """

    load_s: float
    bytes: int
    context: int
    read: int
    read_s: float
    written: int
    write_s: float | None


Trying = Callable[[EngineSettings, int, int, float], Trial | str]
"""Settings, tokens to read, tokens to write, seconds -> what was found, or why nothing was."""


def trying(path: Path) -> Trying:
    """Return what tries settings of this model file."""

    def attempt(settings: EngineSettings, read: int, write: int, seconds: float) -> Trial | str:
        order = {"path": str(path), "settings": asdict(settings), "read": read, "write": write, "seconds": seconds}
        return _in_child(json.dumps(order), seconds + GRACE_SECONDS)

    return attempt


def _in_child(order: str, seconds: float) -> Trial | str:
    command = [sys.executable, "-P", "-m", "edgecascade.measure.trial"]  # what lies in this folder is not Python's
    try:
        child = subprocess.run(command, input=order, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"{NO_TIME}: it was not loaded and read within {seconds:.0f} s"
    if child.returncode == 0:
        return Trial(**json.loads(child.stdout))
    if child.returncode == REFUSED:
        return child.stdout.strip()
    why = child.stderr.strip().rpartition("\n")[2][:200] or "without a word"
    return (
        f"the model cannot be tried so: found that its process died ({why}, exit code {child.returncode}), wanted an "
        "answer; `edgecascade doctor` looks into it"
    )


def _child(order: dict[str, Any]) -> Trial | str:
    """Open the model as it would be to answer, read and write."""
    from edgecascade import sensors
    from edgecascade.llama import native
    from edgecascade.local import open_engine
    from edgecascade.measure.timing import STORY, prompt_of, timed
    from edgecascade.store.paths import Folders

    end = time.perf_counter() + order["seconds"]
    native.load()
    before = sensors.own_memory()
    settings = EngineSettings(**order["settings"])
    with open_engine(Path(order["path"]), settings, folders=Folders.of(os.environ)) as engine:
        question = prompt_of(engine, order["read"], mark=1, task=STORY, max_tokens=order["write"])
        found = timed(engine, question, clock=time.perf_counter, end=end)
        if found is None:
            return f"{NO_TIME}: nothing was written within {order['seconds']:.0f} s"
        return Trial(
            load_s=engine.load_seconds,
            bytes=max(sensors.own_memory() - before, 0),
            context=engine.context_length,
            read=found.read,
            read_s=found.read_s,
            written=found.written,
            write_s=found.write_s,
        )


def _main() -> int:
    from edgecascade.llama.probe import no_core_dump

    no_core_dump()
    try:
        found = _child(json.load(sys.stdin))
    except EdgeCascadeError as error:
        found = str(error)
    print(found if isinstance(found, str) else json.dumps(asdict(found)))
    return REFUSED if isinstance(found, str) else 0


if __name__ == "__main__":
    sys.exit(_main())
