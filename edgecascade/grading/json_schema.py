"""Valid JSON that follows a schema (JSON Schema, a part of it) and holds the wanted values."""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from edgecascade.errors import QuestionFileError
from edgecascade.grading.quantities import near
from edgecascade.grading.text import LONGEST, UNPARSED, compiled_pattern
from edgecascade.labelled import Grade, LabelledQuestion

_KEYWORDS = {"type", "properties", "required", "items", "enum", "const", "additionalProperties", "minimum", "maximum",
             "minItems", "maxItems", "pattern", "minLength", "maxLength", "anyOf", "oneOf", "allOf"}  # fmt: skip
_NOTES = frozenset({"title", "description", "default", "examples", "$schema", "$id", "$comment"})
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
}


def json_schema(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by JSON in the answer that follows ``schema`` and, where ``equals`` is given, holds its values."""
    schema = question.grading.get("schema")
    check_schema(schema)
    found = json_of(answer)
    if found is None:
        return UNPARSED
    try:
        right = _follows(found[0], schema)
        if right and "equals" in question.grading:
            right = same_json(found[0], question.grading["equals"])
    except (RecursionError, OverflowError):  # deeper or larger than anything that was asked for
        return Grade(0.0)
    return Grade(float(right))


def check_schema(schema: object, place: str = "schema") -> None:
    """Raise QuestionFileError where the JSON schema uses a keyword that is not understood here, or misuses one."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise QuestionFileError(f"{place} is {schema!r}: wanted a JSON schema, an object")
    for keyword, given in schema.items():
        here = f"{place}.{keyword}"
        if keyword not in _KEYWORDS | _NOTES:
            raise QuestionFileError(f"{here} is not understood: wanted one of {', '.join(sorted(_KEYWORDS))}")
        if keyword == "type":
            names = given if isinstance(given, list) else [given]
            if not names or any(not isinstance(name, str) or name not in _TYPES for name in names):
                raise QuestionFileError(f"{here} is {given!r}: wanted one of {', '.join(_TYPES)}")
        elif keyword == "properties":
            if not isinstance(given, Mapping):
                raise QuestionFileError(f"{here} is {given!r}: wanted an object of schemas")
            for name, below in given.items():
                check_schema(below, f"{here}.{name}")
        elif keyword in ("items", "additionalProperties"):
            check_schema(given, here)
        elif keyword in ("anyOf", "oneOf", "allOf"):
            if not isinstance(given, list) or not given:
                raise QuestionFileError(f"{here} is {given!r}: wanted a list of schemas")
            for index, below in enumerate(given):
                check_schema(below, f"{here}[{index}]")
        elif keyword == "pattern":
            compiled_pattern(given)
        elif keyword in ("required", "enum"):
            if not isinstance(given, list) or (keyword == "required" and any(not isinstance(x, str) for x in given)):
                raise QuestionFileError(f"{here} is {given!r}: wanted a list")
        elif keyword.startswith(("min", "max")) and not _TYPES["number"](given):
            raise QuestionFileError(f"{here} is {given!r}: wanted a number")


def _follows(value: Any, schema: Any) -> bool:
    """Return whether the value follows the schema (JSON Schema, the keywords of ``check_schema``)."""
    if isinstance(schema, bool):
        return schema
    names = schema.get("type")
    if names is not None and not any(_TYPES[name](value) for name in ([names] if isinstance(names, str) else names)):
        return False
    if "const" in schema and not _identical(value, schema["const"]):
        return False
    if "enum" in schema and not any(_identical(value, one) for one in schema["enum"]):
        return False
    if not all(_follows(value, below) for below in schema.get("allOf", ())):
        return False
    if "anyOf" in schema and not any(_follows(value, below) for below in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(_follows(value, below) for below in schema["oneOf"]) != 1:
        return False
    least, most = -math.inf, math.inf
    if _TYPES["number"](value):
        return bool(schema.get("minimum", least) <= value <= schema.get("maximum", most))
    if isinstance(value, str):
        fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", most)
        return fits and ("pattern" not in schema or re.search(schema["pattern"], value[:LONGEST]) is not None)
    if isinstance(value, list):
        fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", most)
        return fits and all(_follows(item, schema.get("items", True)) for item in value)
    if isinstance(value, dict):
        known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        return all(name in value for name in schema.get("required", ())) and all(
            _follows(item, known.get(name, rest)) for name, item in value.items()
        )
    return True


def json_of(answer: str) -> tuple[Any] | None:
    """Return the JSON value in the answer, in a tuple of one: all of it, a fenced block, or the first that is whole."""
    text = answer.rpartition("</think>")[2].strip()
    for part in (text, *re.findall(r"```(?:json|JSON)?\s*\n?(.*?)```", text, re.DOTALL)):
        try:
            return (json.loads(part),)
        except (ValueError, RecursionError):
            continue
    decoder = json.JSONDecoder()
    for start in [match.start() for match in re.finditer(r"[{\[]", text)][:50]:
        try:
            return (decoder.raw_decode(text, start)[0],)
        except (ValueError, RecursionError):
            continue
    return None


def _identical(a: Any, b: Any) -> bool:
    """Return whether two JSON values are equal; true is not 1, 1.0 is 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_identical(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_identical, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def same_json(found: Any, wanted: Any) -> bool:
    """Return whether the wanted values are there: of objects the named ones, text apart from case, numbers nearly."""
    if isinstance(wanted, Mapping):
        return isinstance(found, dict) and all(
            name in found and same_json(found[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(same_json, found, wanted))
    if isinstance(wanted, str):
        return isinstance(found, str) and found.strip().casefold() == wanted.strip().casefold()
    if _TYPES["number"](wanted) and _TYPES["number"](found):
        return bool(found == wanted) or (abs(found) < 1e300 and near(float(found), float(wanted)))
    return _identical(found, wanted)
