"""What works on this device: the findings behind ``doctor``."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecascade import sensors
from edgecascade.errors import EdgeCascadeError, InputError
from edgecascade.llama import native
from edgecascade.llama.probe import REBUILD, Verdict
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import chosen_by, device_profile, probed, settings_that_fit
from edgecascade.profiles import engine_of
from edgecascade.pull import models_here, pull
from edgecascade.store.downloads import Progress
from edgecascade.store.paths import Folders
from edgecascade.store.profiles import listed


def diagnose(
    spec: str, *, folders: Folders, environment: Mapping[str, str], home: Path, progress: Progress
) -> dict[str, Any]:
    """Return the findings, in the form that ``doctor --json`` prints; the model is fetched where it is missing."""
    verdict, crashes = _verdict(spec, folders=folders, environment=environment, home=home, progress=progress)
    meters, profile = sensors.meters(), profile_in_use(folders)
    here = models_here(folders=folders, environment=environment, home=home)
    return {
        "ok": verdict.verdict != "broken" and "fault" not in (profile or {}),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": native.cpu_id(),
        "llama_cpp": native.version(),
        "probe": asdict(verdict),
        "advice": REBUILD if crashes else None,
        "profile": profile,
        "conditions": asdict(sensors.conditions()),
        "meters": [{"name": meter.name, "scope": meter.scope, "mark": meter.mark} for meter in meters],
        "no_meter": None if meters else sensors.why_no_meter(),
        "models": [{"name": file.name, "path": str(file.path), "origin": file.origin} for file in here],
        "paths": {"library": str(native.library_folder() or "-")}
        | {name: str(path) for name, path in asdict(folders).items()},
    }


def profile_in_use(folders: Folders) -> dict[str, Any] | None:
    """Return the profile that this device runs by, whose it is, and where its speeds are from; None where none fits."""
    try:
        profile = device_profile(folders)
    except InputError as error:
        return {"fault": str(error)}
    if profile is None:
        return None
    origin = next((entry.origin for entry in listed(folders) if entry.profile == profile), "file")
    return {
        "name": profile.name,
        "title": profile.title,
        "origin": origin,
        "speeds": sorted({speed.mark for speed in profile.speeds}),
        "engine": engine_of(profile),
    }


def _verdict(
    spec: str, *, folders: Folders, environment: Mapping[str, str], home: Path, progress: Progress
) -> tuple[Verdict, bool]:
    """Return a fresh verdict, and whether the library crashes; what stands in the way is a verdict too."""
    if native.version() is None:
        return Verdict("broken", {}, native.MISSING), False
    try:
        file = pull(spec, folders=folders, environment=environment, home=home, progress=progress)
        settings = EngineSettings()
        with suppress(InputError):  # a profile that cannot be used is a finding of its own
            settings = chosen_by(device_profile(folders))
        fitting = settings_that_fit(file.path, settings, folders=folders, notice=lambda line: None)
        verdict, _ = probed(file.path, fitting, folders=folders, again=True)
        return verdict, verdict.verdict != "ok"
    except EdgeCascadeError as error:
        return Verdict("broken", {}, str(error)), False
