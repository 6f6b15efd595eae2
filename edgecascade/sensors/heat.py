"""Temperatures, and whether the processor is held back: thermal zones, hwmon, cpufreq, a Raspberry Pi's firmware.

Drives are left out: their heat slows no answer down.
"""

from pathlib import Path

import psutil

from edgecascade.sensors.reading import Past, entries, number, plausible, text, there

COLDEST, HOTTEST = -40.0, 150.0
DRIVES = ("nvme", "drivetemp")
PI_HELD_BACK = 0b1110
"""Frequency capped, throttled, soft temperature limit: now. Undervoltage alone (bit 0) slows nothing."""


def hottest(root: Path) -> float | None:
    """Return the highest temperature in degrees Celsius that any believable sensor says; None where none does."""
    paths = entries(root / "sys/class/thermal", "thermal_zone*/temp")
    for chip in entries(root / "sys/class/hwmon", "hwmon*"):
        if text(chip / "name") not in DRIVES:
            paths += entries(chip, "temp*_input")
    found = [plausible(str(path), number(path, 1e3), COLDEST, HOTTEST) for path in paths]
    if not there(root / "sys/class"):
        found = _of_psutil()
    return max((value for value in found if value is not None), default=None)


def throttled(root: Path, past: Past) -> bool | None:
    """Return whether the processor is held back now, for heat or power; None where nothing says."""
    said = [*_firmware(root), *_frequencies(root), *_coolers(root), *_counters(root, past)]
    return any(said) if said else None


def held_back(found: str | None) -> bool | None:
    """Return what a Raspberry Pi's get_throttled says of now, not of earlier.

    >>> held_back("50000"), held_back("0x50005"), held_back("?")
    (False, True, None)
    """
    try:
        return bool(int(found or "", 16) & PI_HELD_BACK)
    except ValueError:
        return None


def _firmware(root: Path) -> list[bool]:
    paths = entries(root / "sys/devices/platform", "soc*/*firmware/get_throttled")
    return [said for path in paths if (said := held_back(text(path))) is not None]


def _frequencies(root: Path) -> list[bool]:
    """Return for each group of cores whether its ceiling stands below what it could do."""
    said = []
    for policy in entries(root / "sys/devices/system/cpu/cpufreq", "policy*"):
        ceiling, could = number(policy / "scaling_max_freq"), number(policy / "cpuinfo_max_freq")
        if ceiling is not None and could is not None:
            said.append(ceiling < could)
    return said


def _coolers(root: Path) -> list[bool]:
    """Return for each thing that cools by slowing the processor down whether it does so."""
    said = []
    for cooler in entries(root / "sys/class/thermal", "cooling_device*"):
        kind, state = (text(cooler / "type") or "").lower(), number(cooler / "cur_state")
        if state is not None and ("cpu" in kind or kind == "processor"):
            said.append(state > 0)
    return said


def _counters(root: Path, past: Past) -> list[bool]:
    """Return for each of Intel's throttle counters whether it has risen since the last look."""
    said = []
    for path in entries(root / "sys/devices/system/cpu", "cpu*/thermal_throttle/*_throttle_count"):
        count = number(path)
        if count is not None and (rose := past.rose(str(path), count)) is not None:
            said.append(rose)
    return said


def _of_psutil() -> list[float | None]:
    if not hasattr(psutil, "sensors_temperatures"):
        return []
    chips = psutil.sensors_temperatures()
    return [
        plausible(name, float(part.current), COLDEST, HOTTEST)
        for name, parts in chips.items()
        if name not in DRIVES
        for part in parts
    ]
