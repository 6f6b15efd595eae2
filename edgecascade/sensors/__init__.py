"""What the device says of itself and does besides us. The only importer of psutil.

machine     what it is                           conditions  how it stands now, and ``Sense``, which remembers it
load        who else computes; ``watching``      memory      free, in all, swapped, ours
power       meters, and the energy of a span     supply      batteries and chargers
heat        temperatures, throttling             links       network, metered or not
reading     files and commands that may be absent

A sensor that is absent, or cannot be believed, is None: unknown, never a guess. What reads files takes the
``root`` that they lie below.
"""

from edgecascade.sensors.conditions import Sense, conditions
from edgecascade.sensors.load import Seen, busy_cores, free_threads, idle, physical_cores, watching
from edgecascade.sensors.machine import machine
from edgecascade.sensors.memory import (
    free_memory,
    own_memory,
    peak_memory,
    pressure,
    swapped_pages,
    swapping,
    total_memory,
)
from edgecascade.sensors.power.energy import Energy, metering
from edgecascade.sensors.power.finding import meters, power_meter, why_no_meter
from edgecascade.sensors.power.meter import Meter

__all__ = [
    "Energy",
    "Meter",
    "Seen",
    "Sense",
    "busy_cores",
    "conditions",
    "free_memory",
    "free_threads",
    "idle",
    "machine",
    "metering",
    "meters",
    "own_memory",
    "peak_memory",
    "physical_cores",
    "power_meter",
    "pressure",
    "swapped_pages",
    "swapping",
    "total_memory",
    "watching",
    "why_no_meter",
]
