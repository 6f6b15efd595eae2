"""A question file is read whole, or refused with the line that breaks its rules."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from edgecascade.errors import QuestionFileError
from edgecascade.grading import GRADERS, grade
from edgecascade.store.questions import read_questions

SUM = {"id": "1", "task": "sums", "question": "2 + 2?", "gold": "4", "metric": "number"}
BIRD = {"id": "2", "task": "birds", "question": "Which one flies?", "choices": ["a stone", "a tern"], "gold": "B",
        "metric": "choice", "scores": {"large": 1.0}}  # fmt: skip


def written(path: Path, *rows: Any) -> Path:
    """Return the path, with one JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    """Every field arrives, and the digest is that of the bytes."""
    path = written(tmp_path / "q.jsonl", SUM, BIRD)
    found = read_questions(path)

    assert [question.id for question in found.questions] == ["1", "2"]
    assert found.questions[0].messages[0].content == "2 + 2?" and found.questions[0].gold == ("4",)
    assert found.questions[1].choices == ("a stone", "a tern") and found.questions[1].scores == {"large": 1.0}
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and not found.left_out


def test_a_folder_is_its_files_by_name(tmp_path: Path) -> None:
    """Other files are left alone, and the digest does not depend on where the folder lies."""
    for root in (tmp_path / "a", tmp_path / "b"):
        root.mkdir()
        written(root / "2.jsonl", SUM)
        written(root / "1.jsonl", BIRD)
        (root / "README.md").write_text("no question", encoding="utf-8")
    found = read_questions(tmp_path / "a")

    assert [question.id for question in found.questions] == ["2", "1"]
    assert found.sha256 == read_questions(str(tmp_path / "b")).sha256


def test_a_metric_that_is_not_graded_is_left_out_and_counted(tmp_path: Path) -> None:
    """Its rows need not follow the rules of another metric."""
    code = {"task": "code", "question": "Write f.", "gold": "assert f() == 1", "metric": "code_eval"}
    found = read_questions(
        written(tmp_path / "q.jsonl", SUM, code | {"choices": ["x"]}, code | {"question": "Write g."})
    )

    assert [question.id for question in found.questions] == ["1"]
    assert found.left_out == {"code_eval": 2}


@pytest.mark.parametrize(
    ("choices", "gold"),
    [
        (["x", "y"], "B"),
        (["x", "y"], "b"),
        (["x", "y"], "y"),
        ({"label": ["A", "B"], "text": ["x", "y"]}, "B"),
        ({"text": ["x", "y"], "labels": ["A", "B"]}, "B"),
        ({"text": ["x", "y"], "label": ["1", "2"]}, "2"),
        ({"text": ["x", "y"]}, ["B"]),
        (["1", "2"], "2"),
        (["C", "y"], "B"),
    ],
)
def test_choices_have_letters_whatever_their_labels(tmp_path: Path, choices: Any, gold: Any) -> None:
    """The second choice is B, however it was named."""
    row = BIRD | {"choices": choices, "gold": gold}
    question = read_questions(written(tmp_path / "q.jsonl", row)).questions[0]

    assert question.gold == ("B",) and len(question.choices) == 2
    assert grade("B", question).correct and not grade("A", question).correct


@pytest.mark.parametrize(
    ("metric", "gold", "wanted"),
    [
        ("normalised", True, ("yes",)),
        ("normalised", False, ("no",)),
        ("number", 5, ("5",)),
        ("number", 2.5, ("2.5",)),
        ("f1", ["a b", "c"], ("a b", "c")),
        ("number", [1, 2.5], ("1", "2.5")),
    ],
)
def test_gold_may_be_any_plain_value(tmp_path: Path, metric: str, gold: Any, wanted: tuple[str, ...]) -> None:
    """Numbers and truth values become texts that the grader reads as the same."""
    row = SUM | {"metric": metric, "gold": gold}
    question = read_questions(written(tmp_path / "q.jsonl", row)).questions[0]

    assert question.gold == wanted and all(grade(text, question).correct for text in wanted)


