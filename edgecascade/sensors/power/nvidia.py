"""NVIDIA's cards: NVML's energy counter where ``pynvml`` is installed, else ``nvidia-smi``. All cards together."""

import importlib
from pathlib import Path
from typing import Any

from edgecascade.sensors.power.meter import MOST_WATTS, Reader, total
from edgecascade.sensors.reading import Run, parsed, plausible, there

DRAW = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits")


def nvidia(root: Path, run: Run, system: str) -> list[Reader]:
    """Return the cards' meter where there is a driver to ask."""
    if system == "linux" and not any(there(root / "dev" / name) for name in ("nvidiactl", "dxg")):
        return []
    if counted := nvml(_library()):
        return counted
    meter = Reader("nvidia-smi", "GPU", "watts", lambda: drawn(run(DRAW)))
    return [] if meter.read() is None else [meter]


def drawn(found: str | None) -> float | None:
    r"""Return the watts of all cards in what ``nvidia-smi`` prints; None where a card does not say.

    >>> drawn("71.25\n68.75\n"), drawn("[N/A]\n"), drawn(None)
    (140.0, None, None)
    """
    watts = total([parsed(line) for line in (found or "").split("\n") if line.strip()])
    return plausible("nvidia-smi", watts, 0, MOST_WATTS)


def nvml(library: Any) -> list[Reader]:
    """Return NVML's meter where the library is there and the cards count their energy (Volta and later)."""
    if library is None:
        return []
    try:
        library.nvmlInit()
        cards = [library.nvmlDeviceGetHandleByIndex(number) for number in range(library.nvmlDeviceGetCount())]
    except library.NVMLError:
        return []
    meter = Reader("nvml", "GPU", "joules", lambda: total([_joules(library, card) for card in cards]))
    return [] if meter.read() is None else [meter]


def _library() -> Any:
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        return None


def _joules(library: Any, card: Any) -> float | None:
    try:
        return float(library.nvmlDeviceGetTotalEnergyConsumption(card)) / 1e3
    except library.NVMLError:
        return None
