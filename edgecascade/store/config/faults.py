"""What is wrong with a layer of settings, in words that lead to the line; a key is never repeated."""

import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from edgecascade.store.config.layers import Layer
from edgecascade.store.config.settings import Settings, names_at

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Keys = tuple[str, ...]

_KEY_NAME = re.compile(r"(?i)(^|[_-])(api_?-?key|key|secret|token|password|authorization)$")
_KEY = re.compile(
    r"\bsk-[\w-]{16,}|\b(gsk_|hf_|ghp_|xai-)[A-Za-z0-9]{20,}|\bAIza[\w-]{20,}|(?i:\bbearer\s+\S{8,})|"
    r"://[^/\s]*@|(?i:[?&](api_?)?(key|token)=)"
)
_KEYS_APART = ("privacy", "kinds")
"""There ``key`` and ``secret`` are kinds of findings."""

_WANTED = {
    "literal_error": "{expected}",
    "string_type": "a text in quotes",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "two capital letters, such as 'DE'",
    "path_type": "a path in quotes",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "tuple_type": "a list",
    "mapping_type": "a table",
    "date_type": "a day",
    "date_from_datetime_parsing": "a day",
}
"""What is wanted, by pydantic's name of the fault, which has been there since its version 2.0."""
_MISSING = ("missing", "missing_argument")
_TABLES = ("model_type", "model_attributes_type", "dataclass_type", "dict_type")


def faults(layer: Layer) -> list[str]:
    """Return everything that is wrong with the layer: one sentence each, with place, found, wanted and what to do."""
    if secrets := [_of_secret(layer, parts) for parts in _secrets(layer.values)]:
        return secrets
    try:
        Settings.model_validate(layer.values)
    except ValidationError as error:
        wrong = [(_keys_of(fault["loc"]), fault) for fault in error.errors()]
        # what is missing comes last: a name that is misspelled explains it
        wrong.sort(key=lambda pair: (pair[1]["type"] in _MISSING, _line(layer.text, pair[0]) or 0))
        return [_of_setting(layer, parts, fault) for parts, fault in wrong]
    return []


def looks_like_key(text: str) -> bool:
    """Return whether the text holds what looks like a key.

    >>> looks_like_key("sk-proj-abcdefgh12345678"), looks_like_key("openai:gpt-4o-mini")
    (True, False)
    """
    return bool(_KEY.search(text))


def _keys_of(loc: tuple[int | str, ...]) -> Keys:
    return tuple(part for part in loc if isinstance(part, str))


def _of_setting(layer: Layer, parts: Keys, fault: "ErrorDetails") -> str:
    place, name = _place(layer, parts), ".".join(parts)
    if parts == ("policy", "name") and fault["input"] == "margin":
        return (
            f"{place}{name}: found 'margin', which is no policy of its own any more, wanted 'threshold'; remove it: "
            "policy.value_usd alone weighs dollars against being right"
        )
    if fault["type"] in _MISSING:
        return f"{place}{name}: found nothing, wanted it to be set; set it"
    if fault["type"] not in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{place}{name}: found {fault['input']!r:.100}, wanted {_wanted(parts, fault)}; mend it"
    known = names_at(parts[:-1])
    near = difflib.get_close_matches(parts[-1], known, 1)
    hint = f"wanted {near[0]!r}" if near else f"wanted one of {', '.join(known)}"
    return f"{place}unknown setting {name!r}: {hint}; mend or remove it"


def _wanted(parts: Keys, fault: "ErrorDetails") -> str:
    if fault["type"] in _TABLES:
        return f"a table of {', '.join(names_at(parts)) or 'settings'}"
    return _WANTED[fault["type"]].format(**fault.get("ctx", {})) if fault["type"] in _WANTED else fault["msg"]


def _of_secret(layer: Layer, parts: Keys) -> str:
    return (
        f"{_place(layer, parts)}keys do not belong in config: found what looks like one, wanted none; remove it, and "
        "set OPENAI_API_KEY (or the like), or let `edgecascade config init` put it into the system's keyring"
    )


def _secrets(values: object, parts: Keys = ()) -> Iterator[Keys]:
    """Yield where a key stands: the place alone."""
    if isinstance(values, dict):
        for name, value in values.items():
            here = (*parts, str(name))
            named = parts != _KEYS_APART and _KEY_NAME.search(str(name)) and not isinstance(value, dict)
            if named or looks_like_key(str(name)):
                yield here
            else:
                yield from _secrets(value, here)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _secrets(value, parts)
    elif isinstance(values, str) and looks_like_key(values):
        yield parts


def _place(layer: Layer, parts: Keys) -> str:
    """Return what leads to a setting; a flag is told by the setting's name, which whoever calls from Python gave."""
    if layer.origin.startswith("--"):
        return ""
    line = _line(layer.text, parts)
    return f"{layer.origin}, line {line}: " if line else f"{layer.origin}: "


def _line(text: str, parts: Keys) -> int | None:
    """Return the line that sets these keys, or the nearest table around them."""
    best, deepest = None, 0
    table: Keys = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+([^\]]+)\]", line)
        setting = re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=""", line)
        if header:
            here = table = _keys(header[1])
        elif setting:
            here = (*table, *_keys(setting[1]))
        else:
            continue
        if len(here) > deepest and here == parts[: len(here)]:
            best, deepest = number, len(here)
    return best


def _keys(dotted: str) -> Keys:
    """Return the keys of a dotted name in TOML.

    >>> _keys('prices."openai:gpt-4.1"')
    ('prices', 'openai:gpt-4.1')
    """
    return tuple(part.strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", dotted))