def test_messages_are_kept_as_they_are(tmp_path: Path) -> None:
    """Several turns arrive in order."""
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]
    row = {name: value for name, value in SUM.items() if name != "question"} | {"messages": turns}
    question = read_questions(written(tmp_path / "q.jsonl", row)).questions[0]

    assert [(message.role, message.content) for message in question.messages] == [
        ("system", "Be brief."),
        ("user", "2 + 2?"),
    ]


def test_ids_are_made_from_the_content(tmp_path: Path) -> None:
    """The same question has the same id in any file and place; another gold gives another."""
    bare = {name: value for name, value in SUM.items() if name != "id"}
    here = read_questions(written(tmp_path / "a.jsonl", bare, bare | {"question": "2 + 3?"})).questions
    there = read_questions(written(tmp_path / "b.jsonl", bare | {"question": "2 + 3?"}, bare)).questions
    other = read_questions(written(tmp_path / "c.jsonl", bare | {"gold": "5"})).questions

    assert [question.id for question in here] == [question.id for question in reversed(there)]
    assert len({question.id for question in here + other}) == 3 and all(len(question.id) == 12 for question in here)


@pytest.mark.parametrize("first", [BIRD, {name: value for name, value in BIRD.items() if name != "id"}])
def test_one_text_with_other_choices_is_numbered(tmp_path: Path, first: dict[str, Any]) -> None:
    """Ids that are made of the text, by us or by who published the table, do not tell such questions apart."""
    second = first | {"choices": ["a hut", "a wren"]}
    found = read_questions(written(tmp_path / "q.jsonl", first, second)).questions

    assert found[1].id == f"{found[0].id}-2" and found[1].choices == ("a hut", "a wren")


@pytest.mark.parametrize("again", [{}, {"id": "9"}, {"id": None}, {"scores": {"large": 0.0}}])
def test_a_copy_is_counted_and_not_kept(tmp_path: Path, again: dict[str, Any]) -> None:
    """Under whatever id, in one file or in two: a copy is no second question."""
    one = read_questions(written(tmp_path / "a.jsonl", BIRD, SUM, BIRD | again))
    written(tmp_path / "b.jsonl", BIRD | again)

    assert [question.id for question in one.questions] == ["2", "1"] and one.repeated == 1
    assert one.questions[0].scores == {"large": 1.0} and read_questions(tmp_path).repeated == 2


CONFLICTS = [
    (SUM, {"id": "9", "gold": "5"}, "'gold'.*'5'.*wanted.*'4'"),
    (SUM, {"gold": "5"}, "'gold'"),
    (SUM, {"id": None, "gold": "5"}, "'gold'"),
    (SUM, {"metric": "GSM8K"}, "'metric'.*GSM8K.*wanted number"),
    (SUM, {"grading": {"unit": "km"}}, "'grading'"),
    (BIRD, {"id": "9", "gold": "A"}, "'gold'"),
    (SUM, {"question": "2 + 3?"}, "id '1'"),
    (SUM, {"task": "more sums"}, "id '1'"),
    (BIRD, {"task": "more birds", "choices": ["a gull", "a rock"]}, "id '2'"),
    (BIRD, {"question": "Which one swims?", "choices": ["a gull", "a rock"]}, "id '2'"),
    (BIRD, {"choices": ["a tern", "a stone"], "gold": "A"}, "id '2'"),
    (BIRD, {"choices": ["a gull", "a rock"], "metric": "em_mc"}, "id '2'"),
]


