"""Published question files, read as rows of our own form.

    gsm8k       jsonl   {"question", "answer": "... #### 6"}
    mmlu        csv     question, four choices, letter; no header         jsonl  {"question", "choices", "answer": 2}
    arc         jsonl   {"question": {"stem", "choices"}, "answerKey"}    jsonl  {"question", "choices", "answerKey"}
    boolq       jsonl   {"question", "passage", "answer": true}
    bbh         json    {"examples": [{"input", "target"}]}, the task is the file's name (BIG-Bench Hard)
    truthfulqa  csv     Question, Best Answer, Incorrect Answers          json   [{"question", "mc1_targets"}]
    csv                 any table with a header; ``columns`` says which column is what

TruthfulQA becomes multiple choice; its choices stand in the order of a hash, since the right one is always first.
"""

import csv
import hashlib
import io
import json
import re
import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from edgecascade.errors import QuestionFileError

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row]]
"""Rows of our own form, each with the line that it ends on (for one JSON document: its place, from 1)."""

_OURS = ("id", "task", "question", "messages", "choices", "gold", "metric", "grading", "scores")


def json_lines(text: str, name: str) -> Rows:
    """Yield the object of each line that is not blank; raises QuestionFileError where one is no JSON object."""
    for line, raw in enumerate(text.split("\n"), 1):
        if raw.strip():
            row = _loaded(raw, f"{name}:{line}")
            if not isinstance(row, dict):
                raise QuestionFileError(f"{name}:{line}: found {raw.strip()[:40]!r}, wanted one JSON object a line")
            yield line, row


def recognised(text: str, name: str) -> str:
    """Return the form of a file by its content: a name of ``FORMS``, or "jsonl" for our own.

    >>> recognised('{"question": "2 + 2?", "answer": "It is 4. #### 4"}', "train.jsonl")
    'gsm8k'
    """
    start = text.lstrip()[:1]
    if name.endswith(".csv") or start not in ("{", "["):
        return _recognised_table(text, name)
    if start == "[":
        return "truthfulqa"
    if re.match(r'\s*\{\s*("canary"\s*:\s*"(?:[^"\\]|\\.)*"\s*,\s*)?"examples"\s*:', text):
        return "bbh"
    row = next(json_lines(text, name))[1]
    if "metric" in row:
        return "jsonl"
    if "answerKey" in row:
        return "arc"
    if "passage" in row and isinstance(row.get("answer"), bool):
        return "boolq"
    if "choices" in row and "answer" in row:
        return "mmlu"
    return "gsm8k" if "####" in str(row.get("answer", "")) else "jsonl"


def _recognised_table(text: str, name: str) -> str:
    first = next((row for _, row in _table(text, name)), [])
    if {"Question", "Best Answer", "Incorrect Answers"} <= set(first):
        return "truthfulqa"
    return "mmlu" if len(first) == 6 and first[5].strip() in tuple("ABCD") else "csv"


def made_id(task: str, question: str, gold: str) -> str:
    """Return an id that the same content always has: 12 hex digits."""
    return hashlib.sha256("\0".join((task, question, gold)).encode("utf-8", "replace")).hexdigest()[:12]


def renamed(rows: Rows, columns: Mapping[str, str], name: str) -> Rows:
    """Yield the rows with our names for their columns (ours -> theirs); columns that are not named are dropped.

    ``choices`` may name several columns, joined by "|". Raises QuestionFileError where a column is missing.
    """
    if strange := sorted(set(columns) - set(_OURS)):
        raise QuestionFileError(f"column {strange[0]!r} has no meaning: wanted one of {', '.join(_OURS)}")
    for line, row in rows:
        found: Row = {}
        for ours, theirs in columns.items():
            several = theirs.split("|") if ours == "choices" and theirs not in row else [theirs]
            if missing := [column for column in several if column not in row]:
                raise QuestionFileError(
                    f"{name}:{line}: no column {missing[0]!r} for {ours!r}: found {', '.join(map(str, row))}; "
                    "correct the column's name"
                )
            values = [row[column] for column in several]
            found[ours] = values[0] if len(several) == 1 else [text for text in values if str(text).strip()]
        yield line, found


