"""Which meters a device has, what they see, and why there is none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecascade.sensors import meters, power_meter, why_no_meter
from edgecascade.sensors.power.meter import Unwrapped
from edgecascade.sensors.power.nvidia import nvml
from edgecascade.sensors.power.powermetrics import powermetrics
from edgecascade.sensors.power.rapl import rapl

Tree = Callable[[str], Path]
PACKAGE = "sys/class/powercap/intel-rapl:0/"

EXPECTED = {
    "pi": [("pmic", "board", "watts", 3.45)],
    "laptop": [("battery", "whole device", "watts", 12.5), ("rapl", "CPU package", "joules", 1.0)],
    "jetson": [("ina3221", "board", "watts", 6.0)],
    "phone": [],
    "vm": [],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_device_has_its_meters(name: str, tree: Tree, commands: Any, pmic_says: str) -> None:
    """Each with what it sees, the widest first; a battery is not metered twice."""
    found = meters(tree(name), run=commands(vcgencmd=pmic_says), system="linux")

    assert [(meter.name, meter.scope, meter.unit, meter.read()) for meter in found] == EXPECTED[name]
    assert {meter.mark for meter in found} <= {"measured"}


def test_the_widest_meter_is_chosen(tree: Tree, commands: Any) -> None:
    """On battery the whole device; plugged in, what the processor counts."""
    root, chosen = tree("laptop"), []
    for status in ("Discharging", "Charging", "Full"):
        (root / "sys/class/power_supply/BAT0/status").write_text(status)
        chosen.append(getattr(power_meter(root, run=commands(), system="linux"), "name", None))

    assert chosen == ["battery", "rapl", "rapl"]


def test_a_battery_without_watts_has_volts_and_amperes(tree: Tree, plant: Any, commands: Any) -> None:
    """Drivers disagree on the sign of a current that flows out; it is the same power."""
    root = tree("laptop")
    (root / "sys/class/power_supply/BAT0/power_now").unlink()
    plant({"sys/class/power_supply/BAT0/current_now": -500_000, "sys/class/power_supply/BAT0/voltage_now": 12_000_000})

    assert meters(root, run=commands(), system="linux")[0].read() == 6.0


def test_a_jetson_without_an_input_adds_its_rails(tree: Tree, commands: Any) -> None:
    """Where no rail is the input, the board takes what its rails take together."""
    root = tree("jetson")
    (root / "sys/class/hwmon/hwmon1/in1_label").write_text("VDD_GPU_SOC")

    assert [meter.read() for meter in meters(root, run=commands(), system="linux")] == [8.0]


def test_chips_are_told_by_their_driver(plant: Any, commands: Any) -> None:
    """A known driver says what its chip sees; an unknown one is some part; a socket's offer is no power drawn."""
    root = plant(
        {
            "sys/class/hwmon/hwmon0/name": "amdgpu",
            "sys/class/hwmon/hwmon0/power1_average": 35_000_000,
            "sys/class/hwmon/hwmon1/name": "ina260",
            "sys/class/hwmon/hwmon1/power1_input": 2_000_000,
            "sys/class/hwmon/hwmon2/name": "ucsi_source_psy_USBC000:001",
            "sys/class/hwmon/hwmon2/power1_input": 15_000_000,
            "sys/class/hwmon/hwmon3/name": "xe",
            "sys/class/hwmon/hwmon3/energy1_input": 7_000_000,
        }
    )
    found = [(meter.name, meter.scope, meter.read()) for meter in meters(root, run=commands(), system="linux")]

    assert found == [("amdgpu", "GPU", 35.0), ("xe", "GPU", 7.0), ("ina260", "part", 2.0)]


@pytest.mark.parametrize("watts", ["-5000000", "9e15", "nan", "?"])
def test_a_meter_that_cannot_be_believed_is_none(watts: str, plant: Any, commands: Any) -> None:
    """Negative, impossible, or no number: as if it were not there."""
    root = plant({"sys/class/hwmon/hwmon0/name": "amdgpu", "sys/class/hwmon/hwmon0/power1_input": watts})

    assert meters(root, run=commands(), system="linux") == []


def test_packages_are_added_and_the_platform_stands_alone(tree: Tree, plant: Any) -> None:
    """Two sockets are one reading; a counter of the whole board needs no addition."""
    tree("laptop")
    second = "sys/class/powercap/intel-rapl:1/"
    root = plant({second + "name": "package-1", second + "energy_uj": 500_000})
    (two,) = rapl(root)
    (root / second / "name").write_text("psys")
    (one,) = rapl(root)

    assert [(meter.scope, meter.read()) for meter in (two, one)] == [("CPU package", 1.5), ("board", 0.5)]


