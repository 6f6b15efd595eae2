"""What is said of a profile's file that breaks the form: which key, what was found, what was wanted, and was meant."""

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from edgecascade.store.profile_form import keys_at

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_UNITS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("ms", "s", "sec", "second", "seconds", "us", "ns", "min", "minutes"), ("tps", "_s", "seconds")),
    **dict.fromkeys(("ts", "tok", "toks", "tokens", "tps", "speed"), ("tps",)),
    **dict.fromkeys(("w", "watt", "watts", "mw", "kw", "milliwatts", "power"), ("watts",)),
    **dict.fromkeys(("gb", "mb", "kb", "mib", "kib", "gib", "bytes", "ram"), ("gib", "bytes")),
    **dict.fromkeys(("c", "f", "k", "fahrenheit", "kelvin", "degrees", "temperature"), ("celsius",)),
    **dict.fromkeys(("cent", "cents", "eur", "dollar", "dollars"), ("usd",)),
}
"""How a key may end that somebody wrote in another unit, and how the key ends that was meant."""

_WANTED = {
    "model_type": "a table of keys",
    "dict_type": "a table of keys",
    "tuple_type": "a list",
    "string_too_short": "some text",
    "string_pattern_mismatch": "small letters, digits, '.', '_' and '-'",
}
"""What is said instead of pydantic's own words, by its type of fault."""


def fault_of(error: ValidationError) -> str:
    """Return key, found and wanted of the first fault."""
    # what is missing comes last: a key that is misspelled explains it
    fault: ErrorDetails = min(error.errors(), key=lambda one: one["type"] == "missing")
    loc = fault["loc"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
    if fault["type"] == "extra_forbidden":
        return f"{key}: found an unknown key, wanted {' or '.join(_meant(str(loc[-1]), keys_at(loc)))}"
    if fault["type"] == "missing":
        return f"{key}: found nothing, wanted it to be set"
    if fault["type"] == "value_error":
        return f"{key}: {fault['msg'].removeprefix('Value error, ')}"
    wanted = _WANTED.get(fault["type"]) or fault["msg"].removeprefix("Input should be ")
    return f"{key}: found {fault['input']!r:.100}, wanted {wanted}"


def _meant(name: str, known: list[str]) -> list[str]:
    """Return the keys that were probably meant, those in the right unit first; every known one where none is near.

    >>> _meant("decode_ms", ["prefill_tps", "decode_tps"]), _meant("mw", ["meter", "idle_watts", "decode_watts"])
    (['decode_tps'], ['idle_watts', 'decode_watts'])
    """
    stem, _, unit = name.lower().rpartition("_")
    ends = _UNITS.get(unit, ())
    return (
        [key for key in known if key.startswith(stem) and key.endswith(ends)]
        or difflib.get_close_matches(name, known, 1)
        or known
    )
