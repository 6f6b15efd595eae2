"""A tier by its address, for a cascade that is put together by hand."""

import os
import warnings
from typing import Any

from edgecascade import sensors
from edgecascade.cascade.assembling import local_tier, read_config, remote_tier
from edgecascade.cascade.served import ServedTier
from edgecascade.cascade.tiers import LocalTier, RemoteTier
from edgecascade.cloud.specs import PROVIDERS
from edgecascade.profiles import profile_here
from edgecascade.records import Place
from edgecascade.store.paths import Folders


def open_tier(
    address: str, *, place: Place | None = None, gates: bool = False, **settings: Any
) -> LocalTier | ServedTier | RemoteTier:
    """Return a model as a tier: loaded on this device, fetched where it is missing, or a cloud that is asked later.

        Cascade([open_tier("smollm2-135m"), open_tier("qwen2.5-coder-1.5b"), open_tier("openai:gpt-4o-mini")], ...)

    address   whatever ``--model`` and ``--cloud`` take
    place     "device" or "cloud"; None: a cloud where a provider is named, else this device. A server at an address is
              either
    gates     whether a fitted file's gates may stop this device's drafts; a pool's policy never lets them
    settings  by the config's names, which they go before: prices, timeouts, fitted ...

    The tier is closed with the cascade that takes it. Raises ConfigError, KeyMissingError, and whatever fetching and
    opening a model raises.
    """
    is_cloud = address.partition(":")[0] in PROVIDERS if place is None else place == "cloud"
    found = read_config({**settings, "cloud" if is_cloud else "model": address}).settings
    if is_cloud:
        return remote_tier(found)
    folders = Folders.of(os.environ)
    return local_tier(
        found,
        folders,
        profile_here(folders, chosen=found.profile, machine=sensors.machine()),
        gated=gates,
        engine=None,
        progress=lambda done, total, what: None,
        notice=warnings.warn,
    )
