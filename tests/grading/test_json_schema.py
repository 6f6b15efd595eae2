"""JSON in an answer follows its schema."""

from typing import Any

import pytest

from edgecascade.errors import QuestionFileError
from edgecascade.grading import check_schema, grade
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Message

RIGHT, WRONG, NOTHING = Grade(1.0), Grade(0.0), Grade(0.0, parsed=False)


def ask(metric: str, *gold: str, **grading: Any) -> LabelledQuestion:
    """Return a question with this metric."""
    return LabelledQuestion(
        id="1", task="t", messages=(Message("user", "?"),), metric=metric, gold=gold, grading=grading
    )


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b", 1]}, "minItems": 1, "maxItems": 2},
        "kind": {"anyOf": [{"const": True}, {"type": "null"}]},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}

JSON = [
    ('{"name": "Ada", "age": 36}', RIGHT),
    ('```json\n{"name": "Ada", "age": 36}\n```', RIGHT),
    ('Here it is: {"name": "Ada", "age": 36}. Enjoy!', RIGHT),
    ('{"name": "Ada", "age": 36.0, "tags": ["a", 1], "kind": null}', RIGHT),
    ('{"name": "Ada"}', WRONG),
    ('{"name": "ada", "age": 36}', WRONG),
    ('{"name": "Ada", "age": true}', WRONG),
    ('{"name": "Ada", "age": 151}', WRONG),
    ('{"name": "Ada", "age": 36, "more": 1}', WRONG),
    ('{"name": "Ada", "age": 36, "tags": []}', WRONG),
    ('{"name": "Ada", "age": 36, "tags": [true]}', WRONG),
    ('{"name": "Ada", "age": 36, "kind": 1}', WRONG),
    ('{"name": "Ada", "age": 37}', WRONG),
    ("[]", WRONG),
    ('{"name": "Ada", "age": ', NOTHING),
    ("{name: Ada}", NOTHING),
    ("I cannot answer", NOTHING),
    ("[" * 100_000, NOTHING),
    ("", NOTHING),
]


@pytest.mark.parametrize(("answer", "wanted"), JSON)
def test_json_follows_its_schema(answer: str, wanted: Grade) -> None:
    """Fenced, bare or within text, it must follow the schema and hold the wanted values."""
    assert grade(answer, ask("json_schema", schema=SCHEMA, equals={"age": 36})) == wanted


def test_schemas_combine() -> None:
    """With allOf it is and, anyOf is or, oneOf is exactly one, false allows nothing."""
    small, even = {"maximum": 5}, {"enum": [2, 4, 6]}

    for value in range(8):
        a, b = value <= 5, value in (2, 4, 6)
        found = [
            grade(str(value), ask("json_schema", schema={kind: [small, even]})).correct
            for kind in ("allOf", "anyOf", "oneOf")
        ]
        assert found == [a and b, a or b, a != b]
    assert not grade("[1]", ask("json_schema", schema={"items": False})).correct


@pytest.mark.parametrize(
    "schema",
    [None, [], {"format": "date"}, {"type": "text"}, {"properties": {"a": {"$ref": "#"}}}, {"pattern": "("},
     {"anyOf": []}, {"required": "a"}, {"minimum": "1"}, {"items": {"oneOf": [{"nope": 1}]}}],
)  # fmt: skip
def test_a_schema_that_is_not_understood_is_refused(schema: object) -> None:
    """Rather than ignored, however deep the unknown keyword stands."""
    with pytest.raises(QuestionFileError, match="wanted"):
        check_schema(schema)
