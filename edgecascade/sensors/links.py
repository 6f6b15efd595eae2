"""Whether there is a network, and whether it costs by volume: psutil, NetworkManager, Termux."""

import json
from collections.abc import Mapping
from ipaddress import ip_address

import psutil

from edgecascade.sensors.reading import Past, fields

Links = Mapping[str, tuple[bool, tuple[str, ...]]]
"""Name of an interface -> whether it is up, and its addresses."""


def links() -> Links:
    """Return the interfaces of this machine; empty where the system does not tell, as newer Androids do."""
    try:
        addresses, states = psutil.net_if_addrs(), psutil.net_if_stats()
    except (psutil.Error, OSError):
        return {}
    return {
        name: (name in states and states[name].isup, tuple(entry.address for entry in addresses.get(name, ())))
        for name in {*addresses, *states}
    }


def connected(found: Links) -> bool | None:
    """Return whether an interface is up whose address others could reach; None where no interface is known.

    >>> connected({"lo": (True, ("127.0.0.1",)), "wlan0": (True, ("192.168.1.7",))}), connected({})
    (True, None)
    """
    return any(up and any(map(_reachable, addresses)) for up, addresses in found.values()) if found else None


def _reachable(address: str) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:  # a hardware address
        return False
    return not (found.is_loopback or found.is_link_local or found.is_unspecified)


def metered(past: Past, *, termux: bool) -> bool | None:
    """Return whether the link costs by volume; None where nothing says."""
    if termux:
        return by_phone(past.told("termux-telephony-deviceinfo"))
    return by_manager(past.told("nmcli", "-t", "-f", "GENERAL.METERED", "device", "show"))


def by_manager(found: str | None) -> bool | None:
    r"""Return what NetworkManager says of the first device that it knows it of; it lists the default route's first.

    >>> by_manager("GENERAL.METERED:yes (guessed)\n\nGENERAL.METERED:unknown"), by_manager("GENERAL.METERED:unknown")
    (True, None)
    """
    said = (value.split()[0] for name, value in fields(found) if name == "GENERAL.METERED" and value)
    return next((word == "yes" for word in said if word in ("yes", "no")), None)


def by_phone(found: str | None) -> bool | None:
    """Return True where ``termux-telephony-deviceinfo`` says that mobile data carries the link, else None.

    >>> by_phone('{"data_state": "connected"}'), by_phone('{"data_state": "disconnected"}')
    (True, None)
    """
    try:
        state = json.loads(found or "").get("data_state")
    except (ValueError, AttributeError):
        return None
    return True if state == "connected" else None