def test_a_counter_that_starts_anew_only_rises(tree: Tree) -> None:
    """At its range it begins at 0 again; what was counted stays counted."""
    root = tree("laptop")
    (meter,) = rapl(root)
    found = []
    for microjoules in (262_142_000_000, 1_000_000, 2_000_000):
        (root / PACKAGE / "energy_uj").write_text(str(microjoules))
        found.append(meter.read())

    assert found == [262_142.0, 262_144.0, 262_145.0]


def test_a_counter_of_unknown_range_that_falls_is_unknown() -> None:
    """What it had counted before it began anew cannot be told."""
    readings = iter([5.0, 7.0, 1.0])
    counter = Unwrapped(lambda: next(readings), None)

    assert [counter(), counter(), counter()] == [5.0, 7.0, None]


def test_a_counter_may_vanish(tree: Tree) -> None:
    """A meter whose file is gone reads None and raises nothing."""
    root = tree("laptop")
    (meter,) = rapl(root)
    (root / PACKAGE / "energy_uj").unlink()

    assert meter.read() is None


def test_cards_of_nvidia_are_asked_where_a_driver_is(plant: Any, commands: Any) -> None:
    """All cards together; without the driver's device nobody is asked."""
    run = commands(nvidia_smi="71.25\n68.75\n")
    without = meters(plant({"proc": None}), run=run, system="linux")
    found = meters(plant({"dev/nvidiactl": ""}), run=run, system="linux")

    assert (without, [meter.scope for meter in found]) == ([], ["GPU"])


class Nvml:
    """NVIDIA's library with cards that count so many millijoules; None: too old to count."""

    class NVMLError(Exception):
        """Whatever goes wrong there."""

    def __init__(self, *millijoules: int | None) -> None:
        self.cards = millijoules

    def nvmlInit(self) -> None:  # noqa: N802
        """Fail without a driver."""
        if not self.cards:
            raise self.NVMLError

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Return how many cards there are."""
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        """Return a card."""
        return number

    def nvmlDeviceGetTotalEnergyConsumption(self, card: int) -> int:  # noqa: N802
        """Return a card's millijoules since its driver was loaded."""
        counted = self.cards[card]
        if counted is None:
            raise self.NVMLError
        return counted


@pytest.mark.parametrize(
    ("library", "readings"), [(Nvml(2500, 1500), [4.0]), (Nvml(2500, None), []), (Nvml(), []), (None, [])]
)
def test_nvml_counts_energy_where_every_card_does(library: Nvml | None, readings: list[float]) -> None:
    """The sum of all cards; a card too old to count, no driver or no library: no meter."""
    assert [meter.read() for meter in nvml(library)] == readings


def test_powermetrics_is_an_estimate(commands: Any) -> None:
    """Apple calls its figures estimates; without root there is no answer, and no meter."""
    (meter,) = powermetrics(commands(powermetrics="Combined Power (CPU + GPU + ANE): 8250 mW\n"))

    assert (meter.read(), meter.mark) == (8.25, "estimate")
    assert powermetrics(commands()) == []


@pytest.mark.parametrize(
    ("name", "reason"), [("vm", "virtual machine"), ("phone", "no meter found"), ("pi", "no meter found")]
)
def test_why_there_is_no_meter(name: str, reason: str, tree: Tree, commands: Any) -> None:
    """In one sentence; where there is a meter there is nothing to say."""
    assert reason in why_no_meter(tree(name), run=commands(), system="linux")
    assert why_no_meter(tree("laptop"), run=commands(), system="linux") == ""


def test_a_closed_counter_says_how_to_open_it(tree: Tree, commands: Any) -> None:
    """A counter that only root may read is told with the command that opens it."""
    root = tree("laptop")
    (root / "sys/class/power_supply/BAT0/status").write_text("Full")
    (root / PACKAGE / "energy_uj").unlink()
    (root / PACKAGE / "energy_uj").mkdir()

    assert f"sudo chmod a+r {root / PACKAGE / 'energy_uj'}" in why_no_meter(root, run=commands(), system="linux")


def test_a_charging_battery_and_a_mac_have_their_own_reasons(tree: Tree, commands: Any) -> None:
    """Unplug the charger; run it with sudo."""
    root = tree("laptop")
    (root / "sys/class/power_supply/BAT0/status").write_text("Charging")
    for path in (root / "sys/class/powercap").rglob("*/*"):
        path.unlink()

    assert "unplug" in why_no_meter(root, run=commands(), system="linux")
    assert "sudo" in why_no_meter(root, run=commands(), system="darwin")
