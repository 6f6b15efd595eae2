"""How a device stands, as its files say; and when they lie, or vanish."""

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgecascade.profile import Conditions
from edgecascade.sensors import Sense, conditions
from edgecascade.sensors.links import Links, connected, links
from edgecascade.sensors.reading import Past

Tree = Callable[[str], Path]
ONLINE: Links = {"lo": (True, ("127.0.0.1", "::1")), "wlan0": (True, ("192.168.1.7", "fe80::1%wlan0"))}


def look(root: Path, past: Past, environment: Mapping[str, str] | None = None) -> Conditions:
    """Return the conditions of a tree, on a network."""
    return conditions(root, past=past, environment=environment or {}, network=lambda: ONLINE)


EXPECTED = {
    "pi": Conditions(celsius=54.3, throttled=False, network=True),
    "laptop": Conditions(on_battery=True, battery=0.64, celsius=63.0, throttled=False, network=True, watts=12.5),
    "jetson": Conditions(celsius=48.562, network=True, watts=6.0),
    "phone": Conditions(network=True),
    "vm": Conditions(network=True),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_device_stands_as_its_files_say(name: str, tree: Tree, commands: Any) -> None:
    """A fan is no throttle, a drive's heat and a mouse's battery are not the device's; the rest is unknown."""
    assert look(tree(name), Past(commands())) == EXPECTED[name]


@pytest.mark.parametrize(
    ("file", "lie", "field"),
    [
        ("sys/class/power_supply/BAT0/capacity", "140", "battery"),
        ("sys/class/power_supply/BAT0/capacity", "-3", "battery"),
        ("sys/class/power_supply/BAT0/capacity", "nan", "battery"),
        ("sys/class/power_supply/BAT0/capacity", "many", "battery"),
        ("sys/class/power_supply/BAT0/power_now", "-12500000", "watts"),
        ("sys/class/power_supply/BAT0/power_now", "9e12", "watts"),
        ("sys/class/power_supply/BAT0/power_now", "inf", "watts"),
    ],
)
def test_a_value_that_cannot_be_is_unknown(file: str, lie: str, field: str, tree: Tree, commands: Any) -> None:
    """140 %, negative watts, no number: None, and all the rest as before."""
    root = tree("laptop")
    (root / file).write_text(lie)
    found = look(root, Past(commands()))

    assert getattr(found, field) is None
    assert (found.on_battery, found.celsius) == (True, 63.0)


@pytest.mark.parametrize("lie", ["400000", "-80000", "nan", ""])
def test_an_unbelievable_temperature_does_not_hide_the_others(lie: str, tree: Tree, commands: Any) -> None:
    """400 °C is not the hottest part; what the next sensor says is."""
    root = tree("laptop")
    (root / "sys/class/hwmon/hwmon1/temp1_input").write_text(lie)

    assert look(root, Past(commands())).celsius == 61.0


def test_a_lie_is_named_once(tree: Tree, commands: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the sensor at the first look, and is quiet at the next hundred."""
    (path := tree("pi") / "sys/class/thermal/thermal_zone0/temp").write_text("400000")
    with caplog.at_level(logging.WARNING, "edgecascade"):
        for _ in range(100):
            look(path.parents[4], Past(commands()))

    assert [str(path) in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_file_may_vanish(name: str, tree: Tree, commands: Any) -> None:
    """A tree that loses its folders one by one only ever knows less."""
    root, past = tree(name), Past(commands())
    for folder in ("sys/class/power_supply", "sys/class/hwmon", "sys/class/thermal", "sys/devices", "proc"):
        shutil.rmtree(root / folder, ignore_errors=True)
        found = look(root, past)

    assert found == Conditions(network=True)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50004"),
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "1500000"),
        ("sys/class/thermal/cooling_device0/type", "cpufreq-cpu0"),
    ],
)
def test_whatever_holds_the_processor_back_is_throttling(file: str, says: str, tree: Tree, commands: Any) -> None:
    """The firmware, a lowered ceiling, or a cooler that works by slowing down."""
    root = tree("pi")
    (root / file).write_text(says)

    assert look(root, Past(commands())).throttled is True


@pytest.mark.parametrize("says", ["50000", "1"])
def test_throttling_of_earlier_is_over(says: str, tree: Tree, commands: Any) -> None:
    """Sticky bits and undervoltage alone are not slowness now."""
    root = tree("pi")
    (root / "sys/devices/platform/soc/soc:firmware/get_throttled").write_text(says)

    assert look(root, Past(commands())).throttled is False


def test_a_counter_that_rises_is_throttling(tree: Tree, commands: Any) -> None:
    """Intel counts its throttling: only what was counted since the last look is now."""
    root, past = tree("laptop"), Past(commands())
    counter = root / "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
    found = []
    for count in (7, 8, 8):
        counter.write_text(str(count))
        found.append(look(root, past).throttled)

    assert found == [False, True, False]


@pytest.mark.parametrize(
    ("files", "on_battery"),
    [
        ({"AC/online": "1"}, False),
        ({"BAT0/status": "Full"}, False),
        ({"BAT0/status": "Unknown"}, True),
        ({"BAT0/status": "Unknown", "AC/online": "?"}, None),
    ],
)
def test_a_charger_decides_before_the_battery(
    files: Mapping[str, str], on_battery: bool | None, tree: Tree, commands: Any
) -> None:
    """Plugged in is plugged in; an unplugged charger beside a battery is the battery; neither is unknown."""
    root = tree("laptop")
    for name, says in files.items():
        (root / "sys/class/power_supply" / name).write_text(says)

    assert look(root, Past(commands())).on_battery is on_battery


def test_a_phone_is_asked_once_a_minute(tree: Tree, commands: Any, clocks: Any, termux: Mapping[str, str]) -> None:
    """Termux's commands are slow: what they said holds for a minute."""
    run, clock = commands(termux_battery_status='{"percentage": 30, "plugged": "PLUGGED_AC"}'), clocks()
    past = Past(run, clock)
    for now in (0.0, 59.0, 61.0):
        clock.now = now
        found = look(tree("phone"), past, termux)

    assert (found.on_battery, found.battery) == (False, 0.3)
    assert run.asked.count("termux-battery-status") == 2


@pytest.mark.parametrize("said", ["", "null", "[1]", '{"percentage": 140, "plugged": "?"}', '{"plugged": 7}'])
def test_a_phone_may_talk_nonsense(said: str, tree: Tree, commands: Any, termux: Mapping[str, str]) -> None:
    """No JSON, other JSON, or impossible values: unknown."""
    past = Past(commands(termux_battery_status=said, termux_telephony_deviceinfo=said))

    assert look(tree("phone"), past, termux) == Conditions(network=True)


@pytest.mark.parametrize(
    ("said", "metered"),
    [
        ("GENERAL.METERED:yes (guessed)\n\nGENERAL.METERED:unknown\n", True),
        ("GENERAL.METERED:unknown\n\nGENERAL.METERED:no\n\nGENERAL.METERED:yes\n", False),
        ("GENERAL.METERED:\n", None),
        ("Error: NetworkManager is not running.", None),
    ],
)
def test_a_link_costs_what_its_manager_says(said: str, metered: bool | None, tree: Tree, commands: Any) -> None:
    """The first device that the manager knows it of; without a manager it is unknown."""
    assert look(tree("vm"), Past(commands(nmcli=said))).metered is metered


@pytest.mark.parametrize(("energy", "link"), [(True, False), (False, True), (False, False)])
def test_what_is_not_asked_for_is_not_looked_at(energy: bool, link: bool, tree: Tree, commands: Any) -> None:
    """Neither the battery nor the link's price; the network is known all the same."""
    past = Past(commands(nmcli="GENERAL.METERED:yes"))
    found = conditions(tree("laptop"), past=past, energy=energy, link=link, environment={}, network=lambda: ONLINE)

    assert (found.battery, found.celsius, found.watts) == ((0.64, 63.0, 12.5) if energy else (None, None, None))
    assert (found.metered, found.network) == (True if link else None, True)


def test_mobile_data_is_metered(tree: Tree, commands: Any, termux: Mapping[str, str]) -> None:
    """A phone whose mobile data carries the link pays by volume."""
    past = Past(commands(termux_telephony_deviceinfo='{"data_state": "connected"}'))

    assert look(tree("phone"), past, termux).metered is True


@pytest.mark.parametrize(
    ("found", "network"),
    [
        ({}, None),
        ({"lo": (True, ("127.0.0.1", "::1"))}, False),
        ({"eth0": (False, ("192.168.1.7",))}, False),
        ({"eth0": (True, ("169.254.3.1", "fe80::1%eth0", "02:fc:00:00:00:01"))}, False),
        (ONLINE, True),
    ],
)
def test_a_network_is_an_address_that_others_reach(found: Links, network: bool | None) -> None:
    """Loopback, a pulled cable and addresses that it gave itself are none; no interfaces at all is unknown."""
    assert connected(found) is network


def test_this_machine_has_a_loopback() -> None:
    """The real interfaces are read, the loopback's address among them."""
    assert not links() or any("127.0.0.1" in addresses for _, addresses in links().values())


def test_sense_remembers_for_its_seconds(tree: Tree, commands: Any, clocks: Any) -> None:
    """Asked at every question, it looks again only when its seconds are over, or the clock went back."""
    root, clock = tree("pi"), clocks()
    sense = Sense(5.0, clock, look=lambda past: look(root, Past(commands())))
    found = []
    for now, temperature in ((0.0, 40000), (4.9, 50000), (5.0, 60000), (1.0, 70000)):
        clock.now = now
        (root / "sys/class/thermal/thermal_zone0/temp").write_text(str(temperature))
        (root / "sys/class/hwmon/hwmon0/temp1_input").write_text(str(temperature))
        found.append(sense().celsius)

    assert found == [40.0, 40.0, 60.0, 70.0]


def test_this_machine_is_looked_at_without_an_error() -> None:
    """Whatever the machine is that tests run on, it answers with a record."""
    assert isinstance(Sense()(), Conditions)
