"""Question files: what is asked, what is right, and how it is graded.

Our own form is one JSON object a line (see ``edgecascade.labelled``); published forms are read by ``importers``. A row
that could not be graded is refused here, with its line, and not later when a model has already been asked.
"""

import hashlib
import itertools
import json
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from edgecascade.errors import QuestionError, QuestionFileError
from edgecascade.grading import UNGRADED, check
from edgecascade.labelled import LabelledQuestion
from edgecascade.records import Message
from edgecascade.store.importers import FORMS, Rows, json_lines, made_id, recognised, renamed, table_rows

RECORDED = ("costs", "seconds", "lengths", "answers", "estimates", "prompt_tokens")
"""What a table of results holds beside ``scores`` (see ``tables``); nothing is asked or graded by it."""
PACKED = ("messages", "choices", "grading", "scores")
"""What is a list or an object: in a cell of a table, as JSON."""

_One = StrictBool | StrictInt | StrictFloat | StrictStr


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Turn(_Strict):
    role: str
    content: str


class _Choices(_Strict):
    """Choices with labels of their own."""

    text: list[str]
    label: list[str] = []
    labels: list[str] = []


class _Row(_Strict):
    """One line of a question file."""

    id: StrictInt | StrictStr | None = None
    task: str = Field(min_length=1)
    question: str | None = None
    messages: list[_Turn] | None = None
    choices: list[str] | _Choices | None = None
    gold: _One | list[_One] | None = None
    metric: str
    grading: dict[str, Any] | None = None
    scores: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """What a question file holds.

    questions  those that can be graded, in the file's order, each once
    left_out   how many were left out, by metric (``grading.UNGRADED`` says why)
    sha256     of the file; of a folder: of its files' sha256, in order of their names
    repeated   rows that ask what an earlier one asks, with the same right answer; only the first is kept, since copies
               on both sides of a split would be neither new questions nor independent ones
    """

    questions: tuple[LabelledQuestion, ...]
    left_out: Mapping[str, int]
    sha256: str
    repeated: int = 0


def read_questions(
    path: str | Path, *, columns: Mapping[str, str] | None = None, form: str | None = None
) -> QuestionFile:
    """Return the questions of a file, or of every ``*.jsonl`` in a folder.

    columns  our name -> the file's, for a table or JSON lines with names of their own; choices may be "c1|c2|c3"
    form     a name of ``importers.FORMS``; None recognises it by the content

    Raises QuestionFileError, with file and line, where a row breaks the rules.
    """
    path = Path(path)
    if form is not None and form not in FORMS:
        raise QuestionFileError(f"form {form!r} is unknown: wanted one of {', '.join(FORMS)}")
    paths = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    kept = _Kept()
    left_out: Counter[str] = Counter()
    digests = []
    for file in paths:
        read = bytes_of(file)
        digests.append(hashlib.sha256(read).hexdigest())
        for line, row in rows_of(text_of(read, file), file, columns, form):
            place = f"{file}:{line}"
            question = _question(row, place)
            if question.metric in UNGRADED:
                left_out[question.metric] += 1
            else:
                kept.add(question, place, id_is_made=row.get("id") in (None, ""))
    if not kept.by_id and not left_out:
        raise QuestionFileError(f"{path}: found no question, wanted at least one; a folder is read as its *.jsonl")
    whole = hashlib.sha256("\n".join(digests).encode()).hexdigest() if path.is_dir() else digests[0]
    questions = tuple(question for question, _ in kept.by_id.values())
    return QuestionFile(questions, MappingProxyType(dict(left_out)), whole, kept.repeated)


def bytes_of(path: Path) -> bytes:
    """Return what a file holds; QuestionFileError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise QuestionFileError(f"{path} cannot be read: {error.strerror}; name a question file or a folder") from error


def text_of(read: bytes, path: Path) -> str:
    """Return bytes as text; QuestionFileError, with the line, where they are not UTF-8."""
    try:
        return read.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = read.count(b"\n", 0, error.start) + 1
        raise QuestionFileError(
            f"{path}:{line}: found byte {read[error.start]:#04x}, wanted UTF-8; save the file as UTF-8"
        ) from error


def rows_of(text: str, path: Path, columns: Mapping[str, str] | None, form: str | None) -> Rows:
    """Yield the file's rows in our own form."""
    name = str(path)
    if not text.strip():
        return
    if columns is None:
        form = form or recognised(text, name)
        rows = FORMS[form](text, name)
    else:
        is_table = form == "csv" or (form is None and (path.suffix == ".csv" or text.lstrip()[0] != "{"))
        rows = renamed(table_rows(text, name) if is_table else json_lines(text, name), columns, name)
    named = columns is not None or form == "csv"
    for line, row in rows:
        yield (
            line,
            {"task": path.stem, "metric": "choice" if row.get("choices") else "normalised"} | row if named else row,
        )


def _question(row: Mapping[str, Any], place: str) -> LabelledQuestion:
    """Return the question of one row, which can be graded."""
    question = question_of(row, place)
    try:
        check(question)
    except QuestionFileError as error:
        raise QuestionFileError(f"{place}: {error}") from error
    return question


