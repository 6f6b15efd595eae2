"""What the device takes from its battery: /sys/class/power_supply, power_now or current_now times voltage_now.

Only while every battery is discharging: with a charger plugged in the current says what goes in.
"""

from pathlib import Path

from edgecascade.sensors.power.meter import MOST_WATTS, Reader, total
from edgecascade.sensors.reading import number, plausible, text
from edgecascade.sensors.supply import batteries


def battery(root: Path) -> list[Reader]:
    """Return the whole device's meter where it runs on a battery that tells its power."""
    meter = Reader("battery", "whole device", "watts", lambda: discharge(root))
    return [] if meter.read() is None else [meter]


def discharge(root: Path) -> float | None:
    """Return the watts that flow out of the batteries; None while one is charged or does not say."""
    cells = batteries(root)
    using = [path for path in cells if text(path / "status") == "Discharging"]
    if any(text(path / "status") == "Charging" for path in cells):
        return None
    return total([_watts(path) for path in using])


def _watts(cell: Path) -> float | None:
    power = number(cell / "power_now", 1e6)
    if power is None:
        current, voltage = number(cell / "current_now", 1e6), number(cell / "voltage_now", 1e6)
        if current is None or voltage is None:
            return None
        power = abs(current) * voltage  # drivers disagree on the sign of a current that flows out
    return plausible(str(cell), power, 0, MOST_WATTS)
