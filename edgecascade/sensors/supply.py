"""Batteries and chargers: /sys/class/power_supply, Termux's own command, else what psutil says."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import psutil

from edgecascade.sensors.reading import Past, entries, number, plausible, text, there

ROOT = Path("/")
CHARGERS = ("Mains", "USB", "Wireless")


@dataclass(frozen=True, slots=True)
class Supply:
    """Where the device's energy comes from; None: unknown.

    on_battery  no charger is plugged in    level  the batteries' charge, 0 to 1
    """

    on_battery: bool | None = None
    level: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of /sys/class/power_supply: its type, its status, its charge in percent, whether it gives power."""

    type: str
    status: str = ""
    percent: float | None = None
    online: bool | None = None


def supply(root: Path, past: Past, *, termux: bool) -> Supply:
    """Return where the energy comes from, by the first that says something."""
    found = judged(sources(root))
    if found == Supply() and termux:
        found = of_termux(past.told("termux-battery-status"))
    if found == Supply() and not there(root / "sys/class"):
        found = _of_psutil()
    return found


def has_battery(root: Path) -> bool | None:
    """Return whether the device has a battery of its own; None where the system does not say."""
    if there(root / "sys/class/power_supply"):
        if not _readable(root / "sys/class/power_supply"):
            return None
        return any(source.type == "Battery" for source in sources(root))
    if there(root / "sys/class") or not hasattr(psutil, "sensors_battery"):
        return None
    try:
        return psutil.sensors_battery() is not None
    except OSError:
        return None


def batteries(root: Path) -> list[Path]:
    """Return the folders of the device's own batteries; those of mice and headsets are not its own."""
    folders = entries(root / "sys/class/power_supply", "*")
    return [path for path in folders if text(path / "type") == "Battery" and text(path / "scope") != "Device"]


def sources(root: Path) -> list[Source]:
    """Return what the system lists."""
    found = [Source("Battery", text(path / "status") or "", _percent(path)) for path in batteries(root)]
    for path in entries(root / "sys/class/power_supply", "*"):
        kind, online = text(path / "type") or "", number(path / "online")
        if kind.startswith(CHARGERS) and online is not None:
            found.append(Source(kind, online=online > 0))
    return found


def judged(found: list[Source]) -> Supply:
    """Return the device's state from its sources: a charger that gives power decides, then what batteries do.

    >>> judged([Source("Battery", "Discharging", 80.0), Source("Mains", online=False)])
    Supply(on_battery=True, level=0.8)
    """
    cells = [source for source in found if source.type == "Battery"]
    chargers = [source.online for source in found if source.online is not None]
    levels = [source.percent for source in cells if source.percent is not None]
    level = fmean(levels) / 100 if levels else None
    statuses = {source.status for source in cells}
    if any(chargers):
        return Supply(False, level)
    if "Discharging" in statuses:
        return Supply(True, level)
    if statuses & {"Charging", "Full", "Not charging"}:
        return Supply(False, level)
    return Supply(True if cells and chargers else None, level)


def of_termux(found: str | None) -> Supply:
    """Return what ``termux-battery-status`` says.

    >>> of_termux('{"percentage": 64, "plugged": "UNPLUGGED", "status": "DISCHARGING"}')
    Supply(on_battery=True, level=0.64)
    """
    try:
        said = json.loads(found or "")
        plugged, percent = str(said.get("plugged", "")), said.get("percentage")
    except (ValueError, AttributeError):
        return Supply()
    level = plausible("termux-battery-status", float(percent), 0, 100) if isinstance(percent, int | float) else None
    on_battery = plugged == "UNPLUGGED" if plugged.startswith(("PLUGGED", "UNPLUGGED")) else None
    return Supply(on_battery, None if level is None else level / 100)


def _percent(battery: Path) -> float | None:
    return plausible(str(battery / "capacity"), number(battery / "capacity"), 0, 100)


def _of_psutil() -> Supply:
    try:
        found = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    except OSError:  # an Android that shows no folder at all
        found = None
    if found is None:
        return Supply()
    level = plausible("the battery", float(found.percent), 0, 100)
    on_battery = None if found.power_plugged is None else not found.power_plugged
    return Supply(on_battery, None if level is None else level / 100)


def _readable(folder: Path) -> bool:
    """Return whether a folder's entries may be listed; Android closes this one."""
    try:
        next(folder.iterdir(), None)
    except OSError:
        return False
    return True
