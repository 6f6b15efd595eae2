"""Published layouts are recognised by their content, and give questions that their own gold answers right."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from edgecascade.errors import QuestionFileError
from edgecascade.grading import grade
from edgecascade.labelled import LabelledQuestion
from edgecascade.store.importers import FORMS, recognised
from edgecascade.store.questions import read_questions


def lines(*rows: Any) -> str:
    """Return JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def table(*rows: list[str]) -> str:
    """Return CSV."""
    target = io.StringIO()
    csv.writer(target).writerows(rows)
    return target.getvalue()


SHELF = {"question": "A shelf holds 3 rows of 4 jars. How many jars?", "answer": "3 * 4 = <<3*4=12>>12 jars\n#### 12"}
TIDE = {"question": "What raises the tide?", "subject": "sea_science", "choices": ["wind, mostly", "moon"], "answer": 1}
STEM = {"id": "q7", "question": {"stem": "What melts?", "choices": [{"text": "ice", "label": "1"},
        {"text": "sand", "label": "2"}]}, "answerKey": "1"}  # fmt: skip
FLAT = {"id": "q8", "question": "What burns?", "choices": {"text": ["wet sand", "dry wood"], "label": ["A", "B"]},
        "answerKey": "B"}  # fmt: skip
FERRY = {
    "question": "does the ferry run in winter",
    "title": "Ferry",
    "passage": "The ferry rests from May.",
    "answer": True,
}
LOGIC = {"canary": "do not train", "examples": [
    {"input": "Three boats race.\nOptions:\n(A) Red wins\n(B) Blue wins", "target": "(B)"},
    {"input": "not ( True ) is", "target": "False"},
    {"input": "I have two pears. How many?", "target": "2"},
    {"input": "Complete: ( [", "target": "] )"},
    {"input": "Sort: b a", "target": "a b"},
]}  # fmt: skip
HEADER = ["Type", "Category", "Question", "Best Answer", "Correct Answers", "Incorrect Answers", "Source"]
MYTHS = [
    ["Adversarial", "Sea", f"What is under stone {n}?", "Sand", "Sand; Soil", "Gold; A door; Fire", "x"]
    for n in range(9)
]
TARGETS = [{"question": f"What is in jar {n}?", "mc1_targets": {"Honey": 1, "Gold": 0, "Fire": 0}} for n in range(9)]

FILES = {
    "gsm8k": ("train.jsonl", lines(SHELF), "gsm8k", "GSM8K"),
    "mmlu": ("test.jsonl", lines(TIDE), "mmlu/sea_science", "choice"),
    "mmlu table": (
        "sea_science_test.csv",
        table(["What, then?", "a", "b", "c", "d", "C"]),
        "mmlu/sea_science",
        "choice",
    ),
    "arc": ("arc.jsonl", lines(STEM, FLAT), "arc", "choice"),
    "boolq": ("dev.jsonl", lines(FERRY), "boolq", "normalised"),
    "bbh": ("boats.json", json.dumps(LOGIC, indent=2), "bbh/boats", "choice"),
    "truthfulqa": ("TruthfulQA.csv", table(HEADER, *MYTHS), "truthfulqa", "choice"),
    "truthfulqa json": ("mc_task.json", json.dumps(TARGETS), "truthfulqa", "choice"),
    "csv": ("own.csv", table(["question", "gold"], ["Where?", "Here"]), "own", "normalised"),
}


def read(root: Path, name: str) -> tuple[LabelledQuestion, ...]:
    """Return the questions of one of the files."""
    path = root / FILES[name][0]
    path.write_text(FILES[name][1], encoding="utf-8", newline="")
    return read_questions(path).questions


@pytest.mark.parametrize("name", FILES)
def test_a_layout_is_recognised_by_its_content(tmp_path: Path, name: str) -> None:
    """Task and metric follow from it, and naming the form gives the same."""
    file, text, task, metric = FILES[name]
    questions = read(tmp_path, name)

    assert recognised(text, file) == name.split()[0] and name.split()[0] in FORMS
    assert {question.task for question in questions} == {task} and questions[0].metric == metric
    assert questions == read_questions(tmp_path / file, form=name.split()[0]).questions


@pytest.mark.parametrize("name", FILES)
def test_the_gold_answers_its_own_question(tmp_path: Path, name: str) -> None:
    """As a letter, as the choice's text, or as it was published."""
    for question in read(tmp_path, name):
        texts = [question.choices["ABCDE".index(question.gold[0])]] if question.choices else []

        assert all(grade(text, question).correct for text in [question.gold[0], *texts])
        assert not grade("I cannot answer", question).correct


@pytest.mark.parametrize("name", FILES)
def test_ids_are_stable(tmp_path: Path, name: str) -> None:
    """Reading twice gives the same ids, each once; ids of the file are kept."""
    ids = [question.id for question in read(tmp_path, name)]

    assert ids == [question.id for question in read(tmp_path, name)] and len(set(ids)) == len(ids)
    assert name != "arc" or ids == ["q7", "q8"]


def test_labels_become_letters(tmp_path: Path) -> None:
    """Whether they were digits or letters, in either layout."""
    first, second = read(tmp_path, "arc")

    assert (first.choices, first.gold) == (("ice", "sand"), ("A",))
    assert (second.choices, second.gold) == (("wet sand", "dry wood"), ("B",))


