"""The power chip of a Raspberry Pi 5, read with ``vcgencmd pmic_read_adc``: volts times amperes, rail by rail.

What hangs on the 5 V line itself (USB, HATs) and the chip's own losses are not in the sum, so a wall meter shows more.
"""

import re
from pathlib import Path

from edgecascade.sensors.power.meter import MOST_WATTS, Reader, total
from edgecascade.sensors.reading import Run, plausible, text


def pmic(root: Path, run: Run) -> list[Reader]:
    """Return the board's meter where this is a Raspberry Pi that has one."""
    if not (text(root / "proc/device-tree/model") or "").startswith("Raspberry Pi"):
        return []
    meter = Reader("pmic", "board", "watts", lambda: pmic_watts(run(("vcgencmd", "pmic_read_adc"))))
    return [] if meter.read() is None else [meter]


def pmic_watts(found: str | None) -> float | None:
    r"""Return the sum of all rails whose volts and amperes are both told.

    >>> pmic_watts("VDD_CORE_A current(7)=2.0A\nVDD_CORE_V volt(15)=0.9V\nEXT5V_V volt(24)=5.1V")
    1.8
    """
    rows = re.findall(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]$", found or "", re.MULTILINE)
    volts = {name: float(value) for name, kind, value in rows if kind == "V"}
    amperes = {name: float(value) for name, kind, value in rows if kind == "A"}
    watts = total([volts[name] * amperes[name] for name in volts if name in amperes])
    return plausible("vcgencmd pmic_read_adc", watts, 0, MOST_WATTS)
