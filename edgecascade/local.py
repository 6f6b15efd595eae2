"""From the name of a model to an engine that answers on this device.

Settings come from the caller; without any, from the device's profile; else they are the engine's own. A context that
would not fit into free memory is shortened, and where none fits the model is refused: a device that swaps answers in
minutes. Threads that nobody has set are shared with the other engines that decode at the same time.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgecascade import sensors
from edgecascade.errors import DeviceError, ManifestError
from edgecascade.footprint import SHORTEST, STEP, Footprint, Shape, fitting_context, footprint, reserved
from edgecascade.identity import Identity, sampler_of
from edgecascade.llama import native
from edgecascade.llama.context import ThreadsNow
from edgecascade.llama.engine import Engine, Sharing
from edgecascade.llama.probe import Verdict, apply, probe
from edgecascade.llama.settings import EngineSettings
from edgecascade.profile import Profile
from edgecascade.profiles import engine_of, profile_here
from edgecascade.pull import DEFAULT_MODEL, pull
from edgecascade.records import Sampling
from edgecascade.store.config import config_of
from edgecascade.store.decoding import Decoding
from edgecascade.store.gguf import Gguf, read_gguf
from edgecascade.store.manifests import find_manifest, manifest_names
from edgecascade.store.paths import Folders
from edgecascade.store.verdicts import recall, remember

MANIFEST_HEADROOM = 1.25
"""A model with a short context, against its file's bytes, where only those are known."""
SHARING_MAKERS = ("Apple", "Tegra", "Xavier", "Orin", "Thor", "Intel", "Adreno")
"""Whose GPUs work in the processor's memory."""
PRESSED = 0.1
"""Share of the last seconds that processes waited for memory, from which on a device is short of it."""

Notice = Callable[[str], None]


def open_engine(
    path: Path,
    settings: EngineSettings | None = None,
    *,
    folders: Folders,
    notice: Notice = lambda line: None,
    profile: Profile | None = None,
) -> Engine:
    """Return an engine for a model file, with settings that are known to work here.

    settings  exactly these; None: the profile's, and the engine's own where that says nothing
    profile   of this device; where no threads are set, its number is the most
    notice    is given one line for what was changed: a context that was shortened, or a library that needs other
              settings, which a child process finds out the first time for a (library build, processor, file)

    Raises ModelFileError, LibraryMissingError, NativeLibraryError, DeviceError.
    """
    chosen = settings or chosen_by(profile)
    fitting = settings_that_fit(path, chosen, folders=folders, notice=notice)
    known = replace(fitting, threads=chosen.threads or _threads(profile, path.stat().st_size))
    verdict, fresh = probed(path, known, folders=folders)
    if fresh and verdict.verdict == "fallback":
        notice(f"{verdict.detail}. Slower by some percent; `edgecascade doctor` says how to rebuild it.")
    decoding = Decoding(folders.state / "decoding")
    return Engine(path, apply(verdict, known), sharing=_sharing(decoding, known, told=chosen.threads is not None))


def open_local(model: str | None = None, settings: EngineSettings | None = None) -> Engine:
    """Return an engine for a model by any of its addresses, the embedded default unless named; fetched where missing.

    The same as ``edgecascade ask --model`` would use: name, path, ``hf:user/repo[:QUANT]``, ``ollama:name``,
    ``lmstudio:publisher/model``. Without settings, those of this device's profile. Raises ModelNotFoundError,
    DownloadError, NativeLibraryError and their kin.
    """
    folders = Folders.of(os.environ)
    spec = model or os.environ.get("EDGECASCADE_MODEL") or DEFAULT_MODEL
    file = pull(
        spec, folders=folders, environment=os.environ, home=Path.home(), progress=lambda done, total, what: None
    )
    profile = None if settings and settings.threads else device_profile(folders)
    return open_engine(file.path, settings, folders=folders, notice=warnings.warn, profile=profile)


def device_profile(folders: Folders) -> Profile | None:
    """Return the profile that this device runs by: the one that the config or the environment names, else that fits.

    Raises ConfigError, ProfileError.
    """
    config = config_of(folders, Path.cwd(), os.environ)
    place = f"`profile` of {config.origin['profile']}"
    return profile_here(folders, chosen=config.settings.profile, machine=sensors.machine(), place=place)


def chosen_by(profile: Profile | None) -> EngineSettings:
    """Return a profile's settings, and the engine's own where it says nothing.

    Its threads are left out: they are the most, and how many are free is only known when a model is opened.
    """
    choice: dict[str, Any] = engine_of(profile) if profile else {}
    return EngineSettings(**{name: value for name, value in choice.items() if name != "threads"})


