"""macOS's own meter, ``powermetrics``, which answers root alone; processor, graphics and neural engine together.

Apple calls its figures estimates, and so do we.
"""

import re

from edgecascade.sensors.power.meter import MOST_WATTS, Reader
from edgecascade.sensors.reading import Run, plausible

COMMAND = ("powermetrics", "--samplers", "cpu_power", "-i", "100", "-n", "1")


def powermetrics(run: Run) -> list[Reader]:
    """Return the meter where this process may ask it."""
    meter = Reader("powermetrics", "CPU package", "watts", lambda: combined(run(COMMAND)), "estimate")
    return [] if meter.read() is None else [meter]


def combined(found: str | None) -> float | None:
    r"""Return the watts that it prints, of all parts together or of an Intel Mac's package.

    >>> combined("CPU Power: 900 mW\nCombined Power (CPU + GPU + ANE): 1250 mW"), combined("Intel energy: 3.5W")
    (1.25, 3.5)
    """
    if row := re.search(r"^Combined Power.*?: ([\d.]+) ?mW", found or "", re.MULTILINE):
        return plausible("powermetrics", float(row[1]) / 1e3, 0, MOST_WATTS)
    if row := re.search(r"^(?:Intel energy|Package Power).*?: ([\d.]+) ?W", found or "", re.MULTILINE):
        return plausible("powermetrics", float(row[1]), 0, MOST_WATTS)
    return None
