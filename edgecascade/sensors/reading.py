"""Small files and short commands, read so that nothing absent, closed or cut off is an error: it is None."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

Clock = Callable[[], float]
Run = Callable[[Sequence[str]], str | None]

COMMAND_SECONDS = 2.0
REMEMBERED_SECONDS = 60.0

_log = logging.getLogger("edgecascade")
_named: set[str] = set()


def text(path: Path) -> str | None:
    """Return what a small file says, without its end; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return None


def number(path: Path, per: float = 1.0) -> float | None:
    """Return the number in a file, ``per`` so many of which make one; None where there is none, NaN too."""
    value = parsed(text(path), per)
    return plausible(str(path), value, -sys.float_info.max, sys.float_info.max)


def parsed(found: str | None, per: float = 1.0) -> float | None:
    """Return a text as a number; None where it is none.

    >>> parsed("45500", 1e3), parsed("[N/A]"), parsed(None)
    (45.5, None, None)
    """
    try:
        return float(found or "") / per
    except ValueError:
        return None


def entries(folder: Path, pattern: str) -> list[Path]:
    """Return the paths below a folder, sorted; none where it is missing or closed to us."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def there(path: Path) -> bool:
    """Return whether a path is there and may be looked at."""
    try:
        return path.exists()
    except OSError:
        return False


def plausible(sensor: str, value: float | None, least: float, most: float) -> float | None:
    """Return a value that can be true; else None, and the log names the sensor once: sensors lie."""
    if value is None or least <= value <= most:
        return value
    if sensor not in _named:
        _named.add(sensor)
        _log.warning("%s says %g: found a value outside %g to %g; it counts as unknown", sensor, value, least, most)
    return None


def told(command: Sequence[str], *, seconds: float = COMMAND_SECONDS) -> str | None:
    """Return what a command prints; None where it is missing, fails, or takes longer than ``seconds``."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},  # so that "yes" is yes
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=True,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def fields(found: str | None, separator: str = ":") -> Iterator[tuple[str, str]]:
    """Yield the lines "name: value" of a text."""
    for line in (found or "").splitlines():
        name, colon, value = line.partition(separator)
        if colon:
            yield name.strip(), value.strip()


def first_fields(found: str | None) -> Mapping[str, str]:
    r"""Return each name's first value.

    >>> first_fields("cpu : A\ncpu : B")
    {'cpu': 'A'}
    """
    return dict(reversed([*fields(found)]))


class Past:
    """What a look at the sensors knows of the looks before: counters, and what slow commands said lately."""

    def __init__(self, run: Run = told, clock: Clock = time.monotonic) -> None:
        self._run, self._clock = run, clock
        self._counts: dict[str, float] = {}
        self._said: dict[tuple[str, ...], tuple[float, str | None]] = {}

    def told(self, *command: str) -> str | None:
        """Return what a command prints, asked once a minute."""
        now = self._clock()
        if command not in self._said or not 0 <= now - self._said[command][0] < REMEMBERED_SECONDS:
            self._said[command] = (now, self._run(command))
        return self._said[command][1]

    def rose(self, name: str, count: float) -> bool | None:
        """Return whether a counter has risen since the last look; None at the first."""
        before = self._counts.get(name)
        self._counts[name] = count
        return None if before is None else count > before
