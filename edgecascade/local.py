"""From the name of a model to an engine that answers on this device."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgecascade import sensors
from edgecascade.errors import DeviceError
from edgecascade.identity import Identity, sampler_of
from edgecascade.llama import native
from edgecascade.llama.engine import Engine
from edgecascade.llama.probe import Verdict, apply, probe
from edgecascade.llama.settings import EngineSettings
from edgecascade.pull import DEFAULT_MODEL, pull
from edgecascade.records import Sampling
from edgecascade.store.gguf import read_gguf
from edgecascade.store.paths import Folders
from edgecascade.store.verdicts import recall, remember

HEADROOM = 1.15
"""Weights plus buffers and a short conversation, against the file's bytes."""

Notice = Callable[[str], None]


def open_engine(
    path: Path,
    settings: EngineSettings | None = None,
    *,
    folders: Folders,
    notice: Notice = lambda line: None,
) -> Engine:
    """Return an engine for a model file, with settings that are known to work here.

    The first time for a (library build, processor, file) a child process decodes first; ``notice`` is given one line
    when that changes something. Raises ModelFileError, LibraryMissingError, NativeLibraryError, DeviceError.
    """
    settings = settings or EngineSettings()
    if settings.threads is None:
        settings = replace(settings, threads=sensors.free_threads())
    verdict, fresh = probed(path, settings, folders=folders)
    if fresh and verdict.verdict == "fallback":
        notice(f"{verdict.detail}. Slower by some percent; `edgecascade doctor` says how to rebuild it.")
    return Engine(path, apply(verdict, settings))


def open_local(model: str | None = None, settings: EngineSettings | None = None) -> Engine:
    """Return an engine for a model by any of its addresses, the embedded default unless named; fetched where missing.

    The same as ``edgecascade ask --model`` would use: name, path, ``hf:user/repo[:QUANT]``, ``ollama:name``,
    ``lmstudio:publisher/model``. Raises ModelNotFoundError, DownloadError, NativeLibraryError and their kin.
    """
    folders = Folders.of(os.environ)
    spec = model or os.environ.get("EDGECASCADE_MODEL") or DEFAULT_MODEL
    file = pull(
        spec, folders=folders, environment=os.environ, home=Path.home(), progress=lambda done, total, what: None
    )
    return open_engine(file.path, settings, folders=folders, notice=warnings.warn)


def probed(path: Path, settings: EngineSettings, *, folders: Folders, again: bool = False) -> tuple[Verdict, bool]:
    """Return the verdict on a model file here, and whether it was only now found out; ``again`` asks once more."""
    read_gguf(path)  # refuses what is no whole model, in words, before anything native looks at it
    _check_memory(path)
    facts = _facts(path, settings)
    if not again and (kept := recall(folders, facts)):
        return Verdict(**kept), False
    verdict = probe(path, replace(settings, threads=1))
    if verdict.verdict != "broken":  # a broken one is asked again: the machine or the library may have been mended
        remember(folders, facts, asdict(verdict))
    return verdict, True


def identity_of(engine: Engine, sampling: Sampling, *, sha256: str) -> Identity:
    """Return what a calibration of this engine with this sampling is bound to; ``sha256`` of its weights' file."""
    gguf, settings = read_gguf(engine.path), engine.settings
    shape = [gguf.architecture, gguf.name, gguf.parameters, gguf.layers, gguf.width, gguf.vocabulary]
    return Identity(
        model=engine.path.stem,
        sha256=sha256,
        family=f"{gguf.name or gguf.architecture} {_digest(json.dumps(shape))}",
        quantisation=gguf.quantisation,
        template=_digest(engine.template.source),
        sampler=sampler_of(sampling),
        grammar=sampling.grammar is not None,
        library=f"llama-cpp-python {native.version()}",
        backend=native.backend(settings.gpu_layers),
        chunk=settings.chunk,
        sequences=settings.sequences,
        context=engine.context_length,
        kv_type=settings.kv_type,
        flash_attention=settings.flash_attention,
        use_extra_bufts=settings.use_extra_bufts,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _facts(path: Path, settings: EngineSettings) -> dict[str, Any]:
    """Return what a verdict depends on."""
    file = path.stat()
    return {
        "library": native.build_id(),
        "cpu": native.cpu_id(),
        "model": [str(path.resolve()), file.st_size, file.st_mtime_ns],
        "settings": {"use_extra_bufts": settings.use_extra_bufts, "gpu_layers": settings.gpu_layers},
    }


def _check_memory(path: Path) -> None:
    """Refuse a model that would make the device swap."""
    wanted, free = int(path.stat().st_size * HEADROOM), sensors.free_memory()
    if wanted > free:
        raise DeviceError(
            f"not enough free memory for {path.name}: found {free >> 20} MiB, wanted {wanted >> 20} MiB; "
            "close other programs or use a smaller model (`edgecascade models list`)"
        )