def table_rows(text: str, name: str) -> Rows:
    """Yield each row of a table with a header as a dictionary."""
    header: list[str] | None = None
    for line, cells in _table(text, name):
        if header is None:
            header = cells
        elif len(cells) != len(header):
            raise QuestionFileError(f"{name}:{line}: found {len(cells)} cells, wanted {len(header)} as in the header")
        else:
            yield line, dict(zip(header, cells, strict=True))


def _csv(text: str, name: str) -> Rows:
    """Yield the rows of a table that uses our names, and A, B, C ... for its choices."""
    for line, row in table_rows(text, name):
        choices = [row[letter] for letter in string.ascii_uppercase if row.get(letter, "").strip()]
        found: Row = {ours: row[ours] for ours in _OURS if row.get(ours, "").strip()}
        if missing := {"question", "gold"} - set(row):
            raise QuestionFileError(
                f"{name}:{line}: no column {min(missing)!r}: found {', '.join(row)}; say which column is what, "
                f"like --column {min(missing)}=NAME"
            )
        yield line, found | ({"choices": choices} if choices and "choices" not in found else {})


def _gsm8k(text: str, name: str) -> Rows:
    for line, row in json_lines(text, name):
        question, gold = (_field(row, field, f"{name}:{line}") for field in ("question", "answer"))
        yield line, {"task": "gsm8k", "metric": "GSM8K", "question": question, "gold": gold}


def _mmlu(text: str, name: str) -> Rows:
    if text.lstrip()[:1] == "{" and not name.endswith(".csv"):
        for line, row in json_lines(text, name):
            place = f"{name}:{line}"
            answer = _field(row, "answer", place)
            if isinstance(answer, int) and not isinstance(answer, bool):
                if not 0 <= answer < 26:
                    raise QuestionFileError(f"{place}: 'answer' is {answer}, wanted the place of a choice, from 0")
                answer = string.ascii_uppercase[answer]
            task = f"mmlu/{row['subject']}" if row.get("subject") else "mmlu"
            question, choices = _field(row, "question", place), _field(row, "choices", place)
            yield line, {"task": task, "metric": "choice", "question": question, "choices": choices, "gold": answer}
        return
    task = f"mmlu/{re.sub('_(test|dev|val)$', '', PurePath(name).stem)}"
    for line, cells in _table(text, name):
        if len(cells) != 6:
            raise QuestionFileError(f"{name}:{line}: found {len(cells)} cells, wanted 6: question, 4 choices, letter")
        question, *choices, letter = cells
        yield line, {"task": task, "metric": "choice", "question": question, "choices": choices, "gold": letter.strip()}


def _arc(text: str, name: str) -> Rows:
    for line, row in json_lines(text, name):
        place = f"{name}:{line}"
        asked = _field(row, "question", place)
        choices = _field(row, "choices", place) if isinstance(asked, str) else _field(asked, "choices", place)
        if isinstance(choices, list):
            choices = {"label": [_field(one, "label", place) for one in choices],
                       "text": [_field(one, "text", place) for one in choices]}  # fmt: skip
        question = asked if isinstance(asked, str) else _field(asked, "stem", place)
        found = {"task": "arc", "metric": "choice", "question": question, "choices": choices}
        yield line, found | {"gold": _field(row, "answerKey", place)} | ({"id": row["id"]} if "id" in row else {})


def _boolq(text: str, name: str) -> Rows:
    for line, row in json_lines(text, name):
        place = f"{name}:{line}"
        passage, asked = (str(_field(row, field, place)).strip() for field in ("passage", "question"))
        question = f"{passage}\n\n{asked.rstrip('?')}? Answer yes or no."
        yield (
            line,
            {"task": "boolq", "metric": "normalised", "question": question, "gold": _field(row, "answer", place)},
        )