def test_a_passage_stands_before_its_question(tmp_path: Path) -> None:
    """And yes or no is asked for."""
    question = read(tmp_path, "boolq")[0]

    assert question.messages[0].content.startswith("The ferry rests from May.\n\ndoes the ferry run in winter?")
    assert grade("Yes, it does.", question).correct and not grade("No.", question).correct


def test_options_within_a_text_become_choices(tmp_path: Path) -> None:
    """They leave the text; the other kinds of target keep theirs and get the metric that fits."""
    questions = read(tmp_path, "bbh")

    assert questions[0].choices == ("Red wins", "Blue wins") and questions[0].messages[0].content == "Three boats race."
    assert [question.metric for question in questions] == ["choice", "normalised", "number", "exact", "normalised"]


@pytest.mark.parametrize("name", ["truthfulqa", "truthfulqa json"])
def test_the_right_choice_is_not_always_first(tmp_path: Path, name: str) -> None:
    """The order depends on the text alone, and moves the right one about."""
    assert len({question.gold for question in read(tmp_path, name)}) > 1


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    """In a table and in JSON lines; several columns are choices, empty ones are none."""
    columns = {"question": "Q", "gold": "Right", "task": "T", "choices": "c1|c2|c3"}
    path = tmp_path / "t.csv"
    path.write_text(
        table(["Q", "c1", "c2", "c3", "Right", "T", "note"], ["Up?", "sky", "sea", "", "sky", "x", "?"]), "utf-8"
    )
    question = read_questions(path, columns=columns).questions[0]
    assert (question.task, question.choices, question.gold, question.metric) == ("x", ("sky", "sea"), ("A",), "choice")

    path = tmp_path / "t.jsonl"
    path.write_text(lines({"Q": "Up?", "Right": ["sky", "the sky"], "T": "x"}), "utf-8")
    question = read_questions(path, columns={"question": "Q", "gold": "Right"}).questions[0]
    assert (question.task, question.gold, question.metric) == ("t", ("sky", "the sky"), "normalised")


def test_a_table_may_hold_everything(tmp_path: Path) -> None:
    """Lettered columns are choices; grading and scores are JSON in a cell; a quoted cell may span lines."""
    path = tmp_path / "t.csv"
    rows = table(
        ["id", "question", "gold", "metric", "grading", "scores", "A", "B"],
        ["1", "How\nfar?", "5", "number", '{"unit": "km"}', '{"large": 0.5}', "", ""],
        ["2", "Which?", "B", "", "", "", "this", "that"],
    )
    path.write_text(rows, "utf-8", newline="")
    first, second = read_questions(path).questions

    assert grade("5000 m", first).correct and first.scores == {"large": 0.5} and first.task == "t"
    assert (second.metric, second.choices, second.gold) == ("choice", ("this", "that"), ("B",))


BROKEN = [
    ("a.jsonl", lines({"question": "x"}), "gsm8k", r"a\.jsonl:1: 'answer' is missing"),
    ("a.jsonl", lines(TIDE | {"answer": -1}), None, r"a\.jsonl:1: 'answer' is -1"),
    ("a.jsonl", lines(TIDE | {"answer": 2}), None, "wanted one letter, A to B"),
    ("a.jsonl", lines(STEM | {"answerKey": "7"}), None, "wanted one letter"),
    ("a.csv", table(["x", "a", "b", "c", "d", "A"], ["x", "a", "b"]), None, "found 3 cells, wanted 6"),
    ("a.csv", table(["question", "gold"], ["x"]), None, "found 1 cells, wanted 2"),
    ("a.csv", table(["Q", "A"], ["x", "y"]), None, "no column 'gold'.*which column is what"),
    ("a.csv", 'question,gold\n"x', None, "broken CSV"),
    ("a.json", "[1]", None, r"a\.json:1: 'mc1_targets' is missing"),
    ("a.json", '{"examples": [{"input": "x"}]}', None, r"a\.json:1: 'target' is missing"),
    ("a.json", '[{"question": "x", "mc1_targets": {"a": 0}}]', None, "found 0 right ones"),
    ("a.json", '{"examples": 5}', None, "wanted a list"),
    ("a.csv", table(["question", "gold", "scores"], ["x", "y", "{"]), None, "'scores'.*wanted JSON"),
]


@pytest.mark.parametrize(("name", "text", "form", "reason"), BROKEN, ids=[row[3] for row in BROKEN])
def test_a_broken_layout_is_named_by_its_line(
    tmp_path: Path, name: str, text: str, form: str | None, reason: str
) -> None:
    """What was found and what was wanted, never a bare exception."""
    path = tmp_path / name
    path.write_text(text, "utf-8", newline="")

    with pytest.raises(QuestionFileError, match=reason):
        read_questions(path, form=form)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Theirs, with those that are; ours, with those that have a meaning."""
    path = tmp_path / "t.csv"
    path.write_text(table(["Q", "A"], ["x", "y"]), "utf-8")

    with pytest.raises(QuestionFileError, match="no column 'Question' for 'question': found Q, A"):
        read_questions(path, columns={"question": "Question", "gold": "A"})
    with pytest.raises(QuestionFileError, match="column 'answer' has no meaning"):
        read_questions(path, columns={"answer": "A"})
