"""Device profiles: a TOML a device, or a class of them; a user's own hides a shipped one of the same name.

The form is profile_form's; devices/README.md shows a whole file. What cannot be, and what was meant in another unit, is
refused when it is read.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from edgecascade import __version__
from edgecascade.errors import ProfileError
from edgecascade.profile import Figure, Profile
from edgecascade.store.files import write_whole
from edgecascade.store.paths import Folders, shipped
from edgecascade.store.profile_faults import fault_of
from edgecascade.store.profile_form import GIB, ProfileForm

Origin = Literal["yours", "shipped"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A profile's file; ``fault`` says what is wrong with one that cannot be read, which then has no profile."""

    profile: Profile | None
    origin: Origin
    path: Path
    fault: str = ""


def profile_files(folders: Folders) -> list[tuple[Origin, Path]]:
    """Return every profile's file, the user's first, each kind in order of name."""
    places: tuple[tuple[Origin, Path], ...] = (("yours", folders.data / "devices"), ("shipped", shipped("devices")))
    return [(origin, path) for origin, folder in places for path in sorted(folder.glob("*.toml"))]


def user_profile(folders: Folders, name: str) -> Path:
    """Return where the user's profile of that name lies, or would lie."""
    return folders.data / "devices" / f"{name}.toml"


def listed(folders: Folders) -> list[Listed]:
    """Return every profile that can be chosen by name, and the faults of those that cannot be read."""
    found: list[Listed] = []
    names: set[str] = set()
    for origin, path in profile_files(folders):
        if path.stem in names:
            continue
        try:
            found.append(Listed(read_profile(path), origin, path))
            names.add(path.stem)
        except ProfileError as error:
            found.append(Listed(None, origin, path, str(error)))
    return found


def find_profile(name_or_path: str, folders: Folders) -> Profile:
    """Return a profile by its name, the user's before a shipped one, or by its path; ProfileError where none is."""
    if name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path:
        return read_profile(Path(name_or_path).expanduser())
    files = profile_files(folders)
    if path := next((path for _, path in files if path.stem == name_or_path), None):
        return read_profile(path)
    names = sorted({path.stem for _, path in files})
    near = difflib.get_close_matches(name_or_path, names, 3) or names
    raise ProfileError(
        f"no device profile is called {name_or_path!r}: found none, wanted {' or '.join(near) or 'its path'}; "
        "see `edgecascade devices list`"
    )


def read_profile(path: Path) -> Profile:
    """Return the profile in a TOML file; raise ProfileError naming the file, the key, what was found and wanted."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors put a mark before the first line
    except OSError as error:
        raise ProfileError(
            f"the device profile {path} cannot be read: {error.strerror or error}; wanted a TOML file; name another, "
            "or one of `edgecascade devices list`"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{path} cannot be read as TOML: {error}; wanted a device profile; mend it") from error
    return _checked(path, values).profile()


def write_profile(path: Path, profile: Profile) -> None:
    """Write the profile, whole; ProfileError where it could not be read again. None in its provenance is left out."""
    import tomlkit

    content = _tables_of(profile)
    _checked(path, content)
    head = f"# Written by edgecascade {__version__}. A hand may change it; devices/README.md says what the keys mean.\n"
    write_whole(path, head + tomlkit.dumps(content))


def _checked(path: Path, values: Mapping[str, object]) -> ProfileForm:
    try:
        form = ProfileForm.model_validate(values)
    except ValidationError as error:
        raise ProfileError(f"{path}: {fault_of(error)}; mend it, or measure this device") from error
    if form.name != path.stem:
        raise ProfileError(f"{path}: name: found {form.name!r}, wanted {path.stem!r} as the file is called; rename one")
    return form


def _tables_of(profile: Profile) -> dict[str, Any]:
    """Return what the file holds; None in the provenance is left out."""
    power, limits = profile.power, profile.limits
    tables: dict[str, Any] = {
        "match": asdict(profile.match),
        "engine": asdict(profile.engine),
        "limits": {
            "memory_gib": None if limits.memory_bytes is None else limits.memory_bytes / GIB,
            "model_gib": None if limits.model_bytes is None else limits.model_bytes / GIB,
            "celsius": limits.celsius,
            "sustained": _of(limits.sustained),
        },
        "power": {
            "meter": power.meter,
            "idle_watts": _of(power.idle),
            "decode_watts": _of(power.decode),
            "prefill_watts": _of(power.prefill),
        },
        "speeds": [
            asdict(row) | {"prefill": row.prefill.points, "decode": row.decode.points} for row in profile.speeds
        ],
        "weights": profile.weights and asdict(profile.weights),
        "network": {"round_trip_s": _of(profile.round_trip_s)},
        "provenance": profile.provenance,
    }
    head = {"schema_version": 1, "name": profile.name, "title": profile.title, "kind": profile.kind}
    known = {name: table for name, part in tables.items() if (table := _without_none(part))}
    return head | {"notes": profile.notes} | known


def _of(figure: Figure | None) -> dict[str, Any] | None:
    return None if figure is None else asdict(figure)


def _without_none(value: Any) -> Any:
    """Return what TOML can hold: no None, lists for tuples."""
    if isinstance(value, Mapping):
        return {str(name): _without_none(part) for name, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [_without_none(part) for part in value if part is not None]
    return value
