"""Which profile this device runs by, and what it makes of the engine's settings."""

import logging
from dataclasses import asdict

from edgecascade.errors import ProfileError
from edgecascade.profile import Machine, Profile
from edgecascade.store.paths import Folders
from edgecascade.store.profiles import Listed, find_profile, listed

_log = logging.getLogger("edgecascade")


ANY_PLACE = "`profile` of the config, or EDGECASCADE_PROFILE"


def profile_here(folders: Folders, *, chosen: str | None, machine: Machine, place: str = ANY_PLACE) -> Profile | None:
    """Return the profile that was chosen by name or path, else the one that fits this machine; None where none does.

    The user's own come before the shipped ones, then whatever has more rules that hold. A profile without rules is
    only taken by its name. ``place`` is where it was chosen, for whoever looks for a name that cannot be used.
    """
    if chosen:
        try:
            return find_profile(chosen, folders)
        except ProfileError as error:
            raise ProfileError(
                f"{error}; it stands in {place}: mend it there, or `edgecascade devices use none`"
            ) from error
    there = listed(folders)
    for entry in there:
        if entry.fault:
            _log.warning("A device profile is passed over: %s", entry.fault)
    yours = _best([entry for entry in there if entry.origin == "yours"], machine)
    return yours or _best([entry for entry in there if entry.origin == "shipped"], machine)


def engine_of(profile: Profile) -> dict[str, object]:
    """Return the engine's settings that the profile sets, by their names in EngineSettings.

    >>> from edgecascade.profile import EngineChoice
    >>> engine_of(Profile(name="p", title="P", kind="phone", engine=EngineChoice(threads=4)))
    {'threads': 4}
    """
    return {name: value for name, value in asdict(profile.engine).items() if value is not None}


def _best(entries: list[Listed], machine: Machine) -> Profile | None:
    """Return the profile with the most rules that all hold; ProfileError where two have as many."""
    fitting = [
        (held, entry.profile) for entry in entries if entry.profile and (held := entry.profile.match.fits(machine))
    ]
    most = max((held for held, _ in fitting), default=0)
    best = [profile for held, profile in fitting if held == most]
    if len(best) > 1:
        found = " and ".join(profile.name for profile in best)
        raise ProfileError(
            f"two profiles match this device: found {found}, wanted one; choose one with `edgecascade devices use NAME`"
        )
    return best[0] if best else None