def question_of(row: Mapping[str, Any], place: str) -> LabelledQuestion:
    """Return the question of one row as it was written, whether or not it can be graded."""
    try:
        own = {name: unpacked(name, value, place) for name, value in row.items() if name not in RECORDED}
        read = _Row.model_validate(own)
        messages = _messages(read)
    except ValidationError as error:
        raise QuestionFileError(refused(error, place)) from error
    except QuestionError as error:
        raise QuestionFileError(f"{place}: {error}") from error
    if not messages or not messages[-1].content.strip():
        raise QuestionFileError(
            f"{place}: found no question, wanted 'question' or 'messages' with text; remove the row"
        )
    gold = tuple(map(_written, read.gold if isinstance(read.gold, list) else [] if read.gold is None else [read.gold]))
    texts, labels = _choices(read, place)
    if read.metric in ("choice", "em_mc"):
        gold = tuple(_letter(text, texts, labels) for text in gold)
    made = made_id(read.task, messages[-1].content, "\0".join(gold))
    return LabelledQuestion(
        id=made if read.id in (None, "") else str(read.id),
        task=read.task,
        messages=messages,
        metric=read.metric,
        gold=gold,
        choices=texts,
        grading=MappingProxyType(read.grading or {}),
        scores=MappingProxyType(read.scores or {}),
    )


def refused(error: ValidationError, place: str) -> str:
    """Return the first thing that pydantic found wrong in a row."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    wanted = first["msg"].removeprefix("Input should be ").lower()
    return f"{place}: {where!r}: found {str(first['input'])[:60]!r}, wanted {wanted}"


def unpacked(name: str, value: Any, place: str) -> Any:
    """Return the value, read from JSON where a table's cell had to hold a list or an object."""
    if name in (*PACKED, *RECORDED) and isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise QuestionFileError(f"{place}: {name!r}: found {value[:60]!r}, wanted JSON: {error}") from error
    return value


def _messages(row: _Row) -> tuple[Message, ...]:
    if row.messages is not None and row.question is not None:
        raise QuestionError("found both 'question' and 'messages', wanted one; remove 'question'")
    if row.messages is not None:
        return tuple(Message(turn.role, turn.content) for turn in row.messages)  # type: ignore[arg-type]
    return (Message("user", row.question or ""),)


def _written(gold: bool | int | float | str) -> str:
    """Return a right answer as text: yes and no for true and false.

    >>> _written(True), _written(5), _written(2.50), _written("x")
    ('yes', '5', '2.5', 'x')
    """
    return ("no", "yes")[gold] if isinstance(gold, bool) else str(gold)


def _choices(row: _Row, place: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the choices' texts and their own labels ([] for A, B, C ...)."""
    if not isinstance(row.choices, _Choices):
        return tuple(row.choices or ()), []
    labels = row.choices.label or row.choices.labels
    if labels and (len(labels) != len(row.choices.text) or len(set(labels)) != len(labels)):
        raise QuestionFileError(
            f"{place}: 'choices': found labels {labels} for {len(row.choices.text)} texts, wanted one of its own each"
        )
    return tuple(row.choices.text), labels


def _letter(gold: str, texts: Sequence[str], labels: Sequence[str]) -> str:
    """Return the letter of the choice that a label, a letter or a choice's text names; the gold itself for none.

    >>> _letter("2", ["x", "y"], ["1", "2"]), _letter("b", ["x", "y"], []), _letter("y", ["x", "y"], [])
    ('B', 'B', 'B')
    """
    if gold in labels[:26]:
        return string.ascii_uppercase[labels.index(gold)]
    if gold in texts[:26] and texts.count(gold) == 1 and not re.fullmatch("[A-Z]", gold):
        return string.ascii_uppercase[texts.index(gold)]
    letter = gold.strip().upper()
    return letter if re.fullmatch("[A-Z]", letter) else gold


class _Kept:
    """The questions that were read, each once, under an id of its own."""

    def __init__(self) -> None:
        self.by_id: dict[str, tuple[LabelledQuestion, str]] = {}
        self.repeated = 0
        self._by_content: dict[tuple[object, ...], tuple[LabelledQuestion, str]] = {}

    def add(self, question: LabelledQuestion, place: str, *, id_is_made: bool) -> None:
        """Keep the question, or count it where an earlier one asks the same; raise QuestionFileError for a conflict."""
        content = (question.task, question.messages, question.choices)
        if content in self._by_content:
            _check_copy(question, place, *self._by_content[content])
            self.repeated += 1
            return
        question = named_apart(question, self.by_id, place, id_is_made=id_is_made)
        self.by_id[question.id] = self._by_content[content] = question, place


def _check_copy(question: LabelledQuestion, place: str, first: LabelledQuestion, where: str) -> None:
    """Raise QuestionFileError where one question has two right answers, or two ways of grading."""
    for name in ("gold", "metric", "grading"):
        here, there = getattr(question, name), getattr(first, name)
        if here != there:
            raise QuestionFileError(
                f"{place}: {name!r}: found {str(here)[:60]} for the question of {where}, wanted {str(there)[:60]} as "
                "there; correct or remove one"
            )


def named_apart(
    question: LabelledQuestion, by_id: Mapping[str, tuple[LabelledQuestion, str]], place: str, *, id_is_made: bool
) -> LabelledQuestion:
    """Return the question under an id of its own; QuestionFileError where the file gives its id to another one."""
    if question.id not in by_id:
        return question
    first, where = by_id[question.id]
    if not id_is_made and not _named_by_text(first, question):
        raise QuestionFileError(
            f"{place}: id {question.id!r}: found for another question at {where}, wanted one id a question; rename one"
        )
    names = (f"{question.id}-{number}" for number in itertools.count(2))
    return replace(question, id=next(name for name in names if name not in by_id))


def _named_by_text(first: LabelledQuestion, question: LabelledQuestion) -> bool:
    """Return whether two questions share their task and text, and offer other choices.

    Published tables make an id of the text alone, so that "Which of the following is true?" has one id for many.
    """
    same = (first.task, first.messages, first.metric) == (question.task, question.messages, question.metric)
    return same and bool(first.choices and question.choices) and set(first.choices) != set(question.choices)