@pytest.mark.parametrize(("row", "change", "reason"), CONFLICTS)
def test_rows_that_contradict_each_other_are_refused(
    tmp_path: Path, row: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    """One id for two questions, or one question with two right answers: both lines are named."""
    path = written(tmp_path / "q.jsonl", row, row | change)

    with pytest.raises(QuestionFileError, match=rf"q\.jsonl:2: (?=.*q\.jsonl:1\b){reason}"):
        read_questions(path)


def test_a_conflict_between_two_files_of_a_folder_is_refused(tmp_path: Path) -> None:
    """A number and a text that look alike are one id."""
    written(tmp_path / "a.jsonl", SUM)
    written(tmp_path / "b.jsonl", BIRD, BIRD | {"id": 1, "question": "Which one swims?"})

    with pytest.raises(QuestionFileError, match=r"b\.jsonl:2: id '1'.*a\.jsonl:1"):
        read_questions(tmp_path)


BROKEN = [
    (SUM | {"gold": None}, "needs a gold answer"),
    (SUM | {"metric": "GSM8K", "gold": "none"}, "no number"),
    (SUM | {"metric": "nubmer"}, "did you mean 'number'"),
    (SUM | {"metric": "zzzzzz"}, ", ".join(list(GRADERS)[:3])),
    (BIRD | {"gold": "C"}, "wanted one letter, A to B"),
    (BIRD | {"gold": "9"}, "wanted one letter, A to B"),
    (BIRD | {"choices": None}, "2 to 26 choices"),
    (BIRD | {"choices": {"label": ["A"], "text": ["x", "y"]}}, "labels"),
    (BIRD | {"choices": {"label": ["A", "A"], "text": ["x", "y"]}}, "labels"),
    (BIRD | {"scores": {"large": 1.5}}, "scores.large.*1.5.*less than or equal to 1"),
    (BIRD | {"scores": {"large": float("nan")}}, "scores.large"),
    (BIRD | {"choises": ["x"]}, "choises.*not permitted"),
    (SUM | {"question": "  "}, "no question"),
    (SUM | {"question": 5}, "'question'.*5.*string"),
    (SUM | {"question": None, "messages": []}, "no question"),
    (SUM | {"messages": [{"role": "user", "content": "x"}]}, "remove 'question'"),
    (SUM | {"question": None, "messages": [{"role": "robot", "content": "x"}]}, "robot"),
    (SUM | {"question": "\ud800"}, "surrogates"),
    (SUM | {"grading": {"tolerence": 1}}, "tolerence"),
    (SUM | {"metric": "json_schema", "grading": {"schema": {"format": "date"}}}, "format"),
    (SUM | {"metric": "regex", "grading": {"pattern": "("}}, "cannot be read"),
    ({"id": "1"}, "'task'"),
    ([1], "one JSON object a line"),
]


@pytest.mark.parametrize(("row", "reason"), BROKEN, ids=lambda value: value if isinstance(value, str) else "row")
def test_a_broken_row_is_named_by_its_line(tmp_path: Path, row: Any, reason: str) -> None:
    """The file, the line, what was found and what was wanted."""
    path = written(tmp_path / "q.jsonl", BIRD | {"id": "good"}, row)

    with pytest.raises(QuestionFileError, match=rf"q\.jsonl:2: .*{reason}"):
        read_questions(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no question"),
        (b"\n \n", "no question"),
        (b'{"id": \n', r":1: broken JSON"),
        (json.dumps(SUM).encode() + b'\n{"task": "\xff"}\n', r":2: found byte 0xff, wanted UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"\n", r":1: broken JSON"),
    ],
)
def test_a_file_that_is_no_text_of_objects_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """Empty, broken, or not UTF-8."""
    path = tmp_path / "q.jsonl"
    path.write_bytes(content)

    with pytest.raises(QuestionFileError, match=reason):
        read_questions(path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A missing file, a folder without question files, an unknown form."""
    for path, form in ((tmp_path / "none.jsonl", None), (tmp_path, None), (tmp_path, "excel")):
        with pytest.raises(QuestionFileError, match=r"name|found|wanted"):
            read_questions(path, form=form)


def test_a_mark_at_the_start_blank_lines_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    """As editors on other systems write them; a line separator within a text ends no line."""
    path = tmp_path / "q.jsonl"
    rows = [SUM, BIRD | {"question": "a\u2028b"}]
    text = "\r\n\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n")

    assert [question.id for question in read_questions(path).questions] == ["1", "2"]
