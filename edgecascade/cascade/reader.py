"""Which model of a cascade tells the hidden states that a saved policy was fitted on."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from edgecascade.cascade.served import ServedTier
from edgecascade.errors import PolicyError
from edgecascade.querying.live import Reader
from edgecascade.records import Place
from edgecascade.store.pool_files import PoolFile

log = logging.getLogger("edgecascade")


class Tier(Protocol):
    """What is known of a tier before it is asked."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def place(self) -> Place:
        """Where it answers."""


def reader_of(file: PoolFile, tiers: Sequence[Tier], names: Mapping[str, str], *, width: int) -> Reader | None:
    """Return the tier whose states, ``width`` numbers each, the policy was fitted on; None where none is loaded here.

    It is known by its weights, else by its name; the tier of ``names`` is taken at its word. Another with states as
    wide is taken with a warning where nothing tells its weights. PolicyError where there is none of these.
    """
    own = [tier for tier in tiers if tier.place == "device" and not isinstance(tier, ServedTier)]
    if not own:
        return None  # a server tells no hidden states
    wide = [tier for tier in own if _width(tier) in (None, width)]
    same = [tier for tier in wide if file.source_sha256 and _sha256(tier) == file.source_sha256]
    maybe = [tier for tier in wide if None in (_sha256(tier), file.source_sha256)]
    sure = [*same, *(tier for tier in maybe if tier.name == names.get(file.source, file.source))]
    told = [tier for tier in wide if tier.name == names.get(file.source)]
    found = next(iter([*sure, *told, *(tier for tier in maybe if _width(tier) is not None)]), None)
    if found is None:
        there = ", ".join(f"{tier.name} of width {_width(tier) or 'unknown'}" for tier in own)
        raise PolicyError(
            f"the policy was fitted on the hidden states of {file.source}, width {width}: found {there}, wanted that "
            "very model on this device; open it, or fit again on the states of one that is here"
        )
    if found not in sure:
        log.warning(
            "the policy was fitted on the hidden states of %s: those of %s are taken, which may be another model",
            file.source,
            found.name,
        )
    return cast(Reader, found)


def _width(tier: Tier) -> int | None:
    """Return the width of a tier's states; None where it has no engine that tells it."""
    width: int | None = getattr(getattr(tier, "engine", None), "width", None)
    return width


def _sha256(tier: Tier) -> str | None:
    """Return what a tier says of its weights."""
    sha256: str | None = getattr(tier, "sha256", None)
    return sha256
