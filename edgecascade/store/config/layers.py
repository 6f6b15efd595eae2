"""Where settings come from: two files, the environment, flags; each is one layer of nested values."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter, not_
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgecascade.errors import ConfigError
from edgecascade.records import PRIVACY, Mode
from edgecascade.store.config.settings import Settings, field_at
from edgecascade.store.paths import Folders
from edgecascade.store.specs import is_server

PREFIX = "EDGECASCADE_"
NO_SETTINGS = {"HOME", "LOG", "LOAD_PLUGINS", "LLAMA_BENCH"}
"""Variables of ours that set nothing here."""

GUARDS = ("PRIVACY", "PRIVACY__DEFAULT", "MODE", "OFFLINE", "BUDGET", "CLOUD")
"""Variables that keep texts and money: a slip in one of these names must not pass in silence."""

PROJECT_FILE = "edgecascade.toml"
PROJECT_MAY = {
    "schema_version", "model", "epsilon", "mode", "privacy", "stream", "policy", "deadline", "timeouts", "offline",
}  # fmt: skip
"""What a project's file may set. It came with somebody's repository: it may not choose who gets the user's texts, what
is kept of them, what may be spent, or what is promised."""

NOT_OF_POLICY = (
    "name", "value_usd", "usd_per_second", "usd_per_joule", "usd_per_megabyte", "seconds", "usd", "cloud_quality",
)  # fmt: skip
"""What an answer is worth, and so what is spent on it. ``watts`` are kept from it likewise: they price a try."""

_INWARD: tuple[Mode, ...] = ("only_on_device", "prefer_on_device", "prefer_in_cloud", "only_in_cloud")
_LAXITY: dict[str, Callable[[Any], float]] = {
    "mode": _INWARD.index,
    "offline": not_,
    "epsilon": lambda epsilon: epsilon or 0.0,  # without the user's own nobody knows here what a fitted file promises
    "policy.hedge_below": lambda band: band or 0.0,
    "policy.samples": float,
}
"""How loose a value is, of settings that a project may only make stricter."""

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
        text = path.read_text(encoding="utf-8-sig")  # some editors put a mark before the first line
        values = tomllib.loads(text)
    except FileNotFoundError:
        return Layer(str(path), {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} cannot be read: {error}; {_advice(text)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; wanted a config in TOML; mend it") from error
    if isinstance(fitted := values.get("fitted"), str):
        values["fitted"] = str(path.parent / Path(fitted).expanduser())
    for name in ("model", "profile"):
        if isinstance(spec := values.get(name), str) and spec.startswith(("./", "../", "~/")):
            values[name] = os.path.normpath(path.parent / Path(spec).expanduser())
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


def refuse_near_misses(environment: Mapping[str, str]) -> None:
    """Raise ConfigError for a variable that is all but one of those that keep texts and money."""
    for name in unknown_variables(environment):
        if environment[name].strip() and (near := near_miss(name)):
            raise ConfigError(
                f"{name} sets nothing: found a name that is no setting's, wanted {near}; mend or unset it"
            )


def near_miss(name: str) -> str | None:
    """Return which guarding variable an unknown one was meant to be, None where it is not near one.

    >>> near_miss(PREFIX + "PRIVCY") == PREFIX + "PRIVACY", near_miss(PREFIX + "MODELS")
    (True, None)
    """
    rest = name.removeprefix(PREFIX)
    known = {*GUARDS, *(key.upper() for key in Settings.model_fields)}
    nearest = min(_edits(rest, other) for other in known)
    guard = min(GUARDS, key=lambda other: _edits(rest, other))
    if rest.startswith("PRIVACY") or _edits(rest, guard) == nearest <= 2:
        return PREFIX + guard
    return None


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

    It may only make stricter what keeps texts: whoever opens somebody's repository has not allowed it to open his.
    """
    for foreign in _foreign(project.values):
        raise ConfigError(
            f"{project.origin}: a project may not set {foreign}: found it in a file that comes with a folder, "
            "wanted it only where you alone write; set it in your own config, by a variable or by a flag"
        )
    values, over = _no_looser(project.values, own)
    if "privacy" in values:
        values["privacy"], looser = _stricter(values["privacy"], user.values.get("privacy", {}), own)
        over += looser
    return replace(project, values=values), over


def _foreign(values: Values) -> Iterator[str]:
    yield from (key for key in values if key not in PROJECT_MAY)
    yield from (f"policy.{name}" for name in NOT_OF_POLICY if name in values.get("policy", {}))
    if is_server(values.get("model", "")):  # it would get every text, as if it were this device
        yield "model to a server's address"


def _no_looser(project: Values, own: Settings) -> tuple[Values, list[str]]:
    values = {key: {**value} if isinstance(value, dict) else value for key, value in project.items()}
    over = []
    for key, laxity in _LAXITY.items():
        *tables, name = key.split(".")
        table = values.get(tables[0], {}) if tables else values
        if name in table and laxity(table[name]) > laxity(attrgetter(key)(own)):
            over.append(f"{key} = {table.pop(name)!r}")
    return values, over


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


def _advice(text: str) -> str:
    """Return what to do about a text that is no TOML; a short word beside its table is the usual slip."""
    if re.search(r"(?m)^\s*privacy\s*=", text) and re.search(r"(?m)^\s*(\[+\s*)?privacy\s*\.", text):
        return "wanted privacy as one word or as a table, not both; write privacy.default instead of privacy"
    return "wanted a config in TOML; mend it"


def _edits(one: str, other: str) -> int:
    """Return how many letters must be put in, taken out or changed.

    >>> _edits("PRIVCY", "PRIVACY"), _edits("MOED", "MODE")
    (1, 2)
    """
    row: list[int] = [*range(len(other) + 1)]
    for at, letter in enumerate(one, 1):
        above, row = row, [at]
        for column, wanted in enumerate(other):
            row.append(min(above[column] + int(letter != wanted), above[column + 1] + 1, row[-1] + 1))
    return row[-1]


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
