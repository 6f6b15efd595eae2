"""Does the native library survive a decode on this device? Asked in a child process, which may die of it.

A build with ``-march=native`` can pick instructions that the machine then refuses (AMX in some virtual machines): the
first decode ends in SIGSEGV or SIGILL, which no ``except`` can catch. Without the repacked weight buffers
(``use_extra_bufts=False``) the same build works. So a child decodes first, with the settings that would be used.
"""

import json
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from edgecascade.errors import DeviceError, EdgeCascadeError, NativeLibraryError
from edgecascade.llama.settings import EngineSettings

CHILD_SECONDS = 600
REFUSED = 3
"""The child's exit code for an error that is ours to tell, like a file that the library does not load."""
DEADLY = ("SIGSEGV", "SIGILL", "SIGBUS", "SIGFPE", "SIGABRT")
CRASHES = [getattr(signal, name) for name in DEADLY if hasattr(signal, name)]
"""How a library dies of its own doing; any other signal came from outside."""
REBUILD = (
    'CMAKE_ARGS="-DGGML_NATIVE=OFF" pip install --force-reinstall --no-cache-dir --no-deps '
    "--no-binary llama-cpp-python llama-cpp-python"
)
"""Builds the library without the instructions that only this machine claims to have."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the probe found.

    verdict   ok: works as built; fallback: works with ``settings``; broken: does not work
    settings  the engine settings to change
    detail    why, in one sentence
    """

    verdict: Literal["ok", "fallback", "broken"]
    settings: dict[str, bool]
    detail: str


def probe(path: Path, settings: EngineSettings) -> Verdict:
    """Return whether this model file can be decoded here, and how; the child decodes a full chunk and one token."""
    built = _decode_in_child(path, settings)
    if built is None:
        return Verdict("ok", {}, "one token decoded in a child process")
    without = replace(settings, use_extra_bufts=False)
    if settings.use_extra_bufts and _decode_in_child(path, without) is None:
        return Verdict(
            "fallback",
            {"use_extra_bufts": False},
            f"as built, the native library {built} at the first decode; it works without repacked weights",
        )
    return Verdict("broken", {}, f"the native library {built} at the first decode, with and without repacked weights")


def apply(verdict: Verdict, settings: EngineSettings) -> EngineSettings:
    """Return the settings with which the library works here; raises NativeLibraryError where it does not."""
    if verdict.verdict == "broken":
        raise NativeLibraryError(f"this device cannot run the model: {verdict.detail}; rebuild it: {REBUILD}")
    return replace(settings, use_extra_bufts=verdict.settings.get("use_extra_bufts", settings.use_extra_bufts))


def _decode_in_child(path: Path, settings: EngineSettings) -> str | None:
    """Return None when the child decoded, else how the library failed it; raises where the fault is another's."""
    order = json.dumps({"path": str(path), "settings": asdict(settings)})
    command = [sys.executable, "-P", "-m", "edgecascade.llama.probe"]  # what lies in this folder is not Python's
    try:
        child = subprocess.run(command, input=order, capture_output=True, text=True, timeout=CHILD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"did not finish in {CHILD_SECONDS} s"
    if child.returncode == 0:
        return None
    if child.returncode == REFUSED:
        raise NativeLibraryError(child.stdout.strip())
    if -child.returncode in CRASHES:
        return f"dies of {signal.Signals(-child.returncode).name}"
    if child.returncode < 0:
        raise DeviceError(
            f"the trial decode of {path.name} was killed from outside ({signal.Signals(-child.returncode).name}), "
            "as a system short of memory does; close other programs or use a smaller model"
        )
    return f"fails with exit code {child.returncode} ({child.stderr.strip()[-200:] or 'no message'})"


def no_core_dump() -> None:
    """Let a crash of this process leave no core file."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _child() -> int:
    """Decode a full chunk and one token as the order on standard input says; return the exit code."""
    no_core_dump()
    from edgecascade.llama.context import Context
    from edgecascade.numerics import LogitMeter

    order = json.load(sys.stdin)
    settings = EngineSettings(**order["settings"])
    try:
        context = Context(Path(order["path"]), replace(settings, context=settings.chunk * 4))
        chunk = [0] * min(settings.chunk, context.length - 1)
        context.decode_chunk(chunk, 0, 0, stop=lambda: False)
        context.decode_step([(0, len(chunk), 0)])
        LogitMeter(context.vocabulary_size).read(context.logits(0))
        context.close()
    except EdgeCascadeError as error:
        print(error)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(_child())
