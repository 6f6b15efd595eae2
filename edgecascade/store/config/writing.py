"""The user's config, changed: comments and whatever is not meant stay as they are."""

from collections.abc import Mapping
from pathlib import Path

from edgecascade.store.config.layers import file_layer
from edgecascade.store.files import write_whole

_HEAD = "What each setting means: docs/config.md. Keys do not belong here: environment or keyring."


def write_settings(path: Path, wanted: Mapping[str, object]) -> None:
    """Set the dotted keys in the file, whole; None takes a setting out. A file that is no TOML is refused."""
    import tomlkit

    text = file_layer(path).text
    document = tomlkit.parse(text) if text else tomlkit.document()
    if not text:
        document.add(tomlkit.comment(_HEAD))
        document.add("schema_version", tomlkit.item(1))
    for key, value in wanted.items():
        *tables, name = key.split(".")
        table: tomlkit.TOMLDocument | tomlkit.items.Table = document
        for part in tables:
            if not isinstance(table.get(part), Mapping):  # privacy = "never" is short for a table
                table[part] = tomlkit.table()
            table = table[part]
        if value is None:
            table.pop(name, None)
        else:
            table[name] = value
    write_whole(path.resolve(), tomlkit.dumps(document))  # a link stays one
