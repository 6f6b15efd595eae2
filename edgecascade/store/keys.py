"""Keys of clouds: from the environment, else from the system's keyring. They are never written or shown by us.

The keyring is the optional package ``keyring``; where it, or a service behind it, is missing or does not answer, there
is no key.
"""

import re
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from edgecascade.errors import ConfigError

SERVICE = "edgecascade"
LONGEST_WAIT = 10.0
"""Seconds. A keyring may ask somebody who is not there to unlock it."""

T = TypeVar("T")


def key_of(variable: str, environment: Mapping[str, str]) -> str | None:
    """Return the key that goes by the name of an environment variable, None where there is none."""
    return environment.get(variable, "").strip() or kept_key(variable)


def kept_key(variable: str, *, wait: float = LONGEST_WAIT) -> str | None:
    """Return the key that the keyring has under this name; it has ``wait`` seconds to say so."""
    return _asked(lambda: _get(variable), wait)


def keeps_keys() -> bool:
    """Return whether there is a keyring that can be asked to keep a key."""
    return bool(_asked(_works, LONGEST_WAIT))


def set_key(variable: str, value: str) -> None:
    """Keep a key in the system's keyring; raise ConfigError where it cannot be kept there."""
    if not re.fullmatch("[!-~]+", key := value.strip()):
        raise ConfigError("that is no key: found nothing, or more than one plain word; wanted one; copy it again")
    if not _asked(lambda: _set(variable, key), LONGEST_WAIT):
        raise ConfigError(
            f"the key cannot be kept: found no keyring that works here, wanted one; set {variable} in your "
            'environment, or `pip install "edgecascade[keyring]"` and unlock the system\'s keyring'
        )


def _works() -> bool:
    import keyring

    return keyring.get_keyring().priority > 0  # those that stand for none have none


def _get(variable: str) -> str | None:
    import keyring

    return keyring.get_password(SERVICE, variable)


def _set(variable: str, value: str) -> bool:
    import keyring

    keyring.set_password(SERVICE, variable, value)
    return keyring.get_password(SERVICE, variable) == value  # some keyrings take everything and keep nothing


def _asked(question: Callable[[], T], wait: float) -> T | None:
    """Return what the keyring says, None where there is none or it does not answer in time."""
    said: list[T] = []
    thread = threading.Thread(target=_ask, args=(question, said), daemon=True)
    thread.start()
    thread.join(wait)
    return said[0] if said else None


def _ask(question: Callable[[], T], said: list[T]) -> None:
    try:
        from keyring.errors import KeyringError
    except ImportError:
        return
    try:
        said.append(question())
    except (KeyringError, OSError, RuntimeError):
        return  # locked, refused, or no service behind it
