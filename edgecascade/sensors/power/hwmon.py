"""Power in /sys/class/hwmon: a Jetson's INA3221 by the labels of its rails, and chips that give watts themselves.

Linux documentation, hwmon/sysfs-interface.rst: in*_input millivolts, curr*_input milliamperes, power*_input and
power*_average microwatts, energy*_input microjoules. NVIDIA Jetson developer guide, "Power and thermal": VDD_IN is what
the whole module takes; where no rail is the input, the rails are added up.
"""

from functools import partial
from pathlib import Path

from edgecascade.sensors.power.meter import MOST_WATTS, Reader, Scope, Unwrapped, total
from edgecascade.sensors.reading import entries, number, plausible, text

INPUTS = ("VDD_IN", "POM_5V_IN")
CHIPS: dict[str, Scope] = {
    "power_meter": "whole device",
    "corsairpsu": "whole device",
    "fam15h_power": "CPU package",
    "zenpower": "CPU package",
    "amdgpu": "GPU",
    "i915": "GPU",
    "xe": "GPU",
    "nouveau": "GPU",
}
"""What a chip sees, by its driver's name; of the others we know only that it is some part."""
NOT_OURS = ("BAT", "AC", "ucsi", "nvme", "ina3221", "amd_energy")
"""Batteries have a meter of their own that knows where current flows; sockets say what they offer; a core is no sum."""


def ina3221(root: Path) -> list[Reader]:
    """Return a Jetson's meter of its board, where there is one."""
    rails = [rail for chip in _chips(root) if text(chip / "name") == "ina3221" for rail in _rails(chip)]
    chosen = [rail for rail in rails if rail[0] in INPUTS][:1] or rails
    meter = Reader("ina3221", "board", "watts", lambda: total([_rail_watts(*rail[1:]) for rail in chosen]))
    return [] if meter.read() is None else [meter]


def hwmon(root: Path) -> list[Reader]:
    """Return a meter for each other chip that tells watts or joules; by its first channel."""
    found = []
    for chip in _chips(root):
        name = text(chip / "name") or ""
        if not name or name.startswith(NOT_OURS):
            continue
        scope = CHIPS.get(name, "part")
        if power := entries(chip, "power1_input") or entries(chip, "power1_average"):
            found.append(Reader(name, scope, "watts", partial(_watts, power[0])))
        elif energy := entries(chip, "energy1_input"):
            found.append(Reader(name, scope, "joules", Unwrapped(partial(number, energy[0], 1e6), None)))
    return [meter for meter in found if meter.read() is not None]


def _chips(root: Path) -> list[Path]:
    return entries(root / "sys/class/hwmon", "hwmon*")


def _rails(chip: Path) -> list[tuple[str, Path, Path]]:
    """Return label, voltage and current of each rail that has all three; sums of shunts have no current."""
    found = []
    for label in entries(chip, "in*_label"):
        channel = label.name.removeprefix("in").removesuffix("_label")
        volts, amperes = chip / f"in{channel}_input", chip / f"curr{channel}_input"
        if number(amperes) is not None:
            found.append((text(label) or "", volts, amperes))
    return found


def _rail_watts(volts: Path, amperes: Path) -> float | None:
    voltage, current = number(volts, 1e3), number(amperes, 1e3)
    watts = None if voltage is None or current is None else voltage * current
    return plausible(str(amperes), watts, 0, MOST_WATTS)


def _watts(path: Path) -> float | None:
    return plausible(str(path), number(path, 1e6), 0, MOST_WATTS)
