"""RAPL: the energy counters of Intel's and AMD's processors, /sys/class/powercap/intel-rapl:*/energy_uj.

Linux documentation, power/powercap/powercap.rst. A domain "psys" sees the board; without it the packages are added up.
Since 5.10 the counters are root's alone on most systems (CVE-2020-8694).
"""

from functools import partial
from pathlib import Path

from edgecascade.sensors.power.meter import Reader, Unwrapped, total
from edgecascade.sensors.reading import entries, number, text


def rapl(root: Path) -> list[Reader]:
    """Return the processor's meter where there is one that we may read."""
    found = domains(root)
    psys = [path for name, path in found if name == "psys" and _joules(path) is not None]
    packages = [path for name, path in found if name.startswith("package")]
    counters = [
        Unwrapped(partial(_joules, path), number(path / "max_energy_range_uj", 1e6)) for path in psys or packages
    ]
    if total([_joules(path) for path in psys or packages]) is None:
        return []
    return [
        Reader("rapl", "board" if psys else "CPU package", "joules", lambda: total([count() for count in counters]))
    ]


def domains(root: Path) -> list[tuple[str, Path]]:
    """Return the counters' names and folders, readable or not."""
    paths = entries(root / "sys/class/powercap", "intel-rapl:*")
    return [(name, path) for path in paths if (name := text(path / "name"))]


def _joules(domain: Path) -> float | None:
    return number(domain / "energy_uj", 1e6)