_OPTIONS = re.compile(r"\s*\bOptions:\s*\n(?=\s*\(A\))")
_OPTION = re.compile(r"^\s*\(([A-Z])\)[ \t]*(.*)$", re.MULTILINE)


def _bbh(text: str, name: str) -> Rows:
    task = f"bbh/{PurePath(name).stem}"
    for place, row in enumerate(_listed(_field(_loaded(text, name), "examples", name), name), 1):
        asked, target = (str(_field(row, field, f"{name}:{place}")).strip() for field in ("input", "target"))
        before, *after = _OPTIONS.split(asked, maxsplit=1)
        options = dict(_OPTION.findall(after[0])) if after else {}
        letter = target.strip("()")
        if letter in options and list(options) == list(string.ascii_uppercase[: len(options)]) and len(options) > 1:
            yield place, {"task": task, "metric": "choice", "question": before, "choices": [*options.values()],
                          "gold": letter}  # fmt: skip
        else:
            metric = "number" if re.fullmatch(r"-?\d+(\.\d+)?", target) else "normalised"
            metric = metric if re.search(r"\w", target) else "exact"
            yield place, {"task": task, "metric": metric, "question": asked, "gold": target}


def _truthfulqa(text: str, name: str) -> Rows:
    if text.lstrip()[:1] == "[":
        for place, row in enumerate(_listed(_loaded(text, name), name), 1):
            targets = _field(row, "mc1_targets", f"{name}:{place}")
            right = [choice for choice, is_right in targets.items() if is_right] if isinstance(targets, dict) else []
            if len(right) != 1:
                raise QuestionFileError(f"{name}:{place}: found {len(right)} right ones in 'mc1_targets', wanted 1")
            yield place, _one_of(_field(row, "question", f"{name}:{place}"), right[0], list(targets))
        return
    for line, row in table_rows(text, name):
        best, wrong = (_field(row, field, f"{name}:{line}").strip() for field in ("Best Answer", "Incorrect Answers"))
        choices = [best, *(choice.strip() for choice in wrong.split(";") if choice.strip())]
        yield line, _one_of(_field(row, "Question", f"{name}:{line}"), best, choices)


def _one_of(question: str, right: str, choices: list[str]) -> Row:
    """Return a multiple-choice row whose choices stand in an order that depends on nothing but their text."""
    order = sorted(dict.fromkeys(choices), key=lambda choice: made_id("truthfulqa", question, choice))[:26]
    letter = string.ascii_uppercase[order.index(right)]
    return {"task": "truthfulqa", "metric": "choice", "question": question, "choices": order, "gold": letter}


def _field(row: object, field: str, place: str) -> Any:
    if not isinstance(row, dict) or field not in row:
        found = ", ".join(row) if isinstance(row, dict) else repr(row)[:40]
        raise QuestionFileError(f"{place}: {field!r} is missing: found {found}; is the file of another form?")
    return row[field]


def _listed(found: object, place: str) -> list[Any]:
    if not isinstance(found, list):
        raise QuestionFileError(f"{place}: found {repr(found)[:40]}, wanted a list of questions")
    return found


def _loaded(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QuestionFileError(f"{place}: broken JSON: {error}; found {text.strip()[:40]!r}") from error


def _table(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise QuestionFileError(f"{name}:{reader.line_num}: broken CSV: {error}; wanted quotes in pairs") from error


FORMS: dict[str, Callable[[str, str], Rows]] = {
    "jsonl": json_lines,
    "gsm8k": _gsm8k,
    "mmlu": _mmlu,
    "arc": _arc,
    "boolq": _boolq,
    "bbh": _bbh,
    "truthfulqa": _truthfulqa,
    "csv": _csv,
}
"""Every form that can be read: (text, file name) -> rows of our own form."""
