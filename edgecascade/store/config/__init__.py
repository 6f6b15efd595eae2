"""The settings that hold, and where each comes from: defaults, the user's file, the project's, environment, flags.

Each source is looked at on its own first, so that what is wrong is told with its place; then later ones hide earlier.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecascade.errors import ConfigError
from edgecascade.store.config.faults import faults
from edgecascade.store.config.layers import (
    Layer,
    confined,
    environment_layers,
    file_layer,
    flag_layers,
    project_file,
    refuse_near_misses,
    user_file,
)
from edgecascade.store.config.settings import Settings
from edgecascade.store.paths import Folders

if TYPE_CHECKING:
    from edgecascade.privacy import Rules

__all__ = ["Config", "Settings", "config_of", "project_file", "rules_of", "user_file"]

DEFAULT = "default"
Leaf = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """The settings that hold; ``origin`` names the source of each by its dotted key; ``passed_over`` of the project."""

    settings: Settings
    origin: Mapping[str, str]
    passed_over: tuple[str, ...] = ()


def config_of(
    folders: Folders, cwd: Path, environment: Mapping[str, str], flags: Mapping[str, object] | None = None
) -> Config:
    """Return the settings that hold in this folder; raise ConfigError for the first that cannot be used.

    ``flags`` by dotted key, as ``{"mode": "only_on_device", "policy.hedge_below": 0.2}``; None is not given.
    """
    refuse_near_misses(environment)
    user = _sound(file_layer(user_file(folders)))
    layers = [user]
    over: list[str] = []
    if path := project_file(cwd, environment):
        project, over = confined(_sound(file_layer(path)), user, Settings.model_validate(user.values))
        layers.append(project)
    layers += map(_sound, [*environment_layers(environment), *flag_layers(flags or {})])
    values: dict[Leaf, Any] = {}
    origin: dict[Leaf, str] = dict.fromkeys((leaf for leaf, _ in _leaves(Settings().model_dump())), DEFAULT)
    for layer in layers:
        found = dict(_leaves(layer.values))
        values |= found
        origin |= dict.fromkeys(found, layer.origin)
    settings = Settings.model_validate(_tree(values))
    return Config(settings, {".".join(leaf): source for leaf, source in origin.items()}, tuple(over))


def rules_of(settings: Settings) -> "Rules":
    """Return the privacy rules that the settings describe; raise ConfigError for an unknown kind or a bad pattern."""
    from edgecascade.privacy import Pattern, Rules

    said = settings.privacy
    patterns = tuple(Pattern(pattern.name, pattern.regex) for pattern in said.patterns)
    return Rules(said.default, said.kinds, patterns, said.region)


def _sound(layer: Layer) -> Layer:
    if found := faults(layer):
        raise ConfigError(found[0])
    return layer


def _leaves(values: Mapping[str, Any], above: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """Yield every setting with its keys; a price is one setting, and so is a list."""
    for name, value in values.items():
        here = (*above, name)
        if isinstance(value, Mapping) and above != ("prices",):
            yield from _leaves(value, here)
        elif name != "schema_version":
            yield here, value


def _tree(values: Mapping[Leaf, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for leaf, value in values.items():
        table = tree
        for part in leaf[:-1]:
            table = table.setdefault(part, {})
        table[leaf[-1]] = value
    return tree
