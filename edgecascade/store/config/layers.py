"""Where settings come from: two files, the environment, flags; each is one layer of nested values."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgecascade.errors import ConfigError
from edgecascade.records import PRIVACY
from edgecascade.store.config.settings import Settings, field_at
from edgecascade.store.paths import Folders

PREFIX = "EDGECASCADE_"
NO_SETTINGS = {"HOME", "PROFILE", "LOG", "LOAD_PLUGINS", "LLAMA_BENCH"}
"""Variables of ours that set nothing here."""

PROJECT_FILE = "edgecascade.toml"
PROJECT_MAY = {
    "schema_version", "model", "fitted", "epsilon", "mode", "privacy", "stream", "policy", "deadline", "watts",
    "timeouts", "offline",
}  # fmt: skip
"""What a project's file may set. It came with somebody's repository: it may not choose who gets the user's texts, what
is kept of them, or what may be spent."""

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source sets: nested values, where it is, and a file's text."""

    origin: str
    values: Values
    text: str = ""


def user_file(folders: Folders) -> Path:
    """Return where the user's config lies, or would lie."""
    return folders.config / "config.toml"


def project_file(cwd: Path, environment: Mapping[str, str]) -> Path | None:
    """Return the nearest project file upward; the home folder and a git checkout's root are the last looked into."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or cwd.anchor).resolve()
    for folder in (cwd, *cwd.parents):
        if (path := folder / PROJECT_FILE).is_file():
            return path
        if (folder / ".git").exists() or folder == home:
            return None
    return None


def file_layer(path: Path) -> Layer:
    """Return what a TOML file sets; paths in it are seen from its folder; nothing where there is no file."""
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except FileNotFoundError:
        return Layer(str(path), {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; wanted a config in TOML; mend it") from error
    if isinstance(fitted := values.get("fitted"), str):
        values["fitted"] = str(path.parent / Path(fitted).expanduser())
    if isinstance(model := values.get("model"), str) and model.startswith(("./", "../", "~/")):
        values["model"] = os.path.normpath(path.parent / Path(model).expanduser())
    return Layer(str(path), _spelled_out(values), text)


def environment_layers(environment: Mapping[str, str]) -> Iterator[Layer]:
    """Yield what each variable sets; two underscores stand between a table and its setting."""
    for name, text in environment.items():
        parts = _parts(name)
        kind = field_at(parts) if parts else None
        if kind is None or not text.strip():
            continue
        value: Any = text.strip()
        with suppress(ValidationError):  # it stays a text, and is refused as one where all settings are looked at
            value = TypeAdapter(kind).validate_strings(value)
        yield Layer(name, _spelled_out(_nested(parts, value)))


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the names that look like settings and are none."""
    return sorted(name for name in environment if (parts := _parts(name)) and field_at(parts) is None)


def flag_layers(flags: Mapping[str, object]) -> Iterator[Layer]:
    """Yield what each flag sets that was given; its name may lead into a table, as ``policy.name``."""
    for name, value in flags.items():
        if value is not None:
            yield Layer(f"--{name}", _spelled_out(_nested(tuple(name.split(".")), value)))


def confined(project: Layer, user: Layer, own: Settings) -> tuple[Layer, list[str]]:
    """Return what a project's file sets where it may, and which of its settings were passed over.

    It may only make privacy stricter: whoever opens somebody's repository has not allowed it to open his texts.
    """
    if foreign := [key for key in project.values if key not in PROJECT_MAY]:
        raise ConfigError(
            f"{project.origin}: a project may not set {foreign[0]}: found it in a file that comes with a folder, "
            "wanted it only where you alone write; set it in your own config, by a variable or by a flag"
        )
    values, over = dict(project.values), []
    if own.mode == "only_on_device" and values.get("mode", own.mode) != own.mode:
        over.append(f"mode = {values.pop('mode')!r}")
    if own.offline and values.pop("offline", True) is False:
        over.append("offline = false")
    if "privacy" in values:
        values["privacy"], looser = _stricter(values["privacy"], user.values.get("privacy", {}), own)
        over += looser
    return replace(project, values=values), over


def _stricter(project: Values, user: Values, own: Settings) -> tuple[Values, list[str]]:
    values, over = dict(project), []
    if PRIVACY.index(values.get("default", "never")) < PRIVACY.index(own.privacy.default):
        over.append(f"privacy.default = {values.pop('default')!r}")
    kinds = {**values.pop("kinds", {})}
    for kind in [*kinds]:
        if PRIVACY.index(kinds[kind]) < PRIVACY.index(own.privacy.kinds.get(kind, own.privacy.default)):
            over.append(f"privacy.kinds.{kind} = {kinds.pop(kind)!r}")
    if own.privacy.region and values.pop("region", own.privacy.region) != own.privacy.region:
        over.append("privacy.region")
    if kinds:
        values["kinds"] = kinds
    if "patterns" in values:
        values["patterns"] = [*user.get("patterns", []), *values["patterns"]]
    return values, over


def _spelled_out(values: Values) -> Values:
    """Return them with ``privacy = "never"`` as the table that it is short for."""
    short = values.get("privacy")
    return {**values, "privacy": {"default": short}} if isinstance(short, str) else values


def _parts(name: str) -> tuple[str, ...]:
    """Return the keys that a variable's name stands for; () where it sets nothing."""
    rest = name.removeprefix(PREFIX)
    if rest == name or rest in NO_SETTINGS:
        return ()
    return tuple(rest.lower().split("__"))


def _nested(parts: tuple[str, ...], value: object) -> Values:
    for part in reversed(parts):
        value = {part: value}
    return value if isinstance(value, dict) else {}
