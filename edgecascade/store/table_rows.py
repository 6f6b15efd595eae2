"""The rows of tables of results, read and checked: what each asks, and what it says of the models.

Of JSON lines, or of CSV with columns ``score:MODEL``, ``cost:MODEL``, ``seconds:MODEL``, ``length:MODEL``,
``answer:MODEL``, ``before:MODEL`` and ``after:MODEL``. The rules of ids are those of ``questions``; a copy is a copy
under another task too.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edgecascade.errors import QuestionFileError
from edgecascade.labelled import LabelledQuestion
from edgecascade.store.importers import Rows, json_lines, table_rows
from edgecascade.store.questions import RECORDED, bytes_of, named_apart, question_of, text_of, unpacked

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_SHARES, _AMOUNTS = "{model: a number from 0 to 1}", "{model: a number from 0 to 1e12}"
_WANTED = {
    **dict.fromkeys(("costs", "seconds", "lengths"), _AMOUNTS),
    "scores": _SHARES,
    "answers": "{model: a text, or a list of texts}",
    "estimates": f"{_SHARES}, or {{before, after}} of such",
    "prompt_tokens": "a number from 0 to 1e12",
}
"""What each part of a row is, in words."""
_ASKED = ("id", "task", "question", "choices", "messages", "gold", "metric", "grading")
_COLUMNS = {"score": "scores", "cost": "costs", "length": "lengths", "answer": "answers"} | {"seconds": "seconds"}


class Estimate(BaseModel):
    """What was thought of an answer before and after the model had run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: _Share | None = None
    after: _Share | None = None


def _before(found: object) -> object:
    """Return one number as what was thought before."""
    return found if found is None or isinstance(found, Mapping | Estimate) else {"before": found}


class Results(BaseModel):
    """What a row says of the models."""

    model_config = ConfigDict(frozen=True)

    scores: dict[str, _Share | None] = {}
    costs: dict[str, _Amount | None] = {}
    seconds: dict[str, _Amount | None] = {}
    lengths: dict[str, _Amount | None] = {}
    answers: dict[str, str | list[str] | None] = {}
    estimates: dict[str, Annotated[Estimate | None, BeforeValidator(_before)]] = {}
    prompt_tokens: _Amount | None = None

    def has_any(self) -> bool:
        """Whether any model has a score here."""
        return any(score is not None for score in self.scores.values())

    def has_all(self, models: Sequence[str]) -> bool:
        """Whether each of the models has a score here."""
        return all(self.scores.get(model) is not None for model in models)


Kept = tuple[LabelledQuestion, Results]
"""A row."""


class Reading:
    """The rows that were read so far, each question once."""

    def __init__(self, *, scored: bool = True) -> None:
        """``scored``: leave out a row without a score."""
        self.scored = scored
        self.by_id: dict[str, tuple[LabelledQuestion, str]] = {}
        self.rows: list[Kept] = []
        self.repeated = self.differing = self.unscored = 0
        self.ignored: set[str] = set()
        self._by_content: dict[tuple[object, ...], Results] = {}

    def add(self, file: Path) -> str:
        """Read a file; return its sha256."""
        read = bytes_of(file)
        for line, row in _rows(text_of(read, file), str(file)):
            place = f"{file}:{line}"
            self.ignored |= set(row) - {*_ASKED, *RECORDED, "scores"}
            results = _results_of(row, place)
            if self.scored and not results.has_any():
                self.unscored += 1
            else:
                self._keep(_question(row, file, place), results, place, id_is_made=row.get("id") in (None, ""))
        return hashlib.sha256(read).hexdigest()

    def _keep(self, question: LabelledQuestion, results: Results, place: str, *, id_is_made: bool) -> None:
        content = (question.messages, question.choices)  # whatever its task: it must not be on both sides of a split
        if (first := self._by_content.get(content)) is not None:
            self.repeated += 1
            self.differing += first.scores != results.scores
            return
        question = named_apart(question, self.by_id, place, id_is_made=id_is_made)
        self.by_id[question.id] = question, place
        self._by_content[content] = results
        self.rows.append((question, results))


def _rows(text: str, name: str) -> Rows:
    """Yield a file's rows in our own form: of JSON lines, or of a table with a header."""
    first = text.lstrip().split("\n", 1)[0].strip()
    if first[:1] in ("", "{", "["):
        yield from json_lines(text, name)
        return
    if "question" not in first and "messages" not in first:
        raise QuestionFileError(
            f"{name} is no table of results: found {first[:40]!r}, wanted a JSON object a line, or CSV with a column "
            "`question` in its header; name another file"
        )
    for line, cells in table_rows(text, name):
        yield line, _named(cells)


def _named(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return a line of a table as a row.

    >>> _named({"question": "2 + 2?", "score:small": "1", "after:small": "0.9"})
    {'question': '2 + 2?', 'scores': {'small': '1'}, 'estimates': {'small': {'after': '0.9'}}}
    """
    row: dict[str, Any] = {}
    for head, cell in cells.items():
        kind, colon, model = head.partition(":")
        if not cell.strip():
            continue
        if colon and kind in _COLUMNS:
            row.setdefault(_COLUMNS[kind], {})[model] = cell
        elif colon and kind in ("before", "after"):
            row.setdefault("estimates", {}).setdefault(model, {})[kind] = cell
        else:
            row[head] = cell
    return row


def _question(row: Mapping[str, Any], file: Path, place: str) -> LabelledQuestion:
    """Return what a row asks; it need not be gradable."""
    gold = row.get("gold")
    plain = {name: row[name] for name in _ASKED if name in row}
    if not isinstance(gold, str | int | float | list):
        plain["gold"] = None
    return question_of({"task": file.stem, "metric": "exact"} | plain, place)


def _results_of(row: Mapping[str, Any], place: str) -> Results:
    own = {name: unpacked(name, row[name], place) for name in ("scores", *RECORDED) if row.get(name) is not None}
    try:
        return Results.model_validate(own)
    except ValidationError as error:
        fault = error.errors()[0]
        name, *below = map(str, fault["loc"])
        found = f"{'.'.join([name, *below[:1]])!r}: found {str(fault['input'])[:60]!r}, wanted {_WANTED[name]}"
        raise QuestionFileError(f"{place}: {found}; mend or remove the row") from error
