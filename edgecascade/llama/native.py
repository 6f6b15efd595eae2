"""llama.cpp through llama-cpp-python's low-level bindings: found, loaded once, its log kept for error messages."""

import ctypes
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
from collections import deque
from pathlib import Path
from typing import Any

from edgecascade.errors import LibraryMissingError, NativeLibraryError

ERROR_LEVEL = 4
CONTINUED = 5
KEPT_LINES = 8

MISSING = (
    "llama-cpp-python is not installed: found no module llama_cpp, wanted it to run models on this device; "
    "run: pip install 'edgecascade[llama]' (compiles for some minutes; docs/install.md names prebuilt wheels)"
)

_errors: deque[str] = deque(maxlen=KEPT_LINES)


@functools.cache
def load() -> Any:
    """Return the module ``llama_cpp``, initialised and quiet.

    Raises LibraryMissingError when it is not installed, NativeLibraryError when its shared library does not load.
    """
    try:
        import llama_cpp
    except ModuleNotFoundError as error:
        if error.name != "llama_cpp":
            raise
        raise LibraryMissingError(MISSING) from error
    except (OSError, RuntimeError) as error:
        raise NativeLibraryError(
            f"llama-cpp-python is installed but its shared library does not load: {error}; "
            "rebuild it: pip install --force-reinstall --no-cache-dir --no-binary llama-cpp-python llama-cpp-python"
        ) from error
    llama_cpp.llama_log_set(_keep_errors(llama_cpp), ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


@functools.cache
def _keep_errors(llama_cpp: Any) -> Any:
    """Return the log callback; cached, because the library keeps only its address."""
    level = 0

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(found: int, text: bytes, user_data: object) -> None:
        nonlocal level
        level = level if found == CONTINUED else found
        if level == ERROR_LEVEL and text.strip():
            _errors.append(text.decode("utf-8", "replace").strip())

    return keep


def last_errors() -> str:
    """Return the library's last error lines, and forget them."""
    text = "; ".join(_errors) or "the library gave no reason"
    _errors.clear()
    return text


def version() -> str | None:
    """Return the installed version of llama-cpp-python, None where it is missing; the library is not loaded."""
    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return None


def library_folder() -> Path | None:
    """Return the folder of the shared libraries; they are not loaded."""
    if override := os.environ.get("LLAMA_CPP_LIB_PATH"):
        return Path(override)
    spec = importlib.util.find_spec("llama_cpp")
    return Path(spec.origin).parent / "lib" if spec and spec.origin else None


def build_id() -> str:
    """Return what changes when the library was built anew: its version and a digest of its files' sizes and times."""
    folder = library_folder()
    if folder is None:
        raise LibraryMissingError(MISSING)
    files = sorted(folder.glob("*.*")) if folder.is_dir() else []
    stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return f"{version()}-{hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]}"


def backend(gpu_layers: int) -> str:
    """Return where layers are computed, "cpu" or "gpu"; the library must be loadable."""
    return "gpu" if gpu_layers != 0 and load().llama_supports_gpu_offload() else "cpu"


def cpu_id() -> str:
    """Return this processor's name; where the kernel lists them, with a digest of its instruction sets."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return f"{platform.machine()} {platform.processor()}".strip()
    facts = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in facts.items()}
    name = fields.get("model name") or fields.get("Model") or platform.machine()
    flags = fields.get("flags") or fields.get("Features") or ""
    return f"{name} {hashlib.sha256(flags.encode()).hexdigest()[:8]}"