def probed(path: Path, settings: EngineSettings, *, folders: Folders, again: bool = False) -> tuple[Verdict, bool]:
    """Return the verdict on a model file here, and whether it was only now found out; ``again`` asks once more."""
    facts = _facts(path, settings)
    if not again and (kept := recall(folders, facts)):
        return Verdict(**kept), False
    verdict = probe(path, replace(settings, threads=1))
    if verdict.verdict != "broken":  # a broken one is asked again: the machine or the library may have been mended
        remember(folders, facts, asdict(verdict))
    return verdict, True


# What fits into memory.


def settings_that_fit(path: Path, settings: EngineSettings, *, folders: Folders, notice: Notice) -> EngineSettings:
    """Return the settings with a context that fits into free memory; ``notice`` is told where it is shorter.

    Raises ModelFileError for what is no whole model, in words, before anything native looks at it, and DeviceError
    where the model does not even fit with a short context.
    """
    gguf, free = read_gguf(path), sensors.free_memory()
    taken = footprint_of(gguf, settings)
    wanted = min(settings.context, gguf.context or settings.context)
    fitting = fitting_context(taken, wanted, free)
    if fitting is None:
        raise _no_room(path, taken, min(wanted, SHORTEST), free, folders)
    if fitting == wanted:
        return settings
    needed = taken.needed(wanted) + reserved(free)
    notice(f"context {wanted} needs {_size(needed)}, {_size(free)} are free: opened with {fitting}")
    return replace(settings, context=fitting)


def footprint_of(gguf: Gguf, settings: EngineSettings) -> Footprint:
    """Return what a model takes of main memory with these settings."""
    shape = Shape(
        bytes=gguf.bytes,
        cached=gguf.cached or 0,
        heads=gguf.heads or 0,
        width=gguf.width or 0,
        vocabulary=gguf.vocabulary or 0,
    )
    return footprint(
        shape,
        kv_type=settings.kv_type,
        batch=max(settings.chunk, settings.sequences),
        samples=settings.sequences,
        flash_attention=settings.flash_attention != "off",
        on_gpu=_share_on_gpu(settings.gpu_layers, gguf.layers or 0),
    )


def _share_on_gpu(gpu_layers: int, layers: int) -> float:
    """Return the share of a model that lies in a GPU's own memory; none where the GPU uses the processor's."""
    if gpu_layers == 0 or native.version() is None or native.backend(gpu_layers) == "cpu":
        return 0.0
    if all(any(maker in gpu for maker in SHARING_MAKERS) for gpu in sensors.machine().gpus):
        return 0.0
    return 1.0 if gpu_layers < 0 else min(1.0, gpu_layers / (layers + 1))


def _no_room(path: Path, taken: Footprint, context: int, free: int, folders: Folders) -> DeviceError:
    """Return the refusal, with what would fit."""
    wanted = taken.needed(context) + reserved(free)
    pressed = (sensors.pressure() or 0.0) > PRESSED or (sensors.swapping() or 0) > 0
    swaps = ", and the system swaps already" if pressed else ""
    smaller = _largest_that_fits(free, folders)
    advice = f"a smaller model: {smaller} would fit" if smaller else "a smaller model"
    shorter = f", or a shorter context (--context {STEP})" if fitting_context(taken, STEP, free) else ""
    return DeviceError(
        f"not enough free memory for {path.name} with a context of {context}: found {free >> 20} MiB{swaps}, wanted "
        f"{wanted >> 20} MiB; close other programs, or use {advice} (`edgecascade models list`){shorter}"
    )


def _largest_that_fits(free: int, folders: Folders) -> str | None:
    """Return the name of the largest model that there is a manifest of and room for, by its file's size alone."""
    sizes: dict[str, int] = {}
    for name in manifest_names(folders):
        with suppress(ManifestError):
            manifest = find_manifest(name, folders)
            sizes[name] = manifest.bytes if manifest else free
    fitting = [name for name, size in sizes.items() if size * MANIFEST_HEADROOM + reserved(free) < free]
    return max(fitting, key=sizes.__getitem__, default=None)


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count >> 20} MiB"


# Whose cores.


def _threads(profile: Profile | None, bytes: int) -> int:
    """Return the threads for a file of that size where nobody has set them: the profile's, as far as cores are idle."""
    free = sensors.free_threads()
    return min(free, profile.threads_of(bytes) or free) if profile else free


def _sharing(decoding: Decoding, settings: EngineSettings, *, told: bool) -> Sharing:
    """Return what marks this engine as decoding while it does, and says with how many threads.

    Two engines whose threads outnumber the cores wait for each other by spinning, and are tens of times slower. So each
    takes its part of the cores, unless it was told its threads.
    """
    most, cores = settings.threads or 1, sensors.physical_cores()

    @contextmanager
    def shared() -> Iterator[ThreadsNow]:
        with decoding.held() as engines:
            yield (lambda: most) if told else (lambda: min(most, max(1, cores // engines())))

    return shared


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
