"""Which meters this machine has, which of them sees most, and why there is none."""

import sys
from pathlib import Path

from edgecascade.sensors.machine import virtual_of
from edgecascade.sensors.power.battery import battery
from edgecascade.sensors.power.hwmon import hwmon, ina3221
from edgecascade.sensors.power.meter import SCOPES, Meter
from edgecascade.sensors.power.nvidia import nvidia
from edgecascade.sensors.power.pmic import pmic
from edgecascade.sensors.power.powermetrics import powermetrics
from edgecascade.sensors.power.rapl import domains, rapl
from edgecascade.sensors.reading import Run, text, told
from edgecascade.sensors.supply import batteries

ROOT = Path("/")


def meters(root: Path = ROOT, *, run: Run = told, system: str = sys.platform) -> list[Meter]:
    """Return every meter that answers now, the one that sees most first."""
    found: list[Meter] = [*battery(root), *ina3221(root), *pmic(root, run), *hwmon(root), *rapl(root)]
    found += nvidia(root, run, system)
    if system == "darwin":
        found += powermetrics(run)
    return sorted(found, key=lambda meter: SCOPES.index(meter.scope))


def power_meter(root: Path = ROOT, *, run: Run = told, system: str = sys.platform) -> Meter | None:
    """Return the meter that sees most of this device; None where there is none that answers."""
    return next(iter(meters(root, run=run, system=system)), None)


def why_no_meter(root: Path = ROOT, *, run: Run = told, system: str = sys.platform) -> str:
    """Return in one sentence why there is no meter, and what would help; "" where there is one."""
    if meters(root, run=run, system=system):
        return ""
    for name, path in domains(root):
        if text(path / "energy_uj") is None:
            return (
                f"this user may not read the processor's energy counter {path / 'energy_uj'} ({name}): "
                f"`sudo chmod a+r {path / 'energy_uj'}` allows it until the next start"
            )
    if system == "darwin":
        return "powermetrics answers root alone: run the command with sudo"
    if batteries(root):
        return "the battery tells its power only while it is discharged: unplug the charger"
    if virtual_of(text(root / "proc/cpuinfo"), ""):
        return "a virtual machine shows no power meter: its host keeps it"
    return "no meter found: looked for a battery, INA3221, hwmon, the Pi 5's PMIC, RAPL and NVIDIA"


def cheap_watts(root: Path = ROOT) -> float | None:
    """Return what the device takes now where a file says it of the whole device or the board; else None."""
    for meter in (*battery(root), *ina3221(root), *hwmon(root)):
        if meter.unit == "watts" and meter.scope in ("whole device", "board"):
            return meter.read()
    return None
