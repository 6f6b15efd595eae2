"""What works on this device: the findings behind ``doctor``."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecascade.errors import EdgeCascadeError
from edgecascade.llama import native
from edgecascade.llama.probe import REBUILD, Verdict
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import probed
from edgecascade.pull import models_here, pull
from edgecascade.store.downloads import Progress
from edgecascade.store.paths import Folders


def diagnose(
    spec: str, *, folders: Folders, environment: Mapping[str, str], home: Path, progress: Progress
) -> dict[str, Any]:
    """Return the findings, in the form that ``doctor --json`` prints; the model is fetched where it is missing."""
    verdict, crashes = _verdict(spec, folders=folders, environment=environment, home=home, progress=progress)
    here = models_here(folders=folders, environment=environment, home=home)
    return {
        "ok": verdict.verdict != "broken",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": native.cpu_id(),
        "llama_cpp": native.version(),
        "probe": asdict(verdict),
        "advice": REBUILD if crashes else None,
        "models": [{"name": file.name, "path": str(file.path), "origin": file.origin} for file in here],
        "paths": {"library": str(native.library_folder() or "-")}
        | {name: str(path) for name, path in asdict(folders).items()},
    }


def _verdict(
    spec: str, *, folders: Folders, environment: Mapping[str, str], home: Path, progress: Progress
) -> tuple[Verdict, bool]:
    """Return a fresh verdict, and whether the library crashes; what stands in the way is a verdict too."""
    if native.version() is None:
        return Verdict("broken", {}, native.MISSING), False
    try:
        file = pull(spec, folders=folders, environment=environment, home=home, progress=progress)
        verdict, _ = probed(file.path, EngineSettings(), folders=folders, again=True)
        return verdict, verdict.verdict != "ok"
    except EdgeCascadeError as error:
        return Verdict("broken", {}, str(error)), False
